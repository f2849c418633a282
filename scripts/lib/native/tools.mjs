// @ts-check
// What a build needs beside the C++ compiler: CMake and what it drives, Node's headers, CUDA.

import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { kernelsCuda } from "../checkout.mjs";
import {
  cudaWheels,
  findCudaToolkit,
  ownArchitectures,
  ownGpus,
  refusedByDriver,
  wheelVersion,
} from "../cuda-toolkit.mjs";
import { installWheels, programFor } from "./programs.mjs";
import { CannotBuild, again } from "./run.mjs";

/** @typedef {import("./programs.mjs").BuildPlaces} BuildPlaces */

/**
 * @typedef {object} Tools
 * @property {string} cmake
 * @property {string} generator
 * @property {string} maker the program that the generator writes for
 */

/**
 * CMake and what it drives, of the system or of the project's Python environment, where missing ones are installed.
 *
 * @param {BuildPlaces} settings
 * @returns {Promise<Tools>}
 */
export async function findTools(settings) {
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

/** Folders of the headers that an addon is compiled with. */
export function includeFolders() {
  const require = createRequire(join(kernelsCuda, "package.json"));
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
 * The CUDA to build with, and the architectures.
 *
 * @param {BuildPlaces & {arch: string}} settings
 */
export async function findCuda(settings) {
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
