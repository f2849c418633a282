/** tfjs's gathering and scattering by indices, and tensors that are made from nothing but numbers. */
import { backend_util, util, type DataType, type TensorInfo } from "@tensorflow/tfjs-core";
import type { CudaBodies } from "../cuda-kernel.js";
import type { CudaBackend, Made } from "../cuda-backend.js";
import type { CudaBinding } from "../addon/binding.js";
import { addressOf, bytesOf, filled, typeNumber } from "./device-tensors.js";
import { sizeOf, stridesOf } from "../../kernels/shapes.js";
import { isDeviceType } from "../tensor-entry.js";

/** The numbers that rows of indices `[count, depth]` have in a tensor of this shape, −1 where they have none. */
function rowNumbers(
  binding: CudaBinding,
  backend: CudaBackend,
  indices: TensorInfo,
  count: number,
  shape: readonly number[],
): Made {
  const rows = backend.make([count], "int32");
  const axes = Int32Array.from([...shape, ...stridesOf(shape)]);
  if (count > 0) binding.rowNumbers(count, axes, addressOf(backend, indices), rows.address);
  return rows;
}

/**
 * Throws as tfjs does for an index that is none, where that can be seen without waiting for the GPU: in a tensor that has
 * not gone there yet. An index on the GPU that is none gives zeros.
 */
function requireIndices(backend: CudaBackend, indices: TensorInfo, rows: number): void {
  if (!backend.isOnHost(indices)) return;
  for (const index of backend.readSync(indices.dataId) as Int32Array) {
    if (index >= 0 && index < rows) continue;
    throw new RangeError(`GatherV2: the index value ${index} is not in [0, ${rows - 1}]`);
  }
}

export const indexingKernels: CudaBodies = {
  GatherV2(binding, backend, { x, indices }, attributes) {
    const { axis, batchDims = 0 } = attributes as { axis: number; batchDims?: number };
    if (!x || !isDeviceType(x.dtype) || indices?.dtype !== "int32") return undefined;
    const at = util.parseAxisParam(axis, x.shape)[0]!;
    const info = backend_util.segment_util.collectGatherOpShapeInfo(x, indices, at, batchDims);
    if (sizeOf(info.outputShape) === 0) return backend.make(info.outputShape, x.dtype).info;
    if (sizeOf(x.shape) === 0) return undefined;
    requireIndices(backend, indices, info.dimSize);
    const y = backend.make(info.outputShape, x.dtype);
    const count = sizeOf(indices.shape) / info.batchSize;
    binding.gather(
      bytesOf(x.dtype),
      info.batchSize,
      info.outerSize,
      info.dimSize,
      count,
      info.sliceSize,
      addressOf(backend, x),
      addressOf(backend, indices),
      y.address,
    );
    return y.info;
  },

  GatherNd(binding, backend, { params, indices }) {
    if (!params || !isDeviceType(params.dtype) || indices?.dtype !== "int32") return undefined;
    const [shape, count, width] = backend_util.prepareAndValidate(params, indices);
    if (sizeOf(params.shape) === 0) return undefined;
    const y = backend.make(shape, params.dtype);
    if (sizeOf(shape) === 0) return y.info;
    const depth = indices.shape.at(-1)!;
    const rows = rowNumbers(binding, backend, indices, count, params.shape.slice(0, depth));
    const entries = sizeOf(params.shape) / width;
    const operands = [addressOf(backend, params), rows.address, y.address] as const;
    binding.gather(bytesOf(params.dtype), 1, 1, entries, count, width, ...operands);
    backend.disposeIntermediateTensorInfo(rows.info);
    return y.info;
  },

  ScatterNd(binding, backend, { indices, updates }, attributes) {
    const shape = attributes["shape"] as number[];
    if (!updates || (updates.dtype !== "float32" && updates.dtype !== "int32") || indices?.dtype !== "int32") {
      return undefined;
    }
    const { sliceRank, numUpdates, sliceSize } = backend_util.calculateShapes(updates, indices, shape);
    const y = backend.make(shape, updates.dtype);
    if (sizeOf(shape) === 0) return y.info;
    const rows = rowNumbers(binding, backend, indices, numUpdates, shape.slice(0, sliceRank));
    const operands = [addressOf(backend, updates), rows.address, y.address] as const;
    const segments = sizeOf(shape) / sliceSize;
    binding.segmentSum(typeNumber(updates.dtype), numUpdates, sliceSize, segments, ...operands);
    backend.disposeIntermediateTensorInfo(rows.info);
    return y.info;
  },

  UnsortedSegmentSum(binding, backend, { x, segmentIds }, attributes) {
    const segments = attributes["numSegments"] as number;
    if (!x || (x.dtype !== "float32" && x.dtype !== "int32") || segmentIds?.dtype !== "int32") return undefined;
    const count = x.shape[0];
    if (segmentIds.shape.length !== 1 || segmentIds.shape[0] !== count) return undefined;
    const inner = x.shape.slice(1);
    const y = backend.make([segments, ...inner], x.dtype);
    if (segments * sizeOf(inner) === 0) return y.info;
    const operands = [addressOf(backend, x), addressOf(backend, segmentIds), y.address] as const;
    binding.segmentSum(typeNumber(x.dtype), count!, sizeOf(inner), segments, ...operands);
    return y.info;
  },

  OneHot(binding, backend, { indices }, attributes) {
    const { dtype, depth, onValue, offValue } = attributes as {
      dtype: DataType;
      depth: number;
      onValue: number;
      offValue: number;
    };
    if (indices?.dtype !== "int32" || !isDeviceType(dtype) || !(depth >= 1)) return undefined;
    const y = backend.make([...indices.shape, depth], dtype);
    const count = sizeOf(indices.shape);
    if (count === 0) return y.info;
    const operands = [addressOf(backend, indices), y.address] as const;
    binding.oneHot(typeNumber(dtype), count, depth, onValue, offValue, ...operands);
    return y.info;
  },

  Fill(binding, backend, _, attributes) {
    const { shape, value, dtype } = attributes as { shape: number[]; value: unknown; dtype?: DataType };
    if (typeof value !== "number" && typeof value !== "boolean") return undefined;
    const type = dtype ?? util.inferDtype(value);
    return isDeviceType(type) ? filled(binding, backend, shape, type, Number(value)).info : undefined;
  },

  ZerosLike: (binding, backend, { x }) =>
    x && isDeviceType(x.dtype) ? filled(binding, backend, x.shape, x.dtype, 0).info : undefined,
  OnesLike: (binding, backend, { x }) =>
    x && isDeviceType(x.dtype) ? filled(binding, backend, x.shape, x.dtype, 1).info : undefined,

  Range(binding, backend, _, attributes) {
    const { start, stop, step, dtype } = attributes as {
      start: number;
      stop: number;
      step: number;
      dtype: DataType;
    };
    if (dtype !== "float32" && dtype !== "int32") return undefined;
    const isEmpty = start === stop || (start < stop && step < 0) || (stop < start && step > 1);
    const count = isEmpty ? 0 : Math.abs(Math.ceil((stop - start) / step));
    const y = backend.make([count], dtype);
    // tfjs turns the step round that nobody gave.
    if (count > 0) binding.range(typeNumber(dtype), count, start, stop < start && step === 1 ? -1 : step, y.address);
    return y.info;
  },
};
