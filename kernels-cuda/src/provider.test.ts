import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import assert from "node:assert/strict";
import test from "node:test";
import { createNativeKernels, nativeKernels } from "./provider.js";
import { needsNative } from "./testing/native.js";
import {
  gradientNames,
  randomCase,
  referenceBackward,
  referenceForward,
  stepNames,
  type Wkv7Case,
} from "./testing/wkv7-reference.js";
import { relativeError } from "./testing/wkv7-runs.js";

const shape = { batch: 2, time: 35, heads: 2, headSize: 16, checkpointInterval: 16 };
const stepShape = [2, 35, 2, 16];
const stateShape = [2, 2, 16, 16];
const allowed = 1e-5; // of float32 sums; the exact bound is the kernels' own test

function tensors(c: Wkv7Case): Record<string, tf.Tensor> {
  const made: Record<string, tf.Tensor> = {};
  for (const name of [...stepNames, "dy"] as const) made[name] = tf.tensor(Float32Array.from(c[name]), stepShape);
  for (const name of ["state", "dFinalState"] as const) made[name] = tf.tensor(Float32Array.from(c[name]), stateShape);
  return made;
}

const runKernel = (name: string, inputs: object, attrs: object) =>
  tf.engine().runKernel<tf.Tensor[]>(name, inputs as tf.NamedTensorMap, attrs as tf.NamedAttrMap);

for (const backend of ["cpu", "wasm"]) {
  test(`Wkv7 and Wkv7Grad run as tfjs kernels on ${backend}`, needsNative, async () => {
    assert.ok(await tf.setBackend(backend));
    const registered = await nativeKernels.register(backend);
    assert.deepEqual(registered.kernels, ["Wkv7", "Wkv7Grad", "MetaPass", "MetaPassGrad"]);
    assert.match((registered as { detail: string }).detail, /^C\+\+ on \d+ threads?, \w+$/);

    const c = randomCase(shape, 1, [0.545, 0.999]);
    const inputs = tensors(c);
    const [y, finalState, checkpoints] = runKernel("Wkv7", inputs, { checkpointInterval: 16 });
    assert.deepEqual(y!.shape, stepShape);
    assert.deepEqual(finalState!.shape, stateShape);
    assert.deepEqual(checkpoints!.shape, [2, 2, 3, 16, 16]);
    const expected = referenceForward(shape, c);
    assert.ok(relativeError(await y!.data(), expected.y) < allowed);
    assert.ok(relativeError(await finalState!.data(), expected.finalState) < allowed);
    assert.ok(relativeError(await checkpoints!.data(), expected.checkpoints) < allowed);

    const gradients = runKernel("Wkv7Grad", { ...inputs, checkpoints }, { checkpointInterval: 16 });
    const expectedGradients = referenceBackward(shape, c);
    for (const [index, name] of gradientNames.entries()) {
      assert.ok(relativeError(await gradients[index]!.data(), expectedGradients[name]) < allowed, name);
    }
    assert.equal(runKernel("Wkv7", inputs, { checkpointInterval: 0 }).length, 2);
  });

  test(`a tensor of another type is refused on ${backend}`, needsNative, async () => {
    await tf.setBackend(backend);
    await nativeKernels.register(backend);
    const inputs = { ...tensors(randomCase(shape, 2, [0.6, 0.9])), k: tf.zeros(stepShape, "int32") };
    assert.throws(() => runKernel("Wkv7", inputs, { checkpointInterval: 0 }), /float32 tensors, not int32/);
  });

  test(`a tensor of another shape is refused on ${backend}`, needsNative, async () => {
    await tf.setBackend(backend);
    await nativeKernels.register(backend);
    const inputs = tensors(randomCase(shape, 3, [0.6, 0.9]));
    const run = (wrong: object) => runKernel("Wkv7", { ...inputs, ...wrong }, { checkpointInterval: 0 });
    assert.throws(() => run({ v: tf.zeros([2, 35, 2, 8]) }), /v has 1120 values; the shape given wants 2240/);
    assert.throws(() => run({ r: tf.zeros([2, 35, 16]) }), /r must be \[B, T, H, N\]/);
  });
}

test("views hold while the WASM memory grows", needsNative, async () => {
  await tf.setBackend("wasm");
  await nativeKernels.register("wasm");
  // Each round's checkpoints are 17 MB, and none is disposed: the memory must grow, in the middle of calls too.
  const s = { batch: 2, time: 256, heads: 8, headSize: 64, checkpointInterval: 16 };
  const steps = tf.fill([2, 256, 8, 64], 0.5);
  const zero = tf.zerosLike(steps);
  const state = tf.ones([2, 8, 64, 64]);
  const kept: tf.Tensor[] = [];
  for (let round = 0; round < 12; ++round) {
    kept.push(...runKernel("Wkv7", { r: steps, w: steps, k: zero, v: zero, a: zero, b: zero, state }, s));
  }
  // y of the first step is sum over 64 columns of 0.5 * 0.5; the state halves with every step.
  for (let round = 0; round < 12; ++round) {
    const [y, , checkpoints] = kept.slice(3 * round, 3 * round + 3);
    assert.equal((await y!.data())[0], 16);
    assert.equal((await checkpoints!.data())[64 * 64], 2 ** -16);
  }
  tf.dispose([steps, zero, state, ...kept]);
});

test("a backend whose tensors are out of reach gets no kernels, and the reason", needsNative, async () => {
  const result = await nativeKernels.register("webgl");
  assert.deepEqual(result.kernels, []);
  assert.match((result as { reason: string }).reason, /cpu/);
});

test("kernels switched off by option are not registered", async () => {
  assert.deepEqual(await createNativeKernels({ enabled: false }).register("cpu"), {
    kernels: [],
    reason: "native kernels are switched off",
  });
});
