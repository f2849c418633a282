/** The matrices of a state as rows of numbers, for plots. */
import * as tf from "@tensorflow/tfjs-core";

import { ConfigurationError } from "../errors.js";
import { tensorsOf } from "../model/state-layers.js";
import { hasHeadAxis } from "../model/state-place.js";
import type { ModelState, StatePart } from "../model/state.js";

/** What a part is called in titles. */
const partNames: Readonly<Record<string, string>> = { wkv: "WKV state", meta: "Meta-State" };

/** Which matrices of a state are plotted. */
export interface StateChoice {
  /** a layer's number, or all; default 0, the first */
  layer?: number | "all";
  /** a head's number, or all; default 0 */
  head?: number | "all";
  /** the WKV state S, the Meta-State M, or a state of the variant's own that is matrices of heads; default `wkv` */
  part?: StatePart;
  /** row of the batch; default 0 */
  batch?: number;
}

/** A head's matrix: rows are value channels, columns key channels. */
export interface HeadMatrix {
  readonly layer: number;
  readonly head: number;
  readonly matrix: number[][];
}

/**
 * The matrices that a choice names, a list a layer.
 *
 * @param caller what errors name
 * @throws ConfigurationError naming the index that is out of range, or that the model has no Meta-State
 */
export function stateMatrices(
  caller: string,
  state: ModelState,
  { layer = 0, head = 0, part = "wkv", batch = 0 }: StateChoice,
): HeadMatrix[][] {
  const outOfRange = (name: string, value: number, count: number): ConfigurationError =>
    new ConfigurationError(`${caller}: ${name} is ${value}, wanted 0 to ${count - 1}`);
  const layers = layer === "all" ? [...state.layers.keys()] : [layer];
  return layers.map((number) => {
    const layerState = state.layers[number];
    if (!layerState) throw outOfRange("layer", number, state.layers.length);
    const tensor = layerState[part];
    if (!tensor || !hasHeadAxis(tensor)) {
      const there = tensorsOf(layerState).flatMap(([name, held]) => (hasHeadAxis(held) ? [`"${name}"`] : []));
      const why = part === "meta" ? ": the model's SSE carries no Meta-State" : "";
      throw new ConfigurationError(
        `${caller}: part "${part}" is not among the matrices of this state${why}; use part ${there.join(" or ")}`,
      );
    }
    const [batches, heads, rows, columns] = tensor.shape as [number, number, number, number];
    if (!(batch >= 0 && batch < batches)) throw outOfRange("batch", batch, batches);
    if (head !== "all" && !(head >= 0 && head < heads)) throw outOfRange("head", head, heads);
    const values = tf.tidy(() => tf.slice(tensor, [batch, 0, 0, 0], [1, heads, rows, columns]).dataSync<"float32">());
    const chosen = head === "all" ? Array.from({ length: heads }, (_, i) => i) : [head];
    return chosen.map((place) => ({
      layer: number,
      head: place,
      matrix: Array.from({ length: rows }, (_, i) => {
        const start = (place * rows + i) * columns;
        return Array.from(values.subarray(start, start + columns));
      }),
    }));
  });
}

/** What a choice shows, in words: `WKV state, layer 1, head 0`. */
export function choiceName({ layer = 0, head = 0, part = "wkv" }: StateChoice): string {
  const place = (what: string, value: number | "all"): string =>
    value === "all" ? `all ${what}s` : `${what} ${value}`;
  return `${partNames[part] ?? part}, ${place("layer", layer)}, ${place("head", head)}`;
}

/** What stands over one heatmap of several. */
export function cellName({ layer, head }: HeadMatrix, choice: StateChoice): string {
  const parts = [
    ...(choice.layer === "all" ? [`layer ${layer}`] : []),
    ...(choice.head === "all" ? [`head ${head}`] : []),
  ];
  return parts.join(", ");
}
