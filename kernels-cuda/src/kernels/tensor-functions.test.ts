/** tfjs's own kernels on `native` against its `cpu` backend, over shapes that reach every way through them. */
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import assert from "node:assert/strict";
import test from "node:test";
import { NativeBackend } from "../backend/native-backend.js";
import { useNativeEngine } from "../engine-candidate.js";
import { native, needsNative } from "../testing/native.js";
import { randomNumbers } from "../testing/wkv7-reference.js";
import { poisoned, relativeError } from "../testing/wkv7-runs.js";

type Op = (...x: tf.Tensor[]) => tf.Tensor | tf.Tensor[];
const positive = [0.1, 30] as const;

/** An op, shapes of its operands, the range of their values. */
const cases: readonly (readonly [string, Op, readonly (readonly number[])[], (readonly [number, number])?])[] = [
  ["exp", tf.exp, [[37]], [-80, 80]],
  ["log", tf.log, [[37]], positive],
  ["sigmoid", tf.sigmoid, [[3, 17]], [-30, 30]],
  ["tanh", tf.tanh, [[3, 17]], [-4, 4]],
  ["relu", tf.relu, [[5]]],
  ["relu6", tf.relu6, [[33]], [-3, 9]],
  ["leakyRelu", (x) => tf.leakyRelu(x, 0.3), [[33]]],
  ["elu", tf.elu, [[33]]],
  ["neg", tf.neg, [[33]]],
  ["abs", tf.abs, [[33]]],
  ["square", tf.square, [[33]]],
  ["sqrt", tf.sqrt, [[33]], positive],
  ["rsqrt", tf.rsqrt, [[33]], positive],
  ["reciprocal", tf.reciprocal, [[33]], positive],
  ["clipByValue", (x) => tf.clipByValue(x, -0.5, 0.25), [[33]]],
  [
    "add, same shape",
    (a, b) => tf.add(a, b),
    [
      [7, 9],
      [7, 9],
    ],
  ],
  ["add, scalar", (a, b) => tf.add(a, b), [[7, 9], []]],
  ["sub, scalar first", (a, b) => tf.sub(a, b), [[], [7, 9]]],
  ["mul, row", (a, b) => tf.mul(a, b), [[7, 9], [9]]],
  [
    "div, column",
    (a, b) => tf.div(a, b),
    [
      [7, 9],
      [7, 1],
    ],
    positive,
  ],
  [
    "maximum, both broadcast",
    (a, b) => tf.maximum(a, b),
    [
      [7, 1, 3],
      [1, 5, 3],
    ],
  ],
  [
    "minimum, four axes",
    (a, b) => tf.minimum(a, b),
    [
      [2, 1, 3, 4],
      [5, 1, 4],
    ],
  ],
  [
    "squaredDifference",
    (a, b) => tf.squaredDifference(a, b),
    [
      [2, 3],
      [2, 1],
    ],
  ],
  ["add, large", (a, b) => tf.add(a, b), [[300, 301], [301]]],
  [
    "addN",
    (a, b, c) => tf.addN([a, b, c]),
    [
      [7, 3],
      [7, 3],
      [7, 3],
    ],
  ],
  ["sum", tf.sum, [[7, 9]]],
  ["sum, large", tf.sum, [[300, 301]]],
  ["sum of rows, large", (x) => tf.sum(x, 0), [[3000, 31]]],
  ["sum, middle axis", (x) => tf.sum(x, 1, true), [[3, 5, 7]]],
  ["sum, outer axes", (x) => tf.sum(x, [0, 2]), [[3, 5, 7]]],
  ["mean, last axis", (x) => tf.mean(x, -1), [[3, 5, 7]]],
  ["max", (x) => tf.max(x, 1), [[9, 31]]],
  ["min, first axis", (x) => tf.min(x, 0), [[9, 31]]],
  ["softmax", tf.softmax, [[9, 31]], [-20, 20]],
  ["logSoftmax", tf.logSoftmax, [[9, 31]], [-20, 20]],
  ["cumsum", (x) => tf.cumsum(x, 1), [[9, 31]]],
  ["cumsum, exclusive and reversed", (x) => tf.cumsum(x, 1, true, true), [[9, 31]]],
  ["topk", (x) => Object.values(tf.topk(x, 5)), [[9, 31]]],
  ["transpose", tf.transpose, [[70, 131]]],
  ["transpose, heads", (x) => tf.transpose(x, [0, 2, 1, 3]), [[2, 5, 3, 7]]],
  ["transpose, all reversed", (x) => tf.transpose(x, [3, 2, 1, 0]), [[2, 5, 3, 7]]],
  ["transpose, turned", (x) => tf.transpose(x, [2, 0, 1]), [[3, 65, 66]]],
  ["slice", (x) => tf.slice(x, [1, 2, 0], [2, 2, 5]), [[3, 5, 7]]],
  [
    "concat",
    (a, b) => tf.concat([a, b], 1),
    [
      [3, 5, 7],
      [3, 2, 7],
    ],
  ],
  ["gather", (x) => tf.gather(x, tf.tensor1d([2, 0, 2, 1], "int32"), 1), [[3, 5, 7]]],
  ["unsortedSegmentSum", (x) => tf.unsortedSegmentSum(x, tf.tensor1d([2, 0, 2], "int32"), 4), [[3, 5]]],
  [
    "oneHot",
    () =>
      tf.oneHot(
        tf.tensor2d(
          [
            [0, 3],
            [7, -1],
          ],
          [2, 2],
          "int32",
        ),
        5,
        2,
        -1,
      ),
    [],
  ],
  ["cast", () => tf.cast(tf.tensor1d([1, 0, 3], "int32"), "float32"), []],
  ["fill", () => [tf.fill([3, 2], 1.5), tf.ones([3]), tf.zeros([2, 2])], []],
  [
    "matMul",
    (a, b) => tf.matMul(a, b),
    [
      [17, 33],
      [33, 9],
    ],
  ],
  [
    "matMul, transposed",
    (a, b) => tf.matMul(a, b, true, true),
    [
      [33, 17],
      [9, 33],
    ],
  ],
  [
    "matMul, one row",
    (a, b) => tf.matMul(a, b),
    [
      [1, 33],
      [33, 70],
    ],
  ],
  [
    "matMul, one row, transposed",
    (a, b) => tf.matMul(a, b, false, true),
    [
      [1, 33],
      [70, 33],
    ],
  ],
  [
    "matMul, batch broadcast",
    (a, b) => tf.matMul(a, b),
    [
      [1, 5, 3],
      [4, 3, 6],
    ],
  ],
  [
    "matMul, batch",
    (a, b) => tf.matMul(a, b, false, true),
    [
      [6, 5, 3],
      [6, 4, 3],
    ],
  ],
  [
    "matMul, large",
    (a, b) => tf.matMul(a, b),
    [
      [130, 300],
      [300, 140],
    ],
  ],
  ...(["linear", "relu", "relu6", "elu", "sigmoid", "leakyrelu"] as const).map(
    (activation) =>
      [
        `fused matMul, ${activation}`,
        (a: tf.Tensor, b: tf.Tensor, bias: tf.Tensor) =>
          tf.fused.matMul({ a: a, b: b, bias, activation, leakyreluAlpha: 0.1 }),
        [[5, 9], [9, 7], [7]],
      ] as const,
  ),
] as readonly (readonly [string, Op, readonly (readonly number[])[], (readonly [number, number])?])[];

