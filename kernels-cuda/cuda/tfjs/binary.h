// Functions of two elements, with broadcasting.
#pragma once

#include <cstdint>

#include "runtime/api.h"
#include "tfjs/axes.h"
#include "tfjs/comparison_names.h"

namespace metastate::cuda::tfjs {

/// In the order of `floatNames` in src/cuda/kernels/binary.ts. `floorDivide` gives int32.
enum class Binary : int {
  add, sub, multiply, divide, maximum, minimum, squaredDifference, pow, mod, atan2, prelu, eluGrad, count
};

/// y = function(a, b) over `axes` (strides of a, of b); y is adjacent.
void launchBinary(Binary function, const Axes<2>& axes, const float* a, const float* b, float* y, cudaStream_t stream);
void launchFloorDivide(const Axes<2>& axes, const float* a, const float* b, int32_t* y, cudaStream_t stream);

/// In the order of `integerNames` there.
enum class IntegerBinary : int {
  add, sub, multiply, maximum, minimum, squaredDifference, pow, mod, floorDivide, bitwiseAnd, count
};

void launchIntegerBinary(IntegerBinary function, const Axes<2>& axes, const int32_t* a, const int32_t* b, int32_t* y,
                         cudaStream_t stream);

/// y = function(a, b), bool, of operands of `type`.
void launchComparison(Comparison function, ElementType type, const Axes<2>& axes, const void* a, const void* b,
                      uint8_t* y, cudaStream_t stream);

/// y[i] = condition[i] ? a[i] : b[i]; elements of `bytes` 1 or 4.
void launchSelect(int64_t count, int bytes, const uint8_t* condition, const void* a, const void* b, void* y,
                  cudaStream_t stream);

/// Terms that one launch of a sum takes.
constexpr int mostTerms = 16;

/// y[i] = terms[0][i] + terms[1][i] + …, from the first to the last; at most `mostTerms`.
void launchAddN(int terms, const float* const* values, int64_t count, float* y, cudaStream_t stream);
void launchAddN(int terms, const int32_t* const* values, int64_t count, int32_t* y, cudaStream_t stream);

}  // namespace metastate::cuda::tfjs
