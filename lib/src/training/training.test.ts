import assert from "node:assert/strict";
import test from "node:test";
import { setImmediate } from "node:timers/promises";

import * as tf from "@tensorflow/tfjs-core";

import type { Batch } from "../data/batch.js";
import { batches } from "../data/batches.js";
import { afterTermination } from "../engine/termination.js";
import { createModel, type Model } from "../model/model.js";
import { useBackend } from "../testing.js";
import { AdamW, parameterGroups } from "./adamw.js";
import { ema } from "./ema.js";
import { evaluate } from "./evaluate.js";
import { train } from "./train.js";
import type { TrainMetrics, TrainOptions } from "./training-options.js";

/** A text with a rule: each byte is the one before plus 1 or 2, modulo 16, by turns. */
const tokens = Uint8Array.from({ length: 2000 }, (_, i) => (i + Math.floor(i / 2)) % 16);

function smallModel(seed = 1): Model {
  return createModel({ vocabSize: 16, width: 16, layers: 2, headSize: 8, parameterTokens: 32 }, { seed });
}

function smallBatches(seed = 1): IterableIterator<Batch, never> {
  return batches(tokens, { batchSize: 4, length: 16, seed });
}

async function run(model: Model, options: TrainOptions, seed = 1): Promise<TrainMetrics[]> {
  const history: TrainMetrics[] = [];
  for await (const metrics of train(model, smallBatches(seed), options)) history.push(metrics);
  return history;
}

test("training learns a rule, and reports each step", async () => {
  await useBackend("wasm");
  const model = smallModel();
  const before = await evaluate(model, tokens, { length: 16 });
  const history = await run(model, {
    steps: 60,
    learningRate: 1e-2,
    evaluate: { data: tokens, every: 25, tokens: 320 },
  });
  assert.deepEqual(
    history.map(({ step }) => step),
    Array.from({ length: 60 }, (_, i) => i + 1),
  );
  const last = history.at(-1)!;
  assert.ok(before.loss > 2.5, `before: ${before.loss}`);
  assert.ok(last.loss < 0.7, `after: ${last.loss}`);
  assert.deepEqual(
    history.filter(({ validationLoss }) => validationLoss !== undefined).map(({ step }) => step),
    [25, 50, 60],
  );
  assert.ok(last.validationLoss! < 0.7);
  assert.equal(last.secondsLeft, 0);
  assert.ok(last.tokensPerSecond > 0 && last.gradientNorm > 0 && last.steps === 60);
  model.dispose();
});

test("the same seeds give the same losses and parameters, bit for bit", async () => {
  await useBackend("wasm");
  const [first, second] = [smallModel(), smallModel()];
  const losses = async (model: Model): Promise<number[]> => (await run(model, { steps: 8 })).map(({ loss }) => loss);
  assert.deepEqual(await losses(first), await losses(second));
  for (const [name, variable] of first.parameters) {
    assert.deepEqual(variable.dataSync(), second.parameters.get(name)!.dataSync(), name);
  }
  const other = smallModel();
  assert.notEqual((await run(other, { steps: 1 }, 2))[0]!.loss, (await run(smallModel(), { steps: 1 }, 1))[0]!.loss);
});

test("batches go on where the last training left them, and may end early", async () => {
  await useBackend("wasm");
  const model = smallModel();
  const iterator = smallBatches();
  const all = Array.from({ length: 3 }, () => smallBatches()).map((fresh, skip) => {
    for (let i = 0; i < skip; i++) fresh.next();
    return fresh.next().value;
  });
  for await (const { step } of train(model, iterator, { steps: 5 })) if (step === 1) break;
  for await (const { step } of train(model, iterator, { steps: 1 })) assert.equal(step, 1);
  assert.deepEqual(iterator.next().value, all[2]);
  const seen: number[] = [];
  for await (const { step } of train(model, all, { steps: 10 })) seen.push(step);
  assert.deepEqual(seen, [1, 2, 3]);
  model.dispose();
});

test("a run of any length holds the same number of tensors, and frees them when left early", async () => {
  await useBackend("wasm");
  const model = smallModel();
  const atStart = tf.memory().numTensors;
  const counts: number[] = [];
  const evaluation = { data: tokens, every: 2, tokens: 64 };
  for await (const { step } of train(model, smallBatches(), { steps: 100, evaluate: evaluation })) {
    counts.push(tf.memory().numTensors);
    if (step === 12) break;
  }
  assert.deepEqual(new Set(counts).size, 1, counts.join());
  assert.equal(tf.memory().numTensors, atStart);
  model.dispose();
});

test("a training that nobody can reach any more, its cell terminated, frees what it holds", async () => {
  await useBackend("wasm");
  const model = smallModel();
  const average = ema(model);
  const atStart = tf.memory().numTensors;
  const during = async (): Promise<number> => {
    const options = { steps: 100, ema: 0.9, carryState: true };
    const trainings = [train(model, smallBatches(), options), train(model, smallBatches(), { steps: 9, ema: average })];
    for (const training of trainings) await training.next();
    return tf.memory().numTensors;
  };
  // Moments, averages, a state and parameters to go back to.
  assert.ok((await during()) > atStart + 5 * model.parameters.size);
  for (let i = 0; i < 100 && tf.memory().numTensors > atStart; i++) {
    afterTermination();
    await setImmediate();
    await setImmediate();
  }
  assert.equal(tf.memory().numTensors, atStart);
  assert.equal(average.isDisposed, false, "the caller's stays");
  average.dispose();
  model.dispose();
});

