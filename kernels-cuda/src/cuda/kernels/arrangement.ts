/** tfjs's kernels that move values without computing. */
import { backend_util, slice_util, util, type TensorInfo } from "@tensorflow/tfjs-core";
import type { CudaBodies } from "../cuda-kernel.js";
import type { CudaBackend, Made } from "../cuda-backend.js";
import type { CudaBinding } from "../addon/binding.js";
import { addressOf, areAll, bytesOf, filled, typeNumber } from "./device-tensors.js";
import { packedAxes, sizeOf, stridesOf } from "../../kernels/shapes.js";
import { isDeviceType, type DeviceType } from "../tensor-entry.js";

/** x with its axes in another order. */
export function permuted(binding: CudaBinding, backend: CudaBackend, x: TensorInfo, order: readonly number[]): Made {
  const strides = stridesOf(x.shape);
  const shape = order.map((axis) => x.shape[axis]!);
  const y = backend.make(shape, x.dtype as DeviceType);
  if (sizeOf(shape) === 0) return y;
  const axes = packedAxes(
    shape,
    order.map((axis) => strides[axis]!),
    stridesOf(shape),
  );
  binding.transpose(bytesOf(x.dtype), axes, addressOf(backend, x), y.address);
  return y;
}

/** The values of x that `lengths` and `strides` reach from `offset` on, as a tensor of this shape. */
function copied(
  binding: CudaBinding,
  backend: CudaBackend,
  x: TensorInfo,
  shape: number[],
  lengths: readonly number[],
  strides: readonly number[],
  offset: number,
): TensorInfo {
  const y = backend.make(shape, x.dtype as DeviceType);
  if (sizeOf(shape) === 0) return y.info;
  const axes = packedAxes(lengths, strides, stridesOf(lengths));
  binding.copyAxes(bytesOf(x.dtype), axes, offset, 0, addressOf(backend, x), y.address);
  return y.info;
}

/** A part of x. */
function sliced(
  binding: CudaBinding,
  backend: CudaBackend,
  x: TensorInfo,
  begin: readonly number[],
  size: readonly number[],
  shape = [...size],
): TensorInfo {
  const strides = stridesOf(x.shape);
  const offset = begin.reduce((sum, at, axis) => sum + at * strides[axis]!, 0);
  return copied(binding, backend, x, shape, size, strides, offset);
}

/** Tensors one after the other along an axis; `shapes` are theirs, seen with that axis. */
function joined(
  binding: CudaBinding,
  backend: CudaBackend,
  parts: readonly TensorInfo[],
  shapes: number[][],
  axis: number,
): TensorInfo {
  const shape = backend_util.computeOutShape(shapes, axis);
  const y = backend.make(shape, parts[0]!.dtype as DeviceType);
  const row = sizeOf(shape.slice(axis));
  let offset = 0;
  parts.forEach((part, i) => {
    const width = sizeOf(shapes[i]!.slice(axis));
    const outer = sizeOf(shapes[i]!.slice(0, axis));
    if (outer * width > 0) {
      const axes = packedAxes([outer, width], [width, 1], [row, 1]);
      binding.copyAxes(bytesOf(part.dtype), axes, 0, offset, addressOf(backend, part), y.address);
    }
    offset += width;
  });
  return y.info;
}

