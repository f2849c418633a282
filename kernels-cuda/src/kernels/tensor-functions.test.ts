/** tfjs's own kernels on `native` against its `cpu` backend, over shapes that reach every way through them. */
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import assert from "node:assert/strict";
import test from "node:test";
import { NativeBackend } from "../backend/native-backend.js";
import { useNativeEngine } from "../engine-candidate.js";
import { native, needsNative } from "../testing/native.js";
import { caseResults, tensorCases } from "../testing/tensor-cases.js";
import { poisoned, relativeError } from "../testing/wkv7-runs.js";

test("tfjs's kernels give what its cpu backend gives", needsNative, async (t) => {
  assert.ok(useNativeEngine().ready);
  for (const [index, tensorCase] of tensorCases.entries()) {
    await tf.setBackend("cpu");
    const expected = caseResults(tensorCase, index + 1);
    await tf.setBackend("native");
    const before = tf.memory().numTensors;
    await t.test(tensorCase[0], () => {
      const actual = caseResults(tensorCase, index + 1);
      assert.equal(actual.length, expected.length);
      // Sums of at most some hundred terms in another order, and functions good to two units in the last place.
      actual.forEach((values, i) => assert.ok(relativeError(values, expected[i]!) < 2e-6));
      assert.equal(tf.memory().numTensors, before, "no tensor is left");
    });
  }
});

test("scatter adds slices by their indices, several to one place", needsNative, async () => {
  const indices = tf.tensor2d([0, 2, 1, 0, 0, 2, 1, 1], [4, 2], "int32");
  const updates = tf.tensor(
    Array.from({ length: 4 * 5 }, (_, i) => i - 7.5),
    [4, 5],
  );
  const scatter = (): tf.Tensor => tf.scatterND(indices, updates, [2, 3, 5]);
  useNativeEngine();
  await tf.setBackend("cpu");
  const expected = scatter().dataSync();
  await tf.setBackend("native");
  assert.deepEqual(scatter().dataSync(), expected);
  assert.throws(
    () => tf.scatterND(tf.tensor2d([[0, 9]], [1, 2], "int32"), tf.ones([1, 5]), [2, 3, 5]),
    /does not index/,
  );
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

test("elu of small values is theirs, not what is left of a difference with 1", needsNative, async () => {
  useNativeEngine();
  await tf.setBackend("native");
  const x = Float32Array.from({ length: 401 }, (_, i) => -(10 ** (-i / 50)) * (i % 2 ? 1 : 3));
  const one = tf.ones([1, 1]);
  const ways: Record<string, (x: tf.Tensor1D) => tf.Tensor> = {
    elu: (x) => tf.elu(x),
    "a product's": (x) => tf.fused.matMul({ a: tf.reshape(x, [401, 1]), b: one, activation: "elu" }),
  };
  for (const [name, elu] of Object.entries(ways)) {
    const y = tf.tidy(() => elu(tf.tensor1d(x)).dataSync());
    // Two roundings of e^x − 1 and one of e^x, beside |e^x − 1| of 0.29 at least.
    x.forEach((value, i) => assert.ok(Math.abs(y[i]! / Math.expm1(value) - 1) < 5e-7, `${name} of ${value}: ${y[i]}`));
  }
});

test("outputs are written whole: arrays that wait for use are full of NaN", needsNative, async () => {
  useNativeEngine();
  await tf.setBackend("native");
  const { pool } = tf.backend() as NativeBackend;
  const take = pool.take.bind(pool);
  pool.take = (length) => take(length).fill(NaN);
  try {
    tensorCases.forEach((tensorCase, index) => {
      const all = caseResults(tensorCase, index + 1).flatMap((values) => Array.from(values));
      assert.ok(all.every(Number.isFinite), tensorCase[0]);
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
    binary: [0, i(2, 4, 4, 1, 0, 1), f(8), f(4), f(8)],
    reduce: [0, 2, 3, 4, f(24), f(8), 1],
    softmax: [2, 4, f(8), f(8)],
    copyStrided: [i(2, 3, 1, 2), 0, f(6), f(6)],
    binaryFlat: [0, f(8), f(1), f(8)],
    integerBinary: [0, i(2, 4, 4, 1, 0, 1), new Int32Array(8), new Int32Array(4), new Int32Array(8)],
    compare: [0, i(2, 4, 4, 1, 0, 1), f(8), f(4), new Uint8Array(8)],
    extremumPlaces: [true, 2, 3, 4, f(24), new Int32Array(8)],
    pad: [i(2, 3, 5, 1), 1, 0, f(6), f(20)],
    select: [new Uint8Array(8), f(8), f(8), f(8)],
    concat: [2, [f(4), f(6)], f(10)],
    gather: [1, 3, 4, f(12), i(0, 2), f(8)],
    segmentSum: [2, 4, 3, f(8), i(0, 2), f(12)],
    oneHot: [4, 1, 0, i(0, 2), f(8)],
    cumsum: [2, 4, false, true, f(8), f(8)],
    topK: [2, 4, 2, f(8), f(4), i(0, 0, 0, 0)],
  };
  // Arguments that may have more than one length, or be left out.
  const freely: Record<string, number[]> = {
    globalNorm: [0],
    addBias: [0, 2],
    binary: [2, 3],
    copyStrided: [2],
    integerBinary: [2, 3],
    compare: [2, 3],
    pad: [4],
  };
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
  const copied = (axes: Int32Array, offset = 0): unknown => binding["copyStrided"]!(axes, offset, f(6), f(6));
  copied(i(2, 3, -3, 1), 3);
  for (const axes of [i(), i(-6, 1), i(6, 2), i(2, 3, -3, 1), i(6, 1, 1), new Int32Array(34).fill(1)]) {
    assert.throws(() => copied(axes), axes.join());
  }
  for (const axes of [i(2, 4, 4, 2, 0, 1), i(2, 4, 4, 1, -1, 1), i(2, 4, 4, 1, 1, 2), i(2, 4, 4, 1)]) {
    assert.throws(() => binding["binary"]!(0, axes, f(8), f(4), f(8)), axes.join());
  }
  assert.throws(() => binding["embedding"]!(2, 3, 4, f(12), i(0, 3), f(8)), /tokens must be from 0 to 2, not 3/);
  assert.throws(
    () => binding["crossEntropy"]!(2, 4, f(8), i(0, -1), f(1), f(8)),
    /targets must be from 0 to 3, not -1/,
  );
  assert.throws(() => binding["gather"]!(1, 3, 4, f(12), i(0, 3), f(8)), /index value 3 is not in \[0, 2\]/);
  assert.throws(() => binding["concat"]!(2, [f(3), f(7)], f(10)), /an input has 3 values, which are not 2 rows/);
});

/** It may throw or not; it must come back. */
function attempt(run: () => void): void {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof Error);
  }
}
