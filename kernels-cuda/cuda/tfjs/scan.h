// Running sums and products along the middle axis of x [outer, length, inner].
#pragma once

#include <cstdint>

#include "runtime/api.h"

namespace metastate::cuda::tfjs {

struct ScanShape {
  int64_t outer, length, inner;
  bool exclusive, reverse;
};

enum class Scan : int { sum, product, count };

void launchScan(Scan scan, const ScanShape& shape, const float* x, float* y, cudaStream_t stream);
void launchScan(Scan scan, const ScanShape& shape, const int32_t* x, int32_t* y, cudaStream_t stream);

}  // namespace metastate::cuda::tfjs
