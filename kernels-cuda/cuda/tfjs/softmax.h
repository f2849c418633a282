// Softmax over the last axis.
#pragma once

#include <cstdint>

#include "runtime/api.h"

namespace metastate::cuda::tfjs {

/// y [rows, width]: exp(x − max) / sum of the same, along each row.
void launchSoftmax(int64_t rows, int64_t width, const float* x, float* y, cudaStream_t stream);

}  // namespace metastate::cuda::tfjs
