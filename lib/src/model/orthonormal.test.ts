import assert from "node:assert/strict";
import test from "node:test";

import { Random } from "../random.js";
import { orthonormal, roomFor } from "./orthonormal.js";
import { plainProjection } from "./projection-module.js";

/** Counts and lengths around blocks of 8 vectors and rounds of 4 values; squares, whose last vectors have hardly room left. */
const sizes = [
  [1, 1],
  [3, 3],
  [5, 9],
  [8, 64],
  [17, 17],
  [33, 1031],
  [64, 64],
  [100, 130],
] as const;

/** Gram–Schmidt as it is written down, each vector twice: the vectors that all forms approach. */
function reference(random: Random, count: number, length: number): number[][] {
  const vectors = Array.from({ length: count }, () => Array.from({ length }, () => random.normal()));
  const dot = (a: number[], b: number[]): number => a.reduce((sum, x, j) => sum + x * b[j]!, 0);
  vectors.forEach((vector, i) => {
    for (const unit of [...vectors.slice(0, i), ...vectors.slice(0, i)]) {
      const along = dot(unit, vector);
      unit.forEach((x, j) => (vector[j]! -= along * x));
    }
    const norm = Math.sqrt(dot(vector, vector));
    vector.forEach((x, j) => (vector[j] = x / norm));
  });
  return vectors;
}

for (const [count, length] of sizes) {
  test(`${count} vectors of ${length} values are orthonormal, and those of Gram and Schmidt`, () => {
    const random = new Random(7);
    const { values, stride } = orthonormal(random, count, length);
    const vectors = Array.from({ length: count }, (_, i) => values.subarray(i * stride, i * stride + length));
    for (const [i, a] of vectors.entries()) {
      for (const [k, b] of vectors.entries()) {
        const dot = a.reduce((sum, x, j) => sum + x * b[j]!, 0);
        // Rounding of a sum of `length` products of at most 1 together, and what one vector lost of its length by the others.
        assert.ok(Math.abs(dot - Number(i === k)) < 4 * length * 2 ** -52, `${i}·${k} is ${dot}`);
      }
    }
    const same = new Random(7);
    // Little is left of a square's last vectors, which magnifies rounding: measured below 1e-14.
    reference(same, count, length).forEach((expected, i) => {
      expected.forEach((x, j) => assert.ok(Math.abs(vectors[i]![j]! - x) < 1e-12, `vector ${i}, value ${j}`));
    });
    assert.deepEqual(random.snapshot, same.snapshot, "as many random numbers were drawn");
  });

  test(`${count} vectors of ${length} values are the same bits without WebAssembly`, () => {
    const { values } = orthonormal(new Random(7), count, length);
    const plain = orthonormal(new Random(7), count, length, plainProjection(roomFor(count, length)));
    // The memory of WebAssembly begins as zeros and so does an array: padding and factors are the same too.
    assert.deepEqual(values, plain.values);
  });
}
