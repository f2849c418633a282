/** Row-major values made longer along one axis. */

/** How one axis of a parameter gets longer. */
export interface AxisGrowth {
  /** which axis */
  readonly axis: number;
  /** its new size */
  readonly size: number;
  /** where the old elements go in it */
  readonly kept: readonly number[];
}

/** The shape with one axis of another size. */
export function withSize(shape: readonly number[], axis: number, size: number): number[] {
  return shape.map((old, i) => (i === axis ? size : old));
}

/**
 * Values with a longer axis: the old ones at their places, in order, the new ones at those that are left.
 *
 * @param values row-major in `shape`
 * @param added row-major in `shape` with as many elements along the axis as are new
 * @returns row-major in `shape` with the axis's new size
 */
export function extend(
  values: Float32Array,
  shape: readonly number[],
  { axis, size, kept }: AxisGrowth,
  added: Float32Array,
): Float32Array {
  const inner = shape.slice(axis + 1).reduce((product, length) => product * length, 1);
  const outer = shape.slice(0, axis).reduce((product, length) => product * length, 1);
  const result = new Float32Array(outer * size * inner);
  const old = new Set(kept);
  const fresh = Array.from({ length: size }, (_, i) => i).filter((i) => !old.has(i));
  const copy = (from: Float32Array, places: readonly number[]): void => {
    for (let o = 0; o < outer; o++) {
      places.forEach((place, i) => {
        const start = (o * places.length + i) * inner;
        result.set(from.subarray(start, start + inner), (o * size + place) * inner);
      });
    }
  };
  copy(values, kept);
  copy(added, fresh);
  return result;
}

/** The reverse of {@link extend}: the old values out of the longer ones. */
export function keptPart(
  values: Float32Array,
  shape: readonly number[],
  { axis, size, kept }: AxisGrowth,
): Float32Array {
  const inner = shape.slice(axis + 1).reduce((product, length) => product * length, 1);
  const outer = shape.slice(0, axis).reduce((product, length) => product * length, 1);
  const result = new Float32Array(outer * kept.length * inner);
  for (let o = 0; o < outer; o++) {
    kept.forEach((place, i) => {
      const start = (o * size + place) * inner;
      result.set(values.subarray(start, start + inner), (o * kept.length + i) * inner);
    });
  }
  return result;
}
