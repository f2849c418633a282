import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";

import { createBaseline } from "../baselines/create-baseline.js";
import { batchOf, type Batch } from "../data/batch.js";
import { batches } from "../data/batches.js";
import { streams } from "../data/streams.js";
import { growOptimizer } from "../growth/grow-optimizer.js";
import { withFolder } from "../io/testing.js";
import { defineSse } from "../sse/define-sse.js";
import { useBackend } from "../testing.js";
import { adamW } from "./adamw.js";
import { checkpoints } from "../io/checkpoints.js";
import { ema } from "./ema.js";
import { evaluate } from "./evaluate.js";
import { metricsOf, ruleBatches, ruleText, smallModel, valuesOf } from "./testing.js";
import { train } from "./train.js";
import type { TrainOptions } from "./training-options.js";

/** Sizes at which a step takes a millisecond or two. */
const tiny = { width: 8, layers: 1, parameterTokens: 8, lowRank: { decay: 2, rate: 2, value: 2, gate: 2 } };

/** Held-out data that the rule makes worse: what the model learns is not what is asked here. */
const contrary = batchOf([{ inputs: [1, 2, 4, 5], targets: [9, 9, 9, 9] }]);

test("over 1,000 steps, with all that holds tensors, neither their number nor their bytes change", async () => {
  await useBackend("cpu");
  const model = smallModel(1, { ...tiny, sse: "none" });
  const atStart = tf.memory();
  const counts = new Set<string>();
  await metricsOf(model, streams(ruleText, { batchSize: 1, length: 2 }), {
    steps: 1000,
    carryState: true,
    ema: 0.99,
    earlyStop: { patience: 1000, restoreBest: true },
    evaluate: { data: ruleText, every: 250, tokens: 16 },
    onStep: ({ step }) => {
      const { numTensors, numBytes } = tf.memory();
      // The best parameters are there from the first evaluation on.
      if (step > 250) counts.add(`${numTensors} tensors, ${numBytes} bytes`);
    },
  });
  assert.equal(counts.size, 1, [...counts].join("; "));
  const { numTensors, numBytes, numDataBuffers } = tf.memory();
  assert.deepEqual(
    [numTensors, numBytes, numDataBuffers],
    [atStart.numTensors, atStart.numBytes, atStart.numDataBuffers],
  );
  model.dispose();
});

test("training stops when the held-out loss falls no more, and ends with the best parameters when asked to", async () => {
  await useBackend("wasm");
  for (const restoreBest of [false, true]) {
    const model = smallModel(1, tiny);
    const evaluation = { data: () => [contrary], every: 2 };
    const seen = new Map<number, ReturnType<typeof valuesOf>>();
    const history = await metricsOf(model, ruleBatches(), {
      steps: 100,
      learningRate: 2e-2,
      evaluate: evaluation,
      earlyStop: { patience: 3, restoreBest },
      onStep: ({ step }) => void seen.set(step, valuesOf(model)),
    });
    const measured = history.filter(({ validationLoss }) => validationLoss !== undefined);
    const best = measured.reduce((a, b) => (b.validationLoss! < a.validationLoss! ? b : a));
    const last = history.at(-1)!;
    assert.equal(last.step, best.step + 2 * 3);
    assert.ok(last.step < 100 && last.stoppedEarly);
    assert.ok(history.slice(0, -1).every(({ stoppedEarly }) => stoppedEarly === undefined));
    assert.deepEqual(valuesOf(model), seen.get(restoreBest ? best.step : last.step));
    model.dispose();
  }
  const model = smallModel(1, tiny);
  await assert.rejects(metricsOf(model, ruleBatches(), { steps: 1, earlyStop: {} }), /wanted evaluate with it/);
  const wrong = { steps: 1, earlyStop: { patience: 0 }, evaluate: { data: ruleText, every: 1 } };
  await assert.rejects(metricsOf(model, ruleBatches(), wrong), /earlyStop.patience is 0/);
  const unseen = { steps: 1, checkpoint: { folder: "x", best: true } };
  await assert.rejects(metricsOf(model, ruleBatches(), unseen), /checkpoint.best is true, wanted evaluate with it/);
});

test("better by less than minDelta does not count", async () => {
  await useBackend("wasm");
  const model = smallModel(1, tiny);
  const options = {
    steps: 50,
    earlyStop: { patience: 2, minDelta: 10 },
    evaluate: { data: ruleText, every: 5, length: 8, tokens: 32 },
  };
  const history = await metricsOf(model, ruleBatches(), options);
  assert.equal(history.at(-1)!.step, 15);
  model.dispose();
});

test("callbacks come after what they tell of, in order, and are waited for", async () => {
  await useBackend("wasm");
  await withFolder(async (folder) => {
    const model = smallModel(1, tiny);
    const told: string[] = [];
    const late = async (what: string): Promise<void> => {
      await new Promise((resolve) => setTimeout(resolve, 2));
      told.push(what);
    };
    await metricsOf(model, ruleBatches(), {
      steps: 2,
      evaluate: { data: ruleText, every: 2, length: 8, tokens: 32 },
      checkpoint: { folder, best: false },
      onStep: ({ step }) => late(`step ${step}`),
      onEvaluate: ({ step, accuracy }) => late(`evaluated ${step} ${accuracy >= 0}`),
      onCheckpoint: ({ step }) => late(`saved ${step}`),
    });
    assert.deepEqual(told, ["step 1", "evaluated 2 true", "saved 2", "step 2"]);
    model.dispose();
  });
});

