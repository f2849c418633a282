import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";

import { DivergenceError } from "../errors.js";
import { withFolder } from "../io/testing.js";
import { defineSse } from "../sse/define-sse.js";
import { Random } from "../random.js";
import { useBackend } from "../testing.js";
import { checkpoints } from "../io/checkpoints.js";
import { SpikeDetector } from "./divergence.js";
import { metricsOf, ruleBatches, smallModel, valuesOf } from "./testing.js";
import { train } from "./train.js";
import type { TrainOptions } from "./training-options.js";

test("a loss that jumps up and stays is a spike; scatter, single hard batches and falls are none", () => {
  const random = new Random(1);
  const falling = (step: number): number => 1.5 + 4 * Math.exp(-step / 100) + 0.1 * random.normal();
  const detector = new SpikeDetector();
  for (let step = 0; step < 990; step++) {
    // Every 40th batch is of another, harder text.
    const verdict = detector.add(step % 40 === 39 ? 4 + random.normal() : falling(step));
    assert.notEqual(verdict, "spike", `step ${step}`);
  }
  assert.equal(detector.suspicious, 0);
  const verdicts = [3, 3.2, 3.4, 3.1, 3.6].map((loss) => detector.add(loss));
  assert.deepEqual(verdicts, ["suspect", "suspect", "suspect", "suspect", "spike"]);
});

test("two sources of very different loss by turns are no spike, whichever is the rarer", () => {
  for (const portion of [0.1, 0.5, 0.9]) {
    const random = new Random(2);
    const detector = new SpikeDetector();
    for (let step = 0; step < 2000; step++) {
      const loss = random.uniform() < portion ? 0.01 : 3 + 0.1 * random.normal();
      assert.notEqual(detector.add(loss), "spike", `step ${step} at ${portion}`);
    }
  }
});

test("the first steps are never a spike, a low loss needs more than scatter, and options are checked", () => {
  const detector = new SpikeDetector({ patience: 1 });
  for (let step = 0; step < 50; step++) assert.equal(detector.add(step < 49 ? 0.001 : 9), "normal");
  assert.equal(detector.add(0.4), "normal");
  assert.equal(detector.add(0.6), "spike");
  assert.throws(() => new SpikeDetector({ window: 10 }), /spike.window is 10, wanted 50 or more/);
  assert.throws(() => new SpikeDetector({ patience: 0 }), /spike.patience is 0, wanted 1 or more/);
});

test("a spike ends the training with the parameters from before it, and names the last good checkpoint", async () => {
  await useBackend("wasm");
  await withFolder(async (folder) => {
    const model = smallModel(1, { width: 8, layers: 1, parameterTokens: 8 });
    const head = model.parameters.get("head.weight")!;
    let good: ReturnType<typeof valuesOf> | undefined;
    const atStart = tf.memory().numTensors;
    const options: TrainOptions = {
      steps: 70,
      learningRate: 5e-3,
      checkpoint: { folder, every: 10, keep: 3 },
      onStep: ({ step }) => {
        if (step === 59) good = valuesOf(model);
        // What a bad update would do.
        if (step === 60) tf.tidy(() => head.assign(tf.mul(head, -30)));
      },
    };
    const small = (start: number) => ruleBatches(start, { batchSize: 2, length: 8 });
    await assert.rejects(metricsOf(model, small, options), (error: unknown) => {
      assert.ok(error instanceof DivergenceError);
      assert.equal(error.step, 61);
      assert.equal(error.lastStep, 59);
      assert.equal(error.checkpoint, join(folder, "step-00000050.safetensors"));
      assert.ok(model.parameters.has(error.parameter!));
      assert.match(
        error.message,
        /diverged at step 61: the loss has been above .* for 5 steps, .* now; the largest gradient/,
      );
      assert.match(
        error.message,
        /are those after step 59\. The last good checkpoint is .*step-00000050.safetensors\./,
      );
      assert.match(error.message, /pass spike: false/);
      return true;
    });
    assert.deepEqual(valuesOf(model), good);
    assert.deepEqual(
      (await checkpoints(folder)).map(({ step }) => step),
      [40, 50, 60],
    );
    assert.equal(tf.memory().numTensors, atStart);
    // It goes on from there, and told to, through the same jump.
    const from = join(folder, "step-00000050.safetensors");
    const { onStep, checkpoint, ...rest } = options;
    assert.ok(onStep && checkpoint);
    let last = 0;
    const poisoned = { ...rest, resume: from, spike: false as const };
    await metricsOf(model, small, { ...poisoned, onStep: (metrics) => (onStep(metrics), void (last = metrics.step)) });
    assert.equal(last, 70);
    model.dispose();
  });
});

