/** tfjs's kernels that move values without computing: transpose, slice, concat, gather, one-hot, sums by segment. */
import { backend_util, slice_util, util } from "@tensorflow/tfjs-core";
import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { Cells, NativeBinding } from "../addon/binding.js";
import { isCellType, type NativeBackend } from "../backend/native-backend.js";
import { areCells, areFloats, type NativeBodies } from "./native-kernel.js";
import { axisOf, packedAxes, sizeOf, stridesOf } from "./shapes.js";

/** Adjacent values up to this many are copied by JavaScript before a call of the addon has begun. */
const shortRun = 4096;

/** A tensor of `shape` whose entries are x's at `offset` and `strides` apart along `lengths`. */
function copied(
  binding: NativeBinding,
  backend: NativeBackend,
  x: TensorInfo,
  shape: readonly number[],
  lengths: readonly number[],
  strides: readonly number[],
  offset: number,
): { info: TensorInfo; cells: Cells } {
  if (!isCellType(x.dtype)) throw new TypeError(`tensors of ${x.dtype} are not moved by native kernels`);
  const y = backend.makeCells(shape, x.dtype);
  if (y.cells.length === 0) return y;
  const axes = packedAxes(lengths, strides);
  const from = backend.cells(x);
  const isOneRun = axes.length === 2 && axes[1] === 1;
  if (isOneRun && y.cells.length <= shortRun) y.cells.set(from.subarray(offset, offset + y.cells.length));
  else binding.copyStrided(axes, offset, from, y.cells);
  return y;
}

/** x with its axes in another order; no size may be 0. */
export function permuted(
  binding: NativeBinding,
  backend: NativeBackend,
  x: TensorInfo,
  order: readonly number[],
): { info: TensorInfo; cells: Cells } {
  const strides = stridesOf(x.shape);
  const shape = order.map((axis) => x.shape[axis]!);
  const steps = order.map((axis) => strides[axis]!);
  return copied(binding, backend, x, shape, shape, steps, 0);
}

/** The part of x that begins at `begin`, of `size`, as a tensor of `shape`. */
function sliced(
  binding: NativeBinding,
  backend: NativeBackend,
  x: TensorInfo,
  begin: readonly number[],
  size: readonly number[],
  shape = size,
): TensorInfo {
  const strides = stridesOf(x.shape);
  const offset = sizeOf(size) === 0 ? 0 : begin.reduce((sum, at, axis) => sum + at * strides[axis]!, 0);
  return copied(binding, backend, x, shape, size, strides, offset).info;
}

/** Parts side by side along `axis` of what they make together, a tensor of `shape`. */
function joined(
  binding: NativeBinding,
  backend: NativeBackend,
  parts: readonly TensorInfo[],
  shape: readonly number[],
  axis: number,
): TensorInfo | undefined {
  const { dtype } = parts[0]!;
  if (!isCellType(dtype)) return undefined;
  const y = backend.makeCells(shape, dtype);
  if (y.cells.length === 0) return y.info;
  const outer = sizeOf(shape.slice(0, axis));
  if (outer === 1 && y.cells.length <= shortRun) {
    let place = 0;
    for (const part of parts) {
      const values = backend.cells(part);
      y.cells.set(values, place);
      place += values.length;
    }
  } else {
    binding.concat(
      outer,
      parts.map((part) => backend.cells(part)),
      y.cells,
    );
  }
  return y.info;
}

