/** tfjs's functions of single elements, on float32 tensors. */
import { areFloats, sizeOf } from "../../kernels/native-kernel.js";
import type { CudaBodies, CudaBody } from "../cuda-kernel.js";

/** In the order of `Unary` in `cuda/tfjs/elementwise.h`. */
const unaryNames = ["Exp", "Sigmoid", "Tanh", "Relu"];

function unary(index: number): CudaBody {
  return (binding, backend, { x }) => {
    if (!areFloats(x!)) return undefined;
    const y = backend.makeFloats(x!.shape);
    binding.unary(index, sizeOf(x!.shape), backend.floats(x!), y.address);
    return y.info;
  };
}

export const elementwiseKernels: CudaBodies = Object.fromEntries(unaryNames.map((name, index) => [name, unary(index)]));
