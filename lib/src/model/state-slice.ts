/** A part of a state as plain numbers, for plots and cells; and numbers put into a state. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

import { ConfigurationError, ShapeError } from "../errors.js";
import { jupyterDisplay, Shown, tableForms, type MimeBundle } from "../display.js";
import { sizeOf } from "../ops/shape.js";
import { gatherPlaces, mapLayers, valuesOf, type LayerState, type StateTensorName } from "./state-layers.js";
import { placeShape, type ResolvedPlace } from "./state-place.js";

/** Which matrix or vector of a {@link StateSlice}; numbers are those of the state. What is left out is the first. */
export interface SliceIndex {
  layer?: number;
  row?: number;
  head?: number;
}

/** Part of a state as data; holds no tensors, so nothing needs disposing. */
export class StateSlice extends Shown {
  readonly part: StateTensorName;
  /** numbers of the layers in the state, in the order of `values` */
  readonly layers: readonly number[];
  /** rows of the batch */
  readonly rows: readonly number[];
  /** absent for `attShift` and `ffnShift` */
  readonly heads?: readonly number[];
  /** `[layers, rows, heads, N, N]` (value channels, key channels), or `[layers, rows, C]` */
  readonly shape: readonly number[];

  /** @param values row-major in `shape` */
  constructor(
    place: ResolvedPlace,
    readonly values: Float32Array,
  ) {
    super();
    this.part = place.part;
    this.layers = place.layers;
    this.rows = place.rows;
    if (place.heads) this.heads = place.heads;
    this.shape = placeShape(place);
  }

  /**
   * One head's N×N matrix: rows are value channels, columns key channels.
   *
   * @throws ConfigurationError when it is not in the slice, or the slice is of vectors
   */
  matrix(index: SliceIndex = {}): number[][] {
    if (!this.heads) throw new ConfigurationError(`matrix: "${this.part}" holds vectors: use vector({layer, row})`);
    const size = this.shape.at(-1)!;
    const values = this.item(index);
    return Array.from({ length: size }, (_, i) => Array.from(values.subarray(i * size, (i + 1) * size)));
  }

  /**
   * One last token's C channels; of a matrix, its elements row by row.
   *
   * @throws ConfigurationError when it is not in the slice
   */
  vector(index: SliceIndex = {}): number[] {
    return Array.from(this.item(index));
  }

  /** All values as a new tensor of the slice's shape; the caller disposes of it. */
  tensor(): Tensor {
    return tf.tensor(this.values, [...this.shape]);
  }

  private item({ layer, row, head }: SliceIndex): Float32Array {
    const find = (name: string, list: readonly number[], wanted = list[0]!): number => {
      const at = list.indexOf(wanted);
      if (at >= 0) return at;
      throw new ConfigurationError(`${name} ${wanted} is not in the slice, which has ${name}s ${list.join(", ")}`);
    };
    let at = find("layer", this.layers, layer) * this.rows.length + find("row", this.rows, row);
    if (this.heads) at = at * this.heads.length + find("head", this.heads, head);
    else if (head !== undefined) throw new ConfigurationError(`head is ${head}, but "${this.part}" has no heads`);
    const size = sizeOf(this.shape.slice(this.heads ? 3 : 2));
    return this.values.subarray(at * size, (at + 1) * size);
  }

  [jupyterDisplay](): MimeBundle {
    const table = [["layer", "row", ...(this.heads ? ["head"] : []), "norm", "largest"]];
    for (const layer of this.layers) {
      for (const row of this.rows) {
        for (const head of this.heads ?? [undefined]) {
          const values = this.item({ layer, row, ...(head !== undefined && { head }) });
          const norm = Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));
          const largest = values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
          const place = [layer, row, ...(head === undefined ? [] : [head])].map(String);
          table.push([...place, norm.toPrecision(4), largest.toPrecision(4)]);
        }
      }
    }
    const title = `${this.part} [${this.shape.join(", ")}]`;
    return tableForms(table, title);
  }
}

/** Numbers in arrays in arrays. */
export type NestedNumbers = readonly (number | NestedNumbers)[];

/**
 * What can be put into a place of a state: one number everywhere; values for the whole place, or for one matrix (or
 * vector) of it, which then goes to every layer, row and head there.
 */
