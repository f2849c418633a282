#!/usr/bin/env node
// @ts-check
// Builds the native addons of kernels-cuda, when there is a C++ compiler and when sources or the compiler have changed
// since the last time. `npm start` and `npm test` call buildNative; as a command:
//
//   node scripts/build-native.mjs [--cuda] [--arch 90] [--only native,cuda-emulated,cuda] [--incremental] [--force]
//                                 [--sanitize address,undefined] [--machine arm64]
//
// Three addons: `native`; `cuda-emulated`, the CUDA sources on the CPU, for tests; `cuda`, by nvcc, with --cuda and where
// there is an NVIDIA driver: for this machine's GPUs, or for all architectures where it has none or with --arch all; --arch
// 90 or --arch 86,90 for these. --incremental keeps what was compiled for the next time, in kernels-cuda/build/work-*: for
// whoever changes one file after the other.
//
// A sanitizer build goes to kernels-cuda/build/Sanitize (CudaEmulatedSanitize) and is loaded through
// METASTATE_NATIVE_ADDON (METASTATE_CUDA_ADDON). The native one has the AVX-512 path compiled for AVX2, so that the logic of
// that path is tested on a machine without AVX-512 too.
//
// --machine arm64 compiles for Linux on arm64, by CXX or aarch64-linux-gnu-g++, into kernels-cuda/build/Release-arm64
// (CudaEmulated-arm64): scripts/test-arm64.mjs runs that.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { kernelsCuda, venv as ownVenv } from "./lib/checkout.mjs";
import { commandLine } from "./lib/command-line.mjs";
import { cudaFlags, hasNvidiaDriver } from "./lib/cuda-toolkit.mjs";
import { crossCompilers, findCompiler } from "./lib/native/compiler.mjs";
import { fingerprint, install, isUpToDate, removeAbandonedAttempts } from "./lib/native/place.mjs";
import { CannotBuild, again, run } from "./lib/native/run.mjs";
import { findCuda, findTools, includeFolders } from "./lib/native/tools.mjs";

/** @typedef {import("./lib/native/compiler.mjs").OtherMachine} OtherMachine */

/** @typedef {"native" | "cuda-emulated" | "cuda"} AddonTarget */

/** What each addon is called, and where its build goes. */
const addons = {
  native: {
    cmake: "native",
    file: "metastate_native.node",
    folder: "Release",
    sanitized: "Sanitize",
    note: "last-attempt",
  },
  "cuda-emulated": {
    cmake: "cuda_emulated",
    file: "metastate_cuda_emulated.node",
    folder: "CudaEmulated",
    sanitized: "CudaEmulatedSanitize",
    note: "last-attempt-cuda-emulated",
  },
  cuda: {
    cmake: "cuda",
    file: "metastate_cuda.node",
    folder: "Cuda",
    sanitized: "CudaSanitize",
    note: "last-attempt-cuda",
  },
};

/**
 * @typedef {{built: true, how: string} | {built: false, reason: string, remedy: string, kept?: true}} BuildResult `how` tells in
 *   a few words what was done, or that nothing was to do; `kept`: the addon of an earlier build is still there
 */

/**
 * @typedef {object} BuildOptions
 * @property {(line: string) => void} [log] takes lines for a person: what is being done, and errors of the compiler, whole
 * @property {AddonTarget} [target] which addon
 * @property {string} [arch] of `cuda`: the architectures to build for, such as "90" or "86,90"; or "own", those of this
 *   machine's GPUs; all otherwise
 * @property {boolean} [incremental] keep what was compiled for the next time
 * @property {boolean} [force] build even when nothing has changed
 * @property {string} [sanitize] sanitizers, as for -fsanitize=
 * @property {OtherMachine | ""} [machine] another than this one, to compile for
 * @property {string} [folder] where builds go; kernels-cuda looks in kernels-cuda/build
 * @property {string} [venv] the project's Python environment, where tools that are missing are installed; it need not exist
 * @property {NodeJS.ProcessEnv} [env] PATH and CXX are looked at, and what is run gets all of it
 */

