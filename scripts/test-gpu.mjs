#!/usr/bin/env node
// @ts-check
// npm run test:gpu: the tests of the backend `cuda` on the GPU of this machine: those of kernels-cuda, tfjs's conformance
// suite, and the library's own of ops, models and writing.
//
//   node scripts/test-gpu.mjs [--quick] [--minutes 20] [--report file.json] [--resume] [--jobs n] [--emulated] [--sanitizer] [words]
//
// A word chooses steps by a part of their name. The most telling come first. Each is a process of its own with a limit of
// time; a test that crashes it, hangs, or ends the GPU for the process is named, run once more alone (waiting after each
// launch, which tells the kernel), and the others go on. The report is written after each step, as JSON and as text beside it.
//
// --quick leaves out the library's tests of models and writing. --minutes is the time for all: what has not begun by then is
// told as not run; --resume runs that, and whatever did not pass, and adds it to the report. --emulated runs on the CPU under
// the emulator, --sanitizer the tests of kernels under NVIDIA's compute-sanitizer. Exits with 1 when anything failed, with 2
// when there is no GPU to use; why not is in the report then.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, dirname, join, relative, resolve } from "node:path";
import { commandLine } from "./lib/command-line.mjs";
import { runConformance } from "./lib/gpu-conformance.mjs";
import { runLimited, runTestFile } from "./lib/gpu-test-file.mjs";

const root = resolve(import.meta.dirname, "..");
const distOf = (/** @type {string} */ name) => join(root, name, "dist");
const { values: options, positionals: words } = commandLine(
  import.meta.filename,
  {
    quick: { type: "boolean", default: false },
    minutes: { type: "string", default: "60" },
    resume: { type: "boolean", default: false },
    jobs: { type: "string", default: String(Math.max(1, Math.min(4, Math.floor(availableParallelism() / 4)))) },
    emulated: { type: "boolean", default: false },
    sanitizer: { type: "boolean", default: false },
    report: { type: "string", default: join(root, "test-results", "gpu.json") },
  },
  { words: true, counts: ["minutes", "jobs"] },
);
const engine = options.emulated ? "cuda-emulated" : "cuda";
const env = {
  ...process.env,
  METASTATE_TEST_GPU: options.emulated ? "0" : "1",
  METASTATE_TEST_ENGINE: engine,
  METASTATE_REQUIRE_NATIVE: "1",
  ...(options.sanitizer && { METASTATE_TEST_SANITIZER: "1" }),
};
const end = performance.now() + 60_000 * Number(options.minutes);

/** Refuses with a reason, and its remedy. @param {string} message @returns {never} */
function refuse(message) {
  console.error(message);
  process.exit(2);
}

if (!existsSync(join(distOf("kernels-cuda"), "index.js"))) refuse("the TypeScript is not built: run npm run build");

/** compute-sanitizer in front of a command. @returns {string[]} */
function sanitizer() {
  const folders = [process.env["CUDA_HOME"], "/usr/local/cuda"].filter((folder) => folder !== undefined);
  const program = ["compute-sanitizer", ...folders.map((folder) => join(folder, "bin", "compute-sanitizer"))].find(
    (name) => spawnSync(name, ["--version"]).status === 0,
  );
  if (!program) refuse("compute-sanitizer was not found: install the CUDA toolkit, and set CUDA_HOME or PATH");
  // What CUDA's functions refuse, the addon tells by itself; tests ask for some of it.
  const options = ["--tool", "memcheck", "--target-processes", "all", "--report-api-errors", "no"];
  return [program, ...options, "--error-exitcode", "9"];
}

/** Compiled tests whose source is still there; a bundle has no sources. @param {string} name @param {string} folder */
function testsIn(name, folder) {
  const sources = join(root, name, "src");
  return readdirSync(join(distOf(name), folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".test.js"))
    .map((file) => join(folder, file))
    .filter((file) => !existsSync(sources) || existsSync(join(sources, file.replace(/\.js$/, ".ts"))))
    .map((file) => join(distOf(name), file))
    .sort();
}

