/** What the kernels of the `cuda` backend share: how one is declared, and when the CPU's runs instead. */
import type { KernelConfig, TensorInfo } from "@tensorflow/tfjs-core";
import type { Attributes, Inputs } from "../kernels/native-kernel.js";
import type { CudaBinding } from "./addon/binding.js";
import type { CudaBackend } from "./cuda-backend.js";
import { cudaBackendName } from "./name.js";

/**
 * Computes a kernel on the GPU. Outputs come from `backend.make`, all of them written; inputs are never. Nothing waits for
 * the GPU. When it throws, what it has made is disposed.
 *
 * @returns undefined when there is no CUDA code for this case: the CPU's kernel of the name then runs, on copies
 */
export type CudaBody = (
  binding: CudaBinding,
  backend: CudaBackend,
  inputs: Inputs,
  attributes: Attributes,
) => TensorInfo | TensorInfo[] | undefined;

/** Kernels by name. */
export type CudaBodies = Readonly<Record<string, CudaBody>>;

/** The kernel as tfjs registers it; without a body it is the CPU's. */
export function cudaKernelConfig(kernelName: string, body?: CudaBody): KernelConfig {
  return {
    kernelName,
    backendName: cudaBackendName,
    kernelFunc(parameters) {
      const { inputs, attrs } = parameters;
      const backend = parameters.backend as CudaBackend;
      return backend.runKernel(() => {
        const result = body?.(backend.binding, backend, inputs as Inputs, attrs ?? {});
        return result ?? backend.fallback.run(kernelName, inputs, attrs);
      });
    },
  };
}
