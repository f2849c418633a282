// Copies between strided places, transposes through shared memory, padding. Bound by memory.
#pragma once

#include "platform.h"
#include "tfjs/grid.cuh"
#include "tfjs/movement.h"
#include "tfjs/places.cuh"
#include "tfjs/to_int32.cuh"

namespace metastate::cuda::tfjs {

template <typename Word>
__global__ void __launch_bounds__(elementThreads)
    copyKernel(uint32_t count, Places<2> places, const Word* __restrict__ x, Word* __restrict__ y) {
  for (uint32_t i = threadInGrid(); i < count; i += threadsOfGrid()) {
    int64_t place[2];
    places.find(i, place);
    y[place[1]] = x[place[0]];
  }
}

constexpr int transposeTile = 32;
constexpr int transposeRows = 8;

/// x is adjacent along `across`, y along `down`; the other axes are `batch`. Block (32, 8), a grid of tiles.
struct TransposeShape {
  Places<2> batch;
  uint32_t across, down;
  int64_t xStride, yStride;  ///< of x along `down`, of y along `across`
  Divider tilesAcross, tilesDown;
};

template <typename Word>
__global__ void __launch_bounds__(transposeTile* transposeRows)
    transposeKernel(uint32_t tiles, TransposeShape shape, const Word* __restrict__ x, Word* __restrict__ y) {
  // One column more than the tile: the 32 words of a column lie in 32 banks.
  __shared__ Word tile[transposeTile][transposeTile + 1];
  for (uint32_t number = blockIdx.x; number < tiles; number += gridDim.x) {
    const uint32_t rest = shape.tilesAcross.quotient(number), batch = shape.tilesDown.quotient(rest);
    const uint32_t across = (number - rest * shape.tilesAcross.divisor) * transposeTile;
    const uint32_t down = (rest - batch * shape.tilesDown.divisor) * transposeTile;
    int64_t place[2];
    shape.batch.find(batch, place);
    const Word* from = x + place[0];
    Word* to = y + place[1];
    for (uint32_t row = threadIdx.y; row < transposeTile; row += transposeRows) {
      if (down + row < shape.down && across + threadIdx.x < shape.across) {
        tile[row][threadIdx.x] = from[(down + row) * shape.xStride + across + threadIdx.x];
      }
    }
    __syncthreads();
    for (uint32_t row = threadIdx.y; row < transposeTile; row += transposeRows) {
      if (across + row < shape.across && down + threadIdx.x < shape.down) {
        to[(across + row) * shape.yStride + down + threadIdx.x] = tile[threadIdx.x][row];
      }
    }
    __syncthreads();
  }
}

template <typename Word>
struct Padding {
  Places<1> places;
  int32_t before[maxAxes], within[maxAxes];
  Word value;
};

template <typename Word>
__global__ void __launch_bounds__(elementThreads)
    padKernel(uint32_t count, Padding<Word> padding, const Word* __restrict__ x, Word* __restrict__ y) {
  for (uint32_t i = threadInGrid(); i < count; i += threadsOfGrid()) {
    uint32_t index = i;
    int64_t place = 0;
    bool inside = true;
    for (int axis = padding.places.count - 1; axis >= 0; --axis) {
      const Divider& length = padding.places.lengths[axis];
      const uint32_t outer = length.quotient(index);
      const int32_t at = static_cast<int32_t>(index - outer * length.divisor) - padding.before[axis];
      inside = inside && at >= 0 && at < padding.within[axis];
      place += static_cast<int64_t>(at) * padding.places.strides[0][axis];
      index = outer;
    }
    y[i] = inside ? x[place] : padding.value;
  }
}

template <typename Word>
__global__ void __launch_bounds__(elementThreads) fillKernel(uint32_t count, uint32_t fours, Word value, Word* y) {
  for (uint32_t i = threadInGrid(); i < fours; i += threadsOfGrid()) {
    reinterpret_cast<Four<Word>*>(y)[i] = {{value, value, value, value}};
  }
  for (uint32_t i = 4 * fours + threadInGrid(); i < count; i += threadsOfGrid()) y[i] = value;
}

__device__ __forceinline__ void put(float* to, double value) { *to = static_cast<float>(value); }
__device__ __forceinline__ void put(int32_t* to, double value) { *to = toInt32(value); }

template <typename T>
__global__ void __launch_bounds__(elementThreads) rangeKernel(uint32_t count, double start, double step, T* y) {
  for (uint32_t i = threadInGrid(); i < count; i += threadsOfGrid()) put(y + i, start + i * step);
}

}  // namespace metastate::cuda::tfjs
