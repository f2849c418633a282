// @ts-check
// Finds what compiles CUDA: a toolkit of the system, of conda, or the Python wheels of the project's environment.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { findProgram, isProgram } from "./find-program.mjs";

/** The wheels that together are a compiler, with the headers and the runtime to link. */
export const cudaWheels = [
  "nvidia-cuda-nvcc",
  "nvidia-nvvm",
  "nvidia-cuda-crt",
  "nvidia-cuda-runtime",
  "nvidia-cuda-cccl",
];

/** The CUDA that they are of. */
export const wheelVersion = "13";

/** Oldest CUDA that is meant. */
const oldestVersion = 12.4;

/**
 * The architectures of a build for all: Ampere (A100; GeForce 30), Ada, Hopper, Blackwell (B200; GeForce 50).
 *
 * @type {readonly {arch: string, since: number}[]} `since`: the first CUDA that knows it
 */
const architectures = [
  { arch: "80", since: 11 },
  { arch: "86", since: 11.1 },
  { arch: "89", since: 11.8 },
  { arch: "90", since: 11.8 },
  { arch: "100", since: 12.8 },
  { arch: "120", since: 12.8 },
];

/**
 * @typedef {object} CudaToolkit
 * @property {string} nvcc
 * @property {string} version such as "13.0"
 * @property {string[]} includes
 * @property {string} cudart libcudart_static.a
 */

/** @typedef {{reason: string, remedy: string, broken: boolean}} NoToolkit `broken`: there is one, but not whole */

/**
 * The toolkit that CUDA_HOME names, of PATH, of conda, of the wheels, of /usr/local/cuda: the first that is there.
 *
 * @param {{venv: string, env: NodeJS.ProcessEnv}} where
 * @returns {CudaToolkit | NoToolkit}
 */
export function findCudaToolkit({ venv, env }) {
  const asked = env["CUDA_HOME"] || env["CUDA_PATH"];
  if (asked) {
    const nvcc = join(asked, "bin", "nvcc");
    if (isProgram(nvcc)) return toolkit(nvcc);
    return {
      reason: `CUDA_HOME is "${asked}", and has no bin/nvcc`,
      remedy: "correct CUDA_HOME or unset it",
      broken: true,
    };
  }
  const besides = [
    ...(env["CONDA_PREFIX"] ? [join(env["CONDA_PREFIX"], "bin")] : []),
    ...wheelFolders(venv),
    "/usr/local/cuda/bin",
  ];
  const nvcc = findProgram("nvcc", { env, besides });
  if (nvcc) return toolkit(nvcc);
  return {
    reason: "no CUDA compiler (nvcc) was found",
    remedy:
      "install the CUDA toolkit, or make the Python environment with npm start, then run npm run build:native -- --cuda",
    broken: false,
  };
}

/**
 * @param {string} nvcc
 * @returns {CudaToolkit | NoToolkit}
 */
function toolkit(nvcc) {
  const { stdout } = spawnSync(nvcc, ["--version"], { encoding: "utf8" });
  const version = /release (\d+\.\d+)/.exec(stdout ?? "")?.[1];
  const remedy = "install the whole toolkit, or name another by CUDA_HOME";
  if (!version) return { reason: `${nvcc} does not run`, remedy, broken: true };
  if (Number(version) < oldestVersion) {
    return { reason: `${nvcc} is of CUDA ${version}; ${oldestVersion} or newer is needed`, remedy, broken: true };
  }
  const home = dirname(dirname(nvcc));
  const targets = join(home, "targets", process.arch === "arm64" ? "sbsa-linux" : "x86_64-linux");
  const includes = [join(home, "include"), join(targets, "include"), join(home, "include", "cccl")].filter((folder) =>
    existsSync(folder),
  );
  const cudart = ["lib64", "lib", join("targets", "x86_64-linux", "lib"), join("targets", "sbsa-linux", "lib")]
    .map((folder) => join(home, folder, "libcudart_static.a"))
    .find((file) => existsSync(file));
  if (!cudart || !includes.some((folder) => existsSync(join(folder, "cuda_runtime.h")))) {
    return { reason: `${nvcc} is there, but not the CUDA runtime's headers and static library`, remedy, broken: true };
  }
  return { nvcc, version, includes, cudart };
}

