/**
 * The library's fused ops on TensorFlow: through the addon, over values read from TensorFlow's tensors. What is one or two
 * ops of TensorFlow's own is left to those, and so are products.
 */
import type { KernelConfig } from "@tensorflow/tfjs-core";
import type { NativeBinding } from "../addon/binding.js";
import { libraryKernels } from "../kernels/library-ops.js";
import { kernelConfigsFor, type KernelMemory } from "../kernels/native-kernel.js";
import { tensorMemory } from "../tensor-memory.js";

/** The name of tfjs-node's backend. */
export const tensorflowBackendName = "tensorflow";

/** Ops for which reading the tensors would cost more than the op. */
const left = ["Embedding", "EmbeddingGrad", "SquaredRelu", "SquaredReluGrad", "TransposeMatrix"];

/** The kernels beside those that every reachable backend has. */
export function tensorflowKernels(binding: NativeBinding): KernelConfig[] {
  const bodies = Object.fromEntries(Object.entries(libraryKernels).filter(([name]) => !left.includes(name)));
  const memoryOf = (backend: unknown): KernelMemory => tensorMemory(tensorflowBackendName, backend as object);
  return kernelConfigsFor(tensorflowBackendName, memoryOf, bodies, binding);
}
