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
  const [, environment] = await together([
    progress.step("npm packages", installPackages),
    pythonEnvironment(progress, { forTests }),
  ]);
  const addons = async () => {
    await progress.step("native engine", (step) => buildNativeEngine(step));
    if (forTests) await progress.step("CUDA code for the emulator", (step) => buildNativeEngine(step, "cuda-emulated"));
    if (cuda) await progress.step("CUDA engine", (step) => buildNativeEngine(step, "cuda"));
  };
  await together([progress.step("TypeScript", buildTypeScript), addons()]);
  await progress.step("kernel", (step) => registerKernel(step, environment));
  return environment;
}

/**
 * Waits for all steps, so that none goes on, and writes, after the failure of another has been told.
 *
 * @template {readonly unknown[]} T
 * @param {readonly [...T]} steps
 * @returns {Promise<{-readonly [I in keyof T]: Awaited<T[I]>}>}
 * @throws {unknown} what the first that failed threw
 */
async function together(steps) {
  await Promise.allSettled(steps);
  return Promise.all(steps);
}
