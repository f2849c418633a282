// Gathering and scattering by indices. Sums of rows with the same id are done by whoever owns the result: a block owns
// some segments and columns, reads all ids, a warp's worth at a time, and adds the rows that are its own in their order.
// No atomics: the same call gives the same bits.
#pragma once

#include "platform.h"
#include "tfjs/grid.cuh"
#include "tfjs/indexing.h"
#include "tfjs/places.cuh"
#include "tfjs/reducers.cuh"

namespace metastate::cuda::tfjs {

template <typename Word>
__device__ __forceinline__ Word zeroWord() {
  return Word{};
}

/// `width` in words.
template <typename Word>
__global__ void __launch_bounds__(elementThreads)
    gatherKernel(uint32_t total, Divider width, Divider count, Divider outer, uint32_t rows, const Word* __restrict__ x,
                 const int32_t* __restrict__ indices, Word* __restrict__ y) {
  for (uint32_t i = threadInGrid(); i < total; i += threadsOfGrid()) {
    const uint32_t row = width.quotient(i), column = i - row * width.divisor;
    const uint32_t block = count.quotient(row), at = row - block * count.divisor;
    const int32_t index = indices[outer.quotient(block) * count.divisor + at];
    const bool there = index >= 0 && static_cast<uint32_t>(index) < rows;
    y[i] = there ? x[(static_cast<int64_t>(block) * rows + index) * width.divisor + column] : zeroWord<Word>();
  }
}

__global__ void __launch_bounds__(elementThreads)
    rowNumbersKernel(uint32_t count, Places<1> axes, const int32_t* __restrict__ indices, int32_t* __restrict__ rows) {
  for (uint32_t i = threadInGrid(); i < count; i += threadsOfGrid()) {
    int32_t row = 0;
    for (int axis = 0; axis < axes.count; ++axis) {
      const int32_t index = indices[static_cast<int64_t>(i) * axes.count + axis];
      const bool there = index >= 0 && static_cast<uint32_t>(index) < axes.lengths[axis].divisor;
      row = there && row >= 0 ? row + index * axes.strides[0][axis] : -1;
    }
    rows[i] = row;
  }
}

constexpr int segmentCells = 4096;
constexpr int mostSegmentColumns = 128;

/// A block of `columns` threads has segmentCells / columns segments; grid: tiles of columns for these, then for the next.
template <typename T>
__global__ void __launch_bounds__(mostSegmentColumns)
    segmentSumKernel(uint32_t count, uint32_t width, uint32_t segments, const T* __restrict__ x,
                     const int32_t* __restrict__ ids, T* __restrict__ y) {
  __shared__ T sums[segmentCells];
  const uint32_t columns = blockDim.x, own = segmentCells / columns, lane = threadIdx.x % 32;
  const uint32_t across = (width + columns - 1) / columns;
  const uint32_t first = blockIdx.x / across * own, column = blockIdx.x % across * columns + threadIdx.x;
  // A thread's sums are its own: no other reads them.
  for (uint32_t segment = 0; segment < own; ++segment) sums[segment * columns + threadIdx.x] = 0;
  for (uint32_t begin = 0; begin < count; begin += 32) {
    const uint32_t row = begin + lane;
    // Of an id that is negative, or before the first, this is a large number.
    const uint32_t place = row < count ? static_cast<uint32_t>(ids[row]) - first : segmentCells;
    unsigned hits = __ballot_sync(~0u, place < own);
    while (hits != 0) {
      const int from = __ffs(static_cast<int>(hits)) - 1;
      hits &= hits - 1;
      const uint32_t segment = __shfl_sync(~0u, place, from);
      if (column < width) {
        T& sum = sums[segment * columns + threadIdx.x];
        sum = plus(sum, x[static_cast<int64_t>(begin + from) * width + column]);
      }
    }
  }
  if (column >= width) return;
  for (uint32_t segment = 0; segment < own && first + segment < segments; ++segment) {
    y[static_cast<int64_t>(first + segment) * width + column] = sums[segment * columns + threadIdx.x];
  }
}

template <typename Word>
__global__ void __launch_bounds__(elementThreads)
    oneHotKernel(uint32_t total, Divider depth, Word on, Word off, const int32_t* __restrict__ indices,
                 Word* __restrict__ y) {
  for (uint32_t i = threadInGrid(); i < total; i += threadsOfGrid()) {
    const uint32_t row = depth.quotient(i);
    y[i] = static_cast<uint32_t>(indices[row]) == i - row * depth.divisor ? on : off;
  }
}

}  // namespace metastate::cuda::tfjs
