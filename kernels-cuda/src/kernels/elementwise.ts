/** tfjs's functions of single elements, with broadcasting: arithmetic, comparisons, conversions. */
import type { DataType } from "@tensorflow/tfjs-core";
import type { NativeBinding } from "../addon/binding.js";
import { isCellType } from "../backend/native-backend.js";
import { comparisonNames } from "./comparison-names.js";
import { areCells, areFloats, type Attributes, type NativeBodies, type NativeBody } from "./native-kernel.js";
import { broadcastShape, broadcastStrides, packedAxes, sizeOf } from "./shapes.js";

/** In the order of `Unary` in `cpp/tfjs/tensor_kernels.h`. */
const unaryNames = [
  "Exp",
  "Log",
  "Sigmoid",
  "Tanh",
  "Relu",
  "Relu6",
  "LeakyRelu",
  "Elu",
  "Neg",
  "Abs",
  "Square",
  "Sqrt",
  "Rsqrt",
  "Reciprocal",
  "ClipByValue",
];

/** In the order of `Binary` there. */
const binaryNames = ["Add", "Sub", "Multiply", "RealDiv", "Maximum", "Minimum", "SquaredDifference"];

/** In the order of `IntegerBinary` there. */
const integerNames = ["Add", "Sub", "Multiply", "Maximum", "Minimum"];

/** The numbers that a function takes besides its element. */
function constants(name: string, attributes: Attributes): [number, number] {
  if (name === "LeakyRelu") return [attributes["alpha"] as number, 0];
  if (name === "ClipByValue") return [attributes["clipValueMin"] as number, attributes["clipValueMax"] as number];
  return [0, 0];
}

function unary(name: string, index: number): NativeBody {
  return (binding, backend, { x }, attributes) => {
    if (!x || !areFloats(x)) return undefined;
    const y = backend.makeFloats(x.shape);
    binding.unary(index, backend.floats(x), y.floats, ...constants(name, attributes));
    return y.info;
  };
}

/** The axes along which two operands broadcast to `shape`. */
function broadcastAxes(a: readonly number[], b: readonly number[], shape: readonly number[]): Int32Array {
  return packedAxes(shape, broadcastStrides(a, shape), broadcastStrides(b, shape));
}

function binary(name: string, index: number): NativeBody {
  const integer = integerNames.indexOf(name);
  return (binding, backend, { a, b }) => {
    if (!a || !b || a.dtype !== b.dtype) return undefined;
    if (a.dtype !== "float32" && !(a.dtype === "int32" && integer >= 0)) return undefined;
    const shape = broadcastShape(a.shape, b.shape);
    const size = sizeOf(shape);
    if (size === 0) return undefined;
    if (a.dtype === "float32") {
      const y = backend.makeFloats(shape);
      const [left, right] = [backend.floats(a), backend.floats(b)];
      if ((left.length === size || left.length === 1) && (right.length === size || right.length === 1)) {
        binding.binaryFlat(index, left, right, y.floats);
        return y.info;
      }
      binding.binary(index, broadcastAxes(a.shape, b.shape, shape), left, right, y.floats);
      return y.info;
    }
    const values = new Int32Array(size);
    const axes = broadcastAxes(a.shape, b.shape, shape);
    binding.integerBinary(integer, axes, backend.integers(a), backend.integers(b), values);
    return backend.makeTensorInfo(shape, "int32", values);
  };
}

function comparison(index: number): NativeBody {
  return (binding, backend, { a, b }) => {
    if (!a || !b || !areCells(a, b)) return undefined;
    const shape = broadcastShape(a.shape, b.shape);
    const values = new Uint8Array(sizeOf(shape));
    if (values.length > 0) {
      binding.compare(index, broadcastAxes(a.shape, b.shape, shape), backend.cells(a), backend.cells(b), values);
    }
    return backend.makeTensorInfo(shape, "bool", values);
  };
}

const notEqual = comparisonNames.indexOf("NotEqual");

/** Which values are not 0, NaN among them. */
function truths(binding: NativeBinding, x: Float32Array | Int32Array): Uint8Array {
  const values = new Uint8Array(x.length);
  const zero = x instanceof Float32Array ? new Float32Array(1) : new Int32Array(1);
  if (x.length > 0) binding.compare(notEqual, packedAxes([x.length], [1], [0]), x, zero, values);
  return values;
}

const addN: NativeBody = (binding, backend, inputs) => {
  const terms = Object.values(inputs);
  const [first, second, ...rest] = terms;
  if (!first || !second || !areFloats(...terms) || sizeOf(first.shape) === 0) return undefined;
  const y = backend.makeFloats(first.shape);
  const add = (a: Float32Array, b: Float32Array): void => binding.binaryFlat(0, a, b, y.floats);
  add(backend.floats(first), backend.floats(second));
  for (const term of rest) add(y.floats, backend.floats(term));
  return y.info;
};

/** A tensor of one value. */
const filled =
  (value: number): NativeBody =>
  (_, backend, { x }) => {
    if (!x || !areFloats(x)) return undefined;
    const y = backend.makeFloats(x.shape);
    y.floats.fill(value);
    return y.info;
  };

export const elementwiseKernels: NativeBodies = {
  ...Object.fromEntries(unaryNames.map((name, index) => [name, unary(name, index)])),
  ...Object.fromEntries(binaryNames.map((name, index) => [name, binary(name, index)])),
  ...Object.fromEntries(comparisonNames.map((name, index) => [name, comparison(index)])),
  AddN: addN,
  ZerosLike: filled(0),
  OnesLike: filled(1),

  Fill(_, backend, __, attributes) {
    const { shape, value, dtype } = attributes as { shape: number[]; value: unknown; dtype?: string };
    if (typeof value !== "number" || (dtype ?? "float32") !== "float32") return undefined;
    const y = backend.makeFloats(shape);
    y.floats.fill(value);
    return y.info;
  },

  LogicalNot(binding, backend, { x }) {
    if (x!.dtype !== "bool") return undefined;
    const values = backend.cells(x!);
    const result = new Uint8Array(values.length);
    if (values.length > 0) {
      const equal = comparisonNames.indexOf("Equal");
      binding.compare(equal, packedAxes([values.length], [1], [0]), values, new Uint8Array(1), result);
    }
    return backend.makeTensorInfo(x!.shape, "bool", result);
  },

  Cast(binding, backend, { x }, attributes) {
    const { dtype: from, shape } = x!;
    const to = attributes["dtype"] as DataType;
    if (from === to || !isCellType(from) || !isCellType(to)) return undefined;
    // tfjs's own keeps integers and calls them floats: each kernel would convert them again.
    const values = backend.cells(x!);
    if (to === "bool") return backend.makeTensorInfo(shape, to, truths(binding, values as Float32Array | Int32Array));
    const y = backend.makeCells(shape, to);
    // JavaScript's own conversion: towards zero, and NaN becomes 0.
    y.cells.set(values);
    return y.info;
  },
};
