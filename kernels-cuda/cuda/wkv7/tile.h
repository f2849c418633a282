// A 16 x 16 tile of sums that one warp holds, and products of tiles added to it on tensor cores.
//
// Tensor cores multiply TF32 numbers, which have 11 bits of a float32's 24, and add in float32. For products as good as
// float32's, each operand is split into two TF32 numbers, x = big + small, and three products are taken:
// big big + big small + small big ("3xTF32"; what is left out is 2^-20 of the product at most). That is a third of the TF32
// rate, and still several times that of float32 units.
//
// To split takes longer than to multiply, so it is three instructions: big is x rounded, halves away from zero; small is what
// that leaves, as it is, for tensor cores leave the last 13 bits of an operand unread. (CUDA's own conversion asks each time
// whether there is a number.) A NaN may turn into a number in big, and small is a NaN then.
//
// Tensor cores cut their sums off towards zero (Fasi et al. 2021, doi 10.7717/peerj-cs.330). One such sum is as good as
// another, but a state that went through them from chunk to chunk would fade. So they add no more than eight products to
// nothing, and what comes out is added to the tile by the float32 units, which round (Ootomo and Yokota, arXiv 2203.03341).
//
// Under the emulator each lane has eight sums of its own, multiplies the same TF32 numbers, and cuts off the same sums.
#pragma once

#include <type_traits>

#include "platform.h"

#ifdef METASTATE_CUDA_EMULATED
#include <string>

#include "emulator/alignment.h"
#else
#include <mma.h>
#endif

namespace metastate::cuda {

constexpr int tileSize = 16;

/// How a tile's elements lie in memory: element (row, column) at row * stride + column, or the other way round.
enum class Lying { byRows, byColumns };

/// All lanes of the warp call each function together, with the same arguments. Pointers are multiples of 32 bytes, strides
/// of 8 floats. What other lanes wrote to shared memory needs __syncwarp() before, as always.
class TileSum {
 public:
  __device__ __forceinline__ void clear();
  /// Lying by rows, as `write` does.
  __device__ __forceinline__ void read(const float* from, int stride);
  __device__ __forceinline__ void write(float* to, int stride) const;
  /// Adds A B, A [16, depth], B [depth, 16].
  template <Lying a, Lying b>
  __device__ __forceinline__ void addProduct(const float* A, int strideA, const float* B, int strideB, int depth);

