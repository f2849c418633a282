/** Makes the tfjs backend `cuda` known, complete from the start: CUDA kernels, and the CPU's for what has none. */
import "@tensorflow/tfjs-backend-cpu";
import {
  findBackend,
  getKernel,
  getKernelsForBackend,
  registerBackend,
  registerKernel,
  unregisterKernel,
} from "@tensorflow/tfjs-core";
import type { CudaBinding } from "./addon/binding.js";
import { CudaBackend } from "./cuda-backend.js";
import { cudaKernelConfig } from "./cuda-kernel.js";
import { cudaKernels } from "./kernels/all.js";
import { cudaBackendName } from "./name.js";

/** Registers the backend on this addon. Nothing is chosen by it. */
export function registerCudaBackend(binding: CudaBinding): void {
  if (findBackend(cudaBackendName)) return;
  registerBackend(cudaBackendName, () => new CudaBackend(binding), 0);
  const names = new Set([
    ...getKernelsForBackend("cpu").map(({ kernelName }) => kernelName),
    ...Object.keys(cudaKernels),
  ]);
  for (const name of names) {
    if (getKernel(name, cudaBackendName)) unregisterKernel(name, cudaBackendName);
    registerKernel(cudaKernelConfig(name, cudaKernels[name]));
  }
}
