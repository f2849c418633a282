/** A step of AdamW for all parameters: the same bits as one by one, in place only where nobody can tell. */
import * as tf from "@tensorflow/tfjs-core";
import assert from "node:assert/strict";
import test from "node:test";
import type { NativeBackend } from "../backend/native-backend.js";
import { useNativeEngine } from "../engine-candidate.js";
import { needsNative } from "../testing/native.js";
import { randomNumbers } from "../testing/wkv7-reference.js";

const shapes = [[3, 5], [70], [1], [300, 70]];
const numbers = { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, step: 3, clip: 1 };
const learningRates = shapes.map((_, i) => 0.01 * (i + 1));
const weightDecays = shapes.map((_, i) => 0.1 * i);

/** Parameter, gradient and two moments for each shape, made by kernels, so that the backend owns them. */
function made(): tf.Tensor[][] {
  const random = randomNumbers(5);
  const filled = (shape: number[]): tf.Tensor =>
    tf.tidy(() => tf.add(tf.tensor(Array.from({ length: tf.util.sizeFromShape(shape) }, random), shape), 0));
  return shapes.map((shape) => [filled(shape), filled(shape), filled(shape), filled(shape)]);
}

function together(updates: readonly tf.Tensor[][], norm: tf.Scalar): tf.Tensor[] {
  const inputs: Record<string, tf.Tensor> = { norm };
  updates.forEach((tensors, i) => {
    ["parameter", "gradient", "moment1_", "moment2_"].forEach((name, j) => (inputs[`${name}${i}`] = tensors[j]!));
  });
  return tf.engine().runKernel<tf.Tensor[]>("AdamWAll", inputs, { ...numbers, learningRates, weightDecays });
}

function oneByOne(updates: readonly tf.Tensor[][], norm: tf.Scalar): tf.Tensor[] {
  return updates.flatMap(([parameter, gradient, moment1, moment2], i) => {
    const inputs = { parameter: parameter!, gradient: gradient!, moment1: moment1!, moment2: moment2!, norm };
    const attributes = { ...numbers, learningRate: learningRates[i]!, weightDecay: weightDecays[i]! };
    return tf.engine().runKernel<tf.Tensor[]>("AdamW", inputs, attributes);
  });
}

const values = (tensors: readonly tf.Tensor[]): number[][] => tensors.map((tensor) => [...tensor.dataSync()]);

test("a step of all parameters at once is that of each, in place", needsNative, async () => {
  useNativeEngine();
  await tf.setBackend("native");
  tf.tidy(() => {
    const norm = tf.scalar(7);
    const expected = values(oneByOne(made(), norm));
    const updates = made();
    const bytes = tf.memory().numDataBuffers;
    const results = together(updates, norm);
    assert.equal(tf.memory().numDataBuffers, bytes, "no new arrays");
    assert.deepEqual(values(results), expected);
  });
});

test("what somebody holds keeps its values in a step", needsNative, async () => {
  useNativeEngine();
  await tf.setBackend("native");
  tf.tidy(() => {
    const norm = tf.scalar(7);
    const expected = values(oneByOne(made(), norm));
    const updates = made();
    const before = updates.map((tensors) => values(tensors));
    // A view of one, the array of another: neither may change.
    const copies = made();
    const clone = tf.clone(copies[0]![0]!);
    const handedOut = copies[1]![2]!.dataSync();
    const results = together(copies, norm);
    assert.deepEqual(values(results), expected);
    assert.deepEqual([...clone.dataSync()], before[0]![0]);
    assert.deepEqual([...handedOut], before[1]![2]);
    // Gradients are never written to; and these tensors were all handed out.
    const again = together(updates, norm);
    assert.deepEqual(values(again), expected);
    assert.deepEqual(
      updates.map((tensors) => values(tensors)),
      before,
    );
  });
});

test("a step that is refused holds nothing", needsNative, async () => {
  useNativeEngine();
  await tf.setBackend("native");
  const backend = tf.backend() as NativeBackend;
  tf.tidy(() => {
    const updates = made();
    updates[2]![1] = tf.zeros([2]);
    const buffers = tf.memory().numDataBuffers;
    assert.throws(() => together(updates, tf.scalar(7)), /gradient has 2 values/);
    assert.equal(tf.memory().numDataBuffers, buffers + 1, "the norm");
    for (const tensor of updates.flat()) assert.equal(backend.refCount(tensor.dataId), 1);
  });
});
