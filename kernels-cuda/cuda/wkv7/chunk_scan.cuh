// The sequential part of the chunked form, the same in both directions: from chunk to chunk, sixteen rows of a state at a
// time, with what chunk_factors.cuh has made for all chunks at once:
//
//   X = u + p S^T        Y = z + q S^T        S <- S diag(decay) + X^T b + V^T k
//
// Forward S is the state, X = SA, V the values and Y the outputs. Backward S is the adjoint of the state, from the last chunk
// to the first, X the adjoint of SA behind T, V is dY, and Y is dV.
#pragma once

#include "wkv7/async_copy.h"
#include "wkv7/chunk.cuh"

namespace metastate::cuda {

/// What one chunk of one head has in scratch, in floats: p, q, b, k, u, z [16, N] each, decay [N].
template <int N>
struct ChunkFactors {
  static constexpr int matrix = chunkSteps * N;
  static constexpr int p = 0, q = matrix, b = 2 * matrix, k = 3 * matrix, u = 4 * matrix, z = 5 * matrix;
  static constexpr int decay = 6 * matrix, floats = 6 * matrix + N;
};

/// Where a scan begins, what it reads and what it writes. `kept` [B, H, chunks, N, N] gets the state before each chunk (in the
/// direction of the scan), or is null.
struct ChunkScan {
  const float *initial, *v;
  float *y, *final, *kept;
};

template <int N>
struct ChunkScanShared {
  static constexpr int stride = chunkStride<N>;
  /// Of one chunk; of u, z and v the sixteen columns that are this block's rows of S. A warp's sixteen columns of p, q and k
  /// are used by that warp alone, and what it has used up it writes over: p with its part of the product p S^T, q with that
  /// of q S^T, k with X.
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

/// Grid: heads x (N / 16): a block has sixteen rows of S, a warp sixteen of their columns. What takes the time is waiting: with
/// 128 registers a thread, sixteen warps of a multiprocessor wait together.
template <int N, bool backward>
__global__ void __launch_bounds__(N / tileSize * 32, 512 / (N / tileSize * 32))
    chunkScan(Wkv7Shape shape, int chunks, ChunkScan scan, const float* scratch) {
  using Shared = ChunkScanShared<N>;
  constexpr int stride = Shared::stride, threads = N / tileSize * 32;
  DYNAMIC_SHARED(float, memory);
  Shared& shared = *reinterpret_cast<Shared*>(memory);
  const int tid = static_cast<int>(threadIdx.x), warp = tid / 32, lane = tid % 32;
  const int head = static_cast<int>(blockIdx.x), row = static_cast<int>(blockIdx.y) * tileSize;
  const int column = warp * tileSize;  // of this warp
  const size_t stateAt = static_cast<size_t>(head) * N * N + row * N;
  const float* const factors = scratch + static_cast<size_t>(head) * chunks * ChunkFactors<N>::floats;
  const auto placeOf = [&](int i) {
    return ChunkPlace<N>(shape, chunks, head * chunks + (backward ? chunks - 1 - i : i));
  };
  const auto copy = [&](int i) {
    const ChunkPlace<N> place = placeOf(i);
    copyChunk<N>(factors + static_cast<size_t>(place.chunk) * ChunkFactors<N>::floats, scan.v + place.at, place.stride,
                 place.steps, row, shared.operands[i % 2]);
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
    readFloats<8>(scan.initial + stateAt + mineRow * N + mine, values);
    writeFloats<8>(&shared.state[mineRow][mine], values);
  }
  for (int i = 0; i < chunks; ++i) {
    waitForCopies();
    // The chunk's operands have arrived, and no warp still reads those of the last.
    __syncthreads();
    if (i + 1 < chunks) copy(i + 1);
    typename Shared::Operands& operands = shared.operands[i % 2];
    const ChunkPlace<N> place = placeOf(i);
    if (scan.kept != nullptr) {
      writeState(scan.kept + (static_cast<size_t>(head) * chunks + place.chunk) * N * N + row * N);
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
    // What S becomes without X, while the other warps finish their parts.
#pragma unroll
    for (int j = 0; j < 8; ++j) shared.state[mineRow][mine + j] *= operands.decay[mine + j];
    __syncwarp();
    sum.read(&shared.state[0][column], stride);
    sum.addProduct<Lying::byColumns, Lying::byRows>(operands.v[0], tileStride, &operands.k[0][column], stride,
                                                    chunkSteps);
    __syncthreads();
    // Every warp adds X up for itself: quicker than to wait for another.
#pragma unroll
    for (int e = lane; e < tileSize * tileSize; e += 32) {
      const int t = e / tileSize, j = e % tileSize;
      float x = operands.u[t][j];
#pragma unroll
      for (int part = 0; part < N; part += tileSize) x += operands.p[t][part + j];
      operands.k[t][column + j] = x;
    }
    __syncwarp();
    sum.addProduct<Lying::byColumns, Lying::byRows>(&operands.k[0][column], stride, &operands.b[0][column], stride,
                                                    chunkSteps);
    sum.write(&shared.state[0][column], stride);
    __syncwarp();
    for (int e = tid; e < place.steps * tileSize; e += threads) {
      const int t = e / tileSize, j = e % tileSize;
      float y = operands.z[t][j];
#pragma unroll
      for (int part = 0; part < N; part += tileSize) y += operands.q[t][part + j];
      scan.y[place.at + t * place.stride + row + j] = y;
    }
  }
  writeState(scan.final + stateAt);
}

}  // namespace metastate::cuda