/** The results of an op on a backend, of operands that are the same every time. */
function results(backend: "cpu" | "native", index: number): (Float32Array | Int32Array | Uint8Array)[] {
  const [, op, shapes, [low, high] = [-1, 1]] = cases[index]!;
  assert.ok(tf.engine().backendName === backend);
  const random = randomNumbers(index + 1);
  return tf.tidy(() => {
    const operands = shapes.map((shape) => {
      const values = Float32Array.from(
        { length: tf.util.sizeFromShape([...shape]) },
        () => low + (high - low) * random(),
      );
      return tf.tensor(values, [...shape]);
    });
    const result = op(...operands);
    return (Array.isArray(result) ? result : [result]).map((tensor) => tensor.dataSync());
  });
}

test("tfjs's kernels give what its cpu backend gives", needsNative, async (t) => {
  assert.ok(useNativeEngine().ready);
  for (const [index, [name]] of cases.entries()) {
    await tf.setBackend("cpu");
    const expected = results("cpu", index);
    await tf.setBackend("native");
    const before = tf.memory().numTensors;
    await t.test(name, () => {
      const actual = results("native", index);
      assert.equal(actual.length, expected.length);
      // Sums of at most some hundred terms in another order, and functions good to two units in the last place.
      actual.forEach((values, i) => assert.ok(relativeError(values, expected[i]!) < 2e-6));
      assert.equal(tf.memory().numTensors, before, "no tensor is left");
    });
  }
});

