// As much of cuBLASLt's interface as is used, by its documentation (docs.nvidia.com/cuda/cublas): the same in versions 12
// and 13.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/api.h"

namespace metastate::cuda::products {

// Opaque to callers.
using LtHandle = void*;
using LtDescription = void*;
using LtLayout = void*;
using LtPreference = void*;

using LtStatus = int;
constexpr LtStatus ltSuccess = 0, ltNotSupported = 15;

// cudaDataType_t, cublasComputeType_t, cublasOperation_t
constexpr int ltFloat32 = 0, ltBfloat16 = 14;
constexpr int ltComputeFloat32 = 68, ltComputeTf32 = 77;
constexpr int32_t ltPlain = 0, ltTransposed = 1;

enum LtDescriptionAttribute : int { ltTransA = 3, ltTransB = 4, ltEpilogue = 7, ltBiasPointer = 8 };
constexpr uint32_t ltEpilogueNone = 1, ltEpilogueBias = 4;
enum LtLayoutAttribute : int { ltBatchCount = 5, ltBatchStride = 6 };
enum LtPreferenceAttribute : int {
  ltWorkspaceBytes = 1,
  ltAlignmentA = 5,
  ltAlignmentB = 6,
  ltAlignmentC = 7,
  ltAlignmentD = 8
};

struct LtAlgorithm {
  uint64_t data[8];
};

struct LtHeuristic {
  LtAlgorithm algorithm;
  size_t workspaceBytes;
  LtStatus status;
  float waves;
  int reserved[4];
};

/// The library's functions, under its names.
struct CublasLtFunctions {
  size_t (*cublasLtGetVersion)();
  LtStatus (*cublasLtCreate)(LtHandle*);
  LtStatus (*cublasLtDestroy)(LtHandle);
  LtStatus (*cublasLtMatmulDescCreate)(LtDescription*, int compute, int scale);
  LtStatus (*cublasLtMatmulDescDestroy)(LtDescription);
  LtStatus (*cublasLtMatmulDescSetAttribute)(LtDescription, int attribute, const void*, size_t);
  LtStatus (*cublasLtMatrixLayoutCreate)(LtLayout*, int type, uint64_t rows, uint64_t columns, int64_t leading);
  LtStatus (*cublasLtMatrixLayoutDestroy)(LtLayout);
  LtStatus (*cublasLtMatrixLayoutSetAttribute)(LtLayout, int attribute, const void*, size_t);
  LtStatus (*cublasLtMatmulPreferenceCreate)(LtPreference*);
  LtStatus (*cublasLtMatmulPreferenceDestroy)(LtPreference);
  LtStatus (*cublasLtMatmulPreferenceSetAttribute)(LtPreference, int attribute, const void*, size_t);
  LtStatus (*cublasLtMatmulAlgoGetHeuristic)(LtHandle, LtDescription, LtLayout a, LtLayout b, LtLayout c, LtLayout d,
                                             LtPreference, int wanted, LtHeuristic*, int* found);
  LtStatus (*cublasLtMatmul)(LtHandle, LtDescription, const void* alpha, const void* a, LtLayout, const void* b,
                             LtLayout, const void* beta, const void* c, LtLayout, void* d, LtLayout,
                             const LtAlgorithm*, void* workspace, size_t workspaceBytes, cudaStream_t);
};

}  // namespace metastate::cuda::products
