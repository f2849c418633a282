#!/usr/bin/env node
// @ts-check
// The backend `cuda` on this machine's GPU beside PyTorch on the same: matrix products, memory, the overhead of a small op,
// Wkv7 (beside flash-linear-attention's chunk_rwkv7, where Python has fla), training steps and decoding of Meta-State models.
//
//   node benchmarks/gpu.mjs [--quick] [--minutes 8] [--report file.json] [--resume] [--python python3] [--emulated] [words]
//
// Each part is a process with a limit of time, all of ours and then PyTorch's (which may compile for minutes), and the report
// is written after each figure: what crashes or hangs costs its own figures. A word chooses parts by a part of their name;
// --resume runs those that did not end.
// --quick takes fewer sizes and rounds. --emulated with --quick shows on a machine without a GPU that it runs; its figures
// mean nothing.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { commandLine } from "../scripts/lib/command-line.mjs";
import { runLimited } from "../scripts/lib/gpu-test-file.mjs";
import { commit, machine } from "./lib/machine.mjs";

const { values: options, positionals: words } = commandLine(
  import.meta.filename,
  {
    report: { type: "string", default: join(import.meta.dirname, "results", "gpu.json") },
    python: { type: "string", default: "python3" },
    minutes: { type: "string", default: "60" },
    resume: { type: "boolean", default: false },
    emulated: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
  },
  { words: true, counts: ["minutes"] },
);
const end = performance.now() + 60_000 * Number(options.minutes);
const plan = gpuPlan(options);

/** @typedef {Record<string, unknown> & {what: string, case: string, milliseconds?: number, peer?: string}} Figure */
/**
 * @typedef {{name: string, by: string, ended: boolean, seconds: number, problem?: string, configuration?: object, figures: Figure[]}} Part
 *   `configuration`: of our model, for the others to make the same
 */

/** @type {{about?: object, parts?: Part[]}} */
const earlier = options.resume && existsSync(options.report) ? JSON.parse(readFileSync(options.report, "utf8")) : {};
/** @type {Record<string, unknown>} */
const about = { ...earlier.about };
/** @type {Part[]} */
const parts = (earlier.parts ?? []).filter(({ ended }) => ended);

/** Times of the others by ours, where both have the same case. */
function ratios() {
  const all = parts.flatMap(({ by, figures }) => figures.map((figure) => ({ ...figure, by })));
  return all
    .filter(({ by, milliseconds }) => by === "ours" && milliseconds)
    .flatMap((mine) =>
      all
        .filter(
          (other) => other.by !== "ours" && other.what === mine.what && other.case === mine.case && other.milliseconds,
        )
        .map((other) => ({
          what: mine.what,
          case: mine.case,
          peer: other.peer ?? other.by,
          timesAsFast: round(Number(other.milliseconds) / Number(mine.milliseconds)),
        })),
    );
}

/** @param {number} value */
function round(value) {
  return Number(value.toPrecision(4));
}

/** Writes what is known by now, as JSON and as text. */
function write() {
  const report = {
    command: ["node benchmarks/gpu.mjs", ...process.argv.slice(2)].join(" "),
    date: new Date().toISOString(),
    commit: commit(),
    machine: machine(),
    about,
    ratios: ratios(),
    parts,
  };
  mkdirSync(dirname(resolve(options.report)), { recursive: true });
  writeFileSync(options.report, `${JSON.stringify(report, null, 2)}\n`);
  const text = [
    JSON.stringify(about, null, 2),
    ...parts.flatMap(({ name, by, problem, figures }) => [
      `\n${name}, ${by}${problem ? `: ${problem}` : ""}`,
      ...figures.map((figure) => `  ${inWords(figure)}`),
    ]),
    "\ntimes as fast as",
    ...ratios().map(({ what, case: of, peer, timesAsFast }) => `  ${timesAsFast}  ${what}, ${of}: ${peer}`),
  ];
  writeFileSync(`${options.report.replace(/\.json$/, "")}.txt`, `${text.join("\n")}\n`);
}