/** @typedef {Required<BuildOptions>} Settings */

/**
 * Builds the addon unless it is up to date. Never throws: a machine without a compiler is no error, and the engine that
 * needs none goes on. An addon from before stays in place when the build fails.
 *
 * @param {BuildOptions} [options]
 * @returns {Promise<BuildResult>}
 */
export async function buildNative({
  log = () => {},
  target = "native",
  arch = "",
  incremental = false,
  force = false,
  sanitize = "",
  machine = "",
  folder = join(kernelsCuda, "build"),
  venv = ownVenv,
  env = process.env,
} = {}) {
  const note = join(folder, `${addons[target].note}${suffix(machine)}.json`);
  try {
    const how = await build({ log, target, arch, incremental, force, sanitize, machine, folder, venv, env });
    rmSync(note, { force: true });
    return { built: true, how };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const remedy = error instanceof CannotBuild ? error.remedy : `put that right and run ${again}`;
    // For kernels-cuda, which tells the same when it is asked why there is no addon.
    try {
      mkdirSync(folder, { recursive: true });
      writeFileSync(note, `${JSON.stringify({ built: false, reason, remedy })}\n`);
    } catch {
      // A folder that cannot be written to is told by `reason` already.
    }
    const kept = existsSync(join(folder, addons[target].folder + suffix(machine), addons[target].file));
    return { built: false, reason, remedy, ...(kept && { kept }) };
  }
}

/**
 * What the names of files for another machine end in.
 *
 * @param {Settings["machine"]} machine
 */
function suffix(machine) {
  return machine && `-${machine}`;
}

/**
 * @param {Settings} settings
 * @returns {Promise<string>} how
 */
async function build(settings) {
  const { log, target, incremental, force, sanitize, machine, folder, env } = settings;
  if (process.platform === "win32") {
    throw new CannotBuild("it is built on Linux and macOS only", "use WSL, or go on with the WASM engine");
  }
  const addon = addons[target];
  const compiler = await findCompiler(settings);
  const cuda = target === "cuda" ? await findCuda(settings) : undefined;
  const arch = cuda?.arch ?? "";
  const key = fingerprint(compiler, [sanitize, arch, cuda?.version ?? "", cuda?.nvcc ?? "", machine], settings);
  const place = join(folder, (sanitize ? addon.sanitized : addon.folder) + suffix(machine));
  if (!force && isUpToDate(place, addon.file, key)) return "up to date";

  const tools = await findTools(settings);
  mkdirSync(folder, { recursive: true });
  removeAbandonedAttempts(folder);
  // A folder of its own for every attempt: two set-ups at once do not meet, and a failed one leaves nothing half done.
  const work = createHash("sha256")
    .update(JSON.stringify([compiler, sanitize, tools.generator, kernelsCuda])) // CMake refuses one of a checkout that was moved
    .digest("hex")
    .slice(0, 8);
  const attempt = incremental ? join(folder, `work-${target}-${work}`) : mkdtempSync(join(folder, "attempt-"));
  try {
    const begin = performance.now();
    const name = cuda ? `nvcc ${cuda.version} and ${compiler.name}` : compiler.name;
    log(`compiling with ${name}`);
    const configuration = [
      ...["-S", kernelsCuda, "-B", attempt, "-G", tools.generator, `-DCMAKE_MAKE_PROGRAM=${tools.maker}`],
      `-DMETASTATE_TARGET=${addon.cmake}`,
      ...definitions(sanitize, cuda),
    ];
    const surroundings = { log, env: { ...env, CXX: compiler.command } };
    await run(tools.cmake, configuration, surroundings, "CMake could not set the build up");
    await run(tools.cmake, ["--build", attempt, "--parallel"], settings, `the addon ${target} does not compile`);
    const info = { key, platform: process.platform, arch: machine || process.arch, node: process.version };
    install(attempt, addon.file, place, cuda ? { ...info, cuda: cuda.version } : info);
    return `built with ${name} in ${((performance.now() - begin) / 1000).toFixed(0)} s`;
  } finally {
    if (!incremental) rmSync(attempt, { recursive: true, force: true });
  }
}

