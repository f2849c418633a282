#!/usr/bin/env node
// @ts-check
// npm run test:native:asan: the tests of kernels-cuda on addons built with AddressSanitizer and UBSan. A read or write
// outside a buffer, or undefined arithmetic, ends the process with a report and the tests with it.
//
// npm run test:cuda:races: those of the CUDA code on an emulator that finds races between the GPU's threads
// (kernels-cuda/cuda/emulator/races.h); a kernel with one throws.
//
//   node scripts/test-native-sanitized.mjs [--only native,cuda-emulated | --races] [words]
//
// --only takes one of the two addons. A word chooses test files by their path. What was compiled is kept for the next time.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { buildNative } from "./build-native.mjs";
import { buildTypeScript } from "./lib/build.mjs";
import { root } from "./lib/checkout.mjs";
import { commandLine } from "./lib/command-line.mjs";
import { exitStatusOf } from "./lib/exit-status.mjs";
import { Failure, UsageError } from "./lib/failure.mjs";
import { Progress } from "./lib/progress.mjs";
import { isOfCuda, testFiles } from "./lib/test-files.mjs";
import { patience, runTests, summary } from "./lib/test-runners.mjs";

/** Beside what UBSan has by itself: a float with no place in an integer, which is whatever the CPU makes of it. */
const memoryAndArithmetic = "address,undefined,float-cast-overflow";

const builds = join(root, "kernels-cuda", "build");

/** Each addon's name to a person, and the variable by which its tests find it. */
const addons = {
  native: {
    about: "native engine",
    env: { METASTATE_NATIVE_ADDON: join(builds, "Sanitize", "metastate_native.node") },
  },
  "cuda-emulated": {
    about: "CUDA code",
    env: { METASTATE_CUDA_ADDON: join(builds, "CudaEmulatedSanitize", "metastate_cuda_emulated.node") },
  },
};

/** The path of a sanitizer's library, as the compiler knows it. @param {string} name */
function library(name) {
  const { stdout } = spawnSync("g++", [`-print-file-name=${name}`], { encoding: "utf8" });
  const path = (stdout ?? "").trim();
  if (path.startsWith("/")) return path;
  throw new Failure(`${name} was not found`, "install GCC with its sanitizers (Debian: apt install g++)");
}

/** @returns {Promise<number>} the exit status */
async function testSanitized() {
  const { values: options, positionals: words } = commandLine(
    import.meta.filename,
    { only: { type: "string", default: Object.keys(addons).join(",") }, races: { type: "boolean", default: false } },
    { words: true },
  );
  const wanted = options.races ? ["cuda-emulated"] : options.only.split(",");
  const unknown = wanted.find((name) => !(name in addons));
  if (unknown !== undefined) throw new UsageError(`--only ${unknown}: give some of ${Object.keys(addons).join(",")}`);
  const targets = /** @type {(keyof typeof addons)[]} */ (wanted);
  const sanitize = options.races ? "thread" : memoryAndArithmetic;
  const preload = options.races ? {} : { LD_PRELOAD: `${library("libasan.so")}:${library("libubsan.so")}` };

  const filesOf = (/** @type {string} */ target) =>
    testFiles()
      .filter((file) => file.package === "kernels-cuda" && isOfCuda(file) === (target === "cuda-emulated"))
      // TensorFlow is none of ours to check.
      .filter(({ source }) => !/tensorflow/.test(source))
      .filter(({ source }) => words.every((word) => source.includes(word)));
  const chosen = targets.filter((target) => filesOf(target).length > 0);
  if (chosen.length === 0) throw new UsageError(`no test file of kernels-cuda has "${words.join(" ")}" in its path`);

  const progress = new Progress();
  await progress.step("TypeScript", buildTypeScript);
  for (const target of chosen) {
    const checks = options.races ? "with the search for races" : "with AddressSanitizer and UBSan";
    await progress.step(`${addons[target].about} ${checks}`, async (step) => {
      const result = await buildNative({ target, sanitize, incremental: true, log: (line) => step.report(line) });
      if (!result.built) throw new Failure(`the addon ${target} is not built: ${result.reason}`, result.remedy);
      step.result(result.how);
    });
  }
  const env = {
    ...process.env,
    ...Object.assign({}, ...chosen.map((target) => addons[target].env)),
    ...preload,
    METASTATE_REQUIRE_NATIVE: "1",
    METASTATE_TEST_SLOW: "1",
    // Node frees little at its end; the leaks reported would be its own.
    ASAN_OPTIONS: "detect_leaks=0",
    UBSAN_OPTIONS: "halt_on_error=1:print_stacktrace=1",
  };
  const results = [];
  for (const target of chosen) {
    progress.note(`\n== ${addons[target].about}`);
    results.push(await runTests(target, filesOf(target), env, { minutes: patience.slow }));
  }
  const { lines, good } = summary(results);
  progress.note(`\n${lines.join("\n")}`);
  return good ? 0 : 1;
}

process.exitCode = await exitStatusOf(testSanitized);
