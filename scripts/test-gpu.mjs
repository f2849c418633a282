#!/usr/bin/env node
// @ts-check
// npm run test:gpu: the tests of the backend `cuda` on the GPU of this machine: those of kernels-cuda, tfjs's conformance
// suite, and the library's own of ops and models.
//
//   node scripts/test-gpu.mjs [--emulated] [--sanitizer] [--report file.json] [words]
//
// A word chooses parts by name (kernels, conformance, ops, model, sse, baselines). --emulated runs the same on the CPU
// under the emulator, --sanitizer the tests of kernels under NVIDIA's compute-sanitizer. What came of it is written to a
// JSON file. Exits with 1 when anything failed, with 2 when there is no GPU to use.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const root = resolve(import.meta.dirname, "..");
const distOf = (/** @type {string} */ name) => join(root, name, "dist");
const { values: options, positionals: words } = parseArgs({
  allowPositionals: true,
  options: {
    emulated: { type: "boolean", default: false },
    sanitizer: { type: "boolean", default: false },
    report: { type: "string", default: join(root, "test-results", "gpu.json") },
  },
});
const engine = options.emulated ? "cuda-emulated" : "cuda";
const env = {
  ...process.env,
  METASTATE_TEST_GPU: options.emulated ? "0" : "1",
  METASTATE_TEST_ENGINE: engine,
  METASTATE_REQUIRE_NATIVE: "1",
};

/**
 * @typedef {object} Part what came of some tests
 * @property {string} name
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped
 * @property {string[]} failures names of tests, with the first line of the error
 * @property {number} seconds
 * @property {Record<string, number>} [fallbacks] kernels that ran on the CPU, with how often
 */

/** Refuses with a reason, and its remedy. @param {string} message @returns {never} */
function refuse(message) {
  console.error(message);
  process.exit(2);
}

const entry = join(distOf("kernels-cuda"), "index.js");
if (!existsSync(entry)) refuse("the TypeScript is not built: run npm run build");
const { loadCudaAddon } = await import(pathToFileURL(entry).href);
const addon = loadCudaAddon({ emulated: options.emulated });
if (!("binding" in addon)) refuse(`the GPU tests cannot run: ${addon.reason}\n${addon.remedy}`);
console.log(`on ${addon.device.name}, compute capability ${addon.device.computeCapability}`);

/** compute-sanitizer in front of a command, when it is asked for. @returns {string[]} */
function sanitizer() {
  if (!options.sanitizer) return [];
  const home = process.env["CUDA_HOME"];
  const program = [...(home ? [join(home, "bin", "compute-sanitizer")] : []), "compute-sanitizer"].find(
    (name) => spawnSync(name, ["--version"]).status === 0,
  );
  if (!program) refuse("compute-sanitizer was not found: install the CUDA toolkit, and set CUDA_HOME or PATH");
  return [program, "--tool", "memcheck", "--target-processes", "all", "--error-exitcode", "9"];
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

/**
 * Runs tests of node:test.
 *
 * @param {string} name
 * @param {string[]} files
 * @param {{cwd: string, imports?: string[], around?: string[]}} where
 * @returns {Part}
 */
function nodeTests(name, files, { cwd, imports = [], around = [] }) {
  const begin = performance.now();
  const [command, ...args] = [
    ...around,
    process.execPath,
    ...["--enable-source-maps", ...imports.flatMap((path) => ["--import", path])],
    // One after the other: each is a process with a context of its own on the GPU.
    ...["--test", "--test-concurrency=1", "--test-reporter=tap", ...files],
  ];
  const run = spawnSync(/** @type {string} */ (command), args, { cwd, env, encoding: "utf8", maxBuffer: 2 ** 28 });
  const output = `${run.stdout}`;
  const count = (/** @type {string} */ what) => Number(new RegExp(`^# ${what} (\\d+)$`, "m").exec(output)?.[1] ?? 0);
  const failures = [...output.matchAll(/^ *not ok \d+ - (.*)\n(?:.*\n)*?(?: *error: (.*(?:\n {4,}.*){0,3}))/gm)].map(
    ([, test, error]) => `${test}: ${(error ?? "").replaceAll(/\s+/g, " ").replace(/^\|- /, "")}`,
  );
  const failed = count("fail") + count("cancelled");
  if (run.status !== 0 && failed === 0)
    failures.push(`ended with ${run.signal ?? run.status}: ${run.stderr.slice(-2000)}`);
  return {
    name,
    passed: count("pass"),
    failed: failed || (run.status === 0 ? 0 : 1),
    skipped: count("skipped"),
    failures,
    seconds: seconds(begin),
  };
}

/** @returns {Part} */
function conformance() {
  const begin = performance.now();
  const folder = mkdtempSync(join(tmpdir(), "metastate-gpu-"));
  try {
    const file = join(folder, "result.json");
    const script = join(distOf("kernels-cuda"), "conformance", "run.js");
    const run = spawnSync(process.execPath, [script, file, engine], { env, encoding: "utf8", maxBuffer: 2 ** 28 });
    if (run.status !== 0) {
      const failures = [`ended with ${run.signal ?? run.status}: ${run.stderr.slice(-2000)}`];
      return { name: "conformance", passed: 0, failed: 1, skipped: 0, failures, seconds: seconds(begin) };
    }
    const { passed, failures, pending, fallbacks } = JSON.parse(readFileSync(file, "utf8"));
    return {
      name: "conformance",
      passed,
      failed: failures.length,
      skipped: pending.length,
      failures: failures.map((/** @type {{name: string, message: string}} */ f) => `${f.name}: ${f.message}`),
      seconds: seconds(begin),
      fallbacks,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {number} begin */
function seconds(begin) {
  return Number(((performance.now() - begin) / 1000).toFixed(1));
}

const library = {
  cwd: join(root, "lib"),
  imports: [join(distOf("kernels-cuda"), "testing", "as-default.js")],
};
/** @type {Record<string, () => Part>} */
const parts = {
  kernels: () =>
    nodeTests("kernels", testsIn("kernels-cuda", "cuda"), { cwd: join(root, "kernels-cuda"), around: sanitizer() }),
  ...(options.sanitizer ? {} : { conformance }),
  ...(options.sanitizer
    ? {}
    : Object.fromEntries(
        ["ops", "model", "sse", "baselines"].map((folder) => [
          folder,
          () => nodeTests(folder, testsIn("lib", folder), library),
        ]),
      )),
};
const chosen = Object.keys(parts).filter((name) => words.length === 0 || words.includes(name));
if (chosen.length === 0) refuse(`${words.join(" ")}: give some of ${Object.keys(parts).join(", ")}`);

/** @type {Part[]} */
const results = [];
for (const name of chosen) {
  const part = /** @type {() => Part} */ (parts[name])();
  results.push(part);
  console.log(
    `${name}: ${part.passed} passed, ${part.failed} failed, ${part.skipped} skipped in ${part.seconds} s` +
      (part.fallbacks ? `; ${Object.keys(part.fallbacks).length} kernels ran on the CPU` : ""),
  );
  for (const failure of part.failures) console.log(`  ${failure}`);
}
const report = {
  command: ["test:gpu", ...process.argv.slice(2)].join(" "),
  date: new Date().toISOString(),
  engine,
  device: addon.device,
  node: process.version,
  parts: results,
};
mkdirSync(dirname(resolve(options.report)), { recursive: true });
writeFileSync(options.report, `${JSON.stringify(report, null, 2)}\n`);
console.log(`report: ${options.report}`);
if (results.some(({ failed }) => failed > 0)) process.exitCode = 1;
