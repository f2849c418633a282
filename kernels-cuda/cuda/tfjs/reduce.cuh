// Reductions of x [outer, length, inner]. Adjacent values (inner 1) go to a warp or a block for each row; otherwise
// neighbouring threads take neighbouring columns, so that loads stay whole. Where there are few results and many terms,
// each result is cut into parts, whose states a second launch joins in order: no atomics, the same bits every time.
#pragma once

#include "platform.h"
#include "tfjs/grid.cuh"
#include "tfjs/reducers.cuh"

namespace metastate::cuda::tfjs {

constexpr int reduceThreads = 256;
constexpr int reduceWarps = reduceThreads / 32;

/// Results, or with several parts their states [outer, inner, parts].
template <typename R>
struct Reduced {
  typename R::Result* results;
  typename R::State* states;

  __device__ void put(const R& reducer, int64_t index, uint32_t part, uint32_t parts, typename R::State state) const {
    if (parts == 1) {
      results[index] = reducer.finish(state);
    } else {
      states[index * parts + part] = state;
    }
  }
};

/// A warp for each row.
template <typename R>
__global__ void __launch_bounds__(reduceThreads)
    reduceShortRowsKernel(R reducer, uint32_t rows, uint32_t length, const typename R::Value* __restrict__ x,
                          typename R::Result* __restrict__ y) {
  const uint32_t lane = threadIdx.x % 32, warps = blockDim.x / 32;
  for (uint32_t row = blockIdx.x * warps + threadIdx.x / 32; row < rows; row += gridDim.x * warps) {
    const typename R::Value* values = x + static_cast<int64_t>(row) * length;
    typename R::State state = reducer.none();
    for (uint32_t i = lane; i < length; i += 32) reducer.take(state, values[i], i);
    state = joinWarp(reducer, state);
    if (lane == 0) y[row] = reducer.finish(state);
  }
}

/// A block for each part of a row: grid (rows, parts).
template <typename R>
__global__ void __launch_bounds__(reduceThreads)
    reduceLongRowsKernel(R reducer, uint32_t length, uint32_t partLength, bool inFours,
                         const typename R::Value* __restrict__ x, Reduced<R> y) {
  __shared__ typename R::State partial[reduceWarps];
  const typename R::Value* values = x + static_cast<int64_t>(blockIdx.x) * length;
  const uint32_t from = blockIdx.y * partLength;
  const uint32_t to = length - from < partLength ? length : from + partLength;
  typename R::State state = reducer.none();
  if (inFours) {
    for (uint32_t i = from / 4 + threadIdx.x; i < to / 4; i += blockDim.x) {
      const Four<typename R::Value> four = reinterpret_cast<const Four<typename R::Value>*>(values)[i];
#pragma unroll
      for (int lane = 0; lane < 4; ++lane) reducer.take(state, four.at[lane], 4 * i + lane);
    }
  } else {
    for (uint32_t i = from + threadIdx.x; i < to; i += blockDim.x) reducer.take(state, values[i], i);
  }
  state = joinWarp(reducer, state);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = state;
  __syncthreads();
  if (threadIdx.x < 32) {
    state = joinWarp(reducer, threadIdx.x < reduceWarps ? partial[threadIdx.x] : reducer.none());
    if (threadIdx.x == 0) y.put(reducer, blockIdx.x, blockIdx.y, gridDim.y, state);
  }
}

/// 32 columns and 8 rows at a time: block (32, 8), grid (outer times tiles of columns, parts).
template <typename R>
__global__ void __launch_bounds__(reduceThreads)
    reduceColumnsKernel(R reducer, uint32_t length, uint32_t inner, uint32_t tiles, uint32_t partLength,
                        const typename R::Value* __restrict__ x, Reduced<R> y) {
  __shared__ typename R::State partial[reduceWarps][33];
  const uint32_t outer = blockIdx.x / tiles, column = (blockIdx.x - outer * tiles) * 32 + threadIdx.x;
  const typename R::Value* values = x + static_cast<int64_t>(outer) * length * inner + column;
  const uint32_t from = blockIdx.y * partLength;
  const uint32_t to = length - from < partLength ? length : from + partLength;
  typename R::State state = reducer.none();
  if (column < inner) {
    for (uint32_t i = from + threadIdx.y; i < to; i += blockDim.y) {
      reducer.take(state, values[static_cast<int64_t>(i) * inner], i);
    }
  }
  partial[threadIdx.y][threadIdx.x] = state;
  __syncthreads();
  if (threadIdx.y != 0 || column >= inner) return;
  for (uint32_t row = 1; row < blockDim.y; ++row) state = reducer.join(state, partial[row][threadIdx.x]);
  y.put(reducer, static_cast<int64_t>(outer) * inner + column, blockIdx.y, gridDim.y, state);
}

/// A warp joins the states of one result.
template <typename R>
__global__ void __launch_bounds__(reduceThreads)
    joinPartsKernel(R reducer, uint32_t count, uint32_t parts, const typename R::State* __restrict__ states,
                    typename R::Result* __restrict__ y) {
  const uint32_t lane = threadIdx.x % 32, warps = blockDim.x / 32;
  for (uint32_t i = blockIdx.x * warps + threadIdx.x / 32; i < count; i += gridDim.x * warps) {
    typename R::State state = reducer.none();
    for (uint32_t part = lane; part < parts; part += 32) {
      state = reducer.join(state, states[static_cast<int64_t>(i) * parts + part]);
    }
    state = joinWarp(reducer, state);
    if (lane == 0) y[i] = reducer.finish(state);
  }
}

}  // namespace metastate::cuda::tfjs
