/** tfjs's sums, means and extrema over axes, softmax, cumulative sums and the largest k, on float32 tensors. */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { NativeBinding } from "../addon/binding.js";
import type { NativeBackend } from "../backend/native-backend.js";
import { permuted } from "./arrangement.js";
import { areFloats, type Attributes, type NativeBodies, type NativeBody } from "./native-kernel.js";
import { axisOf, sizeOf } from "./shapes.js";

/** In the order of `Reduction` in `cpp/tfjs/tensor_kernels.h`. */
const functions = { Sum: 0, Mean: 0, Max: 1, Min: 2 } as const;

function reduction(name: keyof typeof functions): NativeBody {
  return (binding, backend, { x }, attributes) => {
    if (!x || !areFloats(x) || sizeOf(x.shape) === 0 || x.shape.length === 0) return undefined;
    // tfjs names them in two ways.
    const axes = ascending((attributes["axis"] ?? attributes["reductionIndices"]) as Axes, x.shape);
    if (axes.length === 0 || axes.some((axis, i) => axis === axes[i - 1])) return undefined;
    return reduced(binding, backend, x, axes, name, attributes);
  };
}

/** One axis, several, or all. */
type Axes = number | number[] | null | undefined;

function ascending(axes: Axes, shape: readonly number[]): number[] {
  if (typeof axes === "number") return [axisOf(axes, shape)];
  if (!axes) return shape.map((_, axis) => axis);
  return axes.map((axis) => axisOf(axis, shape)).sort((a, b) => a - b);
}

function reduced(
  binding: NativeBinding,
  backend: NativeBackend,
  x: TensorInfo,
  axes: number[],
  name: keyof typeof functions,
  attributes: Attributes,
): TensorInfo {
  // Of what lies before the reduced axes, of these, and of all others.
  let outer = 1;
  let length = 1;
  let inner = 1;
  const shape: number[] = [];
  for (let axis = 0; axis < x.shape.length; axis++) {
    const size = x.shape[axis]!;
    if (axes.includes(axis)) {
      length *= size;
      if (attributes["keepDims"]) shape.push(1);
      continue;
    }
    if (axis < axes[0]!) outer *= size;
    else inner *= size;
    shape.push(size);
  }
  const y = backend.makeFloats(shape);
  const scale = name === "Mean" ? 1 / length : 1;
  if (axes.at(-1)! - axes[0]! + 1 === axes.length) {
    binding.reduce(functions[name], outer, length, inner, backend.floats(x), y.floats, scale);
    return y.info;
  }
  const others = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const rows = permuted(binding, backend, x, [...others, ...axes]);
  binding.reduce(functions[name], outer * inner, length, 1, rows.cells as Float32Array, y.floats, scale);
  backend.disposeIntermediateTensorInfo(rows.info);
  return y.info;
}

/** `ArgMax` and `ArgMin`. */
function extremumPlace(most: boolean): NativeBody {
  return (binding, backend, { x }, attributes) => {
    if (!x || !areFloats(x) || sizeOf(x.shape) === 0 || x.shape.length === 0) return undefined;
    const axis = axisOf(attributes["axis"] as number, x.shape);
    const y = backend.makeCells(x.shape.toSpliced(axis, 1), "int32");
    const outer = sizeOf(x.shape.slice(0, axis));
    const inner = sizeOf(x.shape.slice(axis + 1));
    binding.extremumPlaces(most, outer, x.shape[axis]!, inner, backend.floats(x), y.cells as Int32Array);
    return y.info;
  };
}

export const reductionKernels: NativeBodies = {
  Sum: reduction("Sum"),
  Mean: reduction("Mean"),
  Max: reduction("Max"),
  Min: reduction("Min"),
  ArgMax: extremumPlace(true),
  ArgMin: extremumPlace(false),

  Softmax(binding, backend, { logits }, attributes) {
    const rank = logits!.shape.length;
    const dim = attributes["dim"] as number;
    if (!areFloats(logits!) || rank === 0 || (dim !== -1 && dim !== rank - 1) || sizeOf(logits!.shape) === 0) {
      return undefined;
    }
    const width = logits!.shape.at(-1)!;
    const y = backend.makeFloats(logits!.shape);
    binding.softmax(sizeOf(logits!.shape) / width, width, backend.floats(logits!), y.floats);
    return y.info;
  },

  Cumsum(binding, backend, { x }, attributes) {
    const { axis, exclusive, reverse } = attributes as { axis: number; exclusive: boolean; reverse: boolean };
    if (!areFloats(x!) || x!.shape.length === 0 || sizeOf(x!.shape) === 0) return undefined;
    if (axisOf(axis, x!.shape) !== x!.shape.length - 1) return undefined;
    const width = x!.shape.at(-1)!;
    const y = backend.makeFloats(x!.shape);
    const rows = sizeOf(x!.shape) / width;
    binding.cumsum(rows, width, Boolean(exclusive), Boolean(reverse), backend.floats(x!), y.floats);
    return y.info;
  },

  TopK(binding, backend, { x }, attributes) {
    const k = attributes["k"] as number;
    const width = x!.shape.at(-1) ?? 0;
    if (!areFloats(x!) || !(k >= 1 && k <= width) || sizeOf(x!.shape) === 0) return undefined;
    const shape = [...x!.shape.slice(0, -1), k];
    const rows = sizeOf(x!.shape) / width;
    const values = backend.makeFloats(shape);
    const indices = new Int32Array(rows * k);
    binding.topK(rows, width, k, backend.floats(x!), values.floats, indices);
    return [values.info, backend.makeTensorInfo(shape, "int32", indices)];
  },
};
