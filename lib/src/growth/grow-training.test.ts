import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";

import { createBaseline } from "../baselines/create-baseline.js";
import { streams } from "../data/streams.js";
import { loadModel } from "../io/load-model.js";
import { refused, withFolder } from "../io/testing.js";
import { saveModel } from "../io/save-model.js";
import { assertClose, useBackend } from "../testing.js";
import { AdamW, adamW } from "../training/adamw.js";
import { readCheckpoint } from "../training/checkpoint-file.js";
import { metricsOf, ruleBatches, ruleText, smallModel, valuesOf } from "../training/testing.js";
import type { TrainOptions } from "../training/training-options.js";
import { grow } from "./grow.js";
import { growCheckpoint } from "./grow-checkpoint.js";
import { growOptimizer } from "./grow-optimizer.js";
import { growthPlan, valuesBefore } from "./plan.js";

const growth = { parameterTokens: 48, heads: 3, layers: 3, learnedState: true } as const;

test("training goes on with a grown optimiser: old parameters make the very steps that they would have made", async () => {
  await useBackend("wasm");
  const model = smallModel();
  // Without clipping: new gradients add to the norm, by which all are scaled.
  const optimizer = adamW(model, { clip: 1e9 });
  await metricsOf(model, ruleBatches(0), { steps: 8, optimizer });
  const larger = grow(model, growth);
  const before = tf.memory().numTensors;
  const grown = growOptimizer(optimizer, model, larger);
  assert.equal(grown.steps, 8);
  assert.deepEqual([...grown.moments.keys()].sort(), [...larger.parameters.keys()].sort());
  const value = grown.moments.get("blocks.0.ffn.value.weight")!;
  assert.deepEqual(value.first.shape, [16, 48]);
  for (const moment of [value.first, value.second]) {
    const added = tf.slice(moment, [0, 32], [16, 16]).dataSync();
    assert.ok(added.every((x) => x === 0));
  }
  assert.ok(grown.groups.every(({ weightDecay }, i) => weightDecay === optimizer.groups[i]!.weightDecay));
  const of = (name: string): string => grown.groups.find(({ parameters }) => parameters.includes(name))!.name;
  assert.equal(of("blocks.2.att.key.weight"), "matrices");
  assert.equal(of("blocks.2.att.w0"), "decay bases");
  assert.equal(of("blocks.0.att.time_state"), "others");

  const options = { steps: 1, learningRate: 3e-3, schedule: "constant", warmup: 0 } as const;
  const [small] = await metricsOf(model, ruleBatches(8), { ...options, optimizer });
  const [large] = await metricsOf(larger, ruleBatches(8), { ...options, optimizer: grown });
  assertClose([large!.loss], [small!.loss], 1e-6, "loss");
  const values = valuesOf(larger);
  for (const plan of growthPlan(model.configuration, larger.configuration)) {
    const expected = model.parameters.get(plan.name)?.dataSync();
    if (!expected) continue;
    // Had the moments been lost, the step would be another one: 3e−3 in every element.
    const held = valuesBefore(plan, values.get(plan.name)!);
    held.forEach((x, i) => assert.ok(Math.abs(x - expected[i]!) < 2e-5, `${plan.name}[${i}]: ${x}, ${expected[i]}`));
  }
  grown.dispose();
  assert.throws(() => growOptimizer(optimizer, larger, larger), /moments of .* which the model before does not have/);
  optimizer.dispose();
  assert.ok(tf.memory().numTensors < before);
});

