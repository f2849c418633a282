/** What the tfjs kernels of the GPU share: types and addresses of tensors, and how axes are told. */
import type { DataType, TensorInfo } from "@tensorflow/tfjs-core";
import { sizeOf } from "../../kernels/shapes.js";
import type { CudaBinding } from "../addon/binding.js";
import type { Address } from "../addon/core-binding.js";
import type { CudaBackend, Made } from "../cuda-backend.js";
import type { DeviceType } from "../tensor-entry.js";

/** In the order of `ElementType` in `cuda/tfjs/axes.h`. */
const types: readonly DataType[] = ["float32", "int32", "bool"];

/** A type's number in the addon. */
export function typeNumber(dtype: DataType): number {
  return types.indexOf(dtype);
}

/** Bytes of a value on the GPU. */
export function bytesOf(dtype: DataType): 1 | 4 {
  return dtype === "bool" ? 1 : 4;
}

/** Where a tensor's values lie on the GPU, whatever its type. */
export function addressOf(backend: CudaBackend, tensor: TensorInfo): Address {
  return backend.address(tensor, tensor.dtype as DeviceType);
}

/** A new tensor with one value everywhere. */
export function filled(
  binding: CudaBinding,
  backend: CudaBackend,
  shape: readonly number[],
  dtype: DeviceType,
  value: number,
): Made {
  const y = backend.make(shape, dtype);
  binding.fill(typeNumber(dtype), sizeOf(shape), value, y.address);
  return y;
}

/** Whether all of these are of one type. */
export function areAll(dtype: DataType, ...tensors: readonly TensorInfo[]): boolean {
  return tensors.every((tensor) => tensor.dtype === dtype);
}
