// Functions of one element at a time.
#pragma once

#include <cstdint>

#include "runtime/api.h"

namespace metastate::cuda::tfjs {

/// In the order of `unaryNames` in src/cuda/kernels/unary.ts.
enum class Unary : int {
  abs, acos, acosh, asin, asinh, atan, atanh, ceil, cos, cosh, elu, erf, exp, expm1, floor, log, log1p, neg, reciprocal,
  relu, relu6, round, rsqrt, selu, sigmoid, sign, sin, sinh, softplus, sqrt, square, tan, tanh, leakyRelu, step, clip,
  count
};

/// y[i] = function(x[i]); `first` and `second` are what leakyRelu, step (a number) and clip (two) take besides.
void launchUnary(Unary function, int64_t count, const float* x, float* y, float first, float second, cudaStream_t stream);

/// In the order of `integerNames` there.
enum class IntegerUnary : int { abs, neg, square, sign, clip, count };

void launchIntegerUnary(IntegerUnary function, int64_t count, const int32_t* x, int32_t* y, int32_t first,
                        int32_t second, cudaStream_t stream);

/// In the order of `questionNames` there; the answers are bool.
enum class Question : int { isNan, isInf, isFinite, count };

void launchQuestion(Question question, int64_t count, const float* x, uint8_t* y, cudaStream_t stream);
void launchLogicalNot(int64_t count, const uint8_t* x, uint8_t* y, cudaStream_t stream);

/// y[i] = x[i] as another type; two types that are equal are an error of the caller.
void launchCast(const float* x, int32_t* y, int64_t count, cudaStream_t stream);
void launchCast(const float* x, uint8_t* y, int64_t count, cudaStream_t stream);
void launchCast(const int32_t* x, float* y, int64_t count, cudaStream_t stream);
void launchCast(const int32_t* x, uint8_t* y, int64_t count, cudaStream_t stream);
void launchCast(const uint8_t* x, float* y, int64_t count, cudaStream_t stream);
void launchCast(const uint8_t* x, int32_t* y, int64_t count, cudaStream_t stream);

}  // namespace metastate::cuda::tfjs
