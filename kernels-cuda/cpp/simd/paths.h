// The instruction sets that hot code is compiled for, and the choice between them when the addon runs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "attention/attention_kernels.h"
#include "matmul/matmul_kernels.h"
#include "meta/meta_kernels.h"
#include "ops/op_kernels.h"
#include "tfjs/tensor_kernels.h"
#include "wkv4/wkv4_kernels.h"
#include "wkv7/wkv7_kernels.h"

namespace metastate {

/// Hot code compiled for one instruction set.
struct SimdPath {
  const char* name;  ///< "sse2", "neon", "generic", "avx2" or "avx512"
  int lanes;         ///< floats in a register
  Wkv7Kernels wkv7;
  MetaKernels meta;
  MatMulKernels matMul;
  OpKernels ops;
  AttentionKernels attention;
  Wkv4Kernels wkv4;
  TensorKernels tensors;
  /// Runs `iterations` rounds of independent fused multiply-adds; returns floating point operations done. `sink` takes
  /// a result, so that no compiler removes the loop.
  double (*multiplyAddLoop)(int64_t iterations, float* sink);
  /// Reads x once; z = x / 2 + y. `count` is a multiple of 64. `sink` is as above.
  void (*sumStream)(const float* x, int64_t count, float* sink);
  void (*triadStream)(const float* x, const float* y, int64_t count, float* z);
};

/// The paths this CPU can run, slowest first; never empty.
const std::vector<const SimdPath*>& availablePaths();

/// The CPU's instructions for products of bfloat16, "AMX" or "AVX-512 BF16"; empty when it has none.
std::string bfloat16Instructions();

/// Every path in this binary, by name, whether or not this CPU can run it.
std::vector<std::string> compiledPaths();

}  // namespace metastate
