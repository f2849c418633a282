/** What the tfjs kernels of the GPU share: types and addresses of tensors, and how axes are told. */
import { util, type DataType, type TensorInfo } from "@tensorflow/tfjs-core";
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

/** How many values a tensor of this shape has. */
export function sizeOf(shape: readonly number[]): number {
  return util.sizeFromShape(shape as number[]);
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

/** How far apart the entries along each axis are. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis]!;
  }
  return strides;
}

/**
 * Axes with the strides of operands along them, as the addon takes them: as few as tell the same. An axis of one entry is
 * none; one that goes on, for every operand, where the one inside it ends is the same axis.
 */
export function packedAxes(lengths: readonly number[], ...operands: readonly (readonly number[])[]): Int32Array {
  const kept: number[] = [];
  const strides = operands.map((): number[] => []);
  lengths.forEach((length, axis) => {
    if (length === 1) return;
    const joins = kept.length > 0 && operands.every((operand, i) => strides[i]!.at(-1) === operand[axis]! * length);
    if (joins) kept[kept.length - 1]! *= length;
    else kept.push(length);
    operands.forEach((operand, i) => {
      if (joins) strides[i]![strides[i]!.length - 1] = operand[axis]!;
      else strides[i]!.push(operand[axis]!);
    });
  });
  if (kept.length === 0) return Int32Array.from([1, ...operands.map(() => 1)]);
  return Int32Array.from([...kept, ...strides.flat()]);
}

/** The strides of an operand that broadcasts to `shape`: 0 along axes that it repeats. */
export function broadcastStrides(operand: readonly number[], shape: readonly number[]): number[] {
  const own = stridesOf(operand);
  const offset = shape.length - operand.length;
  return shape.map((_, axis) => {
    const at = axis - offset;
    return at < 0 || operand[at] === 1 ? 0 : own[at]!;
  });
}
