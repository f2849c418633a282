/** Kernels that compare, choose and move values of every type on `native`, bit by bit against tfjs's `cpu` backend. */
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import assert from "node:assert/strict";
import test from "node:test";
import { useNativeEngine } from "../engine-candidate.js";
import { native, needsNative } from "../testing/native.js";
import { randomNumbers } from "../testing/wkv7-reference.js";

type DType = "float32" | "int32" | "bool";
const dtypes: readonly DType[] = ["float32", "int32", "bool"];

/** Few values, so that some are equal; NaN, infinities and both zeros among the floats. */
const alphabets: Record<DType, readonly number[]> = {
  float32: [NaN, Infinity, -Infinity, 0, -0, 1.5, -1.5, 3, 1e-40],
  int32: [0, 1, -1, 7, 2 ** 31 - 1, -(2 ** 31), 65537, 123456789],
  bool: [0, 1],
};

function filled(dtype: DType, shape: readonly number[], seed: number): tf.Tensor {
  const random = randomNumbers(seed);
  const from = alphabets[dtype];
  const size = tf.util.sizeFromShape([...shape]);
  const values = Array.from({ length: size }, () => from[Math.floor(random() * from.length)]!);
  const array = { float32: Float32Array, int32: Int32Array, bool: Uint8Array }[dtype].from(values);
  return tf.tensor(array, [...shape], dtype);
}

type Op = (...x: tf.Tensor[]) => tf.Tensor | tf.Tensor[];
interface Result {
  dtype: string;
  shape: number[];
  values: number[];
}

/** What an op gives on a backend, of operands of one type. */
async function results(
  backend: string,
  op: Op,
  types: readonly DType[],
  shapes: readonly (readonly number[])[],
): Promise<Result[]> {
  await tf.setBackend(backend);
  return tf.tidy(() => {
    const made = op(...shapes.map((shape, i) => filled(types[i] ?? types[0]!, shape, i + 1)));
    const all = Array.isArray(made) ? made : [made];
    return all.map((tensor) => ({ dtype: tensor.dtype, shape: tensor.shape, values: [...tensor.dataSync()] }));
  });
}

async function same(
  name: string,
  op: Op,
  types: readonly DType[],
  shapes: readonly (readonly number[])[],
): Promise<void> {
  const expected = await results("cpu", op, types, shapes);
  const actual = await results("native", op, types, shapes);
  assert.deepEqual(actual, expected, `${name} of ${types.join(", ")} ${JSON.stringify(shapes)}`);
}

/** Operands that broadcast every way; none; and more than one thread takes. */
const pairs: readonly (readonly number[])[][] = [
  [[], []],
  [[9], [9]],
  [
    [5, 7],
    [5, 7],
  ],
  [[5, 7], [7]],
  [[5, 7], []],
  [[], [5, 7]],
  [
    [5, 1, 3],
    [1, 4, 3],
  ],
  [
    [2, 1, 3, 1],
    [4, 1, 6],
  ],
  [[0, 3], [3]],
  [[300, 257], [257]],
  [
    [3, 9001, 5],
    [3, 1, 5],
  ],
];

test("comparisons and logic are those of tfjs's cpu backend, of every type and shape", needsNative, async () => {
  assert.ok(useNativeEngine().ready);
  const comparisons = { equal: tf.equal, notEqual: tf.notEqual, greater: tf.greater, less: tf.less };
  const others = { greaterEqual: tf.greaterEqual, lessEqual: tf.lessEqual };
  for (const shapes of pairs) {
    for (const dtype of dtypes) {
      for (const [name, op] of Object.entries({ ...comparisons, ...others })) {
        await same(name, (a, b) => op(a, b), [dtype], shapes);
      }
    }
    for (const [name, op] of Object.entries({
      logicalAnd: tf.logicalAnd,
      logicalOr: tf.logicalOr,
      logicalXor: tf.logicalXor,
    })) {
      await same(name, (a, b) => op(a, b), ["bool"], shapes);
    }
    await same("logicalNot", (a) => tf.logicalNot(a), ["bool"], shapes);
    await same("two types", (a, b) => tf.less(a, b), ["float32", "int32"], shapes);
  }
});

