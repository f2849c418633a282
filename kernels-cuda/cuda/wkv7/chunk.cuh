// A chunk of sixteen steps of the recurrence as matrices: what the chunked forward and backward pass share.
//
// In a chunk that begins with the state S, let W_t be the product of the decays of steps 1 to t. The recurrence is linear:
//
//   S_t  = S diag(W_t) + sum_{s <= t} (sa_s (b_s W_t/W_s)^T + v_s (k_s W_t/W_s)^T)
//   sa_t = S_{t-1} a_t = S (W_{t-1} a_t) + sum_{s < t} (Aab_ts sa_s + Aak_ts v_s)
//   Aab_ts = (W_{t-1}/W_s a_t) . b_s   and Aak, for s < t;   Arb_ts = (W_t/W_s r_t) . b_s   and Ark, for s <= t
//
// With the steps as rows of matrices (SA, V, ...), a' = W_{t-1} a_t, r' = W_t r_t, b' = W_16/W_s b_s, k' = W_16/W_s k_s and
// T = (I - Aab)^-1, which is lower triangular:
//
//   SA = T (a' S^T + Aak V)     Y = r' S^T + Arb SA + Ark V     S <- S diag(W_16) + SA^T b' + V^T k'
//
// Decays. W_t/W_s is never a quotient of two products from the chunk's beginning. In a', r', b', k' it is itself a product of
// decays, at most 1. In the four products A it has to be taken apart into a factor of t and one of s: they are products from
// step 8, the middle, H_t = W_t/W_8, on the one side and its inverse on the other. At the lowest decay of RWKV-7, 0.545,
// they lie within 0.545^-8 = 128 and 1/128: nothing is lost, for every product of two of them is at most 1 where it is used.
// To overflow, decays would have to be below 2^-15 for eight steps; in these factors smaller ones count as 2^-15.
#pragma once

#include "platform.h"
#include "wkv7/lanes.cuh"
#include "wkv7/tile.h"
#include "wkv7/wkv7.h"

namespace metastate::cuda {

constexpr int chunkSteps = tileSize;
constexpr int chunkMiddle = chunkSteps / 2;
constexpr float leastFactor = 1.0f / 32768;

/// Rows of a tile alone, of two side by side, and of N columns, in shared memory: a little apart, so that rows lie in other
/// banks.
constexpr int tileStride = tileSize + 8;
constexpr int pairStride = 2 * tileStride;
template <int N>
constexpr int chunkStride = N + 8;

inline int chunkCount(const Wkv7Shape& shape) { return (shape.time - 1) / chunkSteps + 1; }

/// Which chunk of which head a block has, and where its first step is in operands [B, T, H, N].
template <int N>
struct ChunkPlace {
  int head, chunk, steps;
  size_t at, stride;

  __device__ __forceinline__ ChunkPlace(const Wkv7Shape& shape, int chunks, int block) {
    head = block / chunks;
    chunk = block % chunks;
    stride = static_cast<size_t>(shape.heads) * N;
    at = (static_cast<size_t>(head / shape.heads) * shape.time + chunk * chunkSteps) * stride + head % shape.heads * N;
    const int left = shape.time - chunk * chunkSteps;
    steps = left < chunkSteps ? left : chunkSteps;
  }
};

/// One column of an operand, 0 (or another value) for steps past the end.
__device__ __forceinline__ void readColumn(const float* from, size_t stride, int steps, float (&to)[chunkSteps],
                                           float past = 0) {
#pragma unroll
  for (int t = 0; t < chunkSteps; ++t) to[t] = t < steps ? from[t * stride] : past;
}

/// [16, N] of an operand into shared memory, zeros past the end; `threads` threads.
template <int N>
__device__ __forceinline__ void readRows(const float* from, size_t stride, int steps,
                                         float (&to)[chunkSteps][chunkStride<N>], int threads) {
  for (int i = static_cast<int>(threadIdx.x); i < chunkSteps * (N / 4); i += threads) {
    const int t = i / (N / 4), j = i % (N / 4) * 4;
    float values[4] = {};
    if (t < steps) readFloats<4>(from + t * stride + j, values);
    writeFloats<4>(&to[t][j], values);
  }
}

/// One column of a chunk's operands, and its decays. Steps past the end decay nothing and write nothing.
struct ChunkColumn {
  float w[chunkSteps], a[chunkSteps], r[chunkSteps], b[chunkSteps], k[chunkSteps];

  /// `at` is the column at the chunk's first step.
  __device__ __forceinline__ ChunkColumn(const float* wIn, const float* aIn, const float* rIn, const float* bIn,
                                         const float* kIn, size_t at, size_t stride, int steps) {
    readColumn(wIn + at, stride, steps, w, 1);
    readColumn(aIn + at, stride, steps, a);
    readColumn(rIn + at, stride, steps, r);
    readColumn(bIn + at, stride, steps, b);
    readColumn(kIn + at, stride, steps, k);
  }

