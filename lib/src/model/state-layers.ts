/** The state of one layer, and what is done to all tensors of one or several states in the same place. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Tensor2D, Tensor4D } from "@tensorflow/tfjs-core";

import { ShapeError } from "../errors.js";

/** The state of one layer. */
export interface LayerState {
  /** the last token as time mixing saw it, `[B, C]` */
  readonly attShift: Tensor2D;
  /** the last token as the Meta-State layer saw it, `[B, C]` */
  readonly ffnShift: Tensor2D;
  /** S, `[B, H, N, N]`; rows are value channels, columns key channels */
  readonly wkv: Tensor4D;
  /** M, `[B, Hs, N, N]`, where the SSE variant carries one */
  readonly meta?: Tensor4D;
  /** states that a variant of one's own declares, `[B, …]` */
  readonly [own: string]: Tensor | undefined;
}

/** A tensor of a layer's state by its name: the library's, or that of a state that a variant of one's own declares. */
export type StateTensorName = "attShift" | "ffnShift" | "wkv" | "meta" | (string & Record<never, never>);

/** The library's names, in the order in which a state lists and saves its tensors. A variant's own follow. */
export const stateTensorNames: readonly StateTensorName[] = ["attShift", "ffnShift", "wkv", "meta"];

/** The tensors that a layer has, by name, in the order of {@link stateTensorNames} and then of their declaration. */
export function tensorsOf(layer: LayerState): [StateTensorName, Tensor][] {
  const own = Object.keys(layer).filter((name) => !stateTensorNames.includes(name));
  return [...stateTensorNames, ...own].flatMap((name): [StateTensorName, Tensor][] => {
    const tensor = layer[name];
    return tensor ? [[name, tensor]] : [];
  });
}

/** The names of the tensors that a layer has, in their order. */
export function tensorNamesOf(layer: LayerState): StateTensorName[] {
  return tensorsOf(layer).map(([name]) => name);
}

/** A layer of tensors by name. */
export function layerOf(tensors: Iterable<readonly [StateTensorName, Tensor]>): LayerState {
  return Object.fromEntries(tensors) as unknown as LayerState;
}

/**
 * Layers whose tensors are made of those that the given states have in the same place. What `change` makes beside its
 * result is the caller's to tidy.
 */
export function mapLayers(
  states: readonly (readonly LayerState[])[],
  change: (tensors: readonly Tensor[], layer: number, name: StateTensorName) => Tensor,
): LayerState[] {
  return states[0]!.map((layer, i) =>
    layerOf(
      tensorNamesOf(layer).map((name) => [
        name,
        change(
          states.map((state) => state[i]![name]!),
          i,
          name,
        ),
      ]),
    ),
  );
}

/**
 * The first thing in which two states differ, as an error; undefined when they have the same tensors of the same shapes.
 *
 * @param rowsMayDiffer whether the number of rows (the batch) is left out of the comparison
 */
export function stateMismatch(
  op: string,
  mine: readonly LayerState[],
  others: readonly LayerState[],
  { rowsMayDiffer = false } = {},
): ShapeError | undefined {
  if (mine.length !== others.length) {
    return new ShapeError(op, "the other state", layerCount(others.length), `${layerCount(mine.length)}, as this one`);
  }
  for (const [i, layer] of mine.entries()) {
    for (const name of new Set([...tensorNamesOf(layer), ...tensorNamesOf(others[i]!)])) {
      const [here, there] = [layer[name], others[i]![name]];
      const skipped = rowsMayDiffer ? 1 : 0;
      const [wanted, found] = [here, there].map((tensor) => tensor?.shape.slice(skipped).join());
      if (wanted === found) continue;
      return new ShapeError(op, `the other state's layers[${i}].${name}`, shapeOf(there), `${shapeOf(here)}, as here`);
    }
  }
  return undefined;
}

function layerCount(count: number): string {
  return count === 1 ? "of 1 layer" : `of ${count} layers`;
}

function shapeOf(tensor: Tensor | undefined): string {
  return tensor ? `[${tensor.shape.join(", ")}]` : "missing";
}

/** Values of a tensor, read at once: states are small, and a notebook wants them now. */
export function valuesOf(tensor: Tensor): Float32Array {
  return tensor.dataSync<"float32">();
}

/** A tensor's rows (and, of matrices, heads) of these numbers. */
export function gatherPlaces(tensor: Tensor, rows: readonly number[], heads?: readonly number[]): Tensor {
  return tf.tidy(() => {
    const chosen = tf.gather(tensor, tf.tensor1d([...rows], "int32"), 0);
    return heads ? tf.gather(chosen, tf.tensor1d([...heads], "int32"), 1) : chosen;
  });
}
