import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";

import { createBaseline } from "../baselines/create-baseline.js";
import { withFolder } from "../io/testing.js";
import type { LanguageModel } from "../model/language-model.js";
import { useBackend } from "../testing.js";
import { adamW } from "../training/adamw.js";
import { resume } from "../training/resume.js";
import { metricsOf, ruleBatches, smallModel, valuesOf } from "../training/testing.js";
import type { TrainMetrics, TrainOptions } from "../training/training-options.js";
import { growBaseline } from "./grow-baseline.js";
import { grow } from "./grow.js";
import { growOptimizer } from "./grow-optimizer.js";
import { onlyNew } from "./only-new.js";

/** The old values among those of a larger model, as they lie first along each axis; null where all is new. */
function oldPart(before: LanguageModel, after: LanguageModel): Map<string, ArrayLike<number> | null> {
  return new Map(
    Array.from(after.parameters, ([name, variable]) => {
      const shape = before.parameters.get(name)?.shape;
      const begin = shape?.map(() => 0);
      return [name, shape ? tf.tidy(() => tf.slice(variable, begin!, shape).dataSync<"float32">().slice()) : null];
    }),
  );
}

const growth = { parameterTokens: 48, heads: 3, layers: 3, learnedState: true } as const;
const grown: readonly (readonly [
  name: string,
  before: () => LanguageModel,
  after: (before: never) => LanguageModel,
])[] = [
  ["Meta-State", () => smallModel(), (before) => grow(before, growth)],
  [
    "TokenFormer",
    () => createBaseline({ kind: "tokenformer", vocabSize: 16, width: 16, layers: 2, headSize: 8 }, { seed: 1 }),
    (before) => growBaseline(before, { hidden: 80, attentionTokens: 40 }),
  ],
];
for (const [name, create, enlarge] of grown) {
  test(`of a ${name} that grew, only what is new learns, and what is old stays to the bit`, async () => {
    await useBackend("wasm");
    const before = create();
    await metricsOf(before, ruleBatches(), { steps: 4 });
    const after = enlarge(before as never);
    const [values, atStart] = [valuesOf(after), oldPart(before, after)];
    const tensors = tf.memory().numTensors;
    const trainable = onlyNew(before, after);
    const history = await metricsOf(after, ruleBatches(4), { steps: 8, trainable, weightDecay: 0.5 });
    assert.ok(history.at(-1)!.loss < history[0]!.loss);
    assert.deepEqual(oldPart(before, after), atStart);
    for (const [parameter, now] of valuesOf(after)) {
      const moved = now.some((x, i) => x !== values.get(parameter)![i]);
      assert.equal(moved, parameter in trainable, parameter);
    }
    assert.equal(tf.memory().numTensors, tensors);
    before.dispose();
    after.dispose();
  });
}

test("what is new learns as if the old values were written back after each step, and clipping sees it alone", async () => {
  await useBackend("wasm");
  const before = smallModel();
  await metricsOf(before, ruleBatches(), { steps: 4 });
  const [one, other] = [grow(before, growth), grow(before, growth)];
  const options = { steps: 6, clip: 1e9, spike: false } as const;
  const trainable = onlyNew(before, one);
  const norms = (await metricsOf(one, ruleBatches(4), { ...options, trainable })).map((step) => step.gradientNorm);
  const all: number[] = [];
  await metricsOf(other, ruleBatches(4), {
    ...options,
    onStep({ gradientNorm }) {
      all.push(gradientNorm);
      for (const [name, old] of before.parameters) {
        const variable = other.parameters.get(name)!;
        tf.tidy(() => {
          const isOld = tf.pad(
            tf.onesLike(old),
            old.shape.map((size, i): [number, number] => [0, variable.shape[i]! - size]),
          );
          const padded = tf.pad(
            old,
            old.shape.map((size, i): [number, number] => [0, variable.shape[i]! - size]),
          );
          variable.assign(tf.where(tf.cast(isOld, "bool"), padded, variable));
        });
      }
    },
  });
  assert.deepEqual(valuesOf(one), valuesOf(other));
  norms.forEach((norm, i) => assert.ok(norm > 0 && norm < all[i]!, `${norm} of ${all[i]}`));
});

test("a training of what is new goes on from its checkpoint, with the parts from the file, and its history first", async () => {
  await useBackend("wasm");
  await withFolder(async (folder) => {
    const before = smallModel();
    const larger = (): LanguageModel => grow(before, { parameterTokens: 48 }, { seed: 1 });
    const trainable = onlyNew(before, larger());
    const options: TrainOptions = { steps: 6, trainable, checkpoint: { folder } };
    const whole = larger();
    const losses = (await metricsOf(whole, ruleBatches, { steps: 6, trainable })).map(({ loss }) => loss);
    const history: TrainMetrics[] = [];
    const left = new AbortController();
    const onStep = ({ step }: TrainMetrics) => void (step === 3 && left.abort());
    await assert.rejects(metricsOf(larger(), ruleBatches, { ...options, history, onStep, signal: left.signal }));
    assert.deepEqual(
      history.map(({ loss }) => loss),
      losses.slice(0, 3),
    );
    // As in a notebook whose cell is run again: the array has something already.
    const { model, training } = await resume(folder, ruleBatches, { checkpoint: { folder }, history });
    for await (const _ of training);
    assert.deepEqual(
      history.map(({ step, loss }) => [step, loss]),
      losses.map((loss, i) => [i + 1, loss]),
    );
    assert.deepEqual(valuesOf(model), valuesOf(whole));
    await assert.rejects(
      metricsOf(larger(), ruleBatches, { ...options, trainable: "*", resume: true }),
      /trainable is/,
    );
  });
});

test("an optimiser that grows keeps what was frozen, and what makes no sense is refused", async () => {
  await useBackend("wasm");
  const [first, second] = [smallModel(), grow(smallModel(), { parameterTokens: 48 })];
  const optimizer = adamW(second, { trainable: onlyNew(first, second) });
  const third = grow(second, { parameterTokens: 64 });
  const atStart = oldPart(first, third);
  const larger = growOptimizer(optimizer, second, third);
  await metricsOf(third, ruleBatches(), { steps: 3, optimizer: larger });
  assert.deepEqual(oldPart(first, third), atStart);
  assert.notDeepEqual(valuesOf(third), valuesOf(grow(second, { parameterTokens: 64 })));
  assert.match(String(larger), /frozen +a part of 4 parameters/);
  const tensors = tf.memory().numTensors;
  optimizer.dispose();
  larger.dispose();
  assert.equal(tensors - tf.memory().numTensors, 2 * (2 * 4 + 4));

  assert.throws(() => onlyNew(first, smallModel()), /nothing is new: ms.grow gives a larger one/);
  assert.throws(() => onlyNew(second, first), /give the smaller model first/);
  const forced = grow(first, { headSize: 16 }, { force: true });
  assert.throws(() => onlyNew(first, forced), /headSize is 16, before 8.*alternate/);
  const key = "blocks.0.ffn.key.weight";
  for (const [frozen, message] of [
    [[32], /wanted "all", or \{ frozen: .* with 2 sizes up to those of its shape, \[32, 16\]/],
    [[33, 16], /wanted "all"/],
    [[32, 16], /all of blocks.0.ffn.key.weight is frozen: leave it out/],
  ] as const) {
    assert.throws(() => adamW(first, { trainable: { [key]: { frozen } } }), message);
  }
  assert.throws(() => adamW(first, { trainable: { "blocks.9.*": "all" } }), /no parameter is called "blocks.9/);
});