test("an optimiser of a few parameters stays with them, and takes new ones in", async () => {
  await useBackend("cpu");
  const model = smallModel();
  const optimizer = adamW(model, { trainable: "blocks.*.ffn.*" });
  const larger = grow(model, { layers: 3, parameterTokens: 40 });
  const grown = growOptimizer(optimizer, model, larger);
  assert.ok(grown.moments.has("blocks.0.ffn.key.weight"));
  assert.ok(!grown.moments.has("blocks.0.att.key.weight"));
  assert.ok(grown.moments.has("blocks.2.att.key.weight"), "a new layer learns");

  const parameters = ["emb.weight", "head.weight"];
  const own = { name: "own", parameters, learningRateFactor: 3, weightDecay: 0.2 };
  const ofOwn = growOptimizer(new AdamW(model.parameters, [own], optimizer.options), model, larger);
  const added = [...larger.parameters.keys()].filter((name) => !model.parameters.has(name));
  assert.deepEqual(ofOwn.groups, [{ ...own, parameters: [...parameters, ...ofOwn.groups[0]!.parameters.slice(2)] }]);
  assert.deepEqual(ofOwn.groups[0]!.parameters.slice(2).sort(), added.sort(), "new ones go with the last group");
});

test("a checkpoint grows: the training goes on with the larger model, from the same loss", async () => {
  await useBackend("wasm");
  await withFolder(async (folder) => {
    const run = join(folder, "run");
    const batches = (start: number) => streams(ruleText, { batchSize: 2, length: 16, start });
    const options: TrainOptions = {
      steps: 12,
      carryState: true,
      ema: 0.9,
      evaluate: { data: ruleText.slice(0, 200), every: 4 },
      earlyStop: { patience: 3, restoreBest: true },
    };
    const model = smallModel();
    const whole = await metricsOf(smallModel(), batches, options);
    const first = new AbortController();
    await assert.rejects(
      metricsOf(model, batches, {
        ...options,
        checkpoint: { folder: run, every: 6 },
        onCheckpoint: ({ step }) => void (step === 6 && first.abort()),
        signal: first.signal,
      }),
    );
    const atFirst = tf.memory().numTensors;
    const target = join(folder, "not there yet", "larger.safetensors");
    const larger = await growCheckpoint(run, target, growth, { seed: 2 });
    assert.equal(tf.memory().numTensors, atFirst + larger.parameters.size);
    const saved = await readCheckpoint(target);
    assert.equal(saved.record.step, 6);
    assert.equal(saved.record.optimizerSteps, 6);
    assert.deepEqual(saved.state!.find(({ rank }) => rank === 4)!.shape, [2, 3, 8, 8]);
    for (const tensors of [saved.ema!, saved.best!]) {
      assert.deepEqual([...tensors.keys()], [...larger.parameters.keys()]);
      const name = "blocks.1.ffn.key.weight";
      const added = (of: tf.Tensor): ArrayLike<number> => tf.slice(of, [32, 0], [16, 16]).dataSync();
      assert.deepEqual(
        added(tensors.get(name)!),
        added(larger.parameters.get(name)!),
        "an average of values that just began",
      );
    }
    const losses: number[] = [];
    const from = await loadModel(target);
    for (const { step, loss } of await metricsOf(from, batches, { ...options, resume: target })) {
      losses.push(loss);
      assert.equal(step, 6 + losses.length);
    }
    assert.equal(losses.length, 6);
    assertClose([losses[0]!], [whole[6]!.loss], 2e-6, "the loss of step 7");
    assert.notEqual(losses[5], whole[11]!.loss, "what was added learns");

    await assert.rejects(
      growCheckpoint(target, target, growth),
      /is the smaller model's checkpoint: give another path/,
    );
    await assert.rejects(growCheckpoint(target, join(folder, "no"), { heads: 1 }), /growth takes nothing away/);
    await saveModel(model, join(folder, "model.safetensors"));
    const baseline = createBaseline({ kind: "tokenformer", vocabSize: 16, width: 8, layers: 1, headSize: 4 });
    const checkpoint = { folder: join(folder, "baseline") };
    await metricsOf(baseline, (start) => ruleBatches(start), { steps: 1, checkpoint });
    await assert.rejects(growCheckpoint(checkpoint.folder, target, growth), /holds a baseline's training/);
    await refused(growCheckpoint(join(folder, "model.safetensors"), target, growth), /is no checkpoint of a training/);
  });
});