test("a choice by a condition broadcasts, of every type", needsNative, async () => {
  useNativeEngine();
  for (const dtype of dtypes) {
    for (const [a, b] of pairs) {
      await same("where", (c, x, y) => tf.where(c, x, y), ["bool", dtype, dtype], [a!, a!, b!]);
      await same("where", (c, x, y) => tf.where(c, x, y), ["bool", dtype, dtype], [b!, a!, b!]);
    }
  }
});

test("whole numbers are added, multiplied and compared as JavaScript does, and wrap", needsNative, async () => {
  useNativeEngine();
  const ops = { add: tf.add, sub: tf.sub, mul: tf.mul, maximum: tf.maximum, minimum: tf.minimum };
  for (const shapes of pairs) {
    for (const [name, op] of Object.entries(ops)) await same(name, (a, b) => op(a, b), ["int32"], shapes);
  }
});

test("every type casts to every other", needsNative, async () => {
  useNativeEngine();
  // tfjs's cpu backend keeps integers that it calls floats; the next kernel, and this addition, rounds them.
  const cast = (to: DType) => (x: tf.Tensor) => (to === "float32" ? tf.add(tf.cast(x, to), 0) : tf.cast(x, to));
  for (const from of dtypes) {
    for (const to of dtypes) {
      for (const shape of [[], [0], [9], [70_000]]) {
        await same(`cast to ${to}`, (x) => cast(to)(x), [from], [shape]);
      }
    }
  }
});

test("what moves values moves those of every type, none and many", needsNative, async () => {
  useNativeEngine();
  const moves: [string, Op, (readonly number[])[]][] = [
    ["stack", (a, b) => tf.stack([a, b]), [[5], [5]]],
    [
      "stack, last",
      (a, b, c) => tf.stack([a, b, c], -1),
      [
        [2, 5],
        [2, 5],
        [2, 5],
      ],
    ],
    [
      "stack, none",
      (a, b) => tf.stack([a, b], 1),
      [
        [2, 0],
        [2, 0],
      ],
    ],
    ["stack of scalars", (a, b) => tf.stack([a, b]), [[], []]],
    ["unstack", (a) => tf.unstack(a, 1), [[3, 4, 5]]],
    ["unstack, last", (a) => tf.unstack(a, -1), [[3, 4]]],
    ["unstack, none", (a) => tf.unstack(a, 0), [[3, 0]]],
    ["split", (a) => tf.split(a, [1, 3], 1), [[3, 4, 2]]],
    ["tile", (a) => tf.tile(a, [2, 3]), [[3, 5]]],
    ["tile, one axis", (a) => tf.tile(a, [1, 3, 1]), [[3, 1, 5]]],
    ["tile, no times", (a) => tf.tile(a, [0, 2]), [[3, 5]]],
    ["tile of none", (a) => tf.tile(a, [2, 2]), [[0, 5]]],
    ["broadcastTo", (a) => tf.broadcastTo(a, [4, 3, 5]), [[3, 1]]],
    ["broadcastTo, large", (a) => tf.broadcastTo(a, [300, 257]), [[257]]],
    ["pad", (a) => tf.pad(a, [[1, 2]], 1), [[5]]],
    [
      "pad, four axes",
      (a) =>
        tf.pad(a, [
          [0, 0],
          [1, 0],
          [0, 2],
          [3, 1],
        ]),
      [[2, 3, 2, 4]],
    ],
    [
      "pad of none",
      (a) =>
        tf.pad(
          a,
          [
            [1, 1],
            [0, 0],
          ],
          1,
        ),
      [[0, 3]],
    ],
    [
      "pad, large",
      (a) =>
        tf.pad(a, [
          [1, 0],
          [0, 3],
        ]),
      [[300, 257]],
    ],
    ["reverse", (a) => tf.reverse(a, 0), [[7]]],
    ["reverse, two axes", (a) => tf.reverse(a, [0, 2]), [[3, 4, 5]]],
    ["reverse, all", (a) => tf.reverse(a), [[3, 4]]],
    ["reverse of none", (a) => tf.reverse(a), [[3, 0]]],
    ["reverse, large", (a) => tf.reverse(a, 1), [[300, 257]]],
    ["stridedSlice", (a) => tf.stridedSlice(a, [1, 0], [6, 5], [2, 3]), [[7, 5]]],
    ["stridedSlice, backwards", (a) => tf.stridedSlice(a, [6, 4], [0, 0], [-2, -1]), [[7, 5]]],
    ["slice", (a) => tf.slice(a, [1, 2], [2, 3]), [[4, 6]]],
    ["slice of none", (a) => tf.slice(a, [4, 2], [0, 3]), [[4, 6]]],
    ["transpose", (a) => tf.transpose(a), [[70, 33]]],
    ["transpose, turned", (a) => tf.transpose(a, [2, 0, 1]), [[3, 4, 5]]],
    ["transpose of none", (a) => tf.transpose(a), [[3, 0]]],
    [
      "concat",
      (a, b) => tf.concat([a, b], 1),
      [
        [3, 2],
        [3, 5],
      ],
    ],
    [
      "concat with none",
      (a, b) => tf.concat([a, b], 0),
      [
        [0, 2],
        [3, 2],
      ],
    ],
    ["gather", (a) => tf.gather(a, tf.tensor1d([2, 0, 2], "int32"), 1), [[3, 4, 2]]],
  ];
  for (const [name, op, shapes] of moves) for (const dtype of dtypes) await same(name, op, [dtype], shapes);
});