test("an aborted training ends with the signal's reason and frees the optimiser", async () => {
  await useBackend("wasm");
  const model = smallModel();
  const atStart = tf.memory().numTensors;
  const controller = new AbortController();
  let steps = 0;
  await assert.rejects(async () => {
    for await (const { step } of train(model, smallBatches(), { steps: 100, signal: controller.signal })) {
      steps = step;
      if (step === 3) controller.abort(new Error("enough"));
    }
  }, /enough/);
  assert.equal(steps, 3);
  assert.equal(tf.memory().numTensors, atStart);
  model.dispose();
});

test("other work gets its turn between steps", async () => {
  await useBackend("wasm");
  const model = smallModel();
  let ticks = 0;
  const timer = setInterval(() => ticks++, 0);
  await run(model, { steps: 10 });
  clearInterval(timer);
  assert.ok(ticks >= 5, `${ticks} ticks in 10 steps`);
  model.dispose();
});

test("numbers that are not finite stop the training, naming step and parameter, before they reach the model", async () => {
  await useBackend("wasm");
  const model = smallModel();
  const poisoned = model.parameters.get("blocks.1.ffn.x_k")!;
  await assert.rejects(
    async () => {
      for await (const { step } of train(model, smallBatches(), { steps: 10 })) {
        if (step === 4) tf.tidy(() => poisoned.assign(tf.fill(poisoned.shape, NaN)));
      }
    },
    {
      name: "DivergenceError",
      step: 5,
      parameter: "blocks.1.ffn.x_k",
      message: /diverged at step 5: .* after step 3\. Lower learningRate/,
    },
  );
  for (const [name, variable] of model.parameters) assert.ok(variable.dataSync().every(Number.isFinite), name);
  model.dispose();
});

test("options that make no sense are refused by name", async () => {
  await useBackend("cpu");
  const model = smallModel();
  await assert.rejects(run(model, { steps: 0 }), { name: "ConfigurationError", message: /steps is 0/ });
  // Without a type check a forgotten count would train for ever.
  await assert.rejects(run(model, {} as TrainOptions), /steps is undefined, wanted an integer of 1 or more/);
  await assert.rejects(run(model, { steps: 1, learningRate: -1 }), /learningRate is -1/);
  await assert.rejects(run(model, { steps: 1, learningRate: Infinity }), /learningRate is Infinity/);
  await assert.rejects(run(model, { steps: 1, weightDecay: NaN }), /weightDecay is NaN/);
  for (const epsilon of [0, 1e-60]) {
    await assert.rejects(run(model, { steps: 1, epsilon }), /epsilon is .*, wanted a positive number that float32/);
  }
  const betas = [0.9] as unknown as [number, number];
  await assert.rejects(run(model, { steps: 1, betas }), /betas has 1 numbers, wanted two/);
  // Before the first step, not at the first evaluation.
  const before = model.parameters.get("emb.weight")!.dataSync();
  for (const data of [tokens.subarray(0, 10), tokens.subarray(0, 0)]) {
    const evaluated = run(model, { steps: 100, evaluate: { data, every: 50, length: 16 } });
    await assert.rejects(evaluated, /wanted at least 17: pass more, or a smaller length/);
  }
  assert.deepEqual(model.parameters.get("emb.weight")!.dataSync(), before);
  await assert.rejects(evaluate(model, tokens.subarray(0, 10), { length: 16 }), /10 tokens, wanted at least 17/);
});

test("matrices decay, the decay base learns twice as fast, the rest neither", async () => {
  await useBackend("cpu");
  const model = smallModel();
  const [matrices, bases, others] = parameterGroups(model.parameters, 0.1);
  assert.ok(matrices!.parameters.includes("emb.weight"));
  assert.ok(matrices!.parameters.includes("blocks.0.ffn.key.weight"));
  assert.deepEqual(bases!.parameters, ["blocks.0.att.w0", "blocks.1.att.w0"]);
  assert.equal(bases!.learningRateFactor, 2);
  for (const name of ["blocks.0.ln1.weight", "blocks.0.att.w1", "blocks.0.meta.alpha_g", "blocks.1.att.r_k"]) {
    assert.ok(others!.parameters.includes(name), name);
  }
  const count = matrices!.parameters.length + bases!.parameters.length + others!.parameters.length;
  assert.equal(count, model.parameters.size);
  assert.deepEqual([matrices!.weightDecay, bases!.weightDecay, others!.weightDecay], [0.1, 0, 0]);
  model.dispose();
});

test("AdamW takes the published steps", async () => {
  await useBackend("cpu");
  const variable = tf.variable(tf.tensor1d([1, -2]));
  const parameters = new Map([["x", variable]]);
  const group = { name: "all", parameters: ["x"], learningRateFactor: 1, weightDecay: 0.1 };
  const optimizer = new AdamW(parameters, [group], { betas: [0.9, 0.99], epsilon: 1e-8, clip: 1 });
  // By hand in float64: gradient (3, 4) has norm 5, so it is clipped to (0.6, 0.8).
  const expected = [1, -2];
  const first = [0, 0];
  const second = [0, 0];
  for (let step = 1; step <= 3; step++) {
    optimizer.update(new Map([["x", tf.tensor1d([3, 4])]]), tf.scalar(5), 0.01);
    [0.6, 0.8].forEach((g, i) => {
      first[i] = 0.9 * first[i]! + 0.1 * g;
      second[i] = 0.99 * second[i]! + 0.01 * g * g;
      const update = first[i] / (1 - 0.9 ** step) / (Math.sqrt(second[i] / (1 - 0.99 ** step)) + 1e-8);
      expected[i] = expected[i]! * (1 - 0.01 * 0.1) - 0.01 * update;
    });
  }
  variable.dataSync().forEach((x, i) => assert.ok(Math.abs(x - expected[i]!) < 1e-6, `${x}, wanted ${expected[i]}`));
  optimizer.dispose();
});
