// What both halves of a block begin with: the residual stream, normalised and mixed with the row that the token
// before left.
#pragma once

#include "ops/moments.cuh"

namespace metastate::cuda {

/// Asks for the line of memory at an address, which is not waited for: weights come while what they are multiplied
/// with is made.
__device__ __forceinline__ void prefetch(const float* address) {
#ifdef METASTATE_CUDA_EMULATED
  static_cast<void>(*static_cast<const volatile float*>(address));
#else
  asm volatile("prefetch.global.L2 [%0];" ::"l"(address));
#endif
}

constexpr int lineFloats = 32;

/// The same for `count` floats from here on, by all threads of the block; of many the first, a few lines for each
/// thread.
__device__ __forceinline__ void prefetchAll(const float* from, int64_t count) {
  const int64_t most = static_cast<int64_t>(blockDim.x) * (4 * lineFloats), end = count < most ? count : most;
  for (int64_t i = static_cast<int64_t>(threadIdx.x) * lineFloats; i < end; i += blockDim.x * lineFloats) {
    prefetch(from + i);
  }
}

struct ShiftedStream {
  const float *stream, *weight, *bias, *previous;  ///< [B, C], [C], [C], [B, C]
  float* normalised;                               ///< [B, C]: what the next token is shifted with
  int width;
  float epsilon;
};

/// The mean first and then the variance about it. `parts` neighbouring warps have a row together, which is theirs
/// alone; all threads of the block call. `partial` is shared, two floats for each warp.
template <int V>
__device__ __forceinline__ Moments momentsOfRow(const float* row, int width, float epsilon, int parts, float* partial) {
  const int warp = static_cast<int>(threadIdx.x) / warpThreads, warps = static_cast<int>(blockDim.x) / warpThreads;
  const int lane = static_cast<int>(threadIdx.x) % warpThreads, part = warp % parts, first = warp - part;
  const int begin = (part * warpThreads + lane) * V, step = parts * warpThreads * V;
  float sum = 0, squares = 0;
#pragma unroll 4
  for (int j = begin; j < width; j += step) {
    const Floats<V> here = load<V>(row + j);
#pragma unroll
    for (int i = 0; i < V; ++i) sum += here.at[i];
  }
  sum = teamSum<warpThreads>(sum);
  if (lane == 0) partial[warp] = sum;
  __syncthreads();
  sum = 0;
  for (int i = 0; i < parts; ++i) sum += partial[first + i];
  const float mean = sum / static_cast<float>(width);
#pragma unroll 4
  for (int j = begin; j < width; j += step) {
    const Floats<V> here = load<V>(row + j);
#pragma unroll
    for (int i = 0; i < V; ++i) squares += (here.at[i] - mean) * (here.at[i] - mean);
  }
  squares = teamSum<warpThreads>(squares);
  if (lane == 0) partial[warps + warp] = squares;
  __syncthreads();
  squares = 0;
  for (int i = 0; i < parts; ++i) squares += partial[warps + first + i];
  return {mean, 1.0f / sqrtf(squares / static_cast<float>(width) + epsilon)};
}

/// V channels of a row from `channel` on: normalised, and mixed with the row before.
template <int V>
__device__ __forceinline__ Floats<V> shiftedAt(const ShiftedStream& o, const float* mix, int64_t row, int channel,
                                               const Moments& moments, Floats<V>& normalised) {
  const int64_t here = row * o.width + channel;
  const Floats<V> x = load<V>(o.stream + here), before = load<V>(o.previous + here);
  const Floats<V> weight = load<V>(o.weight + channel), bias = load<V>(o.bias + channel);
  const Floats<V> share = load<V>(mix + channel);
  Floats<V> shifted;
#pragma unroll
  for (int i = 0; i < V; ++i) {
    normalised.at[i] = (x.at[i] - moments.mean) * moments.inverse * weight.at[i] + bias.at[i];
    shifted.at[i] = normalised.at[i] + share.at[i] * (before.at[i] - normalised.at[i]);
  }
  return shifted;
}

}  // namespace metastate::cuda
