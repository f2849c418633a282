// @ts-check
// The recipe that `npm start` and `npm test` share. Every step does nothing when its work is there already.

import { buildNativeEngine, buildTypeScript } from "./build.mjs";
import { hasNvidiaDriver } from "./cuda-toolkit.mjs";
import { registerKernel } from "./kernelspec.mjs";
import { installPackages } from "./npm.mjs";
import { pythonEnvironment } from "./python.mjs";

/**
 * Sets the checkout up, from whatever state it is in.
 *
 * @param {import("./progress.mjs").Progress} progress
 * @param {{forTests?: boolean, cuda?: boolean}} [options] `cuda`: the CUDA engine without an NVIDIA driver too
 * @returns {Promise<import("./python.mjs").PythonEnvironment>} where Jupyter is, with the kernel registered
 * @throws {import("./failure.mjs").Failure} when a step cannot be done
 */
export async function setUp(progress, { forTests = false, cuda = hasNvidiaDriver() } = {}) {
  await progress.step("npm packages", installPackages);
  const environment = await pythonEnvironment(progress, { forTests });
  await progress.step("TypeScript", buildTypeScript);
  await progress.step("native engine", (step) => buildNativeEngine(step));
  if (forTests) await progress.step("CUDA code for the emulator", (step) => buildNativeEngine(step, "cuda-emulated"));
  if (cuda) await progress.step("CUDA engine", (step) => buildNativeEngine(step, "cuda"));
  await progress.step("kernel", (step) => registerKernel(step, environment));
  return environment;
}
