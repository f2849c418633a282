/** tfjs's functions of single elements, and casts. */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { CudaBodies, CudaBody } from "../cuda-kernel.js";
import type { CudaBackend } from "../cuda-backend.js";
import type { CudaBinding } from "../addon/binding.js";
import type { Attributes } from "../../kernels/native-kernel.js";
import { addressOf, typeNumber } from "./device-tensors.js";
import { sizeOf } from "../../kernels/shapes.js";
import { isDeviceType, type DeviceType } from "../tensor-entry.js";

/** In the order of `Unary` in `cuda/tfjs/unary.h`. */
const unaryNames = [
  "Abs",
  "Acos",
  "Acosh",
  "Asin",
  "Asinh",
  "Atan",
  "Atanh",
  "Ceil",
  "Cos",
  "Cosh",
  "Elu",
  "Erf",
  "Exp",
  "Expm1",
  "Floor",
  "Log",
  "Log1p",
  "Neg",
  "Reciprocal",
  "Relu",
  "Relu6",
  "Round",
  "Rsqrt",
  "Selu",
  "Sigmoid",
  "Sign",
  "Sin",
  "Sinh",
  "Softplus",
  "Sqrt",
  "Square",
  "Tan",
  "Tanh",
  "LeakyRelu",
  "Step",
  "ClipByValue",
];

/** By the numbers of `IntegerUnary` there. Relu is a clip. */
const integerNumbers: Readonly<Record<string, number>> = {
  Abs: 0,
  Neg: 1,
  Square: 2,
  Sign: 3,
  ClipByValue: 4,
  Relu: 4,
  Relu6: 4,
};

/** In the order of `Question` there. */
const questionNames = ["IsNan", "IsInf", "IsFinite"];

/** The numbers that a function takes besides its element. */
function constants(name: string, attributes: Attributes): [number, number] {
  if (name === "LeakyRelu" || name === "Step") return [attributes["alpha"] as number, 0];
  if (name === "ClipByValue") return [attributes["clipValueMin"] as number, attributes["clipValueMax"] as number];
  if (name === "Relu") return [0, 2147483647];
  if (name === "Relu6") return [0, 6];
  return [0, 0];
}

function unary(name: string, index: number): CudaBody {
  return (binding, backend, { x }, attributes) => {
    const integer = integerNumbers[name];
    if (x?.dtype === "int32" && integer !== undefined) {
      const y = backend.make(x.shape, "int32");
      binding.integerUnary(integer, sizeOf(x.shape), addressOf(backend, x), y.address, ...constants(name, attributes));
      return y.info;
    }
    if (x?.dtype !== "float32") return undefined;
    const y = backend.make(x.shape, "float32");
    binding.unary(index, sizeOf(x.shape), addressOf(backend, x), y.address, ...constants(name, attributes));
    return y.info;
  };
}

function question(index: number): CudaBody {
  return (binding, backend, { x }) => {
    if (x?.dtype !== "float32") return undefined;
    const y = backend.make(x.shape, "bool");
    binding.question(index, sizeOf(x.shape), addressOf(backend, x), y.address);
    return y.info;
  };
}

/** x as a tensor of another type; of the same type, a tensor that shares its values. */
export function castTo(binding: CudaBinding, backend: CudaBackend, x: TensorInfo, dtype: DeviceType): TensorInfo {
  if (x.dtype === dtype) return backend.view(x, x.shape);
  const y = backend.make(x.shape, dtype);
  binding.cast(typeNumber(x.dtype), typeNumber(dtype), sizeOf(x.shape), addressOf(backend, x), y.address);
  return y.info;
}

export const unaryKernels: CudaBodies = {
  ...Object.fromEntries(unaryNames.map((name, index) => [name, unary(name, index)])),
  ...Object.fromEntries(questionNames.map((name, index) => [name, question(index)])),

  LogicalNot(binding, backend, { x }) {
    if (x?.dtype !== "bool") return undefined;
    const y = backend.make(x.shape, "bool");
    binding.logicalNot(sizeOf(x.shape), addressOf(backend, x), y.address);
    return y.info;
  },

  Cast(binding, backend, { x }, { dtype }) {
    const to = dtype as TensorInfo["dtype"];
    return x && isDeviceType(x.dtype) && isDeviceType(to) ? castTo(binding, backend, x, to) : undefined;
  },
};
