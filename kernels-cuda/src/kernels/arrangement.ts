/** tfjs's kernels that move values without computing: transpose, slice, concat, gather, one-hot, sums by segment. */
import { backend_util, slice_util, util } from "@tensorflow/tfjs-core";
import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { NativeBinding } from "../addon/binding.js";
import type { NativeBackend } from "../backend/native-backend.js";
import { areFloats, sizeOf, type NativeBodies } from "./native-kernel.js";

/** How far apart the entries along each axis are. */
function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis]!;
  }
  return strides;
}

/** x with its axes in another order; no size may be 0. */
export function permuted(
  binding: NativeBinding,
  backend: NativeBackend,
  x: TensorInfo,
  order: readonly number[],
): { info: TensorInfo; floats: Float32Array } {
  const strides = stridesOf(x.shape);
  const shape = order.map((axis) => x.shape[axis]!);
  const y = backend.makeFloats(shape);
  // Axes that stay neighbours are one axis, axes of one entry none.
  const axes: number[] = [];
  const steps: number[] = [];
  order.forEach((axis) => {
    const length = x.shape[axis]!;
    if (length === 1) return;
    if (axes.length > 0 && steps.at(-1) === strides[axis]! * length) {
      axes[axes.length - 1]! *= length;
      steps[steps.length - 1] = strides[axis]!;
    } else {
      axes.push(length);
      steps.push(strides[axis]!);
    }
  });
  if (axes.length === 0) {
    axes.push(1);
    steps.push(1);
  }
  binding.copyStrided(axes, steps, 0, backend.floats(x), y.floats);
  return y;
}

export const arrangementKernels: NativeBodies = {
  Transpose(binding, backend, { x }, attributes) {
    if (!areFloats(x!) || x!.shape.length === 0 || sizeOf(x!.shape) === 0) return undefined;
    return permuted(binding, backend, x!, attributes["perm"] as number[]).info;
  },

  Slice(binding, backend, { x }, attributes) {
    if (!areFloats(x!) || x!.shape.length === 0) return undefined;
    const { begin, size } = attributes as { begin: number | number[]; size: number | number[] };
    const [from, lengths] = slice_util.parseSliceParams(x!, begin, size) as [number[], number[]];
    slice_util.assertParamsValid(x!, from, lengths);
    if (sizeOf(lengths) === 0) return undefined;
    const strides = stridesOf(x!.shape);
    const offset = from.reduce((sum, at, axis) => sum + at * strides[axis]!, 0);
    const y = backend.makeFloats(lengths);
    binding.copyStrided(lengths, strides, offset, backend.floats(x!), y.floats);
    return y.info;
  },

  Concat(binding, backend, inputs, attributes) {
    const parts = Object.values(inputs);
    if (parts.length < 2 || !areFloats(...parts) || parts.some(({ shape }) => sizeOf(shape) === 0)) return undefined;
    const axis = util.parseAxisParam(attributes["axis"] as number, parts[0]!.shape)[0]!;
    const shapes = parts.map(({ shape }) => shape);
    backend_util.assertParamsConsistent(shapes, axis);
    const y = backend.makeFloats(backend_util.computeOutShape(shapes, axis));
    const outer = sizeOf(parts[0]!.shape.slice(0, axis));
    binding.concat(
      outer,
      parts.map((part) => backend.floats(part)),
      shapes.map((shape) => sizeOf(shape.slice(axis))),
      y.floats,
    );
    return y.info;
  },

  GatherV2(binding, backend, { x, indices }, attributes) {
    const { axis, batchDims } = attributes as { axis: number; batchDims?: number };
    if (!areFloats(x!) || indices!.dtype !== "int32" || batchDims) return undefined;
    if (sizeOf(x!.shape) === 0 || sizeOf(indices!.shape) === 0) return undefined;
    const at = util.parseAxisParam(axis, x!.shape)[0]!;
    const before = x!.shape.slice(0, at);
    const after = x!.shape.slice(at + 1);
    const y = backend.makeFloats([...before, ...indices!.shape, ...after]);
    const list = backend.integers(indices!);
    binding.gather(sizeOf(before), x!.shape[at]!, sizeOf(after), backend.floats(x!), list, y.floats);
    return y.info;
  },

  UnsortedSegmentSum(binding, backend, { x, segmentIds }, attributes) {
    const segments = attributes["numSegments"] as number;
    if (!areFloats(x!) || segmentIds!.dtype !== "int32" || segmentIds!.shape.length !== 1) return undefined;
    const count = segmentIds!.shape[0]!;
    if (sizeOf(x!.shape) === 0 || segments < 1 || x!.shape[0] !== count) return undefined;
    const inner = x!.shape.slice(1);
    const y = backend.makeFloats([segments, ...inner]);
    const ids = backend.integers(segmentIds!);
    binding.segmentSum(count, sizeOf(inner), segments, backend.floats(x!), ids, y.floats);
    return y.info;
  },

  ScatterNd(binding, backend, { indices, updates }, attributes) {
    const shape = attributes["shape"] as number[];
    if (!areFloats(updates!) || indices!.dtype !== "int32") return undefined;
    if (sizeOf(shape) === 0 || sizeOf(indices!.shape) === 0 || sizeOf(updates!.shape) === 0) return undefined;
    const { sliceRank, numUpdates, sliceSize, strides, outputSize } = backend_util.calculateShapes(
      updates!,
      indices!,
      shape,
    );
    // Each tuple of indices as the number of the slice it names; the slices are then sums by segment.
    const list = backend.integers(indices!);
    const ids = new Int32Array(numUpdates);
    for (let row = 0; row < numUpdates; row++) {
      let id = 0;
      for (let axis = 0; axis < sliceRank; axis++) {
        const index = list[row * sliceRank + axis]!;
        // tfjs's kernel has the message for an index that is outside.
        if (index < 0 || index >= shape[axis]!) return undefined;
        id += index * strides[axis]!;
      }
      ids[row] = id;
    }
    const y = backend.makeFloats(shape);
    const values = backend.floats(updates!);
    binding.segmentSum(numUpdates, sliceSize, outputSize / sliceSize, values, ids, y.floats);
    return y.info;
  },

  OneHot(binding, backend, { indices }, attributes) {
    const { dtype, depth, onValue, offValue } = attributes as {
      dtype: string;
      depth: number;
      onValue: number;
      offValue: number;
    };
    if (dtype !== "float32" || indices!.dtype !== "int32" || !(depth >= 1)) return undefined;
    const y = backend.makeFloats([...indices!.shape, depth]);
    binding.oneHot(depth, onValue, offValue, backend.integers(indices!), y.floats);
    return y.info;
  },
};