export type StateValues = number | NestedNumbers | Float32Array | StateSlice | Tensor;

/** The values at a place. */
export function sliceLayers(state: readonly LayerState[], place: ResolvedPlace): StateSlice {
  const values = new Float32Array(sizeOf(placeShape(place)));
  const size = values.length / place.layers.length;
  place.layers.forEach((layer, i) => {
    const chosen = gatherPlaces(state[layer]![place.part]!, place.rows, place.heads);
    values.set(valuesOf(chosen), i * size);
    chosen.dispose();
  });
  return new StateSlice(place, values);
}

/** Copies of the layers with other values at a place. Differentiable in the state. */
export function putIntoLayers(state: readonly LayerState[], place: ResolvedPlace, given: StateValues): LayerState[] {
  const values = valuesAt(place, given);
  const size = sizeOf(place.item);
  const perLayer = place.rows.length * (place.heads?.length ?? 1) * size;
  return mapAt(state, place, (tensor, mask, i) => {
    const [, count = 0] = tensor.shape;
    const full = new Float32Array(tensor.size);
    place.rows.forEach((row, r) =>
      (place.heads ?? [0]).forEach((head, h) => {
        const from = i * perLayer + (r * (place.heads?.length ?? 1) + h) * size;
        full.set(values.subarray(from, from + size), (row * (place.heads ? count : 1) + head) * size);
      }),
    );
    return tf.where(mask, tf.tensor(full, tensor.shape), tensor);
  });
}

/** Copies of the layers with what another state has at a place. Differentiable in both. */
export function copyIntoLayers(
  state: readonly LayerState[],
  place: ResolvedPlace,
  other: readonly LayerState[],
): LayerState[] {
  return mapAt(state, place, (tensor, mask, i) => tf.where(mask, other[place.layers[i]!]![place.part]!, tensor));
}

/** Changes the tensors at a place; `i` counts the place's layers. `mask` is true at its rows and heads. */
function mapAt(
  state: readonly LayerState[],
  place: ResolvedPlace,
  change: (tensor: Tensor, mask: Tensor, i: number) => Tensor,
): LayerState[] {
  return mapLayers([state], ([tensor], layer, name) => {
    const i = place.layers.indexOf(layer);
    if (i < 0 || name !== place.part) return tf.clone(tensor!);
    const [rows, heads] = tensor!.shape as [number, number];
    const flags = (count: number, chosen: readonly number[]): boolean[] =>
      Array.from({ length: count }, (_, number) => chosen.includes(number));
    const inRows = flags(rows, place.rows);
    const mask = place.heads
      ? tf.tensor4d(
          inRows.flatMap((inRow) => flags(heads, place.heads!).map((inHead) => inRow && inHead)),
          [rows, heads, 1, 1],
          "bool",
        )
      : tf.tensor2d(inRows, [rows, 1], "bool");
    return change(tensor!, mask, i);
  });
}

/** One value for every element of the place, row-major. */
function valuesAt(place: ResolvedPlace, given: StateValues): Float32Array {
  const shape = placeShape(place);
  const count = sizeOf(shape);
  if (typeof given === "number") return new Float32Array(count).fill(given);
  const { values, description } = plain(given);
  if (values.length === count) return values;
  const size = sizeOf(place.item);
  if (values.length === size) return Float32Array.from({ length: count }, (_, i) => values[i % size]!);
  throw new ShapeError(
    "with",
    "values",
    description,
    `a number, [${shape.join(", ")}] as the place, or [${place.item.join(", ")}] for each ` +
      (place.heads ? "head" : "row"),
  );
}

function plain(given: Exclude<StateValues, number>): { values: Float32Array; description: string } {
  if (given instanceof StateSlice) return { values: given.values, description: `[${given.shape.join(", ")}]` };
  if (given instanceof tf.Tensor) return { values: valuesOf(given), description: `[${given.shape.join(", ")}]` };
  if (given instanceof Float32Array) return { values: given, description: `${given.length} values` };
  const values = Float32Array.from(flatten(given));
  return { values, description: `${values.length} values` };
}

function flatten(nested: NestedNumbers): number[] {
  return nested.flatMap((item) => (typeof item === "number" ? [item] : flatten(item)));
}
