// JavaScript's conversion of a number to an int32, which its typed arrays and so tfjs have: cut off towards zero, then modulo 2^32;
// 0 of what is no number or has no end.
#pragma once

#include <cstdint>

#include "platform.h"

namespace metastate::cuda::tfjs {

__device__ __forceinline__ int32_t toInt32(float x) {
  if (fabsf(x) < 2147483648.0f) return static_cast<int32_t>(x);
  // 24 bits, shifted by at least 8; of multiples of 2^32, NaN and infinities nothing is left.
  const uint32_t bits = __float_as_uint(x), shift = (bits >> 23 & 255) - 150;
  if (shift >= 32) return 0;
  const uint32_t magnitude = ((bits & 0x7fffffu) | 0x800000u) << shift;
  return static_cast<int32_t>(bits >> 31 ? 0u - magnitude : magnitude);
}

__device__ __forceinline__ int32_t toInt32(double x) {
  if (fabs(x) < 2147483648.0) return static_cast<int32_t>(x);
  if (!(fabs(x) <= 1.7976931348623157e308)) return 0;
  return static_cast<int32_t>(static_cast<uint32_t>(static_cast<int64_t>(fmod(x, 4294967296.0))));
}

}  // namespace metastate::cuda::tfjs
