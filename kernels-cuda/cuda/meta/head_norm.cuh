// Normalising a head's values, which lie over the lanes of one warp, to mean 0 and variance 1; and back. There are N, or fewer
// with zeros after them, which stay zeros.
#pragma once

#include "meta/meta_pass.h"
#include "platform.h"
#include "wkv7/lanes.cuh"

namespace metastate::cuda {

__device__ __forceinline__ float warpSum(float x) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) x += __shfl_xor_sync(wholeWarp, x, distance);
  return x;
}

/// A head's values: neighbouring ones in a lane, none in the upper lanes when N is 16.
template <int N>
struct HeadValues {
  static constexpr int each = N < 32 ? 1 : N / 32;
  float x[each];

  static __device__ __forceinline__ int place(int lane) { return lane * each; }
  static __device__ __forceinline__ bool has(int lane) { return N >= 32 || lane < N; }
  static __device__ __forceinline__ bool isChannel(const HeadNorm& norm, int lane, int i) {
    return place(lane) + i < norm.channels;
  }

  __device__ __forceinline__ void read(const float* from, int lane) {
    if (has(lane)) {
      readFloats<each>(from + place(lane), x);
    } else {
      x[0] = 0;
    }
  }
  __device__ __forceinline__ void write(float* to, int lane) const {
    if (has(lane)) writeFloats<each>(to + place(lane), x);
  }

  /// Normalises in place and returns 1 / the deviation. The mean is taken away before squares are summed.
  __device__ __forceinline__ float normalise(const HeadNorm& norm, int lane) {
    float sum = 0, squares = 0;
#pragma unroll
    for (int i = 0; i < each; ++i) sum += x[i];
    const float mean = warpSum(sum) * norm.share;
#pragma unroll
    for (int i = 0; i < each; ++i) {
      x[i] = isChannel(norm, lane, i) ? x[i] - mean : 0.0f;
      squares += x[i] * x[i];
    }
    const float inverse = 1.0f / sqrtf(warpSum(squares) * norm.share + norm.epsilon);
#pragma unroll
    for (int i = 0; i < each; ++i) x[i] *= inverse;
    return inverse;
  }

  /// In place, from the adjoint of the normalised values to that of the values: with n the normalised values,
  /// inverse (d - mean(d) - n mean(d n)).
  __device__ __forceinline__ void normaliseBack(const HeadValues& n, float inverse, const HeadNorm& norm, int lane) {
    float sum = 0, along = 0;
#pragma unroll
    for (int i = 0; i < each; ++i) {
      sum += x[i];
      along += x[i] * n.x[i];
    }
    const float mean = warpSum(sum) * norm.share, meanAlong = warpSum(along) * norm.share;
#pragma unroll
    for (int i = 0; i < each; ++i) {
      x[i] = isChannel(norm, lane, i) ? inverse * (x[i] - mean - n.x[i] * meanAlong) : 0.0f;
    }
  }
};

}  // namespace metastate::cuda