  /// Puts a' and r' into columns whose rows are `stride` floats apart; returns W_16.
  __device__ __forceinline__ float fromStart(float* aTo, float* rTo, int stride) const {
    float factor = 1;
#pragma unroll
    for (int t = 0; t < chunkSteps; ++t) {
      aTo[t * stride] = factor * a[t];
      factor *= w[t];
      if (rTo != nullptr) rTo[t * stride] = factor * r[t];
    }
    return factor;
  }

  /// Puts b' and k'.
  __device__ __forceinline__ void toEnd(float* bTo, float* kTo, int stride) const {
    float factor = 1;
#pragma unroll
    for (int t = chunkSteps - 1; t >= 0; --t) {
      bTo[t * stride] = factor * b[t];
      if (kTo != nullptr) kTo[t * stride] = factor * k[t];
      factor *= w[t];
    }
  }
};

/// H before the first step and after each: H_t is h[t + 1] for step t, counted from 0.
__device__ __forceinline__ void factorsFromMiddle(const float (&w)[chunkSteps], float (&h)[chunkSteps + 1]) {
  h[chunkMiddle] = 1;
#pragma unroll
  for (int t = chunkMiddle; t < chunkSteps; ++t) h[t + 1] = h[t] * fmaxf(w[t], leastFactor);
  float inverse = 1;
#pragma unroll
  for (int t = chunkMiddle - 1; t >= 0; --t) {
    inverse *= fmaxf(w[t], leastFactor);
    h[t] = 1 / inverse;
  }
}

/// What a chunk's steps have to do with each other, in shared memory.
template <int N>
struct ChunkSteps {
  static constexpr int stride = chunkStride<N>;
  /// a H_{t-1} over r H_t, and b / H_s over k / H_s.
  float left[2 * chunkSteps][stride], right[2 * chunkSteps][stride];
  /// Aab, Aak over Arb, Ark.
  float products[2 * chunkSteps][pairStride];
  float inverse[chunkSteps][tileStride];

  __device__ __forceinline__ const float* ab() const { return &products[0][0]; }
  __device__ __forceinline__ const float* ak() const { return &products[0][tileStride]; }
  __device__ __forceinline__ const float* rb() const { return &products[chunkSteps][0]; }
  __device__ __forceinline__ const float* rk() const { return &products[chunkSteps][tileStride]; }

  /// Column j of left and right.
  __device__ __forceinline__ void put(const ChunkColumn& column, int j) {
    float h[chunkSteps + 1];
    factorsFromMiddle(column.w, h);
#pragma unroll
    for (int t = 0; t < chunkSteps; ++t) {
      const float inverse = 1 / h[t + 1];
      left[t][j] = h[t] * column.a[t];
      left[chunkSteps + t][j] = h[t + 1] * column.r[t];
      right[t][j] = inverse * column.b[t];
      right[chunkSteps + t][j] = inverse * column.k[t];
    }
  }

  /// Of [32, 32] products of rows of steps, the sums over what lies after a step are none of its own (and may be any number,
  /// even infinite): for a up to the step before, for r up to the step.
  static __device__ __forceinline__ void maskLater(float (&of)[2 * chunkSteps][pairStride], int threads) {
    for (int i = static_cast<int>(threadIdx.x); i < 4 * tileSize * tileSize; i += threads) {
      const int row = i / (2 * tileSize), column = i % (2 * tileSize);
      const int t = row % tileSize, s = column % tileSize;
      if (row < tileSize ? s >= t : s > t) of[row][column / tileSize * tileStride + s] = 0;
    }
  }

  /// The four products A and T. All threads of the block, when left and right are there; ends with a barrier.
  __device__ __forceinline__ void solve(int warps) {
    const int tid = static_cast<int>(threadIdx.x), warp = tid / 32;
    for (int i = warp; i < 4; i += warps) {
      const int row = i / 2 * tileSize, column = i % 2 * tileSize;
      TileSum product;
      product.clear();
      product.addProduct<Lying::byRows, Lying::byColumns>(left[row], stride, right[column], stride, N);
      product.write(&products[row][i % 2 * tileStride], pairStride);
    }
    __syncthreads();
    maskLater(products, warps * 32);
    __syncthreads();
    // T row by row: T_t = e_t + sum_{s < t} Aab_ts T_s; a column for each thread.
    if (tid < tileSize) {
      float column[chunkSteps];
#pragma unroll
      for (int t = 0; t < chunkSteps; ++t) {
        float sum = t == tid ? 1.0f : 0.0f;
#pragma unroll
        for (int s = 0; s < t; ++s) sum += products[t][s] * column[s];
        column[t] = sum;
        inverse[t][tid] = sum;
      }
    }
    __syncthreads();
  }
};

/// sum += A B for a square A [16, 16] of steps, or its transpose, and a tile of sixteen columns of rows of steps.
template <Lying square = Lying::byRows>
__device__ __forceinline__ void addSteps(TileSum& sum, const float* A, int strideA, const float* rows, int stride) {
  sum.addProduct<square, Lying::byRows>(A, strideA, rows, stride, chunkSteps);
}

}  // namespace metastate::cuda