test("special values go through as in JavaScript", needsNative, async () => {
  useNativeEngine();
  await tf.setBackend("native");
  const x = [NaN, Infinity, -Infinity, 0, -0, 1000, -1000, 1e-40];
  const through = (op: (x: tf.Tensor) => tf.Tensor): number[] =>
    [...tf.tidy(() => op(tf.tensor1d(x)).dataSync())].map((y) => y + 0);
  assert.deepEqual(through(tf.exp).slice(0, 7), [NaN, Infinity, 0, 1, 1, Infinity, 0]);
  assert.deepEqual(through(tf.log).slice(0, 5), [NaN, Infinity, NaN, -Infinity, -Infinity]);
  assert.ok(Math.abs(through(tf.log)[7]! - Math.log(1e-40)) < 1e-4);
  assert.deepEqual(through(tf.tanh).slice(0, 7), [NaN, 1, -1, 0, 0, 1, -1]);
  assert.deepEqual(through(tf.sigmoid).slice(0, 7), [NaN, 1, 0, 0.5, 0.5, 1, 0]);
  assert.deepEqual(through(tf.relu).slice(0, 3), [NaN, Infinity, 0]);
  assert.deepEqual([...tf.max(tf.tensor1d([1, NaN, 2])).dataSync()], [NaN]);
});

test("outputs are written whole: arrays that wait for use are full of NaN", needsNative, async () => {
  useNativeEngine();
  await tf.setBackend("native");
  const { pool } = tf.backend() as NativeBackend;
  const take = pool.take.bind(pool);
  pool.take = (length) => take(length).fill(NaN);
  try {
    cases.forEach(([name], index) => {
      for (const values of results("native", index)) assert.ok(values.every(Number.isFinite), name);
    });
  } finally {
    pool.take = take;
  }
});

test("what was handed out is never used again, what was not is", needsNative, async () => {
  useNativeEngine();
  await tf.setBackend("native");
  const make = (): tf.Tensor => tf.add(tf.ones([999]), 1);
  const [kept, values] = tf.tidy(() => {
    const x = make();
    return [tf.keep(tf.slice(x, 0, 10)), x.dataSync()];
  });
  for (let round = 0; round < 50; round++) tf.tidy(() => tf.mul(make(), 100));
  assert.ok(values.every((x) => x === 2));
  assert.ok(kept.dataSync().every((x) => x === 2));
  kept.dispose();
  const { pool } = tf.backend() as NativeBackend;
  const waiting = pool.bytes;
  tf.tidy(() => tf.mul(make(), 100));
  assert.equal(pool.bytes, waiting, "the same arrays again");
  assert.ok(waiting >= 999 * 4 && waiting <= pool.limit);
});

test("a disposed tensor is an error that says so", needsNative, async () => {
  useNativeEngine();
  await tf.setBackend("native");
  const x = tf.ones([3]);
  x.dispose();
  const { dataId, shape, dtype } = x as tf.Tensor & { dataId: object };
  const backend = tf.backend() as NativeBackend;
  assert.throws(() => backend.floats({ dataId, shape, dtype }), /used after its end: it is disposed/);
  assert.throws(() => tf.engine().runKernel("Exp", { x }), Error);
});

