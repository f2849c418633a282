/** tfjs's functions of two elements with broadcasting, comparisons, choices, sums of several tensors. */
import { broadcast_util, util, type TensorInfo } from "@tensorflow/tfjs-core";
import { comparisonNames } from "../../kernels/comparison-names.js";
import type { CudaBodies, CudaBody } from "../cuda-kernel.js";
import { addressOf, areAll, bytesOf, typeNumber } from "./device-tensors.js";
import { broadcastStrides, packedAxes, sizeOf } from "../../kernels/shapes.js";
import { isDeviceType } from "../tensor-entry.js";

/** In the order of `Binary` in `cuda/tfjs/binary.h`. */
const floatNames = [
  "Add",
  "Sub",
  "Multiply",
  "RealDiv",
  "Maximum",
  "Minimum",
  "SquaredDifference",
  "Pow",
  "Mod",
  "Atan2",
  "Prelu",
  "EluGrad",
];

/** In the order of `IntegerBinary` there. */
const integerNames = [
  "Add",
  "Sub",
  "Multiply",
  "Maximum",
  "Minimum",
  "SquaredDifference",
  "Pow",
  "Mod",
  "FloorDiv",
  "BitwiseAnd",
];

/** As many terms as one launch adds: `mostTerms` there. */
const mostTerms = 16;

/** The shape of a result, and how the operands move along its axes; undefined when there is nothing to compute. */
function broadcasting(a: TensorInfo, b: TensorInfo): { shape: number[]; axes: Int32Array | undefined } {
  const shape = broadcast_util.assertAndGetBroadcastShape(a.shape, b.shape);
  if (sizeOf(shape) === 0) return { shape, axes: undefined };
  const axes = util.arraysEqual(a.shape, b.shape)
    ? Int32Array.of(sizeOf(shape), 1, 1)
    : packedAxes(shape, broadcastStrides(a.shape, shape), broadcastStrides(b.shape, shape));
  return { shape, axes };
}

function arithmetic(name: string): CudaBody {
  const float = floatNames.indexOf(name);
  const integer = integerNames.indexOf(name);
  return (binding, backend, inputs) => {
    // tfjs calls the operands of two of them otherwise.
    const a = inputs["a"] ?? inputs["x"] ?? inputs["dy"];
    const b = inputs["b"] ?? inputs["alpha"] ?? inputs["y"];
    if (!a || !b || a.dtype !== b.dtype) return undefined;
    const isFloat = a.dtype === "float32" && (float >= 0 || name === "FloorDiv");
    if (!isFloat && !(a.dtype === "int32" && integer >= 0)) return undefined;
    const { shape, axes } = broadcasting(a, b);
    const y = backend.make(shape, isFloat && float >= 0 ? "float32" : "int32");
    if (!axes) return y.info;
    const operands = [axes, addressOf(backend, a), addressOf(backend, b), y.address] as const;
    if (!isFloat) binding.integerBinary(integer, ...operands);
    else if (float >= 0) binding.binary(float, ...operands);
    else binding.floorDivide(...operands);
    return y.info;
  };
}

function comparison(index: number): CudaBody {
  return (binding, backend, { a, b }) => {
    if (!a || !b || a.dtype !== b.dtype || !isDeviceType(a.dtype)) return undefined;
    const { shape, axes } = broadcasting(a, b);
    const y = backend.make(shape, "bool");
    if (axes)
      binding.comparison(index, typeNumber(a.dtype), axes, addressOf(backend, a), addressOf(backend, b), y.address);
    return y.info;
  };
}

export const binaryKernels: CudaBodies = {
  ...Object.fromEntries([...new Set([...floatNames, ...integerNames])].map((name) => [name, arithmetic(name)])),
  ...Object.fromEntries(comparisonNames.map((name, index) => [name, comparison(index)])),

  Select(binding, backend, { condition, t, e }) {
    if (!condition || !t || !e || condition.dtype !== "bool" || t.dtype !== e.dtype || !isDeviceType(t.dtype)) {
      return undefined;
    }
    const count = sizeOf(t.shape);
    if (sizeOf(condition.shape) !== count || sizeOf(e.shape) !== count) return undefined;
    const y = backend.make(t.shape, t.dtype);
    if (count === 0) return y.info;
    const operands = [addressOf(backend, condition), addressOf(backend, t), addressOf(backend, e), y.address] as const;
    binding.select(count, bytesOf(t.dtype), ...operands);
    return y.info;
  },

  AddN(binding, backend, inputs) {
    const terms = Object.values(inputs);
    const [first] = terms;
    if (!first || (first.dtype !== "float32" && first.dtype !== "int32") || !areAll(first.dtype, ...terms)) {
      return undefined;
    }
    const count = sizeOf(first.shape);
    const addresses = terms.map((term) => addressOf(backend, term));
    let sum = backend.make(first.shape, first.dtype);
    if (count === 0) return sum.info;
    binding.addN(typeNumber(first.dtype), count, addresses.slice(0, mostTerms), sum.address);
    for (let from = mostTerms; from < addresses.length; from += mostTerms - 1) {
      const next = backend.make(first.shape, first.dtype);
      const some = [sum.address, ...addresses.slice(from, from + mostTerms - 1)];
      binding.addN(typeNumber(first.dtype), count, some, next.address);
      backend.disposeIntermediateTensorInfo(sum.info);
      sum = next;
    }
    return sum.info;
  },
};
