/** Which part of a state is meant: layers, heads, rows of the batch. */
import type { Tensor } from "@tensorflow/tfjs-core";

import { ConfigurationError } from "../errors.js";
import { stateTensorNames, tensorNamesOf, type LayerState, type StateTensorName } from "./state-layers.js";

/** One number, or several. */
export type Numbers = number | readonly number[];

/** A place in a state; what is left out means all. */
export interface StatePlace {
  /** `wkv` (S, the default), `meta` (M), a last token (`attShift`, `ffnShift`), or a state of the variant's own */
  part?: StateTensorName;
  /** from 0 */
  layers?: Numbers;
  /** from 0; `wkv`, `meta` and others of four axes have heads */
  heads?: Numbers;
  /** rows of the batch, from 0 */
  rows?: Numbers;
}

/** A place with all its numbers. */
export interface ResolvedPlace {
  readonly part: StateTensorName;
  readonly layers: readonly number[];
  readonly rows: readonly number[];
  /** absent where there are none, as of `attShift` and `ffnShift` */
  readonly heads?: readonly number[];
  /** the shape of what is there at one layer, row and head: `[N, N]`, `[C]`, … */
  readonly item: readonly number[];
}

/**
 * Spells a place out and checks it.
 *
 * @throws ConfigurationError naming the index that is out of range, or the part that the state does not have
 */
export function resolvePlace(op: string, state: readonly LayerState[], place: StatePlace = {}): ResolvedPlace {
  const { part = "wkv" } = place;
  const known = new Set([...stateTensorNames, ...state.flatMap(tensorNamesOf)]);
  if (!known.has(part)) {
    throw new ConfigurationError(`${op}: part is "${String(part)}", wanted one of ${[...known].join(", ")}`);
  }
  const layers = numbers(op, "layers", place.layers, state.length);
  for (const layer of layers) {
    if (state[layer]![part]) continue;
    throw new ConfigurationError(
      `${op}: layer ${layer} of this state has no "${part}", only ${tensorNamesOf(state[layer]!).join(", ")}: ` +
        `the model's SSE carries no Meta-State`,
    );
  }
  const tensor = state[layers[0]!]![part]!;
  const { shape } = tensor;
  const rows = numbers(op, "rows", place.rows, shape[0]);
  const hasHeads = hasHeadAxis(tensor);
  if (!hasHeads && place.heads !== undefined) {
    throw new ConfigurationError(`${op}: heads is given, but "${part}" has none: leave heads out`);
  }
  if (!hasHeads) return { part, layers, rows, item: shape.slice(1) };
  return { part, layers, rows, heads: numbers(op, "heads", place.heads, shape[1]!), item: shape.slice(2) };
}

/** Whether a tensor of a layer's state is `[B, H, …, …]`. */
export function hasHeadAxis({ rank }: Tensor): boolean {
  return rank === 4;
}

/** The shape of the values at a place: `[layers, rows, heads, N, N]` or `[layers, rows, C]`. */
export function placeShape({ layers, rows, heads, item }: ResolvedPlace): number[] {
  return [layers.length, rows.length, ...(heads ? [heads.length] : []), ...item];
}

function numbers(op: string, name: string, given: Numbers | undefined, count: number): readonly number[] {
  if (given === undefined) return Array.from({ length: count }, (_, i) => i);
  const list = typeof given === "number" ? [given] : given;
  if (list.length === 0) throw new ConfigurationError(`${op}: ${name} is empty, wanted one number or more`);
  for (const number of list) {
    if (Number.isInteger(number) && number >= 0 && number < count) continue;
    throw new ConfigurationError(`${op}: ${name} has ${number}, wanted 0 to ${count - 1}`);
  }
  return list;
}
