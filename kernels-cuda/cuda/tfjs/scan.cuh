// Running sums and products. A row of adjacent values goes to a block, which takes as many at a time as it has threads and
// carries the total on; values that are not adjacent go to a thread for each column.
#pragma once

#include "platform.h"
#include "tfjs/grid.cuh"
#include "tfjs/places.cuh"
#include "tfjs/reducers.cuh"

namespace metastate::cuda::tfjs {

template <typename T>
struct RunningSum {
  using Value = T;
  __device__ T none() const { return 0; }
  __device__ T join(T a, T b) const { return plus(a, b); }
};

template <typename T>
struct RunningProduct {
  using Value = T;
  __device__ T none() const { return 1; }
  __device__ T join(T a, T b) const { return times(a, b); }
};

constexpr int scanThreads = 256;

/// A block for each row. An exclusive result is the one before it, not a difference: infinities stay where they are.
template <typename S>
__global__ void __launch_bounds__(scanThreads)
    scanRowsKernel(S scan, uint32_t length, bool exclusive, bool reverse, const typename S::Value* __restrict__ x,
                   typename S::Value* __restrict__ y) {
  using T = typename S::Value;
  __shared__ T totals[scanThreads / 32];
  const uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
  const int64_t row = static_cast<int64_t>(blockIdx.x) * length;
  T carried = scan.none();
  for (uint32_t begin = 0; begin < length; begin += blockDim.x) {
    const uint32_t i = begin + threadIdx.x;
    const int64_t place = row + (reverse ? length - 1 - i : i);
    T value = i < length ? x[place] : scan.none();
    for (uint32_t lanes = 1; lanes < 32; lanes *= 2) {
      const T before = __shfl_up_sync(~0u, value, lanes);
      if (lane >= lanes) value = scan.join(before, value);
    }
    T before = __shfl_up_sync(~0u, value, 1);
    if (lane == 0) before = scan.none();
    if (lane == 31) totals[warp] = value;
    __syncthreads();
    T offset = carried;
    for (uint32_t other = 0; other < warps; ++other) {
      if (other < warp) offset = scan.join(offset, totals[other]);
      carried = scan.join(carried, totals[other]);
    }
    if (i < length) y[place] = scan.join(offset, exclusive ? before : value);
    __syncthreads();
  }
}

/// A thread for each column of each [length, inner].
template <typename S>
__global__ void __launch_bounds__(elementThreads)
    scanColumnsKernel(S scan, uint32_t columns, uint32_t length, Divider inner, bool exclusive, bool reverse,
                      const typename S::Value* __restrict__ x, typename S::Value* __restrict__ y) {
  for (uint32_t column = threadInGrid(); column < columns; column += threadsOfGrid()) {
    const uint32_t outer = inner.quotient(column);
    const int64_t first = static_cast<int64_t>(outer) * length * inner.divisor + (column - outer * inner.divisor);
    typename S::Value running = scan.none();
    for (uint32_t i = 0; i < length; ++i) {
      const int64_t place = first + static_cast<int64_t>(reverse ? length - 1 - i : i) * inner.divisor;
      const typename S::Value next = scan.join(running, x[place]);
      y[place] = exclusive ? running : next;
      running = next;
    }
  }
}

}  // namespace metastate::cuda::tfjs