export const arrangementKernels: CudaBodies = {
  ExpandDims(_, backend, { input }, { dim }) {
    const rank = input!.shape.length;
    const at = dim as number;
    util.assert(-(rank + 1) <= at && at <= rank, () => `Axis must be in the interval [${-(rank + 1)}, ${rank}]`);
    return backend.view(input!, input!.shape.toSpliced(at < 0 ? rank + at + 1 : at, 0, 1));
  },

  Transpose(binding, backend, { x }, { perm }) {
    return x && isDeviceType(x.dtype) ? permuted(binding, backend, x, perm as number[]).info : undefined;
  },

  Slice(binding, backend, { x }, attributes) {
    if (!x || !isDeviceType(x.dtype)) return undefined;
    const { begin, size } = attributes as { begin: number | number[]; size: number | number[] };
    const [from, lengths] = slice_util.parseSliceParams(x, begin, size) as [number[], number[]];
    slice_util.assertParamsValid(x, from, lengths);
    return sliced(binding, backend, x, from, lengths);
  },

  StridedSlice(binding, backend, { x }, attributes) {
    if (!x || !isDeviceType(x.dtype)) return undefined;
    const a = attributes as Record<"begin" | "end" | "strides", number[]> &
      Record<"beginMask" | "endMask" | "ellipsisMask" | "newAxisMask" | "shrinkAxisMask", number>;
    const info = slice_util.sliceInfo(
      x.shape,
      a.begin,
      a.end,
      a.strides,
      a.beginMask,
      a.endMask,
      a.ellipsisMask,
      a.newAxisMask,
      a.shrinkAxisMask,
    );
    if (info.isIdentity) return backend.view(x, info.finalShape);
    const lengths =
      info.sliceDim0 || info.isSimpleSlice
        ? slice_util.computeOutShape(info.begin, info.end, info.strides)
        : info.finalShapeSparse;
    const strides = stridesOf(x.shape);
    const offset = info.begin.reduce((sum, at, axis) => sum + at * strides[axis]!, 0);
    return copied(
      binding,
      backend,
      x,
      info.finalShape,
      lengths,
      strides.map((stride, axis) => stride * info.strides[axis]!),
      offset,
    );
  },

  Concat(binding, backend, inputs, attributes) {
    const parts = Object.values(inputs);
    const [first] = parts;
    if (!first || !isDeviceType(first.dtype) || !areAll(first.dtype, ...parts)) return undefined;
    const axis = util.parseAxisParam(attributes["axis"] as number, first.shape)[0]!;
    const shapes = parts.map(({ shape }) => shape);
    backend_util.assertParamsConsistent(shapes, axis);
    return joined(binding, backend, parts, shapes, axis);
  },

  Pack(binding, backend, inputs, attributes) {
    const parts = Object.values(inputs);
    const [first] = parts;
    if (!first || !isDeviceType(first.dtype) || !areAll(first.dtype, ...parts)) return undefined;
    parts.forEach(({ shape }) =>
      util.assertShapesMatch(first.shape, shape, "All tensors passed to stack must have matching shapes"),
    );
    const given = attributes["axis"] as number;
    const axis = given < 0 ? given + first.shape.length + 1 : given;
    const shapes = parts.map(({ shape }) => [...shape.slice(0, axis), 1, ...shape.slice(axis)]);
    return joined(binding, backend, parts, shapes, axis);
  },

  Unpack(binding, backend, { value }, attributes) {
    if (!value || !isDeviceType(value.dtype)) return undefined;
    const given = attributes["axis"] as number;
    const axis = given < 0 ? given + value.shape.length : given;
    const shape = value.shape.filter((_, at) => at !== axis);
    return Array.from({ length: value.shape[axis]! }, (_, entry) => {
      const begin = value.shape.map((_, at) => (at === axis ? entry : 0));
      return sliced(binding, backend, value, begin, value.shape.with(axis, 1), [...shape]);
    });
  },

  SplitV(binding, backend, { x }, attributes) {
    if (!x || !isDeviceType(x.dtype)) return undefined;
    const { numOrSizeSplits, axis } = attributes as { numOrSizeSplits: number | number[]; axis: number };
    const at = util.parseAxisParam(axis, x.shape)[0]!;
    let from = 0;
    return backend_util.prepareSplitSize(x as never, numOrSizeSplits, at).map((length) => {
      const begin = x.shape.map((_, other) => (other === at ? from : 0));
      from += length;
      return sliced(binding, backend, x, begin, x.shape.with(at, length));
    });
  },

  PadV2(binding, backend, { x }, attributes) {
    if (!x || !isDeviceType(x.dtype)) return undefined;
    const { paddings, constantValue } = attributes as { paddings: [number, number][]; constantValue: number };
    const shape = paddings.map(([before, after], axis) => before + x.shape[axis]! + after);
    if (sizeOf(x.shape) === 0) return filled(binding, backend, shape, x.dtype, constantValue).info;
    const y = backend.make(shape, x.dtype);
    const axes = Int32Array.from([...shape, ...stridesOf(x.shape)]);
    const bounds = Int32Array.from([...paddings.map(([before]) => before), ...x.shape]);
    binding.pad(typeNumber(x.dtype), axes, bounds, addressOf(backend, x), constantValue, y.address);
    return y.info;
  },

  Tile(binding, backend, { x }, attributes) {
    if (!x || !isDeviceType(x.dtype)) return undefined;
    const reps = attributes["reps"] as number[];
    const strides = stridesOf(x.shape);
    const lengths = x.shape.flatMap((length, axis) => [reps[axis]!, length]);
    return copied(
      binding,
      backend,
      x,
      x.shape.map((length, axis) => length * reps[axis]!),
      lengths,
      strides.flatMap((stride) => [0, stride]),
      0,
    );
  },

  Reverse(binding, backend, { x }, attributes) {
    if (!x || !isDeviceType(x.dtype)) return undefined;
    const dims = util.parseAxisParam(attributes["dims"] as number | number[], x.shape);
    const strides = stridesOf(x.shape);
    const turned = new Set(x.shape.length === 0 ? [] : dims);
    const offset = [...turned].reduce((sum, axis) => sum + (x.shape[axis]! - 1) * strides[axis]!, 0);
    return copied(
      binding,
      backend,
      x,
      [...x.shape],
      x.shape,
      strides.map((stride, axis) => (turned.has(axis) ? -stride : stride)),
      Math.max(0, offset),
    );
  },
};
