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
  MatMulKernels bfloat16;  ///< products of operands rounded to bfloat16, without instructions for them: as `matMul`, and slower
  /// Elements [from, to) to the nearest bfloat16.
  void (*toBfloat16)(int64_t from, int64_t to, const float* x, uint16_t* y);
  OpKernels ops;
  AttentionKernels attention;
  Wkv4Kernels wkv4;
  TensorKernels tensors;
  /// Reads x once; z = x / 2 + y. `count` is a multiple of 64. `sink` takes a result, so that no compiler removes the loop.
  void (*sumStream)(const float* x, int64_t count, float* sink);
  void (*triadStream)(const float* x, const float* y, int64_t count, float* z);
};

/// The paths this CPU can run, slowest first; never empty.
const std::vector<const SimdPath*>& availablePaths();

/// The CPU's instructions for products of bfloat16: "AVX-512 BF16", or "AMX" beside these; empty when it has none, or the compiler
/// knew none.
std::string bfloat16Instructions();

/// Products of operands rounded to bfloat16, beside the path's other code: in AVX-512 BF16 where path and CPU have it.
const MatMulKernels& bfloat16Kernels(const SimdPath& path);

/// Every path in this binary, by name, whether or not this CPU can run it.
std::vector<std::string> compiledPaths();

}  // namespace metastate