test("wrong arguments are JavaScript errors, whatever they are", needsNative, () => {
  const binding = native() as unknown as Record<string, (...args: unknown[]) => unknown>;
  const f = (length: number): Float32Array => poisoned(length);
  const i = (...values: number[]): Int32Array => Int32Array.from(values);
  const one = [1, 2, 4, 1, f(8), f(4), [f(4)], [f(8)]];
  const valid: Record<string, unknown[]> = {
    matMul: [2, 2, 3, 4, false, true, f(16), f(24), f(12)],
    tokenShift: one,
    tokenShiftGrad: [1, 2, 4, 1, f(8), f(4), [f(4)], [f(8)], f(8), f(4), [f(4)]],
    groupNorm: [2, 4, 2, 1e-3, f(8), f(4), f(4), f(8)],
    groupNormGrad: [2, 4, 2, 1e-3, f(8), f(4), f(8), f(8), f(4), f(4)],
    keyPreparation: [2, 4, 2, f(8), f(4), f(8), f(4), f(8), f(8), f(8)],
    decay: [2, 4, f(8), f(4), f(8), f(8)],
    bonusGate: [2, 4, 2, f(8), f(8), f(8), f(8), f(8), f(4), f(8)],
    squaredRelu: [8, f(8), f(8)],
    crossEntropy: [2, 4, f(8), i(0, 3), f(1), f(8)],
    crossEntropyGrad: [2, 4, f(8), i(0, 3), f(1), f(8)],
    embedding: [2, 3, 4, f(12), i(0, 2), f(8)],
    embeddingGrad: [2, 3, 4, i(0, 2), f(8), f(12)],
    adamW: [8, 0.1, 0.9, 0.99, 1e-8, 0, 1, 1, f(1), f(8), f(8), f(8), f(8), f(8), f(8), f(8)],
    globalNorm: [[f(3), f(4)], f(1)],
    transposeMatrix: [2, 3, f(6), f(6)],
    addBias: [f(8), 4, f(4), 1, 0],
    unary: [0, f(8), f(8), 0, 0],
    binary: [0, [2, 4], [4, 1], [0, 1], f(8), f(4), f(8)],
    reduce: [0, 2, 3, 4, f(24), f(8), 1],
    softmax: [2, 4, f(8), f(8)],
    copyStrided: [[2, 3], [1, 2], 0, f(6), f(6)],
    concat: [2, [f(4), f(6)], [2, 3], f(10)],
    gather: [1, 3, 4, f(12), i(0, 2), f(8)],
    segmentSum: [2, 4, 3, f(8), i(0, 2), f(12)],
    oneHot: [4, 1, 0, i(0, 2), f(8)],
    cumsum: [2, 4, false, true, f(8), f(8)],
    topK: [2, 4, 2, f(8), f(4), i(0, 0, 0, 0)],
  };
  // Arguments that may have more than one length, or be left out.
  const freely: Record<string, number[]> = { globalNorm: [0], addBias: [0, 2], binary: [4, 5], copyStrided: [3] };
  const wrong = [
    undefined,
    null,
    "x",
    {},
    -1,
    1.5,
    NaN,
    2 ** 31,
    f(77),
    f(1000),
    i(1),
    new Float64Array(8),
    [f(77)],
    [9],
  ];
  for (const [name, args] of Object.entries(valid)) {
    const call = (...given: unknown[]): unknown => binding[name]!(...given);
    call(...args);
    args.forEach((_, count) => assert.throws(() => call(...args.slice(0, count)), name));
    args.forEach((right, place) => {
      for (const value of wrong) {
        const given = args.with(place, value);
        // A number may stand for a number; an array or a word never.
        if (typeof right === "number" && typeof value === "number") attempt(() => call(...given));
        else if (freely[name]?.includes(place)) attempt(() => call(...given));
        else assert.throws(() => call(...given), `${name}, argument ${place}, wrong value ${wrong.indexOf(value)}`);
      }
    });
  }
  const listed = (a: unknown, b: unknown): unknown =>
    binding["matMul"]!(2, 2, 3, 4, false, true, f(16), f(24), f(12), a, b);
  listed([0, 1], [1, 0]);
  for (const list of [[0], [0, 2], [0, -1], [0, 0.5], [0, "x"], 3, "01"]) {
    assert.throws(() => listed(list, [1, 0]));
    assert.throws(() => listed([0, 1], list));
  }
  assert.throws(() => binding["embedding"]!(2, 3, 4, f(12), i(0, 3), f(8)), /tokens must be from 0 to 2, not 3/);
  assert.throws(
    () => binding["crossEntropy"]!(2, 4, f(8), i(0, -1), f(1), f(8)),
    /targets must be from 0 to 3, not -1/,
  );
  assert.throws(() => binding["gather"]!(1, 3, 4, f(12), i(0, 3), f(8)), /index value 3 is not in \[0, 2\]/);
});

/** It may throw or not; it must come back. */
function attempt(run: () => void): void {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof Error);
  }
}