test("leaving the loop, or aborting, leaves a model that works, and a checkpoint of its last step", async () => {
  await useBackend("wasm");
  await withFolder(async (folder) => {
    const model = smallModel(1, tiny);
    const atStart = tf.memory().numTensors;
    const options = { steps: 100, checkpoint: { folder, every: 50 } };
    for await (const { step } of train(model, ruleBatches, options)) if (step === 3) break;
    assert.deepEqual(
      (await checkpoints(folder)).map(({ step }) => step),
      [3],
    );
    const controller = new AbortController();
    const aborted = metricsOf(model, ruleBatches, {
      ...options,
      resume: true,
      accumulate: 1,
      signal: controller.signal,
      onStep: ({ step }) => {
        if (step === 7) controller.abort(new Error("enough"));
      },
    });
    await assert.rejects(aborted, /enough/);
    assert.deepEqual(
      (await checkpoints(folder)).map(({ step }) => step),
      [3, 7],
    );
    assert.equal(tf.memory().numTensors, atStart);
    const { loss } = await evaluate(model, ruleText, { length: 8, tokens: 64 });
    assert.ok(Number.isFinite(loss));
    model.dispose();
  });
});

test("an optimiser of one's own goes on over several trainings as over one", async () => {
  await useBackend("wasm");
  const [parts, whole] = [smallModel(1, tiny), smallModel(1, tiny)];
  const optimizer = adamW(parts, { clip: 0.5 });
  const source = ruleBatches();
  const schedule = (): number => 1;
  const first = await metricsOf(parts, source, { steps: 3, optimizer, schedule });
  const second = await metricsOf(parts, source, { steps: 4, optimizer, schedule });
  const all = await metricsOf(whole, ruleBatches(), { steps: 7, clip: 0.5, schedule });
  assert.equal(optimizer.steps, 7);
  assert.deepEqual(
    [...first, ...second].map(({ loss }) => loss),
    all.map(({ loss }) => loss),
  );
  await assert.rejects(
    metricsOf(parts, source, { steps: 1, optimizer, clip: 2 }),
    /clip is given, wanted it to be given to/,
  );
  const { first: moment } = optimizer.moments.get("head.weight")!;
  assert.throws(() => optimizer.restore(1, new Map([["nothing", { first: moment, second: moment }]])), /"nothing"/);
  assert.throws(() => optimizer.restore(1, new Map([["emb.weight", { first: tf.scalar(0), second: moment }]])), {
    name: "ShapeError",
  });
  optimizer.dispose();
  parts.dispose();
  whole.dispose();
});

test("an optimiser or an average of another model, or one disposed of, is refused, and neither model changes", async () => {
  await useBackend("cpu");
  const [model, other] = [smallModel(1, tiny), smallModel(2, tiny)];
  const [optimizer, average] = [adamW(other), ema(other)];
  const before = [valuesOf(model), valuesOf(other)];
  const refused = async (options: Partial<TrainOptions>, message: RegExp): Promise<void> => {
    await assert.rejects(metricsOf(model, ruleBatches, { steps: 1, ...options }), {
      name: "ConfigurationError",
      message,
    });
  };
  await refused({ optimizer }, /optimizer is of another model: ms\.adamW\(model\) .* ms\.growOptimizer/);
  await refused({ ema: average }, /ema is of another model: ms\.ema\(model\)/);
  optimizer.dispose();
  average.dispose();
  await refused({ optimizer }, /optimizer was disposed of/);
  await refused({ ema: average }, /ema was disposed of/);
  assert.throws(() => growOptimizer(optimizer, other, other), /disposed of cannot grow/);
  assert.deepEqual([valuesOf(model), valuesOf(other)], before);
  model.dispose();
  other.dispose();
});

test("lengths may change from batch to batch, also within a step; any kind of model trains", async () => {
  await useBackend("wasm");
  const models = [
    smallModel(1, tiny),
    createBaseline({ kind: "transformer", vocabSize: 16, layers: 1, width: 8, headSize: 4 }),
  ];
  for (const model of models) {
    const mixed = batches(ruleText, { batchSize: 2, length: [3, 5, 9], seed: 1 });
    const lengths = new Set<number>();
    const seen = function* (): Generator<Batch> {
      for (const batch of mixed) {
        lengths.add(batch.inputs.shape[1]);
        yield batch;
      }
    };
    const atStart = tf.memory().numTensors;
    const history = await metricsOf(model, seen(), { steps: 30, accumulate: 2, learningRate: 1e-2, ema: 0.9 });
    assert.deepEqual([...lengths].sort(), [3, 5, 9]);
    assert.ok(history.at(-1)!.loss < history[0]!.loss);
    assert.equal(tf.memory().numTensors, atStart);
    model.dispose();
  }
});

test("a step that fails, forward or back, leaves no tensor behind", async () => {
  await useBackend("cpu");
  let passesLeft = 0;
  const pass = <T>(name: string, value: T): T => {
    if (passesLeft-- > 0) return value;
    throw new Error(name);
  };
  const failures: Record<string, (x: tf.Tensor) => tf.Tensor> = {
    forward: (x) => pass("forward", x),
    back: tf.customGrad((x) => ({
      value: tf.clone(x as tf.Tensor),
      gradFunc: (dy: tf.Tensor) => pass("back", dy),
    })),
  };
  for (const [name, fail] of Object.entries(failures)) {
    defineSse({ name: `fails-${name}`, apply: ({ layer, shifted }) => (layer === 1 ? fail(shifted) : shifted) });
    const model = smallModel(1, { ...tiny, layers: 2, sse: `fails-${name}` });
    const atStart = tf.memory().numTensors;
    for (const batchesBefore of [0, 1]) {
      passesLeft = batchesBefore;
      const training = metricsOf(model, ruleBatches, { steps: 1, accumulate: 2, carryState: true });
      await assert.rejects(training, { message: name });
      assert.equal(tf.memory().numTensors, atStart, name);
    }
    model.dispose();
  }
});
