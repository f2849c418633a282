/** What a tensor of the `cuda` backend holds. */
import { util } from "@tensorflow/tfjs-core";
import type { backend_util, DataType, TensorInfo, TypedArray } from "@tensorflow/tfjs-core";
import type { Address } from "./addon/core-binding.js";

type BackendValues = backend_util.BackendValues;

/**
 * A tensor's values: on the GPU (`address`), or still on the host (`values`: strings always; others until a kernel on the
 * GPU wants them, so that a chain of kernels that run on the CPU copies nothing), or two tensors (`parts`: complex64).
 */
export interface TensorEntry {
  readonly dtype: DataType;
  readonly size: number;
  refCount: number;
  address?: Address;
  values?: BackendValues;
  parts?: { readonly real: TensorInfo; readonly imag: TensorInfo };
}

/** Types whose values can be on the GPU: 4, 4 and 1 bytes each. */
export type DeviceType = "float32" | "int32" | "bool";

const arrays = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;

/** Whether values of this type can be on the GPU. */
export function isDeviceType(dtype: DataType): dtype is DeviceType {
  return dtype in arrays;
}

/** How many bytes `size` values of this type have. */
export function byteLength(dtype: DeviceType, size: number): number {
  return size * arrays[dtype].BYTES_PER_ELEMENT;
}

/** A new array for values of this type. */
export function arrayOf(dtype: DeviceType, size: number): TypedArray {
  return new arrays[dtype](size);
}

/** The values in the array that their type has on the GPU: tfjs's kernels are not strict about it. */
export function typed(values: BackendValues, dtype: DeviceType): TypedArray {
  const array = arrays[dtype];
  const plain = util.convertBackendValuesAndArrayBuffer(values, dtype) as TypedArray;
  return plain instanceof array ? plain : array.from(plain);
}
