/** What the kernels of the `native` backend share: how one is declared, and when tfjs's own runs instead. */
import { getKernel } from "@tensorflow/tfjs-core";
import type { KernelConfig, TensorInfo } from "@tensorflow/tfjs-core";
import type { NativeBinding } from "../addon/binding.js";
import { nativeBackendName } from "../backend/name.js";
import { isCellType, type NativeBackend } from "../backend/native-backend.js";

/** A kernel's inputs by name; one that is optional may be missing. */
export type Inputs = Readonly<Record<string, TensorInfo>>;

/** A kernel's attributes by name. */
export type Attributes = Readonly<Record<string, unknown>>;

/** Where a kernel reads its inputs and makes its outputs: the backend `native`, or what stands between it and another. */
export interface KernelMemory {
  /** A float32 tensor whose values are whatever they were: a kernel that makes one writes all of it. */
  makeFloats(shape: readonly number[]): { readonly info: TensorInfo; readonly floats: Float32Array };
  /** The values of a float32 tensor, not to be written to nor kept. Throws TypeError for a tensor of another type. */
  floats(tensor: TensorInfo): Float32Array;
  /** The values of an int32 tensor, under the same conditions. */
  integers(tensor: TensorInfo): Int32Array;
  /** What has been made until now, for `endSince`. */
  mark(): number;
  /** Ends the tensors that were made since: those of a kernel that throws, of which nobody else knows. */
  endSince(mark: number): void;
  /** Many values of `floats` and `makeFloats` as an argument of the addon, where that is not an array of them. */
  list?(values: readonly Float32Array[]): Float32Array[];
}

/**
 * Computes a kernel on the addon. Outputs come from `backend.makeFloats`, all of them written; inputs are never. When it throws,
 * what it has made is disposed.
 *
 * @returns undefined when this case is not for native code: tfjs's kernel of the name then runs
 */
export type NativeBody<M extends KernelMemory = NativeBackend> = (
  binding: NativeBinding,
  backend: M,
  inputs: Inputs,
  attributes: Attributes,
) => TensorInfo | TensorInfo[] | undefined;

/** Kernels by name. */
export type NativeBodies<M extends KernelMemory = NativeBackend> = Readonly<Record<string, NativeBody<M>>>;

/** The kernels of the backend `native` as tfjs registers them. */
export function kernelConfigs(bodies: NativeBodies, binding: NativeBinding): KernelConfig[] {
  return kernelConfigsFor(nativeBackendName, (backend) => backend as NativeBackend, bodies, binding);
}

/**
 * The kernels of any backend as tfjs registers them.
 *
 * @param memoryOf reaches the tensors of a tfjs backend of that name
 */
export function kernelConfigsFor<M extends KernelMemory>(
  backendName: string,
  memoryOf: (backend: unknown) => M,
  bodies: NativeBodies<M>,
  binding: NativeBinding,
): KernelConfig[] {
  return Object.entries(bodies).map(([kernelName, body]) => {
    // tfjs's own, copied from its `cpu` backend; the library's ops have none there.
    const fallback = getKernel(kernelName, "cpu")?.kernelFunc;
    return {
      kernelName,
      backendName,
      kernelFunc(parameters) {
        const { inputs, backend, attrs } = parameters;
        const memory = memoryOf(backend);
        const before = memory.mark();
        try {
          const result = body(binding, memory, inputs as Inputs, attrs ?? {});
          if (result) return result;
          if (fallback) return fallback({ inputs, backend, ...(attrs && { attrs }) });
        } catch (error) {
          memory.endSince(before);
          throw error;
        }
        throw new TypeError(`${kernelName}: ${told(inputs as Inputs)} are not what this kernel takes`);
      },
    };
  });
}

function told(inputs: Inputs): string {
  return Object.entries(inputs)
    .map(([name, { dtype, shape }]) => `${name} ${dtype} [${shape.join(", ")}]`)
    .join(", ");
}

/** Whether all are float32. */
export function areFloats(...tensors: readonly TensorInfo[]): boolean {
  return tensors.every(({ dtype }) => dtype === "float32");
}

/** Whether all have one type, which native kernels move and compare: float32, int32 or bool. */
export function areCells(...tensors: readonly TensorInfo[]): boolean {
  const dtype = tensors[0]?.dtype;
  return dtype !== undefined && isCellType(dtype) && tensors.every((tensor) => tensor.dtype === dtype);
}