test("a training that was left while its loss was suspect, and goes on, ends as it would have: no later checkpoint is good", async () => {
  await useBackend("wasm");
  await withFolder(async (folder) => {
    const model = smallModel(1, { width: 8, layers: 1, parameterTokens: 8 });
    const head = model.parameters.get("head.weight")!;
    const small = (start: number) => ruleBatches(start, { batchSize: 2, length: 8 });
    const options: TrainOptions = { steps: 70, learningRate: 5e-3, checkpoint: { folder, every: 50, keep: 9 } };
    const atStart = tf.memory().numTensors;
    for await (const { step } of train(model, small, options)) {
      if (step === 60) tf.tidy(() => head.assign(tf.mul(head, -30)));
      if (step === 64) break;
    }
    await assert.rejects(metricsOf(model, small, { ...options, resume: true }), {
      name: "DivergenceError",
      step: 61,
      lastStep: 64,
      checkpoint: join(folder, "step-00000050.safetensors"),
      message: /above .* for 5 steps/,
    });
    assert.equal(tf.memory().numTensors, atStart);
    model.dispose();
  });
});

test("a loss that is not finite gives the parameters back that had one, and names a checkpoint of sound ones", async () => {
  await useBackend("wasm");
  await withFolder(async (folder) => {
    for (const spike of [undefined, false] as const) {
      const model = smallModel();
      const head = model.parameters.get("head.weight")!;
      const runs = join(folder, String(spike));
      let good: ReturnType<typeof valuesOf> | undefined;
      const failing = metricsOf(model, ruleBatches(), {
        steps: 10,
        checkpoint: { folder: runs, every: 1, keep: 5 },
        ...(spike === false && { spike }),
        onStep: ({ step }) => {
          if (step === 3) good = valuesOf(model);
        },
        // Before the checkpoint of step 4 is looked at: what a rate that is far too high does in a step.
        onCheckpoint: ({ step }) => {
          if (step === 4) tf.tidy(() => head.assign(tf.fill(head.shape, 3e38)));
        },
      });
      await assert.rejects(failing, {
        name: "DivergenceError",
        step: 5,
        // Without the watch for spikes there is no copy of the parameters to go back to.
        lastStep: spike === false ? 4 : 3,
        checkpoint: join(runs, "step-00000003.safetensors"),
      });
      if (spike === undefined) {
        assert.deepEqual(valuesOf(model), good);
        assert.ok((await metricsOf(model, ruleBatches(), { steps: 2 })).every(({ loss }) => Number.isFinite(loss)));
      }
      // Gone on from, parameters that were bad already are not called good.
      tf.tidy(() => head.assign(tf.fill(head.shape, 3e38)));
      const later = metricsOf(model, ruleBatches(), { steps: 2, checkpoint: { folder: join(runs, "b"), every: 1 } });
      await assert.rejects(later, { step: 1, lastStep: 0, checkpoint: null });
      model.dispose();
    }
  });
});

test("a gradient that is not finite leaves the parameters, which gave a loss, and their checkpoint is a good one", async () => {
  await useBackend("wasm");
  await withFolder(async (folder) => {
    let factor = 1;
    const scaledBack = tf.customGrad((x) => ({
      value: tf.clone(x as tf.Tensor),
      gradFunc: (dy: tf.Tensor) => tf.mul(dy, factor),
    }));
    defineSse({ name: "scaled-back", apply: ({ shifted }) => scaledBack(shifted) });
    const model = smallModel(1, { sse: "scaled-back" });
    let good: ReturnType<typeof valuesOf> | undefined;
    const failing = metricsOf(model, ruleBatches(), {
      steps: 4,
      checkpoint: { folder, every: 1, keep: 5 },
      onStep: ({ step }) => {
        if (step === 2) [factor, good] = [Infinity, valuesOf(model)];
      },
    });
    await assert.rejects(failing, {
      ...{ name: "DivergenceError", step: 3, lastStep: 2 },
      checkpoint: join(folder, "step-00000002.safetensors"),
    });
    assert.deepEqual(valuesOf(model), good);
    model.dispose();
  });
});

test("numbers that are not finite name the last checkpoint, and none is written of them", async () => {
  await useBackend("wasm");
  await withFolder(async (folder) => {
    const model = smallModel();
    const poisoned = model.parameters.get("blocks.1.ffn.x_k")!;
    const poison = (at: number) => ({
      steps: 10,
      onStep: ({ step }: { step: number }) => {
        if (step === at) tf.tidy(() => poisoned.assign(tf.fill(poisoned.shape, NaN)));
      },
    });
    const failing = metricsOf(model, ruleBatches(), { ...poison(4), checkpoint: { folder, every: 3 } });
    await assert.rejects(failing, {
      name: "DivergenceError",
      step: 5,
      parameter: "blocks.1.ffn.x_k",
      checkpoint: join(folder, "step-00000003.safetensors"),
      message: /after step 3\. The last good checkpoint is .*step-00000003\.safetensors\. Lower learningRate/,
    });
    assert.equal((await checkpoints(folder)).length, 1);
    const empty = metricsOf(smallModel(), [], { steps: 1 });
    assert.deepEqual(await empty, []);
    tf.tidy(() => poisoned.assign(tf.fill(poisoned.shape, NaN)));
    const none = metricsOf(model, ruleBatches(), { steps: 3, checkpoint: { folder: join(folder, "b"), every: 3 } });
    await assert.rejects(none, {
      checkpoint: null,
      message: /There is no checkpoint from before\. It was so before this training: make the model anew, or load/,
    });
    model.dispose();
  });
});
