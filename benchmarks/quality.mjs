#!/usr/bin/env node
// @ts-check
// npm run bench:quality: what Meta-State learns beside RWKV-7, a Transformer and TokenFormer at equal parameters and tokens,
// and what growing is worth. Every finished training is written at once, so that a run that was stopped goes on.
//
//   node benchmarks/quality.mjs [--quick] [--workers 1] [--seeds 3] [--only recall,growth] [--report]
//     [--results FILE]

import { fork } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { format, resolveConfig } from "prettier";
import { commandLine } from "../scripts/lib/command-line.mjs";
import { commit, machine } from "./lib/machine.mjs";
import { experiments as full, jobs, quick, runKey } from "./lib/quality-plan.mjs";

const { values: options } = commandLine(
  import.meta.filename,
  {
    quick: { type: "boolean", default: false },
    workers: { type: "string", default: "1" },
    seeds: { type: "string", default: "3" },
    only: { type: "string" },
    report: { type: "boolean", default: false },
    results: { type: "string" },
  },
  { counts: ["workers", "seeds"] },
);
const [workers, seedCount] = [Number(options.workers), Number(options.seeds)];
const known = options.quick ? quick : full;
const chosen = options.only?.split(",") ?? known.map(({ id }) => id);
const unknown = chosen.filter((id) => !known.some((experiment) => experiment.id === id));
if (unknown.length > 0) {
  console.error(`--only: there is no ${unknown.join(", ")}; there are ${known.map(({ id }) => id).join(", ")}`);
  process.exit(2);
}
const seeds = Array.from({ length: options.quick ? 1 : seedCount }, (_, i) => i + 1);
const root = join(import.meta.dirname, "..");
// A quick run shows that everything runs; its figures say nothing and are not kept with the others.
const kept = options.quick ? join(root, ".metastate", "quality-quick.json") : options.results;
const resultsFile = kept ?? join(root, "benchmarks", "results", "quality.json");
const page = kept === undefined ? join(root, "docs", "results.md") : kept.replace(/(\.json)?$/, ".md");

const { report } = await import("./lib/quality-report.mjs").catch((error) => {
  console.error(`the packages are not built (${error.message}): run npm run build`);
  process.exit(1);
});

/** @type {Map<string, import("./lib/quality-report.mjs").Kept>} */
const runs = new Map();
if (existsSync(resultsFile)) {
  for (const kept of JSON.parse(readFileSync(resultsFile, "utf8")).runs) runs.set(kept.key, kept);
}

const about = machine();
const told = `${about.cpu}, ${about.cores} cores, Node ${about.node}`;
const waiting = options.report
  ? []
  : jobs(known, seeds).filter(({ key, experiment }) => !runs.has(key) && chosen.includes(experiment.id));
const total = waiting.length;
console.log(`${told}; ${total} trainings to do, ${runs.size} done before`);
const version = commit();
let failures = 0;
let done = 0;
await Promise.all(Array.from({ length: Math.min(workers, total) }, work));
await writePage();
console.log(`${relative(process.cwd(), page)} is written`);
process.exit(failures > 0 ? 1 : 0);

/** One worker process, until nothing waits. */
async function work() {
  const worker = fork(join(import.meta.dirname, "lib", "quality-worker.mjs"), {
    env: { ...process.env, METASTATE_THREADS: "1" },
  });
  /** @returns {Promise<any>} the worker's next message */
  const answer = () =>
    new Promise((resolve, reject) => {
      const settle = (/** @type {() => void} */ how) => {
        worker.off("message", answered).off("exit", ended);
        how();
      };
      const answered = (/** @type {unknown} */ message) => settle(() => resolve(message));
      const ended = (/** @type {number | null} */ code) =>
        settle(() => reject(new Error(`a worker ended with status ${code}; start again to go on`)));
      worker.on("message", answered).on("exit", ended);
    });
  await answer();
  for (let job = waiting.shift(); job; job = waiting.shift()) {
    const { key, experiment, model, seed } = job;
    const answered = answer();
    worker.send({ experiment, model, seed });
    const { run, engine, error } = await answered;
    const name = `${experiment.id}, ${model}, seed ${seed}`;
    if (error) {
      failures++;
      console.error(`${name}: ${error}`);
      continue;
    }
    run.curve = thinned(run.curve, experiment.train.steps);
    runs.set(key, { key, run, engine, machine: told, commit: version, date: new Date().toISOString().slice(0, 10) });
    writeResults();
    const value =
      experiment.measure === "loss" ? `loss ${run.loss?.toFixed(3)}` : `accuracy ${run.accuracy?.toFixed(3)}`;
    console.log(`${++done} of ${total}: ${name}: ${run.diverged ?? value}, ${run.seconds} s`);
  }
  worker.disconnect();
}

/** Some thirty points of a curve, and all that were measured: the file goes into the repository. */
function thinned(/** @type {import("metastate").ComparedPoint[]} */ curve, /** @type {number} */ steps) {
  const apart = Math.ceil(steps / 30);
  return curve.filter(({ step, validationLoss }) => validationLoss !== undefined || step % apart === 0);
}

/** All finished runs, in the order of the plan; a half-written file never takes the old one's place. */
function writeResults() {
  const order = new Map(jobs(known, seeds).map(({ key }, i) => [key, i]));
  const sorted = [...runs.values()].sort((a, b) => (order.get(a.key) ?? Infinity) - (order.get(b.key) ?? Infinity));
  mkdirSync(dirname(resultsFile), { recursive: true });
  const lines = sorted.map((kept) => JSON.stringify(kept)).join(",\n");
  writeFileSync(`${resultsFile}.new`, `{"version":1,"runs":[\n${lines}\n]}\n`);
  renameSync(`${resultsFile}.new`, resultsFile);
}

async function writePage() {
  mkdirSync(dirname(page), { recursive: true });
  const text = report({ experiments: known, seeds, runs, keyOf: runKey });
  writeFileSync(page, await format(text, { ...(await resolveConfig(page)), parser: "markdown" }));
}
