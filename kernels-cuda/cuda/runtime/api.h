// The CUDA runtime as host code calls it: the toolkit's, or its emulated twin. Headers of launch functions include this
// for cudaStream_t.
#pragma once

#ifdef METASTATE_CUDA_EMULATED
#include "emulator/runtime_api.h"
#else
#include <cuda_runtime_api.h>
#endif
