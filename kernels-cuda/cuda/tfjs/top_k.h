// The k largest values of each row.
#pragma once

#include <cstdint>

#include "runtime/api.h"

namespace metastate::cuda::tfjs {

/// Results that fit where they are sorted.
constexpr int64_t mostTopK = 1024;

/// values, indices [rows, k] of x [rows, width]: the largest first, of equal ones the earlier; k from 1 to the width and
/// `mostTopK`.
void launchTopK(int64_t rows, int64_t width, int64_t k, const float* x, float* values, int32_t* indices,
                cudaStream_t stream);
void launchTopK(int64_t rows, int64_t width, int64_t k, const int32_t* x, int32_t* values, int32_t* indices,
                cudaStream_t stream);

}  // namespace metastate::cuda::tfjs
