/**
 * The library's fused ops on TensorFlow: through the addon, over values read from TensorFlow's tensors. What is one or two
 * ops of TensorFlow's own is left to those, and so are products.
 */
import type { KernelConfig, TensorInfo } from "@tensorflow/tfjs-core";
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
  return kernelConfigsFor(tensorflowBackendName, memoryOf, bodies, binding);
}

interface TensorflowBackend {
  readSync(dataId: TensorInfo["dataId"]): unknown;
}

const known = new WeakMap<object, KernelMemory>();

function memoryOf(backend: unknown): KernelMemory {
  let memory = known.get(backend as object);
  if (!memory) {
    const tensors = tensorMemory(tensorflowBackendName, backend);
    memory = {
      makeFloats(shape) {
        const info = tensors.make([...shape]);
        return { info, ...tensors.views({ floats: info }) };
      },
      floats: (tensor) => tensors.views({ tensor }).tensor,
      integers(tensor) {
        if (tensor.dtype !== "int32") {
          const told = `${tensor.dtype} [${tensor.shape.join(", ")}]`;
          throw new TypeError(`a native kernel takes int32 tensors here, not ${told}: cast it`);
        }
        return Int32Array.from((backend as TensorflowBackend).readSync(tensor.dataId) as ArrayLike<number>);
      },
    };
    known.set(backend as object, memory);
  }
  return memory;
}