test("where a row is largest or smallest: the first of equal ones, and NaN as tfjs has it", needsNative, async () => {
  useNativeEngine();
  for (const shape of [[1], [9], [70_001], [5, 33], [4, 7, 6], [300, 257]]) {
    for (let axis = 0; axis < shape.length; axis++) {
      await same("argMax", (x) => tf.argMax(x, axis), ["float32"], [shape]);
      await same("argMin", (x) => tf.argMin(x, axis), ["float32"], [shape]);
      const number = (x: tf.Tensor): tf.Tensor => tf.where(tf.isNaN(x), tf.zerosLike(x), x);
      await same("argMax, no NaN", (x) => tf.argMax(number(x), axis), ["float32"], [shape]);
    }
  }
});

test("none of these leaves native code, nor a tensor behind", needsNative, async () => {
  useNativeEngine();
  await tf.setBackend("native");
  const binding = native() as unknown as Record<string, unknown>;
  const before = tf.memory().numTensors;
  const seen = new Set<string>();
  const watched = ["compare", "select", "copyStrided", "pad", "integerBinary", "extremumPlaces", "concat"];
  const originals = watched.map((name) => binding[name] as (...values: unknown[]) => unknown);
  watched.forEach((name, i) => {
    binding[name] = (...values: unknown[]): unknown => {
      seen.add(name);
      return originals[i]!(...values);
    };
  });
  try {
    tf.tidy(() => {
      const a = tf.tensor2d([1, 2, 3, 4], [2, 2]);
      const whole = tf.tensor2d([1, 2, 3, 4], [2, 2], "int32");
      tf.where(tf.greater(a, 2), a, tf.zerosLike(a));
      tf.tile(a, [2, 1]);
      tf.pad(whole, [
        [1, 1],
        [0, 0],
      ]);
      tf.add(whole, whole);
      tf.argMax(a, 1);
      tf.stack([whole, whole], 1);
    });
  } finally {
    watched.forEach((name, i) => (binding[name] = originals[i]));
  }
  assert.deepEqual([...seen].sort(), [...watched].sort());
  assert.equal(tf.memory().numTensors, before);
});
