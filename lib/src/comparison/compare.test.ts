import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";

import { jupyterDisplay } from "../display.js";
import { withFolder } from "../io/testing.js";
import { createModel } from "../model/model.js";
import { schedules } from "../training/schedules.js";
import { tasks } from "../tasks/tasks.js";
import { assertClose, useBackend } from "../testing.js";
import { byteTokenizer } from "../tokenizers/byte-tokenizer.js";
import { compare, type CompareOptions, type CompareProgress } from "./compare.js";
import { Comparison, type ComparedRun } from "./comparison.js";
import { mean, sampleDeviation } from "../spread.js";
import { pairedTest, tTails } from "./statistics.js";

test("mean and sample standard deviation", () => {
  assert.equal(mean([1, 2, 6]), 3);
  assertClose([sampleDeviation([1, 2, 6])], [Math.sqrt(7)], 1e-15, "deviation");
  assert.ok(Number.isNaN(sampleDeviation([5])));
});

test("Student's t has the tails that tables give", () => {
  // Two-sided 5 % and 1 % points, to the three decimals that tables print.
  const points: [freedom: number, five: number, one: number][] = [
    [1, 12.706, 63.657],
    [2, 4.303, 9.925],
    [3, 3.182, 5.841],
    [4, 2.776, 4.604],
    [5, 2.571, 4.032],
    [10, 2.228, 3.169],
    [29, 2.045, 2.756],
  ];
  for (const [freedom, five, one] of points) {
    assertClose([tTails(five, freedom), tTails(-one, freedom)], [0.05, 0.01], 1e-3, `${freedom} degrees of freedom`);
  }
  assert.equal(tTails(0, 3), 1);
  assert.ok(Number.isNaN(tTails(1, 0)));
});

test("the paired test is of the differences alone", () => {
  // Differences 1, 2, 3: t = 2 / (1 / √3) = 3.464 with 2 degrees of freedom.
  const { mean: by, deviation, p, pairs } = pairedTest([1, 2, 3]);
  assert.deepEqual([by, deviation, pairs], [2, 1, 3]);
  assertClose([p], [0.0742], 1e-3, "p");
  assert.equal(pairedTest([0, 0]).p, 1);
  assert.equal(pairedTest([0.1, 0.1]).p, 0);
  assert.ok(Number.isNaN(pairedTest([1]).p));
});

const made = (model: string, seed: number, loss: number | null, more: Partial<ComparedRun> = {}): ComparedRun => ({
  ...{ model, seed, parameterCount: 1000, tokens: 64, loss, accuracy: loss === null ? null : 1 - loss },
  ...{ reachedAt: null, curve: [{ step: 10, loss: 2 * (loss ?? 1) }], seconds: 1, ...more },
});

