import assert from "node:assert/strict";
import test from "node:test";
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import * as tf from "@tensorflow/tfjs-core";

import { adamW } from "../training/adamw.js";
import { useBackend } from "../testing.js";
import { createModel, type Model } from "./model.js";
import { freeUnreachableModels } from "./parameter-variable.js";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const options = { vocabSize: 11, width: 8, layers: 1, headSize: 4, parameterTokens: 8 };

/** Collects garbage until there are as many tensors as wanted, or for some rounds. */
async function tensorsDownTo(wanted: number): Promise<number> {
  for (let i = 0; i < 50 && tf.memory().numTensors > wanted; i++) {
    collectGarbage();
    await setImmediate();
    await setImmediate();
  }
  return tf.memory().numTensors;
}

test("models that nobody can reach are freed where the host wants it, with the values that they have by then", async () => {
  await useBackend("wasm");
  freeUnreachableModels();
  const atStart = tf.memory();
  const usedAtStart = tf.engine().registeredVariables;
  const listed = Object.keys(usedAtStart).length;
  const cell = (): void => {
    const model = createModel(options);
    for (const variable of model.parameters.values()) tf.tidy(() => variable.assign(tf.add(variable, 1)));
  };
  for (let i = 0; i < 20; i++) cell();
  // One that was disposed of in time is not freed twice.
  createModel(options).dispose();
  assert.equal(await tensorsDownTo(atStart.numTensors), atStart.numTensors);
  assert.equal(tf.memory().numBytes, atStart.numBytes);
  assert.equal(Object.keys(tf.engine().registeredVariables).length, listed);
});

test("what can be reached by a parameter, an optimiser or TensorFlow.js's list of variables stays in use", async () => {
  await useBackend("wasm");
  freeUnreachableModels();
  const none = tf.memory().numTensors;
  const parameterOf = (model: Model) => model.parameters.get("head.weight")!;
  const kept = parameterOf(createModel(options));
  const optimizer = adamW(createModel(options));
  const all = createModel(options).parameters.size;
  assert.equal(
    await tensorsDownTo(none + 1 + 3 * all),
    none + 1 + 3 * all,
    "a parameter, and a model with two moments each",
  );
  assert.equal(kept.dataSync().length, 11 * 8);
  const held = createModel(options);
  assert.equal(tf.engine().registeredVariables[parameterOf(held).name], parameterOf(held));
  const { value, grads } = tf.variableGrads(() => tf.sum(tf.square(parameterOf(held))), [parameterOf(held)]);
  tf.dispose([value, grads]);
  held.dispose();
  kept.dispose();
  optimizer.dispose();
  assert.equal(await tensorsDownTo(none + all), none + all, "the model of the optimiser, which is still there");
});
