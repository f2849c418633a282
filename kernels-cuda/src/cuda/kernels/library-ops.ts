/**
 * The library's ops on the GPU. Those that the `native` backend has too run the same bodies: the CUDA addon's functions take
 * the same arguments in the same places, an address where the native ones take an array.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { NativeBinding } from "../../addon/binding.js";
import { baselineKernels } from "../../kernels/baseline-ops.js";
import { libraryKernels as forMetaState } from "../../kernels/library-ops.js";
import type { KernelMemory, NativeBodies } from "../../kernels/native-kernel.js";
import { recurrenceKernels } from "../../kernels/recurrences.js";
import { tokenKernels } from "../../kernels/token-kernels.js";
import type { Address } from "../addon/core-binding.js";
import type { CudaBackend } from "../cuda-backend.js";
import type { CudaBodies, CudaBody } from "../cuda-kernel.js";
import { layoutsOfOutputs, withPaddedHeads } from "./padded-heads.js";

/** What a body asks of a backend, with addresses for arrays. */
interface AddressMemory {
  floats(tensor: TensorInfo): Address;
  integers(tensor: TensorInfo): Address;
  makeFloats(shape: readonly number[]): { info: TensorInfo; floats: Address };
  list(addresses: readonly Address[]): Float64Array;
}

const memories = new WeakMap<CudaBackend, AddressMemory>();

function memoryOf(backend: CudaBackend): AddressMemory {
  let memory = memories.get(backend);
  if (!memory) {
    memory = {
      floats: (tensor) => backend.floats(tensor),
      integers: (tensor) => backend.integers(tensor),
      makeFloats(shape) {
        const { info, address } = backend.makeFloats(shape);
        return { info, floats: address };
      },
      list: (addresses) => Float64Array.from(addresses),
    };
    memories.set(backend, memory);
  }
  return memory;
}

/** The CPU's bodies. */
function shared(bodies: NativeBodies<KernelMemory>): CudaBodies {
  return Object.fromEntries(
    Object.entries(bodies).map(([name, body]): [string, CudaBody] => [
      name,
      (binding, backend, inputs, attributes) =>
        // Types say arrays; the bodies only hand them over, and both addons check what they get.
        body(binding as unknown as NativeBinding, memoryOf(backend) as unknown as KernelMemory, inputs, attributes),
    ]),
  );
}

const recurrences: CudaBodies = Object.fromEntries(
  Object.entries(shared(recurrenceKernels)).map(([name, body]) => [
    name,
    withPaddedHeads(body, layoutsOfOutputs[name as keyof typeof layoutsOfOutputs]),
  ]),
);

/** The library's optional kernel of a whole step; its inputs and attributes stand with the library's `adamWAllName`. */
const AdamWAll: CudaBody = (binding, backend, inputs, attributes) => {
  const numbers = attributes as Record<"beta1" | "beta2" | "epsilon" | "step" | "clip", number>;
  const { learningRates, weightDecays } = attributes as Record<"learningRates" | "weightDecays", number[]>;
  const counted = (name: string): TensorInfo[] => learningRates.map((_, i) => inputs[`${name}${i}`]!);
  const given = { parameter: counted("parameter"), moment1: counted("moment1_"), moment2: counted("moment2_") };
  const addresses = (tensors: readonly TensorInfo[]): Float64Array =>
    Float64Array.from(tensors, (tensor) => backend.floats(tensor));
  const before = {
    parameters: addresses(given.parameter),
    gradients: addresses(counted("gradient")),
    moments1: addresses(given.moment1),
    moments2: addresses(given.moment2),
  };
  const [parameters, moments1, moments2] = [given.parameter, given.moment1, given.moment2].map((tensors) =>
    tensors.map((tensor) => successor(backend, tensor)),
  ) as [TensorInfo[], TensorInfo[], TensorInfo[]];
  binding.adamWAll(
    numbers.beta1,
    numbers.beta2,
    numbers.epsilon,
    numbers.step,
    numbers.clip,
    learningRates,
    weightDecays,
    backend.floats(inputs["norm"]!),
    before.parameters,
    before.gradients,
    before.moments1,
    before.moments2,
    addresses(parameters),
    addresses(moments1),
    addresses(moments2),
  );
  return parameters.flatMap((parameter, i) => [parameter, moments1[i]!, moments2[i]!]);
};

/**
 * Where a tensor's next values go: to its own place when nobody else holds them, so that a step needs no memory for a second
 * copy of the model. What reads a tensor comes before in the stream.
 */
function successor(backend: CudaBackend, tensor: TensorInfo): TensorInfo {
  return backend.refCount(tensor.dataId) === 1
    ? backend.view(tensor, tensor.shape)
    : backend.makeFloats(tensor.shape).info;
}

export const libraryKernels: CudaBodies = {
  ...recurrences,
  ...shared({ ...forMetaState, ...baselineKernels, ...tokenKernels }),
  AdamWAll,
};
