/** All CUDA kernels, area by area. */
import type { CudaBodies } from "../cuda-kernel.js";
import { elementwiseKernels } from "./elementwise.js";
import { metaPassKernels } from "./meta-pass.js";
import { libraryKernels } from "./library-ops.js";
import { viewKernels } from "./views.js";
import { wkv7Kernels } from "./wkv7.js";

export const cudaKernels: CudaBodies = {
  ...viewKernels,
  ...elementwiseKernels,
  ...wkv7Kernels,
  ...metaPassKernels,
  ...libraryKernels,
};
