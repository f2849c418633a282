/** Random orthonormal vectors, as quickly as they can be had with the same bits on every machine. */
import type { Random } from "../random.js";
import { lengthUnit, othersOfCall, projection, unitsOfCall, type Projection } from "./projection-module.js";

/** Vectors that are made orthogonal to all before them together, so that those are read from memory once for all. */
const blockSize = 8;
/** Vectors before them, and values of each, that are worked on at once: they fit the second cache with the block. */
const unitsAtOnce = 16;
const valuesAtOnce = 1024;

/** Vectors in one array. */
export interface Vectors {
  readonly values: Float64Array;
  /** from one vector's first value to the next one's */
  readonly stride: number;
}

/**
 * `count` orthonormal vectors of `length` values, uniformly distributed: Gram–Schmidt on normal ones, a block of them at a
 * time. A vector of which so little is left that its rounding errors would count is worked on again.
 *
 * @param room where they are worked on, of {@link roomFor} values
 */
export function orthonormal(
  random: Random,
  count: number,
  length: number,
  room: Projection = projection(roomFor(count, length)),
): Vectors {
  const { values } = room;
  const stride = strideOf(length);
  const normOf = (vector: number): number => Math.sqrt(dot(values, vector * stride, vector * stride, length));
  for (let first = 0; first < count; first += blockSize) {
    const last = Math.min(count, first + blockSize);
    for (let vector = first; vector < last; vector++) {
      for (let j = 0; j < length; j++) values[vector * stride + j] = random.normal();
    }
    const norms = Array.from({ length: last - first }, (_, i) => normOf(first + i));
    removeUnits(room, first, stride);
    let left = norms.map((_, i) => normOf(first + i));
    if (left.some((norm, i) => norm < 0.5 * norms[i]!)) {
      removeUnits(room, first, stride);
      left = norms.map((_, i) => normOf(first + i));
    }
    for (let vector = first; vector < last; vector++) {
      for (let unit = first; unit < vector; unit++) remove(values, unit * stride, vector * stride, length);
      if (normOf(vector) < 0.5 * left[vector - first]!) {
        for (let unit = 0; unit < vector; unit++) remove(values, unit * stride, vector * stride, length);
      }
      const gain = normOf(vector);
      for (let j = 0; j < length; j++) values[vector * stride + j]! /= gain;
    }
  }
  return { values, stride };
}

/** How many values there must be room for: whole blocks of vectors, and a factor for each pair of what is worked on at once. */
export function roomFor(count: number, length: number): number {
  const vectors = Math.ceil(count / blockSize) * blockSize;
  return vectors * strideOf(length) + unitsAtOnce * blockSize;
}

function strideOf(length: number): number {
  return Math.ceil(length / lengthUnit) * lengthUnit;
}

/** Takes what points along the units 0 … first − 1 out of the block of vectors from `first` on. */
function removeUnits({ values, dots, subtract }: Projection, first: number, stride: number): void {
  const factors = values.length - unitsAtOnce * blockSize;
  for (let from = 0; from < first; from += unitsAtOnce) {
    const end = Math.min(first, from + unitsAtOnce);
    values.fill(0, factors);
    for (const loop of [dots, subtract]) {
      for (let j = 0; j < stride; j += valuesAtOnce) {
        const length = Math.min(valuesAtOnce, stride - j);
        let p = factors;
        for (let u = from; u < end; u += unitsOfCall) {
          for (let v = first; v < first + blockSize; v += othersOfCall, p += unitsOfCall * othersOfCall) {
            loop(u * stride + j, v * stride + j, p, length, stride);
          }
        }
      }
    }
  }
}

function dot(values: Float64Array, a: number, b: number, length: number): number {
  let sum = 0;
  for (let j = 0; j < length; j++) sum += values[a + j]! * values[b + j]!;
  return sum;
}

/** Takes what points along the unit at `unit` out of the vector at `vector`. */
function remove(values: Float64Array, unit: number, vector: number, length: number): void {
  const along = dot(values, unit, vector, length);
  for (let j = 0; j < length; j++) values[vector + j]! -= along * values[unit + j]!;
}
