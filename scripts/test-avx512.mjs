#!/usr/bin/env node
// @ts-check
// npm run test:avx512: the native engine on x86-64 CPUs that this machine need not be: one with AVX-512, and others on which the
// addon must choose less. The addon that `npm test` uses runs its tests there, in Node.js, as it is.
//
//   node scripts/test-avx512.mjs [--cpu avx512,unsaved,avx,sse] [--as-built] [words]
//
// avx512    all tests, where this machine's CPU has it; elsewhere those of kernels, under Bochs: hours
// unsaved   AVX-512 whose registers the system does not save: products, attention and recurrences, under Bochs: an hour
// avx, sse  AVX without AVX2, no AVX: the same under QEMU: minutes
//
// --as-built takes the addon that is there. A word chooses test files by their path. Bochs does some hundred million instructions a
// second.

import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { buildNative } from "./build-native.mjs";
import { buildTypeScript } from "./lib/build.mjs";
import { root } from "./lib/checkout.mjs";
import { commandLine } from "./lib/command-line.mjs";
import {
  checkout,
  cpuModels,
  fetchKernel,
  findTools,
  makeDisk,
  runMachine,
  takeProgram,
} from "./lib/emulated-machine.mjs";
import { addonUnder, environmentOf, writeEmulatedNode } from "./lib/emulated-tests.mjs";
import { exitStatusOf } from "./lib/exit-status.mjs";
import { Failure, UsageError } from "./lib/failure.mjs";
import { findProgram } from "./lib/find-program.mjs";
import { Progress } from "./lib/progress.mjs";
import { runtimePackages, unneeded } from "./lib/runtime-packages.mjs";
import { isOfCuda, testFiles } from "./lib/test-files.mjs";
import { patience, runTests, summary } from "./lib/test-runners.mjs";

/**
 * @typedef {object} Cpu
 * @property {string} about
 * @property {string} [qemu] a model of QEMU's, which knows no AVX-512
 * @property {readonly string[]} [models] of Bochs, the first that it knows
 * @property {readonly string[]} [unsaved] what the kernel is told to leave alone
 * @property {readonly string[]} simd what the addon must find
 * @property {RegExp} files tests, by their path, where no word chooses others
 */

/** What shows that the right instruction set was chosen, and that hot code has no others in it. */
const choice = /kernels\/(attention|head-groups|matmul)/;

/** @type {Record<string, Cpu>} */
const cpus = {
  avx512: {
    models: ["corei7_skylake_x"],
    about: "AVX-512",
    simd: ["sse2", "avx2", "avx512"],
    files: /kernels\/|addon\/|precision/,
  },
  unsaved: {
    models: ["corei7_skylake_x"],
    unsaved: ["avx512f"],
    about: "AVX-512 whose registers the operating system does not save",
    simd: ["sse2", "avx2"],
    files: choice,
  },
  avx: {
    about: "AVX without AVX2 and FMA",
    qemu: "SandyBridge",
    simd: ["sse2"],
    files: choice,
  },
  sse: {
    about: "no AVX",
    qemu: "Nehalem",
    simd: ["sse2"],
    files: choice,
  },
};

const work = join(root, "build", "avx512");

/**
 * The tests of the engine on the CPU, those that words choose, or those of `files`.
 *
 * @param {readonly string[]} words
 * @param {RegExp} files
 */
function filesFor(words, files) {
  const chosen = testFiles()
    .filter((file) => file.package === "kernels-cuda" && !isOfCuda(file) && !/tensorflow/.test(file.source))
    .filter(({ source }) => (words.length ? words.every((word) => source.includes(word)) : files.test(source)));
  if (chosen.length === 0) throw new UsageError(`no test file of kernels-cuda has "${words.join(" ")}" in its path`);
  return chosen;
}

/**
 * Fills the machine with Node.js and what the tests need of the checkout.
 *
 * @param {string} stage
 * @param {boolean} withOneDnn
 * @returns {Promise<string>} where oneDNN is, if it is
 */
async function takeCheckout(stage, withOneDnn) {
  rmSync(stage, { recursive: true, force: true });
  mkdirSync(stage, { recursive: true });
  takeProgram(stage, process.execPath, "/bin/node");
  const take = (/** @type {string} */ path) =>
    cpSync(join(root, path), join(stage, checkout, path), {
      recursive: true,
      dereference: true,
      filter: (file) => !unneeded.test(relative(root, file)) && !/dist\/cuda\//.test(file),
    });
  for (const path of ["package.json", "kernels-cuda/package.json", "kernels-cuda/dist"]) take(path);
  for (const name of ["asked-for", "count-reporter", "spec-reporter"]) take(`scripts/lib/${name}.mjs`);
  for (const folder of runtimePackages(["kernels-cuda"])) take(folder);
  const addon = join(root, "kernels-cuda", "build", "Release", "metastate_native.node");
  takeProgram(stage, addon, join(checkout, relative(root, addon)));
  if (!withOneDnn) return "";
  const { findOneDnn } = await import(
    pathToFileURL(join(root, "kernels-cuda", "dist", "addon", "find-onednn.js")).href
  );
  const oneDnn = findOneDnn(process.env);
  if (!oneDnn || !existsSync(oneDnn)) return "";
  takeProgram(stage, oneDnn, join(checkout, "oneDNN", "libdnnl.so.3"));
  return join(checkout, "oneDNN", "libdnnl.so.3");
}

