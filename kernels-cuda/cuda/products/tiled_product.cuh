// The product by tiles: a block computes 64 x 64 of c, going along k in slabs of 16 that lie in shared memory; a thread
// holds 4 x 4 sums in registers. Elements outside of the matrices count as zeros.
#pragma once

#include "platform.h"
#include "products/product.h"
#include "tfjs/grid.cuh"
#include "tfjs/places.cuh"

namespace metastate::cuda::products {

constexpr int productTile = 64;
constexpr int productSlab = 16;
constexpr int productThreads = 256;
/// A row of a slab, longer than the tile so that the rows begin in different banks.
constexpr int productRow = productTile + 4;

__device__ __forceinline__ float asFloat(float x) { return x; }
__device__ __forceinline__ float asFloat(__nv_bfloat16 x) { return __bfloat162float(x); }

__device__ __forceinline__ float activated(float x, Activation activation, float alpha) {
  switch (activation) {
    case Activation::relu: return x <= 0 ? 0.0f : x;
    case Activation::relu6: return x <= 0 ? 0.0f : x > 6 ? 6.0f : x;
    case Activation::elu: return x >= 0 ? x : expm1f(x);
    case Activation::leakyRelu: return x < 0 ? alpha * x : x;
    case Activation::sigmoid: return 1.0f / (1.0f + expf(-x));
    default: return x;
  }
}

/// A matrix of which the element (row, p) is wanted, p along k.
template <typename T>
struct Matrix {
  const T* values;
  uint32_t rows, depth;
  bool depthIsAdjacent;

  /// Brings rows from `row` on and p from `p` on into a slab [productSlab][productRow], so that neighbouring threads read
  /// neighbouring addresses.
  __device__ void load(float (*slab)[productRow], uint32_t row, uint32_t p) const {
    for (int i = threadIdx.x; i < productTile * productSlab; i += productThreads) {
      const uint32_t r = depthIsAdjacent ? i / productSlab : i % productTile;
      const uint32_t d = depthIsAdjacent ? i % productSlab : i / productTile;
      const bool inside = row + r < rows && p + d < depth;
      const int64_t place = depthIsAdjacent ? static_cast<int64_t>(row + r) * depth + p + d
                                            : static_cast<int64_t>(p + d) * rows + row + r;
      slab[d][r] = inside ? asFloat(values[place]) : 0.0f;
    }
  }
};

/// grid (tiles of n times tiles of m, batch); places are in matrices.
template <typename T>
__global__ void __launch_bounds__(productThreads, 2)
    tiledProductKernel(uint32_t m, uint32_t n, uint32_t k, bool transposeA, bool transposeB, uint32_t batches,
                       tfjs::Places<2> batch, const T* __restrict__ a, const T* __restrict__ b, Epilogue epilogue,
                       float* __restrict__ c) {
  __shared__ float left[productSlab][productRow];
  __shared__ float right[productSlab][productRow];
  const uint32_t across = (n + productTile - 1) / productTile;
  const uint32_t row = blockIdx.x / across * productTile, column = blockIdx.x % across * productTile;
  const int high = threadIdx.x / 16 * 4, wide = threadIdx.x % 16 * 4;
  for (uint32_t number = blockIdx.y; number < batches; number += gridDim.y) {
    int64_t place[2];
    batch.find(number, place);
    const Matrix<T> rows{a + place[0] * m * k, m, k, !transposeA};
    const Matrix<T> columns{b + place[1] * k * n, n, k, transposeB};
    float sums[4][4] = {};
    for (uint32_t p = 0; p < k; p += productSlab) {
      rows.load(left, row, p);
      columns.load(right, column, p);
      __syncthreads();
#pragma unroll
      for (int d = 0; d < productSlab; ++d) {
        float l[4], r[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          l[i] = left[d][high + i];
          r[i] = right[d][wide + i];
        }
#pragma unroll
        for (int i = 0; i < 4; ++i) {
#pragma unroll
          for (int j = 0; j < 4; ++j) sums[i][j] = fmaf(l[i], r[j], sums[i][j]);
        }
      }
      __syncthreads();
    }
    float* to = c + static_cast<int64_t>(number) * m * n;
    for (int i = 0; i < 4; ++i) {
      for (int j = 0; j < 4; ++j) {
        const uint32_t y = row + high + i, x = column + wide + j;
        if (y >= m || x >= n) continue;
        const float sum = epilogue.bias ? sums[i][j] + epilogue.bias[x] : sums[i][j];
        to[static_cast<int64_t>(y) * n + x] = activated(sum, epilogue.activation, epilogue.alpha);
      }
    }
  }
}

__global__ void __launch_bounds__(tfjs::elementThreads)
    epilogueKernel(uint32_t count, tfjs::Divider columns, Epilogue epilogue, float* __restrict__ c) {
  for (uint32_t i = tfjs::threadInGrid(); i < count; i += tfjs::threadsOfGrid()) {
    const uint32_t column = i - columns.quotient(i) * columns.divisor;
    const float sum = epilogue.bias ? c[i] + epilogue.bias[column] : c[i];
    c[i] = activated(sum, epilogue.activation, epilogue.alpha);
  }
}

__global__ void __launch_bounds__(tfjs::elementThreads)
    toBfloat16Kernel(uint32_t count, uint32_t fours, const float* __restrict__ x, __nv_bfloat16* __restrict__ y) {
  for (uint32_t i = tfjs::threadInGrid(); i < fours; i += tfjs::threadsOfGrid()) {
    const tfjs::Four<float> from = reinterpret_cast<const tfjs::Four<float>*>(x)[i];
    tfjs::Four<__nv_bfloat16> to;
#pragma unroll
    for (int lane = 0; lane < 4; ++lane) to.at[lane] = __float2bfloat16(from.at[lane]);
    reinterpret_cast<tfjs::Four<__nv_bfloat16>*>(y)[i] = to;
  }
  for (uint32_t i = 4 * fours + tfjs::threadInGrid(); i < count; i += tfjs::threadsOfGrid()) {
    y[i] = __float2bfloat16(x[i]);
  }
}

}  // namespace metastate::cuda::products
