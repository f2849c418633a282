#!/usr/bin/env node
// @ts-check
// Builds the native addons of kernels-cuda, when there is a C++ compiler and when sources, Node or the compiler have
// changed since the last time. `npm start` and `npm test` call buildNative; as a command:
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

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { commandLine } from "./lib/command-line.mjs";
import {
  cudaFlags,
  cudaWheels,
  findCudaToolkit,
  hasNvidiaDriver,
  ownArchitectures,
  ownGpus,
  refusedByDriver,
  wheelVersion,
} from "./lib/cuda-toolkit.mjs";
import { findProgram, isProgram } from "./lib/find-program.mjs";

const root = resolve(import.meta.dirname, "..");
const packageFolder = join(root, "kernels-cuda");
const again = "npm run build:native";

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

/** Machines that addons can be compiled for on another: each one's compiler, and the Debian package that has it. */
export const crossCompilers = /** @type {const} */ ({
  arm64: { command: "aarch64-linux-gnu-g++", debian: "g++-aarch64-linux-gnu" },
});

/** @typedef {keyof typeof crossCompilers} OtherMachine */

/**
 * @typedef {{built: true, how: string} | {built: false, reason: string, remedy: string}} BuildResult `how` tells in a
 *   few words what was done, or that nothing was to do
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

/** Why there is no build, and what to do: thrown within, returned to the caller. */
class CannotBuild extends Error {
  /**
   * @param {string} reason
   * @param {string} remedy
   */
  constructor(reason, remedy) {
    super(reason);
    this.remedy = remedy;
  }
}

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
  folder = join(packageFolder, "build"),
  venv = join(root, ".venv"),
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
    return { built: false, reason, remedy };
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

  const headers = includeFolders();
  const tools = await findTools(settings);
  mkdirSync(folder, { recursive: true });
  removeAbandonedAttempts(folder);
  // A folder of its own for every attempt: two set-ups at once do not meet, and a failed one leaves nothing half done.
  const work = createHash("sha256")
    .update(JSON.stringify([compiler, sanitize, tools.generator, packageFolder])) // CMake refuses one of a checkout that was moved
    .digest("hex")
    .slice(0, 8);
  const attempt = incremental ? join(folder, `work-${target}-${work}`) : mkdtempSync(join(folder, "attempt-"));
  try {
    const begin = performance.now();
    const name = cuda ? `nvcc ${cuda.version} and ${compiler.name}` : compiler.name;
    log(`compiling with ${name}`);
    await run(
      tools.cmake,
      [
        ...["-S", packageFolder, "-B", attempt, "-G", tools.generator, `-DCMAKE_MAKE_PROGRAM=${tools.maker}`],
        `-DMETASTATE_TARGET=${addon.cmake}`,
        `-DNODE_ADDON_API_INCLUDE=${headers.nodeAddonApi}`,
        `-DNODE_API_HEADERS_INCLUDE=${headers.nodeApi}`,
        ...(sanitize ? [`-DMETASTATE_SANITIZE=${sanitize}`, "-DMETASTATE_EMULATE_AVX512=ON"] : []),
        // On an Apple silicon Mac a Node for x64 runs too, and takes no addon for arm64.
        ...(process.platform === "darwin"
          ? [`-DCMAKE_OSX_ARCHITECTURES=${process.arch === "x64" ? "x86_64" : process.arch}`]
          : []),
        ...(cuda
          ? [
              `-DCUDA_NVCC=${cuda.nvcc}`,
              `-DCUDA_INCLUDES=${cuda.includes.join(";")}`,
              `-DCUDA_CUDART_STATIC=${cuda.cudart}`,
              `-DCUDA_FLAGS=${cudaFlags(arch, cuda.version).join(";")}`,
            ]
          : []),
      ],
      { log, env: { ...env, CXX: compiler.command } },
      "CMake could not set the build up",
    );
    await run(tools.cmake, ["--build", attempt, "--parallel"], settings, `the addon ${target} does not compile`);
    const info = { key, platform: process.platform, arch: machine || process.arch, node: process.version };
    install(attempt, addon.file, place, cuda ? { ...info, cuda: cuda.version } : info);
    return `built with ${name} in ${((performance.now() - begin) / 1000).toFixed(0)} s`;
  } finally {
    if (!incremental) rmSync(attempt, { recursive: true, force: true });
  }
}

/**
 * The CUDA to build with, and the architectures.
 *
 * @param {Settings} settings
 */
async function findCuda(settings) {
  const { venv, env, arch } = settings;
  if (process.platform !== "linux") throw new CannotBuild("CUDA is built on Linux only", "use the engine native");
  // What is built for other machines, or by a CUDA that somebody has named, need not run here.
  const gpus = arch === "own" ? ownGpus(env) : { capabilities: [] };
  const accept = (/** @type {string} */ version) => {
    const refused = env["CUDA_HOME"] ? undefined : refusedByDriver(version, gpus);
    if (refused) throw new CannotBuild(refused.reason, refused.remedy);
  };
  let found = findCudaToolkit({ venv, env });
  if (!("nvcc" in found) && found.broken) throw new CannotBuild(found.reason, found.remedy);
  if (!("nvcc" in found)) {
    accept(wheelVersion);
    await installWheels(cudaWheels, found.reason, found.remedy, settings);
    found = findCudaToolkit({ venv, env });
  }
  if (!("nvcc" in found)) throw new CannotBuild(found.reason, found.remedy);
  accept(found.version);
  return { ...found, arch: arch === "own" ? ownArchitectures(gpus, found.version) : arch };
}

