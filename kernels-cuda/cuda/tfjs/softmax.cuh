// Softmax: the maximum and the sum of a row in one pass over it (Milakov and Gimelshein, arXiv 1805.02867), the results in
// a second, which finds the row in a cache.
#pragma once

#include "platform.h"
#include "tfjs/grid.cuh"
#include "tfjs/reducers.cuh"

namespace metastate::cuda::tfjs {

/// The largest value so far, and the sum of e^(x − largest).
struct Exponentials {
  float largest, sum;
};

__device__ __forceinline__ Exponentials exchanged(Exponentials state, int lanes) {
  return {__shfl_xor_sync(~0u, state.largest, lanes), __shfl_xor_sync(~0u, state.sum, lanes)};
}

struct ExponentialsOf {
  using State = Exponentials;
  __device__ State none() const { return {lowest(0.0f), 0.0f}; }
  __device__ void take(State& state, float x) const { state = join(state, {x, 1.0f}); }
  __device__ State join(State a, State b) const {
    // A NaN is larger than all: it makes the whole row NaN.
    const bool first = a.largest >= b.largest || a.largest != a.largest;
    const State high = first ? a : b, low = first ? b : a;
    // Where both are minus infinity their difference is none.
    const float share = high.largest == low.largest ? 1.0f : expf(low.largest - high.largest);
    return {high.largest, high.sum + low.sum * share};
  }
};

constexpr int softmaxThreads = 256;
constexpr int softmaxWarps = softmaxThreads / 32;

__device__ __forceinline__ float softmaxOf(float x, const Exponentials& row) { return expf(x - row.largest) / row.sum; }

/// A warp for each row.
__global__ void __launch_bounds__(softmaxThreads)
    softmaxShortRowsKernel(uint32_t rows, uint32_t width, const float* __restrict__ x, float* __restrict__ y) {
  const ExponentialsOf reducer;
  const uint32_t lane = threadIdx.x % 32, warps = blockDim.x / 32;
  for (uint32_t row = blockIdx.x * warps + threadIdx.x / 32; row < rows; row += gridDim.x * warps) {
    const float* from = x + static_cast<int64_t>(row) * width;
    float* to = y + static_cast<int64_t>(row) * width;
    Exponentials state = reducer.none();
    for (uint32_t i = lane; i < width; i += 32) reducer.take(state, from[i]);
    state = joinWarp(reducer, state);
    for (uint32_t i = lane; i < width; i += 32) to[i] = softmaxOf(from[i], state);
  }
}

/// A block for each row.
__global__ void __launch_bounds__(softmaxThreads)
    softmaxLongRowsKernel(uint32_t width, const float* __restrict__ x, float* __restrict__ y) {
  __shared__ Exponentials partial[softmaxWarps];
  const ExponentialsOf reducer;
  const float* from = x + static_cast<int64_t>(blockIdx.x) * width;
  float* to = y + static_cast<int64_t>(blockIdx.x) * width;
  Exponentials state = reducer.none();
  for (uint32_t i = threadIdx.x; i < width; i += blockDim.x) reducer.take(state, from[i]);
  state = joinWarp(reducer, state);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = state;
  __syncthreads();
  state = joinWarp(reducer, threadIdx.x % 32 < softmaxWarps ? partial[threadIdx.x % 32] : reducer.none());
  for (uint32_t i = threadIdx.x; i < width; i += blockDim.x) to[i] = softmaxOf(from[i], state);
}

}  // namespace metastate::cuda::tfjs
