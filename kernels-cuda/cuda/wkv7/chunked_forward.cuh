// Wkv7 forward by chunks of sixteen steps: matrix products on tensor cores, and one sequential step for each chunk instead
// of sixteen.
//
// In a chunk that begins with the state S, let W_t be the product of the decays of steps 1 to t. The recurrence is linear:
//
//   S_t  = S diag(W_t) + sum_{s <= t} (sa_s (b_s W_t/W_s)^T + v_s (k_s W_t/W_s)^T)
//   sa_t = S_{t-1} a_t = S (W_{t-1} a_t) + sum_{s < t} (Aab_ts sa_s + Aak_ts v_s)
//   Aab_ts = (W_{t-1}/W_s a_t) . b_s   and Aak, for s < t;   Arb_ts = (W_t/W_s r_t) . b_s   and Ark, for s <= t
//
// With the steps as rows of matrices (SA, V, ...), a' = W_{t-1} a_t and r' = W_t r_t, and T = (I - Aab)^-1, which is lower
// triangular, what does not depend on S can be done for all chunks at once (chunkFactors):
//
//   P = T a'      U = T (Aak V)      Q = r' + Arb P      Z = Arb U + Ark V      b' = W_16/W_s b_s     k' = W_16/W_s k_s
//
// and what does is little (chunkScan), for any rows of S by themselves:
//
//   SA = U + P S^T        Y = Z + Q S^T        S <- S diag(W_16) + SA^T b' + V^T k'
//
// Decays. W_t/W_s is never a quotient of two products from the chunk's beginning. In a', r', b', k' it is itself a product of
// decays, at most 1. In the four products A it has to be taken apart into a factor of t and one of s: they are products from
// step 8, the middle, H_t = W_t/W_8, on the one side and its inverse on the other. At the lowest decay of RWKV-7, 0.545,
// they lie within 0.545^-8 = 128 and 1/128: nothing is lost, for every product of two of them is at most 1 where it is used.
// To overflow, decays would have to be below 2^-15 for eight steps; in these factors smaller ones count as 2^-15.
//
// All products are 3xTF32 (tile.h): results are as good as the recurrent form's.
#pragma once

#include "wkv7/async_copy.h"
#include "wkv7/lanes.cuh"
#include "wkv7/tile.h"
#include "wkv7/wkv7.h"

