/** tfjs's sums, products and extrema over axes, softmax, running sums and the largest k. */
import { backend_util, util, type DataType, type TensorInfo } from "@tensorflow/tfjs-core";
import { permuted } from "./arrangement.js";
import type { CudaBodies, CudaBody } from "../cuda-kernel.js";
import type { CudaBackend } from "../cuda-backend.js";
import type { CudaBinding } from "../addon/binding.js";
import { addressOf, filled, typeNumber } from "./device-tensors.js";
import { sizeOf } from "../../kernels/shapes.js";
import type { DeviceType } from "../tensor-entry.js";
import { castTo } from "./unary.js";

/** By the numbers of `Reduction` in `cuda/tfjs/reduce.h`. */
const reductions = { Sum: 0, Mean: 0, Prod: 1, Max: 2, Min: 3, Any: 4, All: 5, ArgMax: 6, ArgMin: 7 } as const;
type Reduction = keyof typeof reductions;

/** `mostTopK` in `cuda/tfjs/top_k.h`. */
const mostTopK = 1024;

/** The type in which a reduction of this one is computed; undefined when tfjs's own computes it. */
function computedAs(name: Reduction, dtype: DataType): DeviceType | undefined {
  if (name === "Any" || name === "All") return dtype === "bool" ? "bool" : undefined;
  if (dtype === "float32") return "float32";
  if (dtype !== "int32" && dtype !== "bool") return undefined;
  if (name === "Mean") return "float32";
  // An extremum of truths is a truth in tfjs; its sum is a number.
  return dtype === "int32" || name === "Sum" || name === "Prod" ? "int32" : undefined;
}

/** What a reduction of nothing is. */
const ofNothing: Partial<Record<Reduction, number>> = { Sum: 0, Prod: 1, Mean: NaN };

function reduction(name: Reduction): CudaBody {
  return (binding, backend, { x }, attributes) => {
    const dtype = x && computedAs(name, x.dtype);
    if (!x || !dtype) return undefined;
    // tfjs names them in two ways.
    const asked = (attributes["axis"] ?? attributes["reductionIndices"]) as number | number[];
    let axes = util.parseAxisParam(asked, x.shape).sort((a, b) => a - b);
    if (name === "ArgMax" || name === "ArgMin") axes = axes.slice(0, 1);
    if (new Set(axes).size !== axes.length) return undefined;
    const [kept, lost] = backend_util.computeOutAndReduceShapes(x.shape, axes);
    const shape = attributes["keepDims"] ? backend_util.expandShapeToKeepDim(kept, axes) : kept;
    const resultType = name === "ArgMax" || name === "ArgMin" ? "int32" : dtype;
    if (sizeOf(kept) === 0) return backend.make(shape, resultType).info;
    if (sizeOf(lost) === 0) {
      const value = ofNothing[name];
      return value === undefined ? undefined : filled(binding, backend, shape, resultType, value).info;
    }
    const values = castTo(binding, backend, x, dtype);
    try {
      return reduced(binding, backend, values, axes, name, shape, resultType);
    } finally {
      backend.disposeIntermediateTensorInfo(values);
    }
  };
}

function reduced(
  binding: CudaBinding,
  backend: CudaBackend,
  x: TensorInfo,
  axes: readonly number[],
  name: Reduction,
  shape: number[],
  resultType: DeviceType,
): TensorInfo {
  const length = sizeOf(axes.map((axis) => x.shape[axis]!));
  const scale = name === "Mean" ? 1 / length : 1;
  // Axes of one entry do not keep others from being neighbours.
  const long = axes.filter((axis) => x.shape[axis] !== 1);
  const first = long[0] ?? 0;
  const last = long.at(-1) ?? -1;
  const areNeighbours = sizeOf(x.shape.slice(first, last + 1)) === length;
  const rows = areNeighbours ? undefined : rowsOver(binding, backend, x, axes);
  const outer = rows ? sizeOf(x.shape) / length : sizeOf(x.shape.slice(0, first));
  const inner = rows ? 1 : sizeOf(x.shape.slice(last + 1));
  const y = backend.make(shape, resultType);
  binding.reduce(
    reductions[name],
    typeNumber(x.dtype),
    outer,
    length,
    inner,
    addressOf(backend, rows ?? x),
    y.address,
    scale,
  );
  if (rows) backend.disposeIntermediateTensorInfo(rows);
  return y.info;
}

/** x with these axes last. */
function rowsOver(binding: CudaBinding, backend: CudaBackend, x: TensorInfo, axes: readonly number[]): TensorInfo {
  const others = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  return permuted(binding, backend, x, [...others, ...axes]).info;
}

/** By the numbers of `Scan` in `cuda/tfjs/scan.h`. */
function scan(number: number): CudaBody {
  return (binding, backend, { x }, attributes) => {
    const { axis, exclusive, reverse } = attributes as { axis: number; exclusive: boolean; reverse: boolean };
    if (!x || (x.dtype !== "float32" && x.dtype !== "int32")) return undefined;
    const y = backend.make(x.shape, x.dtype);
    if (sizeOf(x.shape) === 0) return y.info;
    const at = x.shape.length === 0 ? -1 : util.parseAxisParam(axis, x.shape)[0]!;
    binding.scan(
      number,
      typeNumber(x.dtype),
      at < 0 ? 1 : sizeOf(x.shape.slice(0, at)),
      x.shape[at] ?? 1,
      at < 0 ? 1 : sizeOf(x.shape.slice(at + 1)),
      Boolean(exclusive),
      Boolean(reverse),
      addressOf(backend, x),
      y.address,
    );
    return y.info;
  };
}

export const reductionKernels: CudaBodies = {
  ...Object.fromEntries((Object.keys(reductions) as Reduction[]).map((name) => [name, reduction(name)])),
  Cumsum: scan(0),
  Cumprod: scan(1),

  Softmax(binding, backend, { logits }, attributes) {
    const dim = attributes["dim"] as number;
    const rank = logits?.shape.length ?? 0;
    if (logits?.dtype !== "float32" || rank === 0 || (dim !== -1 && dim !== rank - 1)) return undefined;
    const y = backend.make(logits.shape, "float32");
    const width = logits.shape.at(-1)!;
    if (sizeOf(logits.shape) === 0) return y.info;
    binding.softmax(sizeOf(logits.shape) / width, width, addressOf(backend, logits), y.address);
    return y.info;
  },

  TopK(binding, backend, { x }, attributes) {
    const k = attributes["k"] as number;
    const width = x?.shape.at(-1) ?? 0;
    if (!x || (x.dtype !== "float32" && x.dtype !== "int32") || !(k >= 1 && k <= width && k <= mostTopK)) {
      return undefined;
    }
    const shape = [...x.shape.slice(0, -1), k];
    const values = backend.make(shape, x.dtype);
    const indices = backend.make(shape, "int32");
    const rows = sizeOf(x.shape) / width;
    if (rows > 0) {
      binding.topK(typeNumber(x.dtype), rows, width, k, addressOf(backend, x), values.address, indices.address);
    }
    return [values.info, indices.info];
  },
};
