/** All CUDA kernels, area by area. */
import type { CudaBodies } from "../cuda-kernel.js";
import { elementwiseKernels } from "./elementwise.js";
import { viewKernels } from "./views.js";

export const cudaKernels: CudaBodies = {
  ...viewKernels,
  ...elementwiseKernels,
};