/** @typedef {import("./lib/gpu-test-file.mjs").TestResult} TestResult */

/**
 * @typedef {object} Outcome
 * @property {TestResult[]} results
 * @property {string[]} [told] what tests say besides: tables
 * @property {Record<string, number>} [fallbacks] kernels that ran on the CPU, with how often
 */

/**
 * @typedef {object} Step
 * @property {string} name
 * @property {number} seconds at most
 * @property {(seconds: number) => Promise<Outcome>} run
 */

/** A file of tests. @param {string} part @param {string} file @param {object} where @param {number} seconds @returns {Step} */
function step(part, file, where, seconds) {
  const options = /** @type {{cwd: string, imports?: string[], around?: string[]}} */ (where);
  const name = `${part}: ${basename(file, ".test.js")}`;
  return { name, seconds, run: (limit) => runTestFile(file, { ...options, env, seconds: limit }) };
}

/** The parts of the platform before what stands on them, cheap before dear. */
const first = [
  "platform",
  "core-binding",
  "cuda-backend",
  "matrix-library",
  "wkv7",
  "meta-pass",
  "library-ops",
  "token-kernels",
];
const rank = (/** @type {string} */ file) => (first.indexOf(basename(file, ".test.js")) + 100) % 100;
const ours = { cwd: join(root, "kernels-cuda"), around: options.sanitizer ? sanitizer() : [] };
const library = {
  cwd: join(root, "lib"),
  imports: [join(distOf("kernels-cuda"), "testing", "as-default.js")],
};
/** Slower by so much: the emulator, and the checker. */
const patience = options.emulated || options.sanitizer ? 5 : 1;
const kernels = testsIn("kernels-cuda", "cuda")
  .sort((a, b) => rank(a) - rank(b))
  .map((file) => step("kernels", file, ours, 120 * patience));
/** @type {Step} */
const conformance = {
  name: "conformance",
  seconds: 240 * patience,
  run: (seconds) => runConformance(join(distOf("kernels-cuda"), "conformance", "run.js"), engine, { env, seconds }),
};
const folders = options.quick ? ["ops"] : ["ops", "model", "sse", "baselines", "generation"];
const steps = [
  ...kernels,
  ...(options.sanitizer
    ? []
    : [
        conformance,
        ...folders.flatMap((folder) =>
          testsIn("lib", folder).map((file) => step(folder, file, library, 90 * patience)),
        ),
      ]),
].filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)));
if (steps.length === 0) refuse(`${words.join(" ")}: no step is called so`);

/**
 * @typedef {object} StepReport
 * @property {string} name
 * @property {number} passed
 * @property {number} failed
 * @property {number} crashed
 * @property {number} skipped
 * @property {number} seconds
 * @property {TestResult[]} tests those that did not pass; of kernels all
 * @property {string[]} [told]
 * @property {Record<string, number>} [fallbacks]
 */

/** @type {{facts?: object, refused?: string, device?: {name: string, computeCapability: string}, native?: {loaded: boolean, reason?: string, remedy?: string}}} */
const machine = await facts();

async function facts() {
  const script = join(root, "scripts", "lib", "gpu-facts.mjs");
  const { output, errors, how } = await runLimited(process.execPath, [script, engine], { seconds: 120, env });
  try {
    return JSON.parse(output);
  } catch {
    return { refused: `opening the GPU ${how ?? "failed"}: ${errors.slice(-1000)}` };
  }
}

/** @type {{steps?: StepReport[], notRun?: string[]}} */
const earlier = options.resume && existsSync(options.report) ? JSON.parse(readFileSync(options.report, "utf8")) : {};
const isDone = (/** @type {StepReport} */ { failed, crashed }) => failed + crashed === 0;
/** @type {StepReport[]} */
const reports = (earlier.steps ?? []).filter(
  (report) => isDone(report) || !steps.some(({ name }) => name === report.name),
);
const open = steps.filter(({ name }) => !reports.some((report) => report.name === name));