/**
 * What CMake is told of this build.
 *
 * @param {string} sanitize
 * @param {Awaited<ReturnType<typeof findCuda>> | undefined} cuda
 */
function definitions(sanitize, cuda) {
  const headers = includeFolders();
  // On an Apple silicon Mac a Node for x64 runs too, and takes no addon for arm64.
  const macArchitecture = process.arch === "x64" ? "x86_64" : process.arch;
  return [
    `-DNODE_ADDON_API_INCLUDE=${headers.nodeAddonApi}`,
    `-DNODE_API_HEADERS_INCLUDE=${headers.nodeApi}`,
    ...(sanitize ? [`-DMETASTATE_SANITIZE=${sanitize}`, "-DMETASTATE_EMULATE_AVX512=ON"] : []),
    ...(process.platform === "darwin" ? [`-DCMAKE_OSX_ARCHITECTURES=${macArchitecture}`] : []),
    ...(cuda
      ? [
          `-DCUDA_NVCC=${cuda.nvcc}`,
          `-DCUDA_INCLUDES=${cuda.includes.join(";")}`,
          `-DCUDA_CUDART_STATIC=${cuda.cudart}`,
          `-DCUDA_FLAGS=${cudaFlags(cuda.arch, cuda.version).join(";")}`,
        ]
      : []),
  ];
}

/**
 * What of the addons is wanted without --only: `cuda` where it is asked for, or could run.
 *
 * @param {boolean} cuda whether it is asked for
 * @returns {AddonTarget[]}
 */
function wantedAddons(cuda) {
  return ["native", "cuda-emulated", ...(cuda || hasNvidiaDriver() ? [/** @type {const} */ ("cuda")] : [])];
}

/** The command. Exits with 1 when an addon is not there, so that a script that needs it stops. */
async function main() {
  const { values } = commandLine(import.meta.filename, {
    cuda: { type: "boolean", default: false },
    arch: { type: "string", default: "own" },
    only: { type: "string" },
    incremental: { type: "boolean", default: false },
    force: { type: "boolean", default: false },
    sanitize: { type: "string", default: "" },
    machine: { type: "string", default: "" },
  });
  const { incremental, force, sanitize } = values;
  if (values.machine && !(values.machine in crossCompilers)) {
    throw new Error(`--machine ${values.machine}: give one of ${Object.keys(crossCompilers).join(", ")}`);
  }
  const machine = /** @type {OtherMachine | ""} */ (values.machine);
  const arch = values.arch === "all" ? "" : values.arch;
  const targets =
    values.only?.split(",") ?? (sanitize || machine ? ["native"] : wantedAddons(values.cuda || arch !== "own"));
  for (const target of targets) {
    if (!(target in addons)) throw new Error(`--only ${target}: give some of ${Object.keys(addons).join(",")}`);
    const result = await buildNative({
      log: (line) => console.log(line),
      target: /** @type {AddonTarget} */ (target),
      arch,
      incremental,
      force,
      sanitize,
      machine,
    });
    if (result.built) {
      console.log(`${target} addon: ${result.how}`);
    } else {
      console.error(`${target} addon: not built: ${result.reason}\n${result.remedy}`);
      process.exitCode = 1;
    }
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(realpathSync(process.argv[1])).href) {
  await main().catch((/** @type {Error} */ error) => {
    console.error(`${error.message}\nHow it is run: node scripts/build-native.mjs --help`);
    process.exitCode = 2;
  });
}
