/**
 * Registers the native kernels with tfjs for whichever backend the library chose.
 */
import { getKernel, registerKernel, unregisterKernel, type KernelConfig } from "@tensorflow/tfjs-core";
import type { NativeBinding } from "./addon/binding.js";
import { loadAddon } from "./addon/load.js";
import { nativeBackendName } from "./backend/name.js";
import { cudaKernels } from "./cuda/kernels/all.js";
import { cudaBackendName } from "./cuda/name.js";
import { adamWAll } from "./kernels/adamw-all.js";
import { arrangementKernels } from "./kernels/arrangement.js";
import { baselineKernels } from "./kernels/baseline-ops.js";
import { elementwiseKernels } from "./kernels/elementwise.js";
import { libraryKernels } from "./kernels/library-ops.js";
import { linearKernels } from "./kernels/linear.js";
import { matMulKernels } from "./kernels/matmul.js";
import { kernelConfigs, kernelConfigsFor, type KernelMemory } from "./kernels/native-kernel.js";
import { recurrenceKernels } from "./kernels/recurrences.js";
import { reductionKernels } from "./kernels/reductions.js";
import { tokenKernels } from "./kernels/token-kernels.js";
import { reachableBackends, tensorMemory } from "./tensor-memory.js";
import { tensorflowBackendName, tensorflowKernels } from "./tensorflow/kernels.js";

/** Fast kernels that are added to a tfjs backend. */
export interface KernelProvider {
  /** As shown to the user. */
  readonly name: string;
  /**
   * Registers what there is for `backend`, in place of any kernel of the same name.
   * Never rejects: with no kernels, `reason` says why, and the remedy.
   */
  register(
    backend: string,
  ): Promise<{ kernels: readonly string[]; detail: string } | { kernels: readonly []; reason: string }>;
}

/** How native kernels are used. */
export interface NativeKernelsOptions {
  /** false: register nothing, as `METASTATE_NATIVE=0` does. */
  enabled?: boolean;
}

/** A provider of the native kernels. */
export function createNativeKernels({ enabled = true }: NativeKernelsOptions = {}): KernelProvider {
  return {
    name: "native ops",
    register(backend) {
      return Promise.resolve(enabled ? register(backend) : { kernels: [], reason: "native kernels are switched off" });
    },
  };
}

/** The native kernels, as the environment says. */
export const nativeKernels: KernelProvider = createNativeKernels();

function register(backend: string): Awaited<ReturnType<KernelProvider["register"]>> {
  // They came with the backend.
  if (backend === cudaBackendName) return { kernels: Object.keys(cudaKernels), detail: "CUDA" };
  const addon = loadAddon();
  if (!("binding" in addon)) return { kernels: [], reason: `${addon.reason}; ${addon.remedy}` };
  const reachable = [nativeBackendName, ...reachableBackends];
  if (!reachable.includes(backend)) {
    return {
      kernels: [],
      reason: `native kernels work on the backends ${reachable.join(" and ")}, not on "${backend}"`,
    };
  }
  const { threads, simd } = addon.binding.info();
  return {
    kernels: registerNativeKernels(backend, addon.binding),
    detail: `C++ on ${threads} ${threads === 1 ? "thread" : "threads"}, ${simd}`,
  };
}

/** Registers every native kernel that there is for `backend`, in place of any of the same name; their names. */
export function registerNativeKernels(backend: string, binding: NativeBinding): string[] {
  const kernels =
    backend === nativeBackendName
      ? ownKernels(binding)
      : [...recurrencesOn(backend, binding), ...(backend === tensorflowBackendName ? tensorflowKernels(binding) : [])];
  for (const kernel of kernels) {
    if (getKernel(kernel.kernelName, backend)) unregisterKernel(kernel.kernelName, backend);
    registerKernel(kernel);
  }
  return kernels.map(({ kernelName }) => kernelName);
}

/** The recurrences on a backend of another package. */
function recurrencesOn(backend: string, binding: NativeBinding): KernelConfig[] {
  const memoryOf = (instance: unknown): KernelMemory => tensorMemory(backend, instance as object);
  return kernelConfigsFor(backend, memoryOf, recurrenceKernels, binding);
}

/** The kernels of the `native` backend. */
function ownKernels(binding: NativeBinding): KernelConfig[] {
  return kernelConfigs(
    {
      ...recurrenceKernels,
      ...matMulKernels,
      ...linearKernels,
      ...libraryKernels,
      AdamWAll: adamWAll,
      ...tokenKernels,
      ...baselineKernels,
      ...elementwiseKernels,
      ...reductionKernels,
      ...arrangementKernels,
    },
    binding,
  );
}