/**
 * What the machine does: it tells what the addon finds, and runs its tests, each file in a process.
 *
 * @param {Cpu} cpu
 * @param {readonly string[]} files
 * @param {string} oneDnn
 */
function scriptFor(cpu, files, oneDnn) {
  const status = `import("${checkout}/kernels-cuda/dist/addon/load.js").then(({ addonStatus }) => console.log("addon " + JSON.stringify(addonStatus())))`;
  const reporter = (/** @type {string} */ name) => `--test-reporter=${checkout}/scripts/lib/${name}-reporter.mjs`;
  return `cd ${checkout}
export NO_COLOR=1 METASTATE_REQUIRE_NATIVE=1 METASTATE_BLAS=0 METASTATE_TEST_SIMD=${cpu.simd.at(-1)} METASTATE_ONEDNN=${oneDnn}
node -e '${status}'
node --test --test-concurrency=1 ${reporter("spec")} --test-reporter-destination=stdout \\
  ${reporter("count")} --test-reporter-destination=/tmp/count ${files.join(" ")}
status=$?
echo; echo "count $(cat /tmp/count)"
(exit $status)`;
}

/** Whether this machine's CPU has AVX-512 as the addon wants it. */
function hasAvx512() {
  const flags = /^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1]?.split(" ") ?? [];
  return ["avx2", "fma", "avx512f", "avx512dq", "avx512bw", "avx512vl"].every((flag) => flags.includes(flag));
}

/** @throws {Failure} when it is not there */
function findQemu() {
  const qemu = ["qemu-x86_64", "qemu-x86_64-static"].map((name) => findProgram(name)).find(Boolean);
  if (qemu) return qemu;
  throw new Failure("qemu-x86_64 not found", "install it (Debian, Ubuntu: sudo apt install qemu-user)");
}

/** @returns {Promise<number>} the exit status */
async function testAvx512() {
  const { values: options, positionals: words } = commandLine(
    import.meta.filename,
    {
      cpu: { type: "string", default: Object.keys(cpus).join(",") },
      "as-built": { type: "boolean", default: false },
    },
    { words: true },
  );
  const names = options.cpu.split(",");
  const unknown = names.find((name) => !(name in cpus));
  if (unknown) throw new UsageError(`--cpu ${unknown}: give some of ${Object.keys(cpus).join(",")}`);
  if (process.platform !== "linux" || process.arch !== "x64")
    throw new Failure("the emulated machine gets this one's Node.js", "run it on Linux on x86-64");
  const onBochs = names.filter((name) => !cpus[name]?.qemu && !(name === "avx512" && hasAvx512()));
  const tools = onBochs.length > 0 ? findTools() : {};
  const qemu = names.some((name) => cpus[name]?.qemu) ? findQemu() : "";
  const progress = new Progress();
  await progress.step("TypeScript", buildTypeScript);
  await progress.step("native engine", async (step) => {
    if (options["as-built"]) return step.result("as it is");
    const result = await buildNative({ incremental: true, log: (line) => step.report(line) });
    if (!result.built) throw new Failure(`the addon is not built: ${result.reason}`, result.remedy);
    step.result(result.how);
  });
  const results = [];
  for (const name of names.filter((one) => !onBochs.includes(one))) {
    const cpu = /** @type {Cpu} */ (cpus[name]);
    const node = { name, path: cpu.qemu ? join(work, `node-${name}`) : process.execPath, env: {} };
    if (cpu.qemu) writeEmulatedNode(node.path, [qemu, "-cpu", cpu.qemu, process.execPath]);
    results.push(await runTestsHere({ node, cpu, files: filesFor(words, cpu.qemu ? cpu.files : /./), progress }));
  }
  if (onBochs.length > 0) results.push(...(await runTestsOnBochs(onBochs, tools, words, progress)));
  const { lines, good } = summary(results);
  progress.note(`\n${lines.join("\n")}`);
  return good ? 0 : 1;
}

