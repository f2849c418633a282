import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";

import type { BaselineModel } from "../baselines/baseline-model.js";
import { createBaseline, type BaselineOptions, type RecurrentOptions } from "../baselines/create-baseline.js";
import { tokenMatrix } from "../model/tokens.js";
import { awayFromInitialValues, assertClose, useBackend } from "../testing.js";
import { adamW } from "../training/adamw.js";
import { disposeGradients, lossGradients } from "../training/gradients.js";
import { train } from "../training/train.js";
import { growBaseline, growBaselineOptimizer, type BaselineGrowth } from "./grow-baseline.js";

const sizes = { vocabSize: 7, layers: 2, width: 8, headSize: 4, hidden: 10 };
const tokens = [
  [1, 5, 2, 2, 6, 0],
  [3, 3, 0, 4, 1, 5],
];
const inner: BaselineGrowth[] = [{ hidden: 17 }, { layers: 4 }, { hidden: 11, layers: 3 }];
const kinds: [Exclude<BaselineOptions, RecurrentOptions>, BaselineGrowth[]][] = [
  [
    { kind: "tokenformer", ...sizes },
    [...inner, { attentionTokens: 13 }, { attentionTokens: 9, hidden: 40, layers: 3 }],
  ],
  [{ kind: "transformer", ...sizes }, inner],
  [{ kind: "transformer", ...sizes, activation: "squaredRelu" }, inner],
  [{ kind: "rwkv4", vocabSize: 7, layers: 2, width: 8, hidden: 10 }, inner],
];

/** A model that has learned something: no parameter is at its initial value. */
function learned(options: Exclude<BaselineOptions, RecurrentOptions>): BaselineModel {
  return awayFromInitialValues(createBaseline(options, { seed: 3 }));
}

for (const [options, growths] of kinds) {
  for (const growth of growths) {
    test(`${options.kind} ${"activation" in options ? "squaredRelu " : ""}grown by ${JSON.stringify(growth)} computes the same, and all that is new can learn`, async () => {
      await useBackend("wasm");
      const model = learned(options);
      const before = tf.memory().numTensors;
      const grown = growBaseline(model, growth, { seed: 5 });
      assert.equal(tf.memory().numTensors, before + grown.parameters.size);
      assert.ok(grown.parameterCount > model.parameterCount);
      tf.tidy(() => {
        const [old, now] = [model.forward(tokens).logits, grown.forward(tokens).logits];
        // Zeros are added to sums: only their order in blocks of matrix products changes.
        assertClose(now.dataSync(), old.dataSync(), 2e-6, "logits");
      });
      const result = lossGradients(grown, {
        inputs: tokenMatrix("test", tokens),
        targets: tokenMatrix("test", tokens),
      });
      for (const [name, variable] of grown.parameters) {
        const small = model.parameters.get(name);
        if (!small || small.size === variable.size) continue;
        // In each grown matrix, or in the one that it is multiplied with, the new part has a gradient: nothing is dead.
        const partner = name.includes("keys.") || name.includes("values.") ? "keys.weight" : "value.weight";
        const woken = [...result.gradients].some(
          ([other, gradient]) =>
            other.startsWith(name.slice(0, 12)) &&
            other.endsWith(partner) &&
            newPartOf(gradient, model, other).some((x) => x !== 0),
        );
        assert.ok(woken, `${name} can learn`);
      }
      disposeGradients(result);
      model.dispose();
      grown.dispose();
    });
  }
}

/** The elements beyond the old shape. */
function newPartOf(gradient: tf.Tensor, model: BaselineModel, name: string): number[] {
  const [rows = 0, columns = 0] = model.parameters.get(name)?.shape ?? [];
  const width = gradient.shape[1]!;
  return [...gradient.dataSync()].filter((_, i) => Math.floor(i / width) >= rows || i % width >= columns);
}

test("TokenFormer with the scale of its new number of tokens would compute something else: why the scale is kept", async () => {
  await useBackend("cpu");
  const model = learned({ kind: "tokenformer", ...sizes });
  const grown = growBaseline(model, { hidden: 20 });
  assert.equal(grown.configuration.mixerOptions.feedForwardScale, Math.sqrt(10));
  const renormed = createBaseline({ kind: "tokenformer", ...sizes, hidden: 20 });
  assert.equal(renormed.configuration.mixerOptions.feedForwardScale, Math.sqrt(20));
  for (const [name, variable] of renormed.parameters) variable.assign(grown.parameters.get(name)!);
  tf.tidy(() => {
    const [kept, changed] = [grown, renormed].map((one) => one.forward(tokens).logits);
    assert.ok(tf.max(tf.abs(tf.sub(kept!, changed!))).dataSync()[0]! > 0.01);
  });
  for (const one of [model, grown, renormed]) one.dispose();
});

test("the optimiser's moments grow with zeros, and training goes on", async () => {
  await useBackend("wasm");
  const model = learned({ kind: "tokenformer", ...sizes });
  const optimizer = adamW(model);
  const step = async (of: BaselineModel, by: typeof optimizer): Promise<void> => {
    const batch = { inputs: tokenMatrix("test", tokens), targets: tokenMatrix("test", tokens) };
    for await (const _ of train(of, [batch], { steps: 1, optimizer: by }));
  };
  await step(model, optimizer);
  const before = tf.memory().numTensors;
  const grown = growBaseline(model, { hidden: 14, attentionTokens: 11, layers: 3 });
  const larger = growBaselineOptimizer(optimizer, model, grown);
  assert.equal(larger.steps, 1);
  for (const [name, { first, second }] of larger.moments) {
    const old = optimizer.moments.get(name);
    for (const [now, then] of [
      [first, old?.first],
      [second, old?.second],
    ] as const) {
      assert.deepEqual(now.shape, grown.parameters.get(name)!.shape);
      // Values are kept, the rest is zero: the sums of magnitudes agree.
      const sum = (x: tf.Tensor | undefined): number =>
        x ? x.dataSync<"float32">().reduce((total, value) => total + Math.abs(value), 0) : 0;
      assert.equal(sum(now), sum(then));
    }
  }
  await step(grown, larger);
  assert.throws(() => growBaselineOptimizer(larger, model, grown), /give the model that it was made for/);
  larger.dispose();
  grown.dispose();
  assert.equal(tf.memory().numTensors, before);
  optimizer.dispose();
  model.dispose();
});

test("what cannot grow is refused with the reason", async () => {
  await useBackend("cpu");
  const model = createBaseline({ kind: "transformer", ...sizes });
  assert.throws(() => growBaseline(model, { hidden: 9 }), /hidden is 9, wanted an integer of at least 10/);
  assert.throws(() => growBaseline(model, { attentionTokens: 9 }), /attentionTokens are TokenFormer's, .* "attention"/);
  assert.throws(() => growBaseline(model, { width: 16 } as never), /width cannot grow, wanted hidden/);
  model.dispose();
});
