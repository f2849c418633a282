// Sums over the lanes of a warp, of several values together.
#pragma once

#include "platform.h"

namespace metastate::cuda {

constexpr unsigned wholeWarp = 0xffffffffu;

/// Sums each of `count` values over groups of `width` lanes. Afterwards lane l of a group returns the sum of value
/// l / (width / count). Halving the values along with the lanes takes count + log2(width / count) - 1 shuffles, where
/// summing one value after another takes count log2(width). The order of additions is fixed.
/// count and width are powers of two, count <= width; `values` is used up.
template <int count, int width>
__device__ __forceinline__ float scatteredSum(float* values, int lane) {
  if constexpr (count > 1) {
    constexpr int half = count / 2, distance = width / 2;
    const bool upper = (lane & distance) != 0;
#pragma unroll
    for (int i = 0; i < half; ++i) {
      const float give = upper ? values[i] : values[i + half];
      const float keep = upper ? values[i + half] : values[i];
      values[i] = keep + __shfl_xor_sync(wholeWarp, give, distance);
    }
    return scatteredSum<half, distance>(values, lane);
  } else {
    float sum = values[0];
#pragma unroll
    for (int distance = width / 2; distance > 0; distance /= 2) sum += __shfl_xor_sync(wholeWarp, sum, distance);
    return sum;
  }
}

__device__ __forceinline__ void unpack(const float4& from, float* to) {
  to[0] = from.x;
  to[1] = from.y;
  to[2] = from.z;
  to[3] = from.w;
}

__device__ __forceinline__ float4 pack(const float* from) { return make_float4(from[0], from[1], from[2], from[3]); }

/// Reads `count` floats at an address that `count` floats (at most four) divide.
template <int count>
__device__ __forceinline__ void readFloats(const float* from, float* to) {
  if constexpr (count >= 4) {
#pragma unroll
    for (int i = 0; i < count; i += 4) unpack(*reinterpret_cast<const float4*>(from + i), to + i);
  } else if constexpr (count == 2) {
    const float2 pair = *reinterpret_cast<const float2*>(from);
    to[0] = pair.x;
    to[1] = pair.y;
  } else {
    to[0] = *from;
  }
}

template <int count>
__device__ __forceinline__ void writeFloats(float* to, const float* from) {
  if constexpr (count >= 4) {
#pragma unroll
    for (int i = 0; i < count; i += 4) *reinterpret_cast<float4*>(to + i) = pack(from + i);
  } else if constexpr (count == 2) {
    *reinterpret_cast<float2*>(to) = make_float2(from[0], from[1]);
  } else {
    *to = from[0];
  }
}

}  // namespace metastate::cuda