/**
 * In this system: on its CPU, or on one of QEMU's.
 *
 * @param {{node: import("./lib/emulated-tests.mjs").EmulatedNode, cpu: Cpu,
 *   files: import("./lib/test-files.mjs").TestFile[], progress: Progress}} options
 */
async function runTestsHere({ node, cpu, files, progress }) {
  const emulated = node.path !== process.execPath;
  const { simdAvailable, bfloat16 } = addonUnder(node);
  const place = cpu.qemu ? `QEMU's ${cpu.qemu}` : "this machine's";
  progress.note(`\n== ${cpu.about} (${place}): ${simdAvailable.join(", ")}; bfloat16: ${bfloat16 || "none"}`);
  if (simdAvailable.join() !== cpu.simd.join() || (emulated && bfloat16 !== "")) {
    throw new Failure(`the addon finds ${simdAvailable.join(", ")} there`, `it must find ${cpu.simd.join(", ")}`);
  }
  const simd = cpu.simd.at(-1);
  const env = {
    ...(emulated ? { ...environmentOf(node), METASTATE_TEST_SLOW: "1" } : process.env),
    ...{ METASTATE_REQUIRE_NATIVE: "1", METASTATE_BLAS: "0", METASTATE_SIMD: simd, METASTATE_TEST_SIMD: simd },
  };
  return runTests(node.name, files, env, { minutes: patience.slow });
}

/**
 * @param {readonly string[]} names of CPUs
 * @param {Record<string, string>} tools
 * @param {readonly string[]} words
 * @param {Progress} progress
 * @returns {Promise<import("./lib/test-runners.mjs").Result[]>}
 */
async function runTestsOnBochs(names, tools, words, progress) {
  const bochs = tools["bochs"] ?? "";
  const known = cpuModels(bochs);
  const kernel = await progress.step("Linux kernel", (step) => fetchKernel(join(work, "kernel"), step));
  const results = [];
  for (const name of names) {
    const cpu = /** @type {Cpu} */ (cpus[name]);
    const models = cpu.models ?? [];
    const model = models.find((one) => known.includes(one));
    if (!model) throw new Failure(`this Bochs has none of ${models.join(", ")}`, "install Bochs 2.7 or newer");
    const files = filesFor(words, cpu.files).map(({ file }) => join(checkout, relative(root, file)));
    const folder = join(work, name);
    const stage = join(folder, "root");
    const image = await progress.step(`machine with ${cpu.about} (${model})`, async (step) => {
      const oneDnn = await takeCheckout(
        stage,
        files.some((file) => file.includes("precision")),
      );
      const script = scriptFor(cpu, files, oneDnn);
      // Bochs has no counters of actual frequency, and the kernel stops where it looks for them.
      const parameters = `clearcpuid=${["aperfmperf", ...(cpu.unsaved ?? [])].join()}`;
      const disk = await makeDisk({ stage, kernel, script, parameters, tools, folder, step });
      rmSync(stage, { recursive: true });
      return disk;
    });
    results.push(await runTestsOn({ name, cpu, model, bochs, image, folder, progress }));
  }
  return results;
}

/**
 * @param {{name: string, cpu: Cpu, model: string, bochs: string, image: string, folder: string, progress: Progress}} options
 * @returns {Promise<import("./lib/test-runners.mjs").Result>}
 */
async function runTestsOn({ name, cpu, model, bochs, image, folder, progress }) {
  const result = { name, passed: 0, failed: 0, skipped: 0 };
  /** @type {string | undefined} */
  let problem = "its tests were not counted";
  let chosen = "";
  const status = await progress.step(`tests on ${model}`, (step) =>
    runMachine({
      bochs,
      cpu: model,
      image,
      folder,
      onBoot: (line) => step.report(line),
      onLine: (line) => {
        const [, about, json] = /^(addon|count) (\{.*\})$/.exec(line) ?? [];
        if (!about || !json) return progress.note(line);
        const values = JSON.parse(json);
        if (about === "count") {
          problem = values.passed === 0 ? "no test passed" : undefined;
          Object.assign(result, { passed: values.passed, failed: values.failed, skipped: values.skipped });
          return;
        }
        const { simdAvailable = [], bfloat16 = "" } = values;
        chosen = `${simdAvailable.join(", ")}; bfloat16: ${bfloat16 || "none"}`;
        progress.note(`\n== ${cpu.about} (${model}): ${chosen}`);
        if (simdAvailable.join() === cpu.simd.join() && bfloat16 === "") chosen = "";
      },
    }),
  );
  if (chosen) problem = `the addon finds ${chosen}, not ${cpu.simd.join(", ")}`;
  if (status !== 0 && result.failed === 0) problem ??= `the runner ended with status ${status}`;
  return problem ? { ...result, problem } : result;
}

process.exitCode = await exitStatusOf(testAvx512);