 private:
#ifdef METASTATE_CUDA_EMULATED
  static constexpr int each = tileSize * tileSize / 32;
  float sums_[each];
#else
  nvcuda::wmma::fragment<nvcuda::wmma::accumulator, 16, 16, 8, float> sums_;
#endif
};

/// What of a float32 tensor cores read.
constexpr unsigned bitsOfTf32 = 0xffffe000u;

__device__ __forceinline__ float nearestTf32(float x) {
  return __uint_as_float((__float_as_uint(x) + 0x1000u) & bitsOfTf32);
}

#ifdef METASTATE_CUDA_EMULATED

namespace emulator {

/// What the instructions that load and store a tile want of its place.
inline void requireTile(const float* at, int stride) {
  requireAligned(at, 32, "a tile");
  if (stride % 8 != 0) endKernel("a tile's stride is " + std::to_string(stride) + " floats, no multiple of 8");
}

}  // namespace emulator

/// A sum as tensor cores give it: exact products of TF32 numbers, all added before anything is cut off towards zero.
METASTATE_UNWATCHED inline float tensorCoreSum(float sum, const float (&x)[8], const float (&y)[8]) {
  double exact = static_cast<double>(sum);
  for (int k = 0; k < 8; ++k) exact += static_cast<double>(x[k]) * static_cast<double>(y[k]);
  const float nearest = static_cast<float>(exact);
  const bool isAbove = fabs(static_cast<double>(nearest)) > fabs(exact) && nearest - nearest == 0;
  return isAbove ? __uint_as_float(__float_as_uint(nearest) - 1) : nearest;
}

inline void TileSum::clear() {
  for (float& sum : sums_) sum = 0;
}

METASTATE_UNWATCHED inline void TileSum::read(const float* from, int stride) {
  emulator::requireTile(from, stride);
  emulator::tileReached(from, tileSize, tileSize, stride, emulator::Reach::read, emulator::Tile::sum);
  const int first = static_cast<int>(threadIdx.x) % 32 * each;
  for (int i = 0; i < each; ++i) sums_[i] = from[(first + i) / tileSize * stride + (first + i) % tileSize];
}

METASTATE_UNWATCHED inline void TileSum::write(float* to, int stride) const {
  emulator::requireTile(to, stride);
  emulator::tileReached(to, tileSize, tileSize, stride, emulator::Reach::write, emulator::Tile::sum);
  const int first = static_cast<int>(threadIdx.x) % 32 * each;
  for (int i = 0; i < each; ++i) to[(first + i) / tileSize * stride + (first + i) % tileSize] = sums_[i];
}

template <Lying a, Lying b>
METASTATE_UNWATCHED inline void TileSum::addProduct(const float* A, int strideA, const float* B, int strideB,
                                                    int depth) {
  const auto operand = [](const float* from, bool alongDepth, int stride, int depth) {
    emulator::requireTile(from, stride);
    emulator::tileReached(from, alongDepth ? tileSize : depth, alongDepth ? depth : tileSize, stride,
                          emulator::Reach::read, emulator::Tile::operand);
  };
  operand(A, a == Lying::byRows, strideA, depth);
  operand(B, b == Lying::byColumns, strideB, depth);
  const int first = static_cast<int>(threadIdx.x) % 32 * each;
  for (int i = 0; i < each; ++i) {
    const int row = (first + i) / tileSize, column = (first + i) % tileSize;
    for (int k = 0; k < depth; k += 8) {
      float bigX[8], bigY[8], smallX[8], smallY[8];
      for (int j = 0; j < 8; ++j) {
        const float x = a == Lying::byRows ? A[row * strideA + k + j] : A[(k + j) * strideA + row];
        const float y = b == Lying::byRows ? B[(k + j) * strideB + column] : B[column * strideB + k + j];
        bigX[j] = nearestTf32(x);
        bigY[j] = nearestTf32(y);
        smallX[j] = __uint_as_float(__float_as_uint(x - bigX[j]) & bitsOfTf32);
        smallY[j] = __uint_as_float(__float_as_uint(y - bigY[j]) & bitsOfTf32);
      }
      float part = tensorCoreSum(0, smallX, bigY);
      part = tensorCoreSum(part, bigX, smallY);
      sums_[i] += tensorCoreSum(part, bigX, bigY);
    }
  }
}

#else

namespace tensor = nvcuda::wmma;

__device__ __forceinline__ void TileSum::clear() { tensor::fill_fragment(sums_, 0.0f); }

__device__ __forceinline__ void TileSum::read(const float* from, int stride) {
  tensor::load_matrix_sync(sums_, from, static_cast<unsigned>(stride), tensor::mem_row_major);
}

__device__ __forceinline__ void TileSum::write(float* to, int stride) const {
  tensor::store_matrix_sync(to, sums_, static_cast<unsigned>(stride), tensor::mem_row_major);
}

template <typename Fragment>
__device__ __forceinline__ void split(Fragment& big, Fragment& small) {
#pragma unroll
  for (int i = 0; i < big.num_elements; ++i) {
    const float x = big.x[i];
    big.x[i] = nearestTf32(x);
    small.x[i] = x - big.x[i];
  }
}

template <Lying a, Lying b>
__device__ __forceinline__ void TileSum::addProduct(const float* A, int strideA, const float* B, int strideB,
                                                    int depth) {
  using tensor::precision::tf32;
  using LayoutA = std::conditional_t<a == Lying::byRows, tensor::row_major, tensor::col_major>;
  using LayoutB = std::conditional_t<b == Lying::byRows, tensor::row_major, tensor::col_major>;
#pragma unroll 4
  for (int k = 0; k < depth; k += 8) {
    tensor::fragment<tensor::matrix_a, 16, 16, 8, tf32, LayoutA> bigA, smallA;
    tensor::fragment<tensor::matrix_b, 16, 16, 8, tf32, LayoutB> bigB, smallB;
    tensor::load_matrix_sync(bigA, a == Lying::byRows ? A + k : A + k * strideA, static_cast<unsigned>(strideA));
    tensor::load_matrix_sync(bigB, b == Lying::byRows ? B + k * strideB : B + k, static_cast<unsigned>(strideB));
    split(bigA, smallA);
    split(bigB, smallB);
    tensor::fragment<tensor::accumulator, 16, 16, 8, float> part;
    tensor::fill_fragment(part, 0.0f);
    // Small terms first: they would be lost beside the large.
    tensor::mma_sync(part, smallA, bigB, part);
    tensor::mma_sync(part, bigA, smallB, part);
    tensor::mma_sync(part, bigA, bigB, part);
#pragma unroll
    for (int i = 0; i < sums_.num_elements; ++i) sums_.x[i] += part.x[i];
  }
}

#endif

}  // namespace metastate::cuda