test("a difference that is alike for all seeds is claimed, one that is not is within noise", () => {
  const comparison = new Comparison(
    [
      ...[0.5, 0.7, 0.6].map((loss, i) => made("A", i, loss)),
      ...[0.4, 0.61, 0.5].map((loss, i) => made("B", i, loss)),
      ...[0.4, 0.9, 0.4].map((loss, i) => made("C", i, loss)),
      made("D", 0, 0.4),
    ],
    { measure: "loss", steps: 10 },
  );
  const [a, b, c, d] = comparison.rows;
  assert.equal(a!.verdict, "");
  assertClose([a!.mean, a!.deviation], [0.6, 0.1], 1e-12, "mean and deviation");
  assert.match(b!.verdict, /^-0.097: better \(p 0.0012\)$/);
  assert.match(c!.verdict, /^-0.033: within noise \(p 0.8/);
  assert.equal(d!.verdict, "-0.100: one seed says nothing of chance");
  assert.match(comparison.toString(), /model +parameters +held-out loss/);
  assert.match(comparison[jupyterDisplay]()["text/html"] as string, /0\.600 ± 0\.100/);
});

test("what is not equal is said: parameters, tokens, and runs that diverged", () => {
  const comparison = new Comparison(
    [
      ...[made("A", 1, 0.5), made("A", 2, 0.5)],
      ...[made("B", 1, 0.4, { parameterCount: 1100 }), made("B", 2, null, { parameterCount: 1100, diverged: "NaN." })],
    ],
    { measure: "accuracy", steps: 10, threshold: 0.9 },
  );
  assert.deepEqual(comparison.notes, ["B has 10.0 % more parameters: not equal.", "B, seed 2, is not counted: NaN."]);
  assert.match(comparison.toString(), /60\.0 %, diverged +not within 10/);
  assert.equal(comparison.rows[1]!.difference!.pairs, 1);
});

const sizes = { width: 8, layers: 1, headSize: 4, parameterTokens: 8 };
const task = tasks.associativeRecall({ pairs: 2, keys: 3, values: 3 });
const small: CompareOptions = {
  models: { "RWKV-7": { ...sizes, sse: "none" }, sse: sizes },
  task,
  batchSize: 2,
  seeds: 2,
  train: { steps: 4, learningRate: 5e-3 },
  evaluate: { every: 2, batches: 2 },
};

/** What two comparisons must have in common: all but the time that they took. */
const found = ({ runs }: Comparison): unknown => runs.map((run) => ({ ...run, seconds: 0 }));

async function through(options: CompareOptions): Promise<CompareProgress[]> {
  const list: CompareProgress[] = [];
  for await (const progress of compare(options)) list.push(progress);
  return list;
}

test("models run in turn, seed by seed, on the same tokens; memory is as before", async () => {
  await useBackend("wasm");
  const before = tf.memory().numTensors;
  const list = await through(small);
  assert.equal(tf.memory().numTensors, before);
  assert.equal(list.length, 4 * 4, "the end of a run is told of with its last step");
  const ends = list.filter(({ finished }) => finished);
  assert.deepEqual(
    ends.map(({ model, seed, run, runs }) => [model, seed, run, runs]),
    [
      ["RWKV-7", 1, 1, 4],
      ["sse", 1, 2, 4],
      ["RWKV-7", 2, 3, 4],
      ["sse", 2, 4, 4],
    ],
  );
  assert.deepEqual(
    ends.map(({ metrics }) => metrics?.step),
    [4, 4, 4, 4],
  );
  const { comparison } = list.at(-1)!;
  for (const { tokens, curve, loss, accuracy } of comparison.runs) {
    assert.equal(tokens, 4 * 2 * task.length);
    assert.deepEqual(
      curve.map(({ step, validationLoss }) => [step, validationLoss !== undefined]),
      [
        [1, false],
        [2, true],
        [3, false],
        [4, true],
      ],
    );
    assert.ok(loss! > 0 && accuracy! >= 0 && accuracy! <= 1);
  }
  assert.equal(comparison.settings.measure, "accuracy");
  assert.deepEqual(
    Object.entries(comparison.curves).map(([name, curves]) => [name, curves.length]),
    [
      ["RWKV-7", 2],
      ["sse", 2],
    ],
  );
  assert.ok(comparison.plot("accuracy").data.length > 0);
  assert.deepEqual(comparison.plot("loss", { range: [1, 2] }).layout.yaxis?.range, [1, 2]);
  assert.deepEqual(found(await compare(small).result()), found(comparison), "the same again");
});

test("a comparison that was stopped goes on with the runs that are left", async () => {
  await useBackend("wasm");
  await withFolder(async (folder) => {
    const options = { ...small, cache: join(folder, "runs.json") };
    const before = tf.memory().numTensors;
    const controller = new AbortController();
    await assert.rejects(async () => {
      for await (const { run, metrics } of compare({ ...options, signal: controller.signal })) {
        if (run === 3 && metrics?.step === 2) controller.abort(new Error("enough"));
      }
    }, /enough/);
    assert.equal(tf.memory().numTensors, before, "nothing of the run that was stopped is left");
    const list = await through(options);
    const trained = list.filter(({ metrics }) => metrics).map(({ run }) => run);
    assert.deepEqual([...new Set(trained)], [3, 4]);
    assert.deepEqual(found(list.at(-1)!.comparison), found(await compare(small).result()));
    assert.equal((await through(options)).filter(({ metrics }) => metrics).length, 0);
    const longer = { ...options, train: { ...options.train, learningRate: 4e-3 } };
    assert.equal((await through(longer)).filter(({ metrics }) => metrics).length, 16, "another rate is another run");
    const own = (floor: number) => ({ ...options, train: { ...options.train, schedule: schedules.wsd({ floor }) } });
    assert.equal((await through(own(0.1))).filter(({ metrics }) => metrics).length, 16);
    assert.equal((await through(own(0.2))).filter(({ metrics }) => metrics).length, 16, "so is another function");
    assert.equal((await through(own(0.2))).filter(({ metrics }) => metrics).length, 0);
    assert.match(await readFile(options.cache, "utf8"), /"version": 1/);
    await writeFile(options.cache, "{}");
    await assert.rejects(compare(options).result(), { name: "DataError", message: /holds no runs of ms\.compare/ });
  });
});

test("a text is compared by its held-out loss; a function makes any model, baselines by their kind", async () => {
  await useBackend("wasm");
  const tokens = byteTokenizer().encode("all work and no play ".repeat(40));
  const text = { train: tokens.subarray(0, 600), validation: tokens.subarray(600), length: 8 };
  const comparison = await compare({
    models: {
      made: (seed) => createModel({ ...sizes, vocabSize: 256 }, { seed }),
      options: { ...sizes, vocabSize: 256 },
      transformer: { kind: "transformer", vocabSize: 256, layers: 1, width: 8 },
    },
    text,
    batchSize: 2,
    seeds: [5],
    train: { steps: 2 },
  }).result();
  const [first, second, third] = comparison.runs;
  assert.equal(first!.loss, second!.loss, "a function and the options of the same model make the same");
  assert.notEqual(third!.loss, first!.loss);
  assert.equal(comparison.settings.measure, "loss");
  assert.match(comparison.rows[1]!.verdict, /one seed/);
});

test("a model that diverges is a run that is not counted", async () => {
  await useBackend("wasm");
  const models = { ...small.models, broken: { ...sizes } };
  const comparison = await compare({
    ...small,
    models: {
      broken: (seed) => {
        const model = createModel({ ...models.broken, vocabSize: task.vocabSize }, { seed });
        const head = model.parameters.get("head.weight")!;
        head.assign(tf.fill(head.shape, NaN));
        return model;
      },
    },
    seeds: 1,
  }).result();
  assert.match(comparison.runs[0]!.diverged!, /diverged at step 1/);
  assert.match(comparison.toString(), /diverged/);
});

test("what makes no sense is refused by name", async () => {
  await useBackend("wasm");
  const { task: _, ...without } = small;
  assert.throws(() => compare(without), /there is no text and no task/);
  assert.throws(() => compare({ ...small, models: {} }), /models is empty/);
  assert.throws(() => compare({ ...small, seeds: [1, 1] }), /seeds is \[1,1\]/);
  assert.throws(() => compare({ ...small, seeds: 0 }), /seeds is 0/);
  assert.throws(() => compare({ ...small, train: { steps: 0 } }), /train.steps is 0/);
  await assert.rejects(compare({ ...small, models: { odd: { ...sizes, width: 9 } } }).result(), {
    name: "ConfigurationError",
    message: /^compare: models\["odd"\]: width is 9/,
  });
});
