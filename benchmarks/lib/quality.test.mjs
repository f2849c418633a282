// @ts-check
import assert from "node:assert/strict";
import test from "node:test";
import { experiments, jobs, quick, runKey } from "./quality-plan.mjs";
import { claims, report } from "./quality-report.mjs";

const [recall] = experiments;

/** @param {string} model @param {number} seed @param {number} accuracy @returns {import("metastate").ComparedRun} */
const made = (model, seed, accuracy) => ({
  ...{ model, seed, parameterCount: 100, tokens: 64, loss: 1, accuracy, reachedAt: null, curve: [], seconds: 1 },
});

test("every run of the plan has a key of its own, which does not change with titles and names", () => {
  for (const list of [experiments, quick]) {
    const all = jobs(list, [1, 2, 3]);
    assert.equal(new Set(all.map(({ key }) => key)).size, all.length);
  }
  const [name, ...others] = Object.keys(recall.models);
  const renamed = { ...recall, title: "another", models: { ...recall.models, again: recall.models[name] } };
  assert.equal(runKey(renamed, "again", 1), runKey(recall, name, 1));
  assert.notEqual(runKey(recall, others[0], 1), runKey(recall, name, 1));
  assert.notEqual(runKey({ ...recall, batchSize: 1 }, name, 1), runKey(recall, name, 1));
});

test("all experiments have their first seed before any has its second", () => {
  const seeds = jobs(experiments, [1, 2]).map(({ seed }) => seed);
  assert.deepEqual(
    seeds,
    [...seeds].sort((a, b) => a - b),
  );
});

test("an expected difference is said to be there, to be noise, or to be the other way round", () => {
  const sentences = (/** @type {number[]} */ sse) =>
    claims(recall, [
      ...[0.5, 0.6, 0.7].map((accuracy, i) => made("RWKV-7", i + 1, accuracy)),
      ...sse.map((accuracy, i) => made("Meta-State, sse", i + 1, accuracy)),
    ]);
  assert.match(sentences([0.9, 1, 1.11])[0], /So it is here \(40\.3 points, p < 0\.001, 3 seeds\)/);
  assert.match(sentences([0.9, 0.6, 0.71])[0], /within noise \(13\.7 points/);
  assert.match(sentences([0.1, 0.2, 0.31])[0], /the other way round/);
  assert.match(sentences([0.9])[0], /One seed so far, which differs by 40\.0 points/);
  assert.match(sentences([0.9])[1], /Not measured yet/);
});

test("the page says what has finished, and gives a table of it", () => {
  const kept = jobs([recall], [1]).map(({ key, model }, i) => ({
    ...{ key, run: made(model, 1, 0.1 * i), machine: "a machine", commit: "abc", engine: "wasm", date: "2026-01-01" },
  }));
  const text = report({
    ...{ experiments, seeds: [1], keyOf: runKey },
    runs: new Map(kept.map((entry) => [entry.key, entry])),
  });
  const total = jobs(experiments, [1]).length;
  assert.match(text, new RegExp(`${kept.length} of ${total} trainings have finished. Machine: a machine; wasm`));
  assert.match(text, /\| Meta-State, sse \| 100 \| 10\.0 % \|/);
  assert.match(text, /No training has finished yet/);
});