/**
 * @typedef {object} Compiler
 * @property {string} command as the environment variable CXX takes it: perhaps with arguments
 * @property {string} path of its program
 * @property {string} name as a person calls it
 */

/**
 * @param {Pick<Settings, "log" | "folder" | "venv" | "env"> & Pick<BuildOptions, "machine">} settings
 * @returns {Promise<Compiler>}
 */
export async function findCompiler(settings) {
  const asked = settings.env["CXX"]?.trim();
  if (asked) {
    const path = programFor(asked.split(/\s+/, 1)[0] ?? asked, settings);
    if (!path) throw new CannotBuild(`CXX is "${asked}", and there is no such program`, `correct CXX or unset it`);
    return { command: asked, path, name: asked };
  }
  if (settings.machine) {
    const { command, debian } = crossCompilers[settings.machine];
    const path = programFor(command, settings);
    if (path) return { command: path, path, name: command };
    const remedy = `install it (Debian: apt install ${debian}), or name another by CXX`;
    throw new CannotBuild(`the compiler for ${settings.machine}, ${command}, was not found`, remedy);
  }
  for (const name of ["g++", "clang++", "c++"]) {
    const path = programFor(name, settings);
    if (path) return { command: path, path, name };
  }
  return zigCompiler(settings);
}

/**
 * The Clang inside the Python wheel of Zig: a compiler for a machine that has none, where one may not install any.
 *
 * @param {Pick<Settings, "log" | "folder" | "venv" | "env">} settings
 * @returns {Promise<Compiler>}
 */
async function zigCompiler(settings) {
  const { folder, venv } = settings;
  const remedy = `install one (Debian: apt install g++), then run ${again}`;
  if (process.platform !== "linux" || !existsSync(join(venv, "bin", "python"))) {
    throw new CannotBuild("no C++ compiler was found", remedy);
  }
  if (!findZig(venv)) await installWheels(["ziglang"], "no C++ compiler was found", remedy, settings);
  const zig = findZig(venv);
  if (!zig) throw new CannotBuild("no C++ compiler was found, nor in the Python wheel ziglang", remedy);
  // CMake wants one program. A target is given, or Zig would compile every file for this very CPU.
  const architecture = { x64: "x86_64", arm64: "aarch64" }[/** @type {string} */ (process.arch)] ?? process.arch;
  const { header } = /** @type {{header: {glibcVersionRuntime?: string}}} */ (process.report.getReport());
  const target = `${architecture}-linux-${header.glibcVersionRuntime ? "gnu" : "musl"}`;
  const wrapper = join(folder, "zig-c++");
  mkdirSync(folder, { recursive: true });
  writeFileSync(wrapper, `#!/bin/sh\nexec "${zig}" c++ -target ${target} "$@"\n`, { mode: 0o755 });
  return { command: wrapper, path: zig, name: "zig c++" };
}

/**
 * @param {string} venv
 * @returns {string | undefined}
 */
function findZig(venv) {
  const lib = join(venv, "lib");
  return (existsSync(lib) ? readdirSync(lib) : [])
    .map((python) => join(lib, python, "site-packages", "ziglang", "zig"))
    .find(isProgram);
}

/**
 * Installs Python wheels into the project's environment.
 *
 * @param {string[]} names
 * @param {string} why what is missing without them
 * @param {string} remedy
 * @param {Pick<Settings, "log" | "venv" | "env">} settings
 */
async function installWheels(names, why, remedy, { venv, log, env }) {
  const wanted = names.join(" and ");
  const python = join(venv, "bin", "python");
  if (!existsSync(python)) throw new CannotBuild(why, remedy);
  log(`installing ${wanted} into ${venv}`);
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...names];
  try {
    await run(python, pip, { log, env }, `${wanted} could not be installed`);
  } catch (error) {
    throw new CannotBuild(`${why}, and ${error instanceof Error ? error.message : error}`, remedy);
  }
}

/**
 * @typedef {object} Tools
 * @property {string} cmake
 * @property {string} generator
 * @property {string} maker the program that the generator writes for
 */

/**
 * CMake and what it drives, of the system or of the project's Python environment, where missing ones are installed.
 *
 * @param {Settings} settings
 * @returns {Promise<Tools>}
 */