/**
 * @param {string} venv
 * @returns {string[]} where wheels put nvcc
 */
function wheelFolders(venv) {
  const lib = join(venv, "lib");
  return (existsSync(lib) ? readdirSync(lib) : [])
    .map((python) => join(lib, python, "site-packages", "nvidia"))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name, "bin")))
    .sort()
    .reverse();
}

/**
 * nvcc's flags for architectures: machine code for each, and PTX of the oldest for what is not known yet.
 *
 * @param {string} arch some of them, such as "90" or "86,90"; or "" for all
 * @param {string} version of CUDA
 */
export function cudaFlags(arch, version) {
  const all = architectures.filter(({ since }) => Number(version) >= since).map((known) => known.arch);
  const chosen = arch ? arch.split(",") : all;
  const code = chosen.map((name) => `-gencode=arch=compute_${name},code=sm_${name}`);
  const ptx = `-gencode=arch=compute_${chosen[0]},code=compute_${chosen[0]}`;
  return [...code, ptx, ...(chosen.length > 1 ? ["--threads=0"] : []), "-diag-suppress=20012"];
}

/** Whether an NVIDIA driver is loaded: without one a CUDA build cannot run. */
export function hasNvidiaDriver() {
  return existsSync("/proc/driver/nvidia/version") || existsSync("/dev/nvidiactl") || existsSync("/dev/dxg");
}

/**
 * @typedef {object} OwnGpus this machine's, as far as it tells
 * @property {string} [driver] such as "580.95.05"
 * @property {string[]} capabilities such as "9.0"
 */

/**
 * @param {NodeJS.ProcessEnv} env
 * @returns {OwnGpus}
 */
export function ownGpus(env) {
  const asked = ["--query-gpu=driver_version,compute_cap", "--format=csv,noheader"];
  const { status, stdout } = spawnSync("nvidia-smi", asked, { encoding: "utf8", env, timeout: 20_000 });
  const gpus = [...((status === 0 && stdout) || "").matchAll(/^([\d.]+), (\d+\.\d)$/gm)];
  return { driver: gpus[0]?.[1], capabilities: gpus.map(([, , capability]) => capability ?? "") };
}

/**
 * The architectures whose machine code these GPUs run: of each the newest of its own generation that is not newer than it.
 *
 * @param {OwnGpus} gpus
 * @param {string} version of CUDA
 * @returns {string} as cudaFlags takes them; "", which is all, unless there is one for every GPU
 */
export function ownArchitectures({ capabilities }, version) {
  const known = architectures.filter(({ since }) => Number(version) >= since).map(({ arch }) => Number(arch));
  const own = capabilities.map((capability) => {
    const number = Math.round(10 * Number(capability));
    return known.filter((arch) => Math.floor(arch / 10) === Math.floor(number / 10) && arch <= number).at(-1);
  });
  return own.every((arch) => arch !== undefined) ? [...new Set(own)].sort((a, b) => a - b).join(",") : "";
}

/**
 * Why what this CUDA builds cannot run under this driver, or undefined. A CUDA needs the oldest driver of its major version
 * (NVIDIA, "CUDA Compatibility", minor version compatibility).
 *
 * @param {string} version of CUDA
 * @param {OwnGpus} gpus
 * @returns {{reason: string, remedy: string} | undefined}
 */
export function refusedByDriver(version, { driver }) {
  const least = Number(version) >= 13 ? 580 : 525;
  if (driver === undefined || Number.parseInt(driver) >= least) return undefined;
  const older = least === 525 ? "" : ", or name a toolkit of CUDA 12 (12.4 or newer) by CUDA_HOME";
  return {
    reason: `what CUDA ${version} builds needs NVIDIA's driver ${least} or newer, and this machine has ${driver}`,
    remedy: `update the driver${older}, then run npm run build:native -- --cuda`,
  };
}
