import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { access, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { setTimeout } from "node:timers/promises";

import * as tf from "@tensorflow/tfjs-core";

import { createBaseline } from "../baselines/create-baseline.js";
import { batchOf, type Batch } from "../data/batch.js";
import { streams } from "../data/streams.js";
import { ModelFileError } from "../errors.js";
import { growCheckpoint } from "../growth/grow-checkpoint.js";
import { writeAtomically } from "../io/atomic-write.js";
import { inspectFile } from "../io/inspect-file.js";
import { loadModel } from "../io/load-model.js";
import { openTensorFile } from "../io/open-model-file.js";
import { openFile } from "../io/random-access.js";
import { writeSafetensors, type TensorToWrite } from "../io/safetensors/write.js";
import { saveModel } from "../io/save-model.js";
import { withFolder } from "../io/testing.js";
import type { TrainingRecord } from "../io/training-record.js";
import { trainingKey } from "../io/training-tensors.js";
import { Random } from "../random.js";
import { useBackend } from "../testing.js";
import { checkpoints } from "../io/checkpoints.js";
import { CheckpointFolder } from "./checkpoint-folder.js";
import { ema } from "./ema.js";
import { loadCheckpoint } from "./load-checkpoint.js";
import { resume } from "./resume.js";
import { metricsOf, ruleBatches, ruleText, smallModel, valuesOf } from "./testing.js";
import { train } from "./train.js";
import type { TrainMetrics, TrainOptions } from "./training-options.js";

/** Everything on: what is not restored shows. */
const everything = (folder: string): TrainOptions => ({
  steps: 12,
  learningRate: 1e-2,
  accumulate: 2,
  ema: 0.9,
  earlyStop: { patience: 3, restoreBest: true },
  evaluate: { data: ruleText, every: 3, length: 16, tokens: 64, ema: true },
  checkpoint: { folder, every: 4, keep: 2 },
});

const figures = (history: readonly TrainMetrics[]) =>
  history.map(({ step, loss, gradientNorm, learningRate, validationLoss }) => ({
    step,
    loss,
    gradientNorm,
    learningRate,
    validationLoss,
  }));

test("a training that goes on gives the same losses and parameters, bit for bit, as one that never stopped", async () => {
  await useBackend("wasm");
  await withFolder(async (folder) => {
    const whole = smallModel();
    const uninterrupted = await metricsOf(whole, ruleBatches, everything(join(folder, "a")));
    const options = everything(join(folder, "b"));
    const first = smallModel();
    const before: TrainMetrics[] = [];
    for await (const metrics of train(first, ruleBatches(), options)) {
      before.push(metrics);
      if (metrics.step === 5) break;
    }
    // Another model object: nothing but the file is left of the first.
    const second = smallModel(99);
    const after = await metricsOf(second, ruleBatches(), { ...options, resume: true });
    assert.deepEqual(figures([...before, ...after]), figures(uninterrupted));
    assert.deepEqual(valuesOf(second), valuesOf(whole));
    const [a, b] = await Promise.all(
      ["a", "b"].map(async (name) => (await inspectFile(join(folder, name, "step-00000012.safetensors"))).tensors),
    );
    assert.deepEqual(a, b);
    const third = smallModel(7);
    assert.deepEqual(await metricsOf(third, ruleBatches, { ...options, resume: true }), []);
    assert.deepEqual(valuesOf(third), valuesOf(whole));
    for (const model of [whole, first, second, third]) model.dispose();
  });
});

/** A training in a process of its own, which tells each step's loss, and goes on where the one before it was killed. */
const trainer = (folder: string, until: number): string => `
  import { useBackend } from ${JSON.stringify(new URL("../testing.js", import.meta.url))};
  import { ruleBatches, ruleText, smallModel } from ${JSON.stringify(new URL("./testing.js", import.meta.url))};
  import { train } from ${JSON.stringify(new URL("./train.js", import.meta.url))};
  await useBackend("cpu");
  const lowRank = { decay: 2, rate: 2, value: 2, gate: 2 };
  const model = smallModel(1, { width: 8, layers: 1, parameterTokens: 8, lowRank });
  const options = {
    steps: 1000, resume: true, ema: 0.9, evaluate: { data: ruleText, every: 2, length: 8, tokens: 16 },
    checkpoint: { folder: ${JSON.stringify(folder)}, every: 1, keep: 2 },
  };
  const batches = (start) => ruleBatches(start, { batchSize: 2, length: 8 });
  for await (const { step, loss } of train(model, batches, options)) {
    process.stdout.write(step + " " + loss + "\\n");
    if (step >= ${until}) break;
  }
`;

const startTrainer = (folder: string, until = Infinity) =>
  spawn(process.execPath, ["--input-type=module", "-e", trainer(folder, until)], {
    stdio: ["ignore", "pipe", "inherit"],
  });

test("killed at any moment, again and again, a training loses nothing and has the losses of one left alone", async () => {
  const random = new Random(3);
  await withFolder(async (folder) => {
    const [killed, alone] = [join(folder, "killed"), join(folder, "alone")];
    const losses = async (child: ReturnType<typeof startTrainer>): Promise<string[]> => {
      let text = "";
      child.stdout.setEncoding("utf8").on("data", (more: string) => (text += more));
      await once(child, "close");
      return text.split("\n").slice(0, -1);
    };
    const told: string[] = [];
    let known = 0;
    for (let round = 0; round < 4; round++) {
      const child = startTrainer(killed);
      const all = losses(child);
      await once(child.stdout, "data");
      await setTimeout(random.uniform(0, 80));
      child.kill("SIGKILL");
      const lines = await all;
      // What had been told had been saved before: the next goes on right after, or one step later.
      assert.ok(Number.parseInt(lines[0]!) <= known + 2, `goes on with ${lines[0]} after ${known}`);
      told.push(...lines);
      known = Number.parseInt(told.at(-1)!);
      const last = (await checkpoints(killed)).at(-1)!;
      assert.ok(last.step >= known, `checkpoint of ${last.step} after ${known}`);
      (await loadModel(last.path)).dispose();
    }
    const left = await losses(startTrainer(alone, known));
    assert.equal(left.length, known);
    for (const line of told) assert.ok(left.includes(line), line);
    assert.deepEqual((await readdir(killed)).filter((name) => /^step-/.test(name)).length, 2);
  });
});

test("the state that is carried over, and a generator of the caller's, come back too", async () => {
  await useBackend("wasm");
  await withFolder(async (folder) => {
    const models = [
      () => smallModel(),
      () =>
        createBaseline({
          kind: "transformer",
          vocabSize: 16,
          layers: 1,
          width: 16,
          headSize: 8,
        }),
    ];
    for (const [i, make] of models.entries()) {
      // Batches of the caller's own, which no number can find again: their generator's state must.
      const drawn = (random: Random) =>
        function* (): Generator<Batch> {
          const source = streams(ruleText, { batchSize: 2, length: 8 });
          for (;;) {
            const { inputs, targets } = source.next().value;
            const starts = {
              data: Uint8Array.from({ length: 16 }, () => (random.uniform() < 0.1 ? 1 : 0)),
              shape: inputs.shape,
            };
            random.normal();
            yield { inputs, targets, starts };
          }
        };
      const options = (name: string, random: Random): TrainOptions => ({
        steps: 7,
        carryState: true,
        random,
        checkpoint: { folder: join(folder, `${name}${i}`), every: 3 },
      });
      const [one, two, three] = [new Random(5), new Random(5), new Random(77)];
      const whole = await metricsOf(make(), drawn(one)(), options("a", one));
      const before: TrainMetrics[] = [];
      for await (const metrics of train(make(), drawn(two)(), options("b", two))) {
        before.push(metrics);
        if (metrics.step === 4) break;
      }
      // The stream is run forward; its generator, of another seed, is then put where it was.
      const after = await metricsOf(make(), drawn(three)(), { ...options("b", three), resume: true });
      assert.deepEqual(figures([...before, ...after]), figures(whole));
      assert.deepEqual(three.snapshot, one.snapshot);
      // A folder stands for its last checkpoint, of whichever kind of model.
      const { model, optimizer, step } = await loadCheckpoint(join(folder, `b${i}`), { kind: "any" });
      assert.equal(step, 7);
      const loaded = await loadModel(join(folder, `b${i}`), { kind: "any" });
      assert.deepEqual(valuesOf(loaded), valuesOf(model));
      optimizer.dispose();
    }
  });
});

test("a checkpoint is a model's file: it loads, with the last step's parameters or their average", async () => {
  await useBackend("wasm");
  await withFolder(async (folder) => {
    const model = smallModel();
    const average = ema(model, { decay: 0.9 });
    const saved: string[] = [];
    const history = await metricsOf(model, ruleBatches(), {
      steps: 3,
      ema: average,
      checkpoint: { folder },
      onCheckpoint: ({ path, step }) => void saved.push(`${step} ${path}`),
    });
    const path = join(folder, "step-00000003.safetensors");
    assert.deepEqual(saved, [`3 ${path}`]);
    assert.equal(history[2]!.checkpoint, path);
    const loaded = await loadModel(path);
    assert.deepEqual(valuesOf(loaded), valuesOf(model));
    const averaged = await loadModel(path, { ema: true });
    average.swap();
    assert.deepEqual(valuesOf(averaged), valuesOf(model));
    const inspection = await inspectFile(path);
    assert.ok("configuration" in inspection.model);
    assert.match(String(inspection), /Meta-State \(sse\), 2 layers/);
    const training = await loadCheckpoint(path);
    assert.equal(training.step, 3);
    assert.deepEqual(
      training.history.map(({ step, loss }) => [step, loss]),
      history.map(({ step, loss }) => [step, loss]),
    );
    assert.deepEqual(valuesOf(training.model), valuesOf(loaded));
    assert.equal(training.optimizer.steps, 3);
    assert.deepEqual([...training.optimizer.moments.keys()].sort(), [...model.parameters.keys()].sort());
    training.optimizer.dispose();
    average.dispose();
    for (const one of [model, loaded, averaged, training.model]) one.dispose();
  });
});

test("the last checkpoints and the best stay, the others go; a step names its checkpoint", async () => {
  await useBackend("wasm");
  await withFolder(async (folder) => {
    const model = smallModel();
    // Held-out data that the model gets worse at from the second evaluation on.
    const worse = batchOf([{ inputs: [1, 2, 4, 5], targets: [9, 9, 9, 9] }]);
    const history = await metricsOf(model, ruleBatches(), {
      steps: 10,
      learningRate: 2e-2,
      evaluate: { data: () => [worse], every: 2 },
      checkpoint: { folder, every: 3, keep: 2 },
    });
    const losses = history.flatMap(({ step, validationLoss }) =>
      validationLoss === undefined ? [] : [{ step, validationLoss }],
    );
    const best = losses.reduce((a, b) => (b.validationLoss < a.validationLoss ? b : a));
    const found = await checkpoints(folder);
    assert.deepEqual(
      found.map(({ step, isBest }) => [step, isBest]),
      [
        [best.step, true],
        [9, false],
        [10, false],
      ],
    );
    assert.deepEqual(
      history.filter(({ checkpoint }) => checkpoint?.includes("step-")).map(({ step }) => step),
      [3, 6, 9, 10],
    );
    model.dispose();
  });
});

test("two trainings that write to one folder: one of them goes on, the other says so, and no checkpoint is lost", async () => {
  await useBackend("wasm");
  await withFolder(async (folder) => {
    const models = [smallModel(1), smallModel(2)];
    const options = { steps: 6, checkpoint: { folder, every: 2, keep: 1 } };
    const [quick, slow] = models.map((model) => train(model, ruleBatches(), options));
    // Both begin while the folder is empty.
    for (const training of [slow!, quick!, quick!, quick!, quick!]) await training.next();
    await assert.rejects(slow!.next(), /has a checkpoint of step 4, which this training, at step 2, has not written/);
    for await (const { checkpoint } of quick!) if (checkpoint) await access(checkpoint);
    assert.deepEqual(
      (await checkpoints(folder)).map(({ step }) => step),
      [6],
    );
    for (const model of models) model.dispose();
  });
});

test("what must not be gone on from is refused, saying what differs, and the model stays as it is", async () => {
  await useBackend("wasm");
  await withFolder(async (folder) => {
    const model = smallModel();
    const options: TrainOptions = { steps: 4, checkpoint: { folder, every: 2 } };
    await metricsOf(model, ruleBatches(), options);
    const other = smallModel(1, { layers: 1 });
    const before = valuesOf(other);
    const atStart = tf.memory().numTensors;
    const refused = (given: TrainOptions, message: RegExp, of = model) =>
      assert.rejects(metricsOf(of, ruleBatches(), given), (error: Error) => {
        assert.match(error.message, message);
        return true;
      });
    await refused(
      { ...options, resume: true },
      /of another model: layers is 1, there 2\. ms\.loadModel.*ms\.growCheckpoint one that has grown$/,
      other,
    );
    assert.deepEqual(valuesOf(other), before);
    await refused(
      { ...options, steps: 8, learningRate: 1e-3, resume: true },
      /other options: steps is 8, there 4; learningRate is 0.001, there 0.006; the schedule is another\. .*allow: \["steps","learningRate","schedule"\]/,
    );
    await refused(
      options,
      /has checkpoints of steps up to 4, of another training: go on with that one \(resume: true\)/,
    );
    await refused({ ...options, resume: join(folder, "step-00000002.safetensors") }, /later than step 2/);
    await refused({ steps: 4, resume: true }, /resume is true, wanted checkpoint/);
    await refused({ steps: 4, resume: join(folder, "none.safetensors") }, /none.safetensors/);
    await withFolder((empty) => refused({ steps: 4, resume: empty }, /is a folder without a checkpoint/));
    const short = [ruleBatches().next().value];
    await assert.rejects(
      metricsOf(model, short, { ...options, resume: true }),
      /made after 4 batches, and there are only 1/,
    );
    const larger = ruleBatches(0, { batchSize: 8, length: 16 });
    await assert.rejects(
      metricsOf(model, larger, { ...options, resume: true }),
      /made after 4 batches of \d+ tokens in all, and the first 4 of those given have 512: .*Give the same batches/,
    );
    await assert.rejects(
      metricsOf(model, ruleBatches(), {
        steps: 4,
        checkpoint: { folder: join(folder, "step-00000004.safetensors", "x") },
      }),
      /cannot be made a folder \(.*Give checkpoint: \{folder\} a path/,
    );
    if (process.platform === "linux") {
      const nowhere = metricsOf(model, ruleBatches(), { steps: 4, checkpoint: { folder: "/proc/self" } });
      await assert.rejects(
        nowhere,
        /\/proc\/self: cannot be written to \(.*Give checkpoint: \{folder\} a path that may be/,
      );
    }
    // Cut short, damaged, of another kind, of another version.
    const whole = await readFile(join(folder, "step-00000004.safetensors"));
    const cut = join(folder, "cut.safetensors");
    await writeFile(cut, whole.subarray(0, whole.length - 100));
    await refused({ steps: 4, resume: cut }, /cut.safetensors: tensor ".*" ends at byte/);
    const plain = join(folder, "plain.safetensors");
    await saveModel(model, plain);
    await refused({ steps: 4, resume: plain }, /is no checkpoint of a training/);
    const newer = join(folder, "newer.safetensors");
    const version = (number: number) => String.raw`{\"version\":${number},\"step\"`;
    await writeFile(newer, whole.toString("latin1").replace(version(1), version(2)), "latin1");
    await refused({ steps: 4, resume: newer }, /written by a newer version of metastate\. Install that version/);
    assert.equal(tf.memory().numTensors, atStart);
    const longer = { from: folder, allow: ["steps", "schedule"] as const };
    const more = await metricsOf(model, ruleBatches(), { steps: 6, resume: longer });
    assert.deepEqual(
      more.map(({ step }) => step),
      [5, 6],
    );
    model.dispose();
    other.dispose();
  });
});

test("of a checkpoint that is cut short, the error names the last one before it that is whole", async () => {
  await useBackend("wasm");
  await withFolder(async (folder) => {
    const model = smallModel();
    const options: TrainOptions = {
      steps: 8,
      checkpoint: { folder, every: 2, keep: 3 },
      evaluate: { data: ruleText, every: 2, length: 16, tokens: 64 },
    };
    await metricsOf(model, ruleBatches(), options);
    const at = (step: number) => join(folder, `step-0000000${step}.safetensors`);
    const cut = async (path: string) => writeFile(path, (await readFile(path)).subarray(0, -100));
    await rm(join(folder, "best.safetensors"));
    await cut(at(8));
    await cut(at(6));
    const error = (path: string) => ({
      name: "ModelFileError",
      message: new RegExp(
        `^${path}: tensor ".*" ends at byte .*${at(4)}, of step 4, is whole: to go on from there, take`,
      ),
    });
    const { checkpoint: _, ...elsewhere } = options;
    await assert.rejects(metricsOf(model, ruleBatches(), { ...options, resume: true }), error(at(8)));
    await assert.rejects(metricsOf(model, ruleBatches(), { ...elsewhere, resume: at(6) }), error(at(6)));
    await assert.rejects(resume(folder, ruleBatches), error(at(8)));
    await assert.rejects(loadCheckpoint(folder), error(at(8)));
    await assert.rejects(growCheckpoint(folder, join(folder, "grown"), { layers: 3 }), error(at(8)));
    const loading = { message: new RegExp(`^${at(8)}: tensor .*${at(4)}, of step 4, is whole: load that one\\.$`) };
    await assert.rejects(loadModel(folder), loading);
    await assert.rejects(loadModel(at(8)), loading);
    // The earliest has none before it, a file that is not there none after it.
    await cut(at(4));
    await assert.rejects(loadCheckpoint(folder), (error: Error) => !error.message.includes("is whole"));
    await assert.rejects(loadCheckpoint(at(9)), (error: Error) => !error.message.includes("is whole"));
    model.dispose();
  });
});

test("of a checkpoint that lacks a part, or says what none says, the error names it", async () => {
  await useBackend("cpu");
  await withFolder(async (folder) => {
    const model = smallModel();
    const options: TrainOptions = { steps: 2, carryState: true, checkpoint: { folder } };
    await metricsOf(model, ruleBatches(), options);
    const whole = join(folder, "step-00000002.safetensors");
    const changed = join(folder, "changed.safetensors");
    const file = await openTensorFile(await openFile(whole));
    const record = JSON.parse(file.metadata.get(trainingKey)!) as TrainingRecord;
    const write = async (said: object, changes: Record<string, Partial<TensorToWrite> | undefined>) => {
      const tensors = Array.from(file.tensors.values(), ({ name, dtype, shape }): TensorToWrite[] => {
        const tensor = { name, dtype, shape, values: async () => await file.read(name), ...changes[name] };
        return name in changes && changes[name] === undefined ? [] : [tensor];
      });
      const metadata = { ...Object.fromEntries(file.metadata), [trainingKey]: JSON.stringify({ ...record, ...said }) };
      await writeAtomically(changed, (sink) => writeSafetensors(sink, tensors.flat(), metadata));
    };
    const before = tf.memory().numTensors;
    const cases: [said: object, changes: Parameters<typeof write>[1], message: RegExp][] = [
      [{ step: -1 }, {}, /says of its training that step is -1/],
      [{ tokens: "many" }, {}, /says of its training that tokens is "many"/],
      [{ emaSteps: 0.5 }, {}, /says of its training that emaSteps is 0.5/],
      [{ version: "one" }, {}, /says of its training that it is of version "one", which this library is not/],
      [{ options: null }, {}, /says of its training nothing of its options/],
      [{ best: { step: 1 } }, {}, /something else than a step and a loss to be the best evaluation/],
      [{ random: { words: [1, 2, 3] } }, {}, /something else than four words to be the state of a generator/],
      [{ positions: ["all"] }, {}, /something else than counts to be the positions of its state/],
      [{}, { "training.optimizer.second.emb.weight": undefined }, /second.emb.weight" is missing/],
      [{}, { "training.state.0": undefined }, /tensor ".*0" is missing/],
      [{}, { "training.history.loss": undefined }, /tensor "training.history.loss" is missing/],
      [
        {},
        { "training.history.loss": { dtype: "F32", values: () => Promise.resolve(Float32Array.of(1, 2)) } },
        /tensor "training.history.loss" holds F32, not F64/,
      ],
      [
        {},
        { "training.history.loss": { shape: [1], values: () => Promise.resolve(Float64Array.of(1)) } },
        /has a history whose columns differ in length/,
      ],
      [{}, { "head.weight": undefined }, /is a checkpoint of another model: head.weight is not there/],
    ];
    for (const [said, changes, message] of cases) {
      await write(said, changes);
      await assert.rejects(metricsOf(model, ruleBatches(), { ...options, checkpoint: undefined, resume: changed }), {
        message,
      });
    }
    await write({ schedule: undefined }, {});
    await assert.rejects(resume(changed, ruleBatches), /the schedule of .* was a function, which a file cannot hold/);
    assert.equal(tf.memory().numTensors, before);
    await file.close();
    model.dispose();
  });
});

test("a checkpoint that cannot be written, its disk being full, says up to where the model is trained and what is left", async () => {
  await withFolder(async (folder) => {
    const checkpointFolder = await CheckpointFolder.open({ folder, keep: 1 }, 0);
    const full = (path: string) => Promise.reject(new ModelFileError(path, null, "cannot be written", "Make room."));
    const first = {
      message: /step-00000002\.safetensors: .* Make room\. The model is as it was trained up to step 2\.$/,
    };
    await assert.rejects(checkpointFolder.save(2, full), first);
    const before = await checkpointFolder.save(4, (path) => writeFile(path, ""));
    const message = `Make room. The model is as it was trained up to step 6; resume goes on from ${before}.`;
    await assert.rejects(checkpointFolder.save(6, full), (error: Error) => error.message.endsWith(message));
    await access(before);
  });
});

test("on a disk without room for one more, the checkpoint that would go next goes before, but never the last one", async () => {
  await withFolder(async (folder) => {
    const checkpointFolder = await CheckpointFolder.open({ folder, keep: 2 }, 0);
    /** A disk with room for two. */
    const write = async (path: string) => {
      const cause = Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
      const names = await readdir(folder);
      if (names.length >= 2) throw new ModelFileError(path, null, "cannot be written", "Make room.", { cause });
      await writeFile(path, "");
    };
    for (const step of [2, 4, 6, 8]) await checkpointFolder.save(step, write);
    assert.deepEqual((await readdir(folder)).sort(), ["step-00000006.safetensors", "step-00000008.safetensors"]);
    await writeFile(join(folder, "of somebody else"), "");
    await assert.rejects(checkpointFolder.save(10, write), /resume goes on from .*step-00000008\.safetensors\.$/);
    assert.deepEqual((await readdir(folder)).sort(), ["of somebody else", "step-00000008.safetensors"]);
  });
});

test("a best checkpoint that is damaged hides no other, and is not passed over where there is no other", async () => {
  await useBackend("wasm");
  await withFolder(async (folder) => {
    const [model, best] = [smallModel(), join(folder, "best.safetensors")];
    const options: TrainOptions = {
      steps: 4,
      checkpoint: { folder, every: 2 },
      evaluate: { data: ruleText, every: 2, length: 16, tokens: 64 },
    };
    await metricsOf(model, ruleBatches(), options);
    const whole = await readFile(best);
    await writeFile(best, whole.subarray(0, -100));
    const steps = async () => (await checkpoints(folder)).map(({ step, isBest }) => [step, isBest]);
    assert.deepEqual(await steps(), [
      [2, false],
      [4, false],
    ]);
    await assert.rejects(loadCheckpoint(best), /best\.safetensors: .*step-00000004\.safetensors, of step 4, is whole/);
    const more = { ...options, steps: 6, resume: { from: folder, allow: ["steps", "schedule"] as const } };
    assert.deepEqual(
      (await metricsOf(model, ruleBatches(), more)).map(({ step }) => step),
      [5, 6],
    );
    // A better one takes its place.
    assert.deepEqual((await steps()).at(-1), [6, true]);
    for (const name of await readdir(folder)) if (name.startsWith("step-")) await rm(join(folder, name));
    await writeFile(best, whole.subarray(0, -100));
    await assert.rejects(metricsOf(model, ruleBatches(), { ...options, resume: true }), /best\.safetensors: tensor/);
    model.dispose();
  });
});

test("resume makes the model and takes the options out of the checkpoint", async () => {
  await useBackend("wasm");
  await withFolder(async (folder) => {
    const evaluate = { data: ruleText, every: 1, length: 16, tokens: 64 };
    const options: TrainOptions = {
      ...{ steps: 6, learningRate: 1e-2, schedule: "wsd", clip: 0.5, checkpoint: { folder }, evaluate },
      ...{ ema: 0.9, trainable: ["head.weight", "emb.weight"], earlyStop: { patience: 4, minDelta: 10 } },
    };
    const whole = await metricsOf(smallModel(), ruleBatches(), { ...options, checkpoint: undefined });
    for await (const { step } of train(smallModel(), ruleBatches(), options)) if (step === 3) break;
    const { model, training } = await resume(folder, ruleBatches, { checkpoint: { folder }, evaluate });
    const after: TrainMetrics[] = [];
    for await (const metrics of training) after.push(metrics);
    assert.deepEqual(
      after.map(({ step, loss }) => [step, loss]),
      whole.slice(3).map(({ step, loss }) => [step, loss]),
    );
    assert.equal(after.at(-1)?.stoppedEarly, true);
    model.dispose();
  });
});
