// What the library's ops and the kernels of one token compute alike, value by value.
#pragma once

#include "platform.h"

namespace metastate::cuda {

constexpr float decayStrength = 0.6065306597126334f;  // e^(-1/2)

/// Below this length a key counts as this long, so that zero stays zero.
constexpr float shortestKey = 1e-12f;

__device__ __forceinline__ float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

}  // namespace metastate::cuda