namespace metastate::cuda {

constexpr int chunkSteps = tileSize;
constexpr int chunkMiddle = chunkSteps / 2;
constexpr float leastFactor = 1.0f / 32768;

/// Rows of a tile alone, and of N columns, in shared memory: a little apart, so that rows lie in other banks.
constexpr int tileStride = tileSize + 8;
template <int N>
constexpr int chunkStride = N + 8;

/// What one chunk of one head has in scratch, in floats: P, Q, b', k', U, Z [16, N] each, W_16 [N].
template <int N>
struct ChunkFactors {
  static constexpr int matrix = chunkSteps * N;
  static constexpr int p = 0, q = matrix, b = 2 * matrix, k = 3 * matrix, u = 4 * matrix, z = 5 * matrix;
  static constexpr int decay = 6 * matrix, floats = 6 * matrix + N;
};

inline int chunkCount(const Wkv7Shape& shape) { return (shape.time + chunkSteps - 1) / chunkSteps; }

template <int N>
struct ChunkFactorsShared {
  static constexpr int warps = N / tileSize, stride = chunkStride<N>;
  /// a' and r'; later r' becomes Q.
  float a[chunkSteps][stride], r[chunkSteps][stride];
  /// a H_{t-1} over r H_t, and b / H_s over k / H_s.
  float left[2 * chunkSteps][stride], right[2 * chunkSteps][stride];
  float v[chunkSteps][stride], p[chunkSteps][stride], u[chunkSteps][stride];
  /// Aab, Aak over Arb, Ark.
  float products[2 * chunkSteps][2 * tileStride];
  float inverse[chunkSteps][tileStride];
};

/// Column j of a chunk's operands with their decays. Steps past the end decay nothing and write nothing.
template <int N>
__device__ __forceinline__ void scaleColumn(const Wkv7Inputs& in, size_t at, size_t stride, int steps, int j,
                                            ChunkFactorsShared<N>& shared, float* factors) {
  using Factors = ChunkFactors<N>;
  float w[chunkSteps], a[chunkSteps], r[chunkSteps], b[chunkSteps], k[chunkSteps];
#pragma unroll
  for (int t = 0; t < chunkSteps; ++t) {
    const size_t here = at + t * stride + j;
    const bool is = t < steps;
    w[t] = is ? in.w[here] : 1.0f;
    a[t] = is ? in.a[here] : 0.0f;
    r[t] = is ? in.r[here] : 0.0f;
    b[t] = is ? in.b[here] : 0.0f;
    k[t] = is ? in.k[here] : 0.0f;
    shared.v[t][j] = is ? in.v[here] : 0.0f;
  }
  float fromStart = 1, toEnd = 1;
#pragma unroll
  for (int t = 0; t < chunkSteps; ++t) {
    shared.a[t][j] = fromStart * a[t];
    fromStart *= w[t];
    shared.r[t][j] = fromStart * r[t];
  }
  factors[Factors::decay + j] = fromStart;
#pragma unroll
  for (int t = chunkSteps - 1; t >= 0; --t) {
    factors[Factors::b + t * N + j] = toEnd * b[t];
    factors[Factors::k + t * N + j] = toEnd * k[t];
    toEnd *= w[t];
  }
  // Steps after the middle (t counts from 0, so step t + 1): H of step t is `factor`, that of the step before is `before`.
  float factor = 1;
#pragma unroll
  for (int t = chunkMiddle; t < chunkSteps; ++t) {
    shared.left[t][j] = factor * a[t];
    factor *= fmaxf(w[t], leastFactor);
    const float inverse = 1 / factor;
    shared.left[chunkSteps + t][j] = factor * r[t];
    shared.right[t][j] = inverse * b[t];
    shared.right[chunkSteps + t][j] = inverse * k[t];
  }
  // And up to the middle: here `factor` is 1 / H of step t.
  factor = 1;
#pragma unroll
  for (int t = chunkMiddle - 1; t >= 0; --t) {
    shared.right[t][j] = factor * b[t];
    shared.right[chunkSteps + t][j] = factor * k[t];
    shared.left[chunkSteps + t][j] = 1 / factor * r[t];
    factor *= fmaxf(w[t], leastFactor);
    shared.left[t][j] = 1 / factor * a[t];
  }
}

/// One block for each chunk of each head.
template <int N>
__global__ void __launch_bounds__(N / tileSize * 32, 1)
    chunkFactors(Wkv7Shape shape, int chunks, Wkv7Inputs in, float* scratch) {
  using Shared = ChunkFactorsShared<N>;
  using Factors = ChunkFactors<N>;
  constexpr int warps = Shared::warps, stride = Shared::stride, threads = warps * 32;
  DYNAMIC_SHARED(float, memory);
  Shared& shared = *reinterpret_cast<Shared*>(memory);
  const int tid = static_cast<int>(threadIdx.x), warp = tid / 32;
  const int head = static_cast<int>(blockIdx.x) / chunks, chunk = static_cast<int>(blockIdx.x) % chunks;
  const size_t stepStride = static_cast<size_t>(shape.heads) * N;
  const size_t at = (static_cast<size_t>(head / shape.heads) * shape.time + chunk * chunkSteps) * stepStride +
                    head % shape.heads * N;
  const int left = shape.time - chunk * chunkSteps, steps = left < chunkSteps ? left : chunkSteps;
  float* const factors = scratch + static_cast<size_t>(blockIdx.x) * Factors::floats;

  for (int j = tid; j < N; j += threads) scaleColumn<N>(in, at, stepStride, steps, j, shared, factors);
  __syncthreads();

  for (int i = warp; i < 4; i += warps) {
    const int row = i / 2 * tileSize, column = i % 2 * tileSize;
    TileSum product;
    product.clear();
    product.addProduct<Lying::byRows, Lying::byColumns>(shared.left[row], stride, shared.right[column], stride, N);
    product.write(&shared.products[row][i % 2 * tileStride], 2 * tileStride);
  }
  __syncthreads();
  // What lies after its step is no part of the sums (and may be any number, even infinite).
  for (int i = tid; i < 4 * tileSize * tileSize; i += threads) {
    const int row = i / (2 * tileSize), column = i % (2 * tileSize);
    const int t = row % tileSize, s = column % tileSize;
    if (row < tileSize ? s >= t : s > t) shared.products[row][column / tileSize * tileStride + s] = 0;
  }
  __syncthreads();
  // T row by row: T_t = e_t + sum_{s < t} Aab_ts T_s; a column for each thread.
  if (tid < tileSize) {
    float inverse[chunkSteps];
#pragma unroll
    for (int t = 0; t < chunkSteps; ++t) {
      float sum = t == tid ? 1.0f : 0.0f;
#pragma unroll
      for (int s = 0; s < t; ++s) sum += shared.products[t][s] * inverse[s];
      inverse[t] = sum;
      shared.inverse[t][tid] = sum;
    }
  }
  __syncthreads();

  // From here on each warp has sixteen columns, and needs nothing of the others.
  const int column = warp * tileSize;
  constexpr int width = 2 * tileStride;
  const float* const ak = &shared.products[0][tileStride];
  const float* const rb = &shared.products[chunkSteps][0];
  const float* const rk = &shared.products[chunkSteps][tileStride];
  const auto times = [&](TileSum& sum, const float* square, int squareStride, const float(*rows)[stride]) {
    sum.addProduct<Lying::byRows, Lying::byRows>(square, squareStride, &rows[0][column], stride, chunkSteps);
  };
  TileSum sum;
  sum.clear();
  times(sum, shared.inverse[0], tileStride, shared.a);
  sum.write(&shared.p[0][column], stride);
  sum.write(factors + Factors::p + column, N);
  // Aak V takes the place of a', which is not needed again.
  sum.clear();
  times(sum, ak, width, shared.v);
  __syncwarp();
  sum.write(&shared.a[0][column], stride);
  __syncwarp();
  sum.clear();
  times(sum, shared.inverse[0], tileStride, shared.a);
  sum.write(&shared.u[0][column], stride);
  sum.write(factors + Factors::u + column, N);
  __syncwarp();
  sum.read(&shared.r[0][column], stride);
  times(sum, rb, width, shared.p);
  sum.write(factors + Factors::q + column, N);
  sum.clear();
  times(sum, rb, width, shared.u);
  times(sum, rk, width, shared.v);
  sum.write(factors + Factors::z + column, N);
}

template <int N>
struct ChunkScanShared {
  static constexpr int stride = chunkStride<N>;
  /// Of one chunk; of u, z and v the sixteen columns that are this block's rows of S. A warp's sixteen columns of p, q and k
  /// are used by that warp alone, and what it has used up it writes over: p with its part of the product P S^T, q with that
  /// of Q S^T, k with SA.
  struct Operands {
    float p[chunkSteps][stride], q[chunkSteps][stride], b[chunkSteps][stride], k[chunkSteps][stride];
    float u[chunkSteps][tileStride], z[chunkSteps][tileStride], v[chunkSteps][tileStride];
    float decay[N];
  };
  Operands operands[2];
  float state[tileSize][stride];
};

template <int N>
__device__ __forceinline__ void copyChunk(const float* factors, const float* v, size_t stepStride, int steps, int row,
                                          typename ChunkScanShared<N>::Operands& to) {
  using Factors = ChunkFactors<N>;
  constexpr int threads = N / tileSize * 32;
  const int tid = static_cast<int>(threadIdx.x);
  for (int i = tid; i < chunkSteps * (N / 4); i += threads) {
    const int t = i / (N / 4), j = i % (N / 4) * 4, at = t * N + j;
    copyLater16(&to.p[t][j], factors + Factors::p + at);
    copyLater16(&to.q[t][j], factors + Factors::q + at);
    copyLater16(&to.b[t][j], factors + Factors::b + at);
    copyLater16(&to.k[t][j], factors + Factors::k + at);
  }
  for (int i = tid; i < chunkSteps * (tileSize / 4); i += threads) {
    const int t = i / (tileSize / 4), j = i % (tileSize / 4) * 4, at = t * N + row + j;
    copyLater16(&to.u[t][j], factors + Factors::u + at);
    copyLater16(&to.z[t][j], factors + Factors::z + at);
    if (t < steps) {
      copyLater16(&to.v[t][j], v + t * stepStride + row + j);
    } else {
      const float none[4] = {};
      writeFloats<4>(&to.v[t][j], none);
    }
  }
  for (int j = tid * 4; j < N; j += threads * 4) copyLater16(to.decay + j, factors + Factors::decay + j);
  endOfCopies();
}

/// Grid: heads x (N / 16): a block has sixteen rows of S, a warp sixteen of their columns.
template <int N>
__global__ void __launch_bounds__(N / tileSize * 32, 1)
    chunkScan(Wkv7Shape shape, int chunks, Wkv7Inputs in, Wkv7Outputs out, const float* scratch) {
  using Shared = ChunkScanShared<N>;
  constexpr int stride = Shared::stride, threads = N / tileSize * 32;
  DYNAMIC_SHARED(float, memory);
  Shared& shared = *reinterpret_cast<Shared*>(memory);
  const int tid = static_cast<int>(threadIdx.x), warp = tid / 32, lane = tid % 32;
  const int head = static_cast<int>(blockIdx.x), row = static_cast<int>(blockIdx.y) * tileSize;
  const int column = warp * tileSize;  // of this warp
  const size_t stepStride = static_cast<size_t>(shape.heads) * N;
  const size_t headAt =
      static_cast<size_t>(head / shape.heads) * shape.time * stepStride + head % shape.heads * N;
  const size_t stateAt = static_cast<size_t>(head) * N * N + row * N;
  const float* const factors = scratch + static_cast<size_t>(head) * chunks * ChunkFactors<N>::floats;
  const auto stepsOf = [&](int chunk) {
    const int left = shape.time - chunk * chunkSteps;
    return left < chunkSteps ? left : chunkSteps;
  };
  const auto copy = [&](int chunk) {
    copyChunk<N>(factors + static_cast<size_t>(chunk) * ChunkFactors<N>::floats,
                 in.v + headAt + static_cast<size_t>(chunk) * chunkSteps * stepStride, stepStride, stepsOf(chunk), row,
                 shared.operands[chunk % 2]);
  };
  // This warp's columns of S between global and shared memory; each lane half a row.
  const int mineRow = lane / 2, mine = column + lane % 2 * (tileSize / 2);
  const auto writeState = [&](float* to) {
    float values[8];
    readFloats<8>(&shared.state[mineRow][mine], values);
    writeFloats<8>(to + mineRow * N + mine, values);
  };

  copy(0);
  {
    float values[8];
    readFloats<8>(in.state + stateAt + mineRow * N + mine, values);
    writeFloats<8>(&shared.state[mineRow][mine], values);
  }
  for (int chunk = 0; chunk < chunks; ++chunk) {
    waitForCopies();
    // The chunk's operands have arrived, and no warp still reads those of the last, or its parts.
    __syncthreads();
    if (chunk + 1 < chunks) copy(chunk + 1);
    typename Shared::Operands& operands = shared.operands[chunk % 2];
    if (shape.interval != 0) {
      writeState(out.checkpoints + (static_cast<size_t>(head) * chunks + chunk) * N * N + row * N);
    }
    TileSum sum;
    sum.clear();
    sum.addProduct<Lying::byRows, Lying::byColumns>(&operands.p[0][column], stride, &shared.state[0][column], stride,
                                                    tileSize);
    __syncwarp();
    sum.write(&operands.p[0][column], stride);
    sum.clear();
    sum.addProduct<Lying::byRows, Lying::byColumns>(&operands.q[0][column], stride, &shared.state[0][column], stride,
                                                    tileSize);
    __syncwarp();
    sum.write(&operands.q[0][column], stride);
    // What S becomes without SA, while the other warps finish their parts.
#pragma unroll
    for (int i = 0; i < 8; ++i) shared.state[mineRow][mine + i] *= operands.decay[mine + i];
    __syncwarp();
    sum.read(&shared.state[0][column], stride);
    sum.addProduct<Lying::byColumns, Lying::byRows>(operands.v[0], tileStride, &operands.k[0][column], stride,
                                                    chunkSteps);
    __syncthreads();
    // Every warp adds SA up for itself: quicker than to wait for another.
#pragma unroll
    for (int i = lane; i < tileSize * tileSize; i += 32) {
      const int t = i / tileSize, j = i % tileSize;
      float sa = operands.u[t][j];
#pragma unroll
      for (int part = 0; part < N; part += tileSize) sa += operands.p[t][part + j];
      operands.k[t][column + j] = sa;
    }
    __syncwarp();
    sum.addProduct<Lying::byColumns, Lying::byRows>(&operands.k[0][column], stride, &operands.b[0][column], stride,
                                                    chunkSteps);
    sum.write(&shared.state[0][column], stride);
    __syncwarp();
    const int steps = stepsOf(chunk);
    for (int i = tid; i < steps * tileSize; i += threads) {
      const int t = i / tileSize, j = i % tileSize;
      float y = operands.z[t][j];
#pragma unroll
      for (int part = 0; part < N; part += tileSize) y += operands.q[t][part + j];
      out.y[headAt + (static_cast<size_t>(chunk) * chunkSteps + t) * stepStride + row + j] = y;
    }
  }
  writeState(out.finalState + stateAt);
}

}  // namespace metastate::cuda
