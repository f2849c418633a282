import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

import { jupyterDisplay } from "../display.js";
import { Random } from "../random.js";
import { sseVariants } from "../sse/registry.js";
import { assertClose, checkGradient, randomTensor, useBackend } from "../testing.js";
import { sseHeads, type ModelOptions } from "./configuration.js";
import { randomModel } from "./testing.js";

const inputs = [
  [1, 5, 2, 2, 6],
  [3, 3, 0, 4, 1],
];

/**
 * The same bits; to rounding on an engine that has the pass of the SSE as one kernel, which runs in parts where somebody looks
 * inside.
 */
function expectSame(watched: Tensor, plain: Tensor): void {
  if (tf.getBackend() === "wasm") assert.deepEqual(watched.dataSync(), plain.dataSync());
  else assertClose(watched.dataSync(), plain.dataSync(), 2e-6, "what is watched");
}

const shapes: [name: string, options: Partial<ModelOptions>][] = [
  ...sseVariants().map(({ name }): [string, Partial<ModelOptions>] => [name, { sse: name }]),
  ["half the heads with SSE", { heads: 4, rho: 0.5 }],
];

for (const [name, options] of shapes) {
  test(`${name}: a tap sees the listed activations in their order and shapes; looking changes nothing`, async () => {
    await useBackend("wasm");
    const model = randomModel(options);
    const plain = model.forward(inputs);
    const { configuration } = model;
    const letters: Record<string, number> = {
      B: 2,
      T: 5,
      C: configuration.width,
      H: configuration.heads,
      Hs: sseHeads(configuration),
      N: configuration.headSize,
      A: configuration.heads * configuration.headSize,
      n: configuration.parameterTokens,
      V: configuration.vocabSize,
    };
    const seen: string[] = [];
    const tap = (at: string, value: Tensor): Tensor => {
      seen.push(`${at} [${value.shape.join(", ")}]`);
      return value;
    };
    const before = tf.memory().numTensors;
    const watched = model.forward(inputs, undefined, { tap });
    assert.equal(tf.memory().numTensors, before + 1 + watched.state.tensors().length);
    const listed = model.activationNames.all.map(
      ({ name: at, shape }) => `${at} ${shape.replace(/[A-Za-z]+/g, (letter) => String(letters[letter]))}`,
    );
    assert.deepEqual(seen, listed);
    expectSame(watched.logits, plain.logits);
    watched.state.tensors().forEach((x, i) => expectSame(x, plain.state.tensors()[i]!));
    model.dispose();
  });

  test(`${name}: what a tap gives back is what the model goes on with, everywhere`, async () => {
    await useBackend("wasm");
    const model = randomModel(options);
    const outputs = (at?: string): Float32Array[] =>
      tf.tidy(() => {
        const tap = (name: string, value: Tensor): Tensor => (name === at ? tf.add(tf.mul(value, 0.9), 0.03) : value);
        const { logits, state } = model.forward(inputs, undefined, { tap });
        return [logits, ...state.tensors()].map((tensor) => tensor.dataSync<"float32">());
      });
    const plain = outputs();
    for (const { name: at } of model.activationNames) {
      assert.notDeepEqual(outputs(at), plain, `${at} matters`);
    }
    model.dispose();
  });
}

test("a removal key put back as a copy gives the coefficients it came from", async () => {
  await useBackend("wasm");
  for (const aScale of [1, 2] as const) {
    const model = randomModel({ aScale });
    const tap = (name: string, value: Tensor): Tensor => (name.endsWith("att.kappa") ? tf.clone(value) : value);
    // β is multiplied anew, in another order than the key's own op: roundings.
    assertClose(
      model.forward(inputs, undefined, { tap }).logits.dataSync(),
      model.forward(inputs).logits.dataSync(),
      1e-6,
      `logits, aScale ${aScale}`,
    );
    model.dispose();
  }
});

test("a replacement of another shape or dtype is refused with both named", async () => {
  await useBackend("cpu");
  const model = randomModel();
  const replaceBy = (tensor: Tensor) => () =>
    model.forward(inputs, undefined, { tap: (name, value) => (name === "blocks.1.att.wkv" ? tensor : value) });
  assert.throws(replaceBy(tf.zeros([2, 5, 8])), {
    name: "ShapeError",
    message: "tap: the replacement of blocks.1.att.wkv is [2, 5, 8], wanted [2, 5, 2, 4], as the value",
  });
  assert.throws(replaceBy(tf.zeros([2, 5, 2, 4], "int32")), /is \[2, 5, 2, 4\] int32, wanted \[2, 5, 2, 4\], as/);
  model.dispose();
});

test("gradients flow through taps, into what they add", async () => {
  await useBackend("wasm");
  const model = randomModel();
  const shapeOf: Record<string, number[]> = {
    "blocks.0.att.kappa": [2, 5, 2, 4],
    "blocks.0.att.v": [2, 5, 2, 4],
    "blocks.1.meta.read": [2, 5, 2, 4],
    "blocks.0.before.wkv": [2, 2, 4, 4],
    "blocks.0.out": [2, 5, 8],
  };
  const random = new Random(4);
  const added = Object.values(shapeOf).map((shape) => randomTensor(random, shape, { scale: 0.1 }));
  checkGradient((...tensors) => {
    const of = new Map(Object.keys(shapeOf).map((name, i) => [name, tensors[i]!]));
    const tap = (name: string, value: Tensor): Tensor => (of.has(name) ? tf.add(value, of.get(name)!) : value);
    return model.forward(inputs, undefined, { tap }).logits;
  }, added);
  model.dispose();
});

test("a state counts the tokens that each row has seen, through copies and rows taken out and put together", async () => {
  await useBackend("cpu");
  const model = randomModel();
  const { state } = model.forward(inputs);
  assert.deepEqual(state.positions, [5, 5]);
  const one = model.forward([[1, 2]], state.selectRows([1])).state;
  assert.deepEqual(state.joinRows([one]).clone().positions, [5, 5, 7]);
  assert.deepEqual(model.initialState(2).positions, [0, 0]);
  model.dispose();
});

test("the names show themselves as a table", async () => {
  await useBackend("cpu");
  const model = randomModel();
  const text = model.activationNames[jupyterDisplay]()["text/plain"] as string;
  assert.match(text, /^blocks\.1\.att\.wkv +\[B, T, H, N\] +y = S r/m);
  model.dispose();
});