/** Writes what is known by now. */
function write() {
  const done = reports.map(({ name }) => name);
  const notRun = open.map(({ name }) => name).filter((name) => !done.includes(name));
  const report = {
    command: ["test:gpu", ...process.argv.slice(2)].join(" "),
    date: new Date().toISOString(),
    engine,
    ...machine,
    node: process.version,
    notRun,
    steps: reports,
  };
  mkdirSync(dirname(resolve(options.report)), { recursive: true });
  writeFileSync(options.report, `${JSON.stringify(report, null, 2)}\n`);
  const text = [
    JSON.stringify(machine, null, 2),
    ...reports.flatMap((part) => [
      "",
      inWords(part),
      ...part.tests.map(({ name, status, message }) => `  ${status.padEnd(8)} ${name}${message ? `: ${message}` : ""}`),
      ...(part.told ?? []).map((line) => `  | ${line}`),
    ]),
    ...notRun.map((name) => `${name}: not run`),
  ];
  writeFileSync(`${options.report.replace(/\.json$/, "")}.txt`, `${text.join("\n")}\n`);
}

/** @param {StepReport} report */
function inWords({ name, passed, failed, crashed, skipped, seconds, fallbacks }) {
  const parts = [
    `${passed} passed`,
    `${failed} failed`,
    ...(crashed ? [`${crashed} crashed`] : []),
    `${skipped} skipped`,
  ];
  const onCpu = fallbacks ? `; ${Object.keys(fallbacks).length} kernels ran on the CPU` : "";
  return `${name}: ${parts.join(", ")} in ${seconds} s${onCpu}`;
}

/** @param {Step} part */
async function runStep({ name, seconds, run }) {
  const begin = performance.now();
  const { results, told, fallbacks } = await run(Math.min(seconds, (end - begin) / 1000));
  const count = (/** @type {string} */ wanted) => results.filter(({ status }) => status === wanted).length;
  const isKernel = name.startsWith("kernels");
  const report = {
    name,
    passed: count("passed"),
    failed: count("failed"),
    crashed: count("crashed"),
    skipped: count("skipped"),
    seconds: Number(((performance.now() - begin) / 1000).toFixed(1)),
    tests: results.filter(({ status }) => isKernel || status === "failed" || status === "crashed"),
    ...(told && told.length > 0 && { told }),
    ...(fallbacks && { fallbacks }),
  };
  reports.push(report);
  console.log(inWords(report));
  for (const { name: test, status, message } of results) {
    if (status === "failed" || status === "crashed")
      console.log(`  ${status} ${test}: ${(message ?? "").slice(0, 400)}`);
  }
  write();
}

write();
if (machine.refused) refuse(`the GPU tests cannot run: ${machine.refused}`);
console.log(`on ${machine.device?.name}, compute capability ${machine.device?.computeCapability}`);
if (machine.native && !machine.native.loaded) {
  console.log(
    `without the native addon, kernels that have no CUDA code fail: ${machine.native.reason}; ${machine.native.remedy}`,
  );
}
const queue = [...open];
/** Takes one step after the other, as long as there is time. */
async function work() {
  for (let next = queue.shift(); next; next = queue.shift()) {
    if (end - performance.now() < 5000) return;
    await runStep(next);
  }
}
// Kernels one after the other, so that a GPU that is lost is lost by one; then several processes at a time.
const rest = queue.splice(0).filter((part) => !kernels.includes(part));
queue.push(...open.filter((part) => kernels.includes(part)));
await work();
queue.push(...rest);
await Promise.all(Array.from({ length: Number(options.jobs) }, work));

const notRun = open.filter(({ name }) => !reports.some((report) => report.name === name));
if (notRun.length > 0)
  console.log(`not run, the time is up (--resume goes on): ${notRun.map(({ name }) => name).join(", ")}`);
console.log(`report: ${relative(process.cwd(), resolve(options.report))}`);
if (notRun.length > 0 || !reports.every(isDone)) process.exitCode = 1;