async function findTools(settings) {
  const found = () => {
    const cmake = programFor("cmake", settings);
    const ninja = programFor("ninja", settings);
    const maker = ninja ?? programFor("make", settings);
    return { cmake, maker, generator: ninja ? "Ninja" : "Unix Makefiles" };
  };
  let tools = found();
  const missing = [...(tools.cmake ? [] : ["cmake"]), ...(tools.maker ? [] : ["ninja"])];
  if (missing.length > 0) {
    const packages = missing.join(" ").replace("ninja", "ninja-build");
    const remedy = `install ${missing.join(" and ")} (Debian: apt install ${packages}), then run ${again}`;
    await installWheels(missing, `a compiler is there, but not ${missing.join(" and ")}`, remedy, settings);
    tools = found();
  }
  const { cmake, maker, generator } = tools;
  if (!cmake || !maker)
    throw new CannotBuild("CMake is not there after its installation", `install CMake, then run ${again}`);
  return { cmake, maker, generator };
}

/**
 * The program's path; the project's Python environment may have it too.
 *
 * @param {string} name
 * @param {Pick<Settings, "env" | "venv">} settings
 */
function programFor(name, { env, venv }) {
  return findProgram(name, { env, besides: [join(venv, "bin")] });
}

function includeFolders() {
  const require = createRequire(join(packageFolder, "package.json"));
  try {
    return {
      nodeAddonApi: dirname(require.resolve("node-addon-api/napi.h")),
      nodeApi: join(dirname(require.resolve("node-api-headers/package.json")), "include"),
    };
  } catch {
    throw new CannotBuild("the npm packages with Node's headers are not installed", `run npm install, then ${again}`);
  }
}

/**
 * Everything that decides what the build yields, as one hash.
 *
 * @param {Compiler} compiler
 * @param {string[]} options
 * @param {Pick<Settings, "target" | "env">} settings
 */
export function fingerprint(compiler, options, { target, env }) {
  const hash = createHash("sha256");
  const program = realpathSync(compiler.path);
  const { size, mtimeMs } = statSync(program);
  hash.update(
    JSON.stringify([process.version, process.platform, process.arch, compiler.command, program, size, mtimeMs]),
  );
  hash.update(JSON.stringify([env["CXXFLAGS"] ?? "", env["LDFLAGS"] ?? "", target, ...options]));
  const sources = (target === "native" ? ["cpp"] : ["cmake", "cpp", "cuda"])
    .flatMap((folder) =>
      readdirSync(join(packageFolder, folder), { recursive: true, encoding: "utf8" }).map((file) => join(folder, file)),
    )
    .filter((file) => statSync(join(packageFolder, file)).isFile() && !file.endsWith(".test.cpp"))
    .sort();
  for (const file of ["CMakeLists.txt", "package.json", ...sources]) {
    hash.update(`\0${file}\0`).update(readFileSync(join(packageFolder, file)));
  }
  return hash.digest("hex");
}

/**
 * @param {string} place
 * @param {string} file the addon's name
 * @param {string} key
 */
function isUpToDate(place, file, key) {
  try {
    const info = JSON.parse(readFileSync(join(place, "build-info.json"), "utf8"));
    return info.key === key && existsSync(join(place, file));
  } catch {
    return false; // no build yet
  }
}

/**
 * Puts the addon in place in one step: a process that has the old one loaded keeps it, one that starts sees either.
 *
 * @param {string} attempt
 * @param {string} file the addon's name
 * @param {string} place
 * @param {Record<string, string>} info
 */
function install(attempt, file, place, info) {
  mkdirSync(place, { recursive: true });
  const infoPath = join(attempt, "build-info.json");
  writeFileSync(infoPath, `${JSON.stringify(info, null, 2)}\n`);
  // By way of a copy in the same folder, which rename can replace at once on every file system.
  const staged = join(place, `${file}.${process.pid}`);
  copyFileSync(join(attempt, file), staged);
  // An addon without its key is built again; a key without its addon would not be.
  rmSync(join(place, "build-info.json"), { force: true });
  renameSync(staged, join(place, file));
  renameSync(infoPath, join(place, "build-info.json"));
}

/**
 * Folders of builds that were killed: an hour is longer than any build takes.
 *
 * @param {string} folder
 */
function removeAbandonedAttempts(folder) {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (name.startsWith("attempt-") && Date.now() - statSync(path).mtimeMs > 3_600_000) {
      rmSync(path, { recursive: true, force: true });
    }
  }
}

/**
 * Runs a program quietly; when it fails, its whole output goes to the log.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {Pick<Settings, "log" | "env">} settings
 * @param {string} failure what it means that it failed
 * @returns {Promise<void>}
 */
function run(program, args, { log, env }, failure) {
  return new Promise((resolve, reject) => {
    let output = "";
    const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    const keep = (/** @type {Buffer} */ bytes) => {
      output += bytes.toString();
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    child.on("error", (error) =>
      reject(new CannotBuild(`${failure}: ${error.message}`, `see to ${program}, then run ${again}`)),
    );
    child.on("close", (code, signal) => {
      if (code === 0) return resolve();
      for (const line of output.trimEnd().split("\n")) log(line);
      const how = signal ? `was ended by ${signal}` : `ended with code ${code}`;
      const remedy = signal === "SIGKILL" ? "free some memory" : "see its messages";
      reject(new CannotBuild(`${failure} (${program} ${how})`, `${remedy}, then run ${again}`));
    });
  });
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
