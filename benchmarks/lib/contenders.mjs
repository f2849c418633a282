// @ts-check
// The library's own kernels and the native ones on one tfjs backend, changed for each other while all else stays.

import { nativeKernels } from "@metastate/kernels-cuda";
import { getKernel, registerKernel, unregisterKernel } from "@tensorflow/tfjs-core";

/** @typedef {import("@tensorflow/tfjs-core").KernelConfig} KernelConfig */

/**
 * Takes hold of both sets of kernels. The library registers its own when they are first used, so `useAll` must use every
 * kernel once before the native ones come.
 *
 * @param {string} backend
 * @param {() => Promise<void>} useAll
 * @returns {Promise<{library: () => void, native: () => void, names: readonly string[], detail: string}>} functions that
 *   put one set in place
 * @throws {Error} when there are no native kernels, saying why
 */
export async function contenders(backend, useAll) {
  await useAll();
  /** @type {Map<string, KernelConfig>} */
  const before = new Map();
  const registered = () => candidates.map((name) => getKernel(name, backend)).filter((kernel) => kernel !== undefined);
  const { kernelNames } = await import("metastate");
  const candidates = kernelNames();
  for (const kernel of registered()) before.set(kernel.kernelName, kernel);
  const result = await nativeKernels.register(backend);
  if ("reason" in result) throw new Error(`there is nothing to compare: ${result.reason}`);
  const native = registered().filter(({ kernelName }) => result.kernels.includes(kernelName));
  const library = native.map(({ kernelName }) => {
    const kernel = before.get(kernelName);
    if (!kernel) throw new Error(`the library has no ${kernelName} of its own to compare with`);
    return kernel;
  });
  /** @type {(kernels: KernelConfig[]) => () => void} */
  const put = (kernels) => () => {
    for (const kernel of kernels) {
      unregisterKernel(kernel.kernelName, backend);
      registerKernel(kernel);
    }
  };
  return { library: put(library), native: put(native), names: result.kernels, detail: result.detail };
}