/** @param {Figure} figure */
function inWords({ what, case: of, ...figures }) {
  const told = Object.entries(figures).map(
    ([name, value]) =>
      `${name} ${typeof value === "number" ? round(value) : typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return `${what}, ${of}: ${told.join(", ")}`;
}

const chosen = Object.keys(plan).filter((name) => words.length === 0 || words.some((word) => name.includes(word)));
for (const by of /** @type {const} */ (["ours", "PyTorch"])) {
  for (const name of chosen) {
    if (parts.some((part) => part.name === name && part.by === by)) continue;
    const left = (end - performance.now()) / 1000;
    if (left < 5) {
      console.log(`${name}, ${by}: not run, the time is up (--resume goes on)`);
      continue;
    }
    const begin = performance.now();
    /** @type {Part} */
    const part = { name, by, ended: false, seconds: 0, figures: [] };
    parts.push(part);
    const configuration = parts.find((part) => part.name === name && part.by === "ours")?.configuration;
    const { quick, emulated } = options;
    const asked = JSON.stringify({
      part: name,
      quick,
      emulated,
      ...plan[name],
      ...(configuration && { configuration }),
    });
    const [command, script] =
      by === "ours" ? [process.execPath, "lib/gpu-measures.mjs"] : [options.python, "peers/pytorch_gpu.py"];
    const ended = await runLimited(command, [join(import.meta.dirname, script), asked], {
      seconds: Math.min(left, by === "ours" ? 90 : 120),
      onLine(line) {
        if (!line.startsWith("{")) return;
        const said = JSON.parse(line);
        if (said.about) {
          about[by] = said.about;
          return;
        }
        if (said.configuration) {
          part.configuration = said.configuration;
          return;
        }
        part.figures.push(said);
        console.log(`${by}: ${inWords(said)}`);
        write();
      },
    });
    part.seconds = round((performance.now() - begin) / 1000);
    const error = ended.errors.trim().split("\n").slice(-3).join(" ");
    if (ended.how || ended.status !== 0)
      part.problem = [ended.how ?? `ended with status ${ended.status}`, error].join(": ");
    // Refused: the same next time.
    part.ended = !part.problem || ended.status === 2;
    if (part.problem) console.log(`${by}, ${name}: ${part.problem}`);
    write();
  }
}
console.log(`report: ${options.report}`);
if (parts.some(({ by, problem }) => by === "ours" && problem)) process.exitCode = 1;

/**
 * What is measured, in parts, the most telling first; both contenders get the same sizes.
 *
 * @param {{quick: boolean, emulated: boolean}} options
 * @returns {Record<string, object>}
 */
function gpuPlan({ quick, emulated }) {
  if (emulated) {
    return {
      memory: { bytes: 2 ** 12 },
      "small ops": {},
      wkv7: { shapes: [[1, 17, 1, 16]] },
      products: { sides: [32] },
      "model tiny": { model: { vocabSize: 256, width: 32, layers: 1, headSize: 16 }, batchSize: 1, length: 8 },
    };
  }
  const wkv7 = [
    [8, 512, 12, 64],
    [8, 4096, 12, 64],
    [1, 4096, 32, 64],
    [32, 1024, 12, 64],
    [1, 1, 32, 64],
  ];
  /** Parameters grow about as layers × 14 width². */
  const models = {
    "model 10 M": { model: { vocabSize: 256, width: 320, layers: 7, headSize: 64 }, batchSize: 16, length: 512 },
    "model 100 M": { model: { vocabSize: 256, width: 768, layers: 12, headSize: 64 }, batchSize: 8, length: 512 },
    "model 1 M": { model: { vocabSize: 256, width: 128, layers: 4, headSize: 64 }, batchSize: 16, length: 256 },
  };
  return {
    memory: { bytes: 2 ** 30 },
    "small ops": {},
    products: { sides: quick ? [512, 2048, 8192] : [256, 512, 1024, 2048, 4096, 8192] },
    wkv7: { shapes: quick ? wkv7.slice(0, 3) : wkv7 },
    ...(quick ? { "model 100 M": models["model 100 M"] } : models),
  };
}
