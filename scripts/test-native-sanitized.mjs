#!/usr/bin/env node
// @ts-check
// npm run test:native:asan: the tests of kernels-cuda on addons built with AddressSanitizer and UBSan. A read or write
// outside a buffer, or undefined arithmetic, ends the process with a report and the tests with it.
//
// npm run test:cuda:races: those of the CUDA code on an emulator that finds races between the GPU's threads
// (kernels-cuda/cuda/emulator/races.h); a kernel with one throws.
//
//   node scripts/test-native-sanitized.mjs [--only native,cuda-emulated | --races] [words]

import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { root } from "./lib/checkout.mjs";
import { commandLine } from "./lib/command-line.mjs";

/**
 * @param {string} command
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 */
function run(command, args, env = process.env) {
  const { status, error } = spawnSync(command, args, { cwd: root, env, stdio: "inherit" });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

/** The path of a sanitizer's library, as the compiler knows it. @param {string} name */
function library(name) {
  const { stdout } = spawnSync("g++", [`-print-file-name=${name}`], { encoding: "utf8" });
  const path = (stdout ?? "").trim();
  if (path.startsWith("/")) return path;
  console.error(`${name} was not found: install GCC with its sanitizers (Debian: g++)`);
  process.exit(1);
}

const { values: options, positionals: words } = commandLine(
  import.meta.filename,
  { only: { type: "string", default: "native,cuda-emulated" }, races: { type: "boolean", default: false } },
  { words: true },
);
const only = options.races ? "cuda-emulated" : options.only;
const wanted = only.split(",");
run(process.execPath, [join("node_modules", "typescript", "bin", "tsc"), "-b", "kernels-cuda"]);
const sanitize = ["--sanitize", options.races ? "thread" : "address,undefined", "--only", only];
run(process.execPath, [join("scripts", "build-native.mjs"), ...sanitize]);
const dist = join("kernels-cuda", "dist");
const builds = join(root, "kernels-cuda", "build");
const tests = readdirSync(join(root, dist), { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".test.js"))
  // Those of kernels in CUDA run on its addon, all others on the native one.
  .filter((file) => wanted.includes(/^cuda[/\\]/.test(file) ? "cuda-emulated" : "native"))
  .map((file) => join(dist, file));
const chosen = tests.filter((file) => words.every((word) => file.includes(word)));
run(process.execPath, ["--enable-source-maps", "--test", "--test-concurrency=1", ...chosen], {
  ...process.env,
  ...(wanted.includes("native") && { METASTATE_NATIVE_ADDON: join(builds, "Sanitize", "metastate_native.node") }),
  ...(wanted.includes("cuda-emulated") && {
    METASTATE_CUDA_ADDON: join(builds, "CudaEmulatedSanitize", "metastate_cuda_emulated.node"),
  }),
  METASTATE_REQUIRE_NATIVE: "1",
  ...(!options.races && { LD_PRELOAD: `${library("libasan.so")}:${library("libubsan.so")}` }),
  // Node frees little at its end; the leaks reported would be its own.
  ASAN_OPTIONS: "detect_leaks=0",
  UBSAN_OPTIONS: "halt_on_error=1:print_stacktrace=1",
});
