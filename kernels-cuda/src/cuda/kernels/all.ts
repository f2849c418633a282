/** All CUDA kernels, area by area; what tells of the engine names the first ones. */
import type { CudaBodies } from "../cuda-kernel.js";
import { arrangementKernels } from "./arrangement.js";
import { binaryKernels } from "./binary.js";
import { indexingKernels } from "./indexing.js";
import { libraryKernels } from "./library-ops.js";
import { matMulKernels } from "./matmul.js";
import { reductionKernels } from "./reductions.js";
import { unaryKernels } from "./unary.js";
import { viewKernels } from "./views.js";

export const cudaKernels: CudaBodies = {
  ...libraryKernels,
  ...matMulKernels,
  ...unaryKernels,
  ...binaryKernels,
  ...reductionKernels,
  ...arrangementKernels,
  ...indexingKernels,
  ...viewKernels,
};
