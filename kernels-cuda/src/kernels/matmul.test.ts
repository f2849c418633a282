/** The addon's own matrix product against float64, at the edges of its tiles, blocks and tasks. */
import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout } from "node:timers/promises";
import type { NativeBinding } from "../addon/binding.js";
import { findBlas } from "../addon/find-blas.js";
import { native, needsNative, testedInstructionSets } from "../testing/native.js";
import { poisoned } from "../testing/wkv7-runs.js";

/** Rows, columns, depth; several matrices. */
type Shape = readonly [m: number, n: number, k: number, batch?: number];

const shapes: readonly Shape[] = [
  [1, 1, 1],
  [2, 3, 1],
  // Around tiles of 6 or 12 rows and 8, 16 or 32 columns, and depths of whole vectors.
  [5, 7, 3],
  [6, 16, 8],
  [7, 17, 9],
  [12, 32, 16],
  [13, 33, 15],
  [11, 31, 4],
  // Above the least work for threads: several tasks of rows and columns, one of them ragged.
  [121, 130, 33],
  [240, 128, 64],
  [49, 515, 40],
  // Each number of rows that may be left over after tiles of 6, and most of those after 12, beside whole and ragged tiles of
  // columns; a step alone.
  [8, 32, 5],
  [9, 40, 1],
  [10, 16, 6],
  [17, 48, 2],
  [22, 64, 1],
  // Deeper than one block, and by one.
  [33, 40, 512],
  [33, 40, 513],
  [64, 48, 700],
  [7, 16, 1030],
  // As many columns as are multiplied with rows of a where they lie, and some more.
  [50, 512, 24],
  [50, 530, 24],
  // More rows than a block packs, then more columns than a thread does at once, alone or beside others.
  [1700, 9, 330],
  [9, 1700, 330],
  [4, 1700, 330],
  // Small and many, with a part of a round left over; some large ones.
  [5, 6, 7, 13],
  [40, 24, 33, 9],
  [70, 50, 60, 3],
  [6, 5, 700, 2],
];

/** A single row or column: dot products four at a time, or rows of the matrix added up. */
const vectors: readonly Shape[] = [
  [1, 1, 33],
  [1, 5, 1],
  [1, 6, 35],
  [1, 259, 131],
  [1, 64, 1030],
  [1, 1030, 64],
  [1, 1027, 517],
  [7, 1, 5],
  [1027, 1, 131],
  [300, 1, 300],
  [1, 300, 40, 5],
  [40, 1, 300, 9],
];

const values = (length: number, seed: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => Math.sin(12.9898 * i + 78.233 * seed) + 0.1);

/** `a[m, k] b[k, n]` in float64, and the sums of the terms' magnitudes. */
function exact({ shape, a, b }: Operands) {
  const [m, n, k, batch = 1] = shape;
  const product = new Float64Array(batch * m * n);
  const magnitude = new Float64Array(batch * m * n);
  for (let row = 0; row < batch * m; ++row) {
    const matrix = Math.floor(row / m);
    for (let p = 0; p < k; ++p) {
      const left = a[row * k + p]!;
      for (let j = 0; j < n; ++j) {
        const term = left * b[(matrix * k + p) * n + j]!;
        product[row * n + j]! += term;
        magnitude[row * n + j]! += Math.abs(term);
      }
    }
  }
  return { product, magnitude };
}

/** Each matrix `[rows, columns]` of a batch, transposed. */
function transposed(x: Float32Array, rows: number, columns: number): Float32Array {
  const size = rows * columns;
  return x.map((_, at) => {
    const [matrix, i, j] = [Math.floor(at / size), Math.floor((at % size) / rows), at % rows];
    return x[matrix * size + j * columns + i]!;
  });
}

interface Operands {
  readonly shape: Shape;
  readonly a: Float32Array;
  readonly b: Float32Array;
}

function operands(shape: Shape): Operands {
  const [m, n, k, batch = 1] = shape;
  return { shape, a: values(batch * m * k, 1), b: values(batch * k * n, 2) };
}

/** The product of operands that the addon gets as `left` and `right` say: transposed, or as they are. */
function multiply(binding: NativeBinding, { shape, a, b }: Operands, left = false, right = false): Float32Array {
  const [m, n, k, batch = 1] = shape;
  const c = poisoned(batch * m * n);
  binding.matMul(batch, m, n, k, left, right, left ? transposed(a, m, k) : a, right ? transposed(b, k, n) : b, c);
  return c;
}

/** Runs with the addon's own product, then has the library back. */
async function withoutBlas(run: (binding: NativeBinding) => void | Promise<void>): Promise<void> {
  const binding = native();
  const { simd, threads, blas } = binding.info();
  binding.loadBlas("");
  try {
    await run(binding);
  } finally {
    binding.configure({ simd, threads });
    if (blas) binding.loadBlas(findBlas(process.env)!);
  }
}

const layouts = [
  [false, false],
  [true, false],
  [false, true],
  [true, true],
] as const;

for (const simd of testedInstructionSets()) {
  test(`own products by ${simd} are those of float64, in every layout`, needsNative, () =>
    withoutBlas((binding) => {
      binding.configure({ simd, threads: 3 });
      for (const shape of [...shapes, ...vectors]) {
        const given = operands(shape);
        const { product, magnitude } = exact(given);
        for (const [left, right] of layouts) {
          const c = multiply(binding, given, left, right);
          // A sum of k rounded terms, in any order, is off by at most k roundings of the sum of magnitudes (Higham 2002, 4.4).
          const worst = Math.max(...c.map((value, i) => Math.abs(value - product[i]!) / magnitude[i]!));
          assert.ok(worst <= (shape[2] + 1) * 2 ** -24, `[${shape.join(", ")}] ${left} ${right}: off by ${worst}`);
        }
      }
    }),
  );
}

test("own products are the same bits on any number of threads, awake or asleep", needsNative, () =>
  withoutBlas(async (binding) => {
    // All that threads share, of moderate size.
    const shared = [...shapes, ...vectors].filter(([m, n, k, batch = 1]) => {
      const work = m * n * k * batch;
      return work >= 1 << 15 && work < 1 << 22;
    });
    for (const shape of shared) {
      binding.configure({ threads: 1 });
      const given = operands(shape);
      const expected = multiply(binding, given, false, true);
      for (const threads of [2, 5]) {
        binding.configure({ threads });
        assert.deepEqual(multiply(binding, given, false, true), expected, `[${shape.join(", ")}], ${threads} threads`);
        await setTimeout(2); // longer than threads watch for the next loop
        assert.deepEqual(multiply(binding, given, false, true), expected, `[${shape.join(", ")}], after a pause`);
      }
    }
  }),
);

test("a row times a matrix is the same bits on any number of threads", needsNative, () =>
  withoutBlas((binding) => {
    // From nothing to share to many tasks; some end in the middle of a cache line.
    for (const [depth, columns, outIn] of [
      [5, 3, true],
      [200, 331, false],
      [164, 259, true],
      [1030, 64, true],
      [1, 40, true],
    ] as const) {
      const x = values(depth, 1);
      const weight = values(depth * columns, 2);
      const times = (threads: number): Float32Array => {
        binding.configure({ threads });
        const y = poisoned(columns);
        binding.matMul(1, 1, columns, depth, false, outIn, x, weight, y);
        return y;
      };
      const expected = times(1);
      for (const threads of [2, 5])
        assert.deepEqual(times(threads), expected, `${depth} to ${columns}, ${threads} threads`);
    }
  }),
);
