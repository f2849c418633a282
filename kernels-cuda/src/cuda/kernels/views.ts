/** Kernels that give the values of a tensor under another shape or name: nothing is computed. */
import { util } from "@tensorflow/tfjs-core";
import type { CudaBodies } from "../cuda-kernel.js";

export const viewKernels: CudaBodies = {
  Identity: (_, backend, { x }) => backend.view(x!, x!.shape),

  Reshape(_, backend, { x }, { shape }) {
    const size = util.sizeFromShape(x!.shape);
    const wanted = util.inferFromImplicitShape(shape as number[], size);
    util.assert(
      size === util.sizeFromShape(wanted),
      () => `reshape: [${x!.shape.join(", ")}] has ${size} values, and [${wanted.join(", ")}] another number of them`,
    );
    return backend.view(x!, wanted);
  },

  Complex: (_, backend, { real, imag }) => backend.makeComplex(real!, imag!),

  Real: part("real"),
  Imag: part("imag"),
};

function part(name: "real" | "imag"): CudaBodies[string] {
  return (_, backend, { input }) => {
    const parts = backend.data.get(input!.dataId).parts;
    return parts && backend.view(parts[name], input!.shape);
  };
}