export const arrangementKernels: NativeBodies = {
  Transpose(binding, backend, { x }, attributes) {
    if (!areCells(x!) || x!.shape.length === 0) return undefined;
    return permuted(binding, backend, x!, attributes["perm"] as number[]).info;
  },

  Slice(binding, backend, { x }, attributes) {
    if (!areCells(x!) || x!.shape.length === 0) return undefined;
    const { begin, size } = attributes as { begin: number | number[]; size: number | number[] };
    const [from, lengths] = slice_util.parseSliceParams(x!, begin, size) as [number[], number[]];
    slice_util.assertParamsValid(x!, from, lengths);
    return sliced(binding, backend, x!, from, lengths);
  },

  StridedSlice(binding, backend, { x }, attributes) {
    if (!areCells(x!) || x!.shape.length === 0) return undefined;
    const given = attributes as Record<"begin" | "end" | "strides", number[]> &
      Record<"beginMask" | "endMask" | "ellipsisMask" | "newAxisMask" | "shrinkAxisMask", number>;
    const { begin, end, strides: steps, beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask } = given;
    const info = slice_util.sliceInfo(
      x!.shape,
      begin,
      end,
      steps,
      beginMask,
      endMask,
      ellipsisMask,
      newAxisMask,
      shrinkAxisMask,
    );
    // A part in one piece has a way of its own in tfjs, which ends in Slice.
    if (info.isIdentity || info.sliceDim0 || info.isSimpleSlice) return undefined;
    const strides = stridesOf(x!.shape);
    const lengths = info.finalShapeSparse;
    const offset = info.begin.reduce((sum, at, axis) => sum + at * strides[axis]!, 0);
    const apart = strides.map((stride, axis) => stride * info.strides[axis]!);
    return copied(binding, backend, x!, info.finalShape, lengths, apart, offset).info;
  },

  Concat(binding, backend, inputs, attributes) {
    const parts = Object.values(inputs);
    if (parts.length < 2 || !areCells(...parts)) return undefined;
    const axis = axisOf(attributes["axis"] as number, parts[0]!.shape);
    const shapes = parts.map(({ shape }) => shape);
    backend_util.assertParamsConsistent(shapes, axis);
    return joined(binding, backend, parts, backend_util.computeOutShape(shapes, axis), axis);
  },

  Pack(binding, backend, inputs, attributes) {
    const parts = Object.values(inputs);
    const [first] = parts;
    if (parts.length < 2 || !areCells(...parts)) return undefined;
    parts.forEach(({ shape }) =>
      util.assertShapesMatch(first!.shape, shape, "All tensors passed to stack must have matching shapes"),
    );
    const given = attributes["axis"] as number;
    const axis = given < 0 ? given + first!.shape.length + 1 : given;
    return joined(binding, backend, parts, first!.shape.toSpliced(axis, 0, parts.length), axis);
  },

  Unpack(binding, backend, { value }, attributes) {
    if (!areCells(value!)) return undefined;
    const given = attributes["axis"] as number;
    const axis = given < 0 ? given + value!.shape.length : given;
    const shape = value!.shape.filter((_, at) => at !== axis);
    return Array.from({ length: value!.shape[axis]! }, (_, entry) => {
      const begin = value!.shape.map((_, at) => (at === axis ? entry : 0));
      return sliced(binding, backend, value!, begin, value!.shape.with(axis, 1), shape);
    });
  },

  SplitV(binding, backend, { x }, attributes) {
    if (!areCells(x!)) return undefined;
    const { numOrSizeSplits, axis } = attributes as { numOrSizeSplits: number | number[]; axis: number };
    const at = axisOf(axis, x!.shape);
    let from = 0;
    return backend_util.prepareSplitSize(x as never, numOrSizeSplits, at).map((length) => {
      const begin = x!.shape.map((_, other) => (other === at ? from : 0));
      from += length;
      return sliced(binding, backend, x!, begin, x!.shape.with(at, length));
    });
  },

  PadV2(binding, backend, { x }, attributes) {
    const { paddings, constantValue } = attributes as { paddings: [number, number][]; constantValue: number };
    const { dtype, shape: inner } = x!;
    if (!isCellType(dtype) || inner.length === 0 || !(dtype === "float32" || Number.isInteger(constantValue))) {
      return undefined;
    }
    const shape = paddings.map(([before, after], axis) => before + inner[axis]! + after);
    const y = backend.makeCells(shape, dtype);
    if (sizeOf(inner) === 0) {
      y.cells.fill(constantValue);
      return y.info;
    }
    const strides = stridesOf(shape);
    const offset = paddings.reduce((sum, [before], axis) => sum + before * strides[axis]!, 0);
    binding.pad(packedAxes(inner, strides), offset, constantValue, backend.cells(x!), y.cells);
    return y.info;
  },

  Tile(binding, backend, { x }, attributes) {
    if (!areCells(x!)) return undefined;
    const reps = attributes["reps"] as number[];
    const strides = stridesOf(x!.shape);
    const shape = x!.shape.map((length, axis) => length * reps[axis]!);
    const lengths = x!.shape.flatMap((length, axis) => [reps[axis]!, length]);
    const apart = strides.flatMap((stride) => [0, stride]);
    return copied(binding, backend, x!, shape, lengths, apart, 0).info;
  },

  Reverse(binding, backend, { x }, attributes) {
    if (!areCells(x!) || x!.shape.length === 0) return undefined;
    const turned = new Set(util.parseAxisParam(attributes["dims"] as number | number[], x!.shape));
    const strides = stridesOf(x!.shape);
    const offset = [...turned].reduce((sum, axis) => sum + (x!.shape[axis]! - 1) * strides[axis]!, 0);
    const apart = strides.map((stride, axis) => (turned.has(axis) ? -stride : stride));
    return copied(binding, backend, x!, x!.shape, x!.shape, apart, offset).info;
  },

  GatherV2(binding, backend, { x, indices }, attributes) {
    const { axis, batchDims } = attributes as { axis: number; batchDims?: number };
    const { dtype } = x!;
    if (!isCellType(dtype) || indices!.dtype !== "int32" || batchDims) return undefined;
    if (sizeOf(x!.shape) === 0 || sizeOf(indices!.shape) === 0) return undefined;
    const at = axisOf(axis, x!.shape);
    const before = x!.shape.slice(0, at);
    const after = x!.shape.slice(at + 1);
    const y = backend.makeCells([...before, ...indices!.shape, ...after], dtype);
    const list = backend.integers(indices!);
    binding.gather(sizeOf(before), x!.shape[at]!, sizeOf(after), backend.cells(x!), list, y.cells);
    return y.info;
  },

  Select(binding, backend, { condition, t, e }) {
    const { dtype, shape } = t!;
    if (!isCellType(dtype) || e!.dtype !== dtype || condition!.dtype !== "bool") return undefined;
    if (sizeOf(condition!.shape) !== sizeOf(shape) || sizeOf(e!.shape) !== sizeOf(shape)) return undefined;
    const y = backend.makeCells(shape, dtype);
    binding.select(backend.cells(condition!) as Uint8Array, backend.cells(t!), backend.cells(e!), y.cells);
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
