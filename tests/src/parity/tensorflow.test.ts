/** The library against PyTorch, and a short training, on TensorFlow. Skipped where `npm run setup:tensorflow` was not run. */
import assert from "node:assert/strict";
import test from "node:test";

import { nativeKernels, tensorflowEngine } from "@metastate/kernels-cuda";
import * as tf from "@tensorflow/tfjs-core";
import * as ms from "metastate";

import { parityTests } from "./parity.js";

const started = await tensorflowEngine.start();

if (started.ready) {
  parityTests("tensorflow", async () => {
    ms.registerEngine(tensorflowEngine);
    ms.registerKernels(nativeKernels);
    await ms.startEngine({ backend: "tensorflow", log: () => {} });
  });

  test("a training on TensorFlow has the losses that it has on tfjs's wasm backend, and leaves no tensors", async () => {
    const [there, here] = [await losses("tensorflow"), await losses("wasm")];
    assert.equal(there.length, 6);
    // Measured 5e-7: float32 sums in other orders, over six updates.
    for (const [i, loss] of there.entries()) assert.ok(Math.abs(loss - here[i]!) < 1e-5, `${loss} and ${here[i]}`);
    assert.ok(there.at(-1)! < there[0]!);
  });
} else {
  void test("TensorFlow", { skip: started.reason }, () => {});
}

/** The losses of six steps of a small model on a tfjs backend. */
async function losses(backend: string): Promise<number[]> {
  await tf.setBackend(backend);
  const before = tf.memory().numTensors;
  const model = ms.createModel({ vocabSize: 256, width: 32, layers: 2, headSize: 16 }, { seed: 3 });
  const text = ms.byteTokenizer().encode("the state of the state of the state of the union ".repeat(20));
  const batches = ms.data.batches(text, { batchSize: 2, length: 24, seed: 1 });
  const found: number[] = [];
  for await (const { loss } of ms.train(model, batches, { steps: 6, warmup: 0, learningRate: 3e-3 })) found.push(loss);
  model.dispose();
  assert.equal(tf.memory().numTensors, before);
  return found;
}
