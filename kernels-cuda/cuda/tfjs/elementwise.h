// Functions of single elements.
#pragma once

#include <cstdint>

#include "runtime/api.h"

namespace metastate::cuda {

/// In the order of `unaryNames` in src/cuda/kernels/elementwise.ts.
enum class Unary : int { exp, sigmoid, tanh, relu, count };

/// y[i] = function(x[i]), i < count. `y` may be `x`.
void unary(Unary function, const float* x, float* y, int64_t count, cudaStream_t stream);

}  // namespace metastate::cuda
