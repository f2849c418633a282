// Wkv7 forward by chunks of sixteen steps (chunk.cuh has the equations): matrix products on tensor cores, and one sequential
// step for each chunk instead of sixteen. For all chunks at once:
//
//   P = T a'      U = T (Aak V)      Q = r' + Arb P      Z = Arb U + Ark V
//
// so that for the scan over chunks (chunk_scan.cuh) there is left
//
//   SA = U + P S^T        Y = Z + Q S^T        S <- S diag(W_16) + SA^T b' + V^T k'
#pragma once

#include "wkv7/chunk_scan.cuh"

namespace metastate::cuda {

template <int N>
struct ChunkFactorsShared {
  static constexpr int stride = chunkStride<N>;
  ChunkSteps<N> steps;
  /// a' and r'.
  float a[chunkSteps][stride], r[chunkSteps][stride];
  float v[chunkSteps][stride], p[chunkSteps][stride], u[chunkSteps][stride];
};

/// One block for each chunk of each head.
template <int N>
__global__ void __launch_bounds__(N / tileSize * 32, 1)
    chunkFactors(Wkv7Shape shape, int chunks, Wkv7Inputs in, float* scratch) {
  using Shared = ChunkFactorsShared<N>;
  using Factors = ChunkFactors<N>;
  constexpr int warps = N / tileSize, stride = Shared::stride, threads = warps * 32;
  DYNAMIC_SHARED(float, memory);
  Shared& shared = *reinterpret_cast<Shared*>(memory);
  ChunkSteps<N>& steps = shared.steps;
  const int tid = static_cast<int>(threadIdx.x);
  const ChunkPlace<N> place(shape, chunks, static_cast<int>(blockIdx.x));
  float* const factors = scratch + static_cast<size_t>(blockIdx.x) * Factors::floats;

  readRows<N>(in.v + place.at, place.stride, place.steps, shared.v, threads);
  for (int j = tid; j < N; j += threads) {
    const ChunkColumn column(in.w, in.a, in.r, in.b, in.k, place.at + j, place.stride, place.steps);
    factors[Factors::decay + j] = column.fromStart(&shared.a[0][j], &shared.r[0][j], stride);
    column.toEnd(factors + Factors::b + j, factors + Factors::k + j, N);
    steps.put(column, j);
  }
  __syncthreads();
  steps.solve(warps);

  // From here on each warp has sixteen columns, and needs nothing of the others.
  const int column = tid / 32 * tileSize;
  TileSum sum;
  sum.clear();
  addSteps(sum, steps.inverse[0], tileStride, &shared.a[0][column], stride);
  sum.write(&shared.p[0][column], stride);
  sum.write(factors + Factors::p + column, N);
  // Aak V takes the place of a', which is not needed again.
  sum.clear();
  addSteps(sum, steps.ak(), pairStride, &shared.v[0][column], stride);
  __syncwarp();
  sum.write(&shared.a[0][column], stride);
  __syncwarp();
  sum.clear();
  addSteps(sum, steps.inverse[0], tileStride, &shared.a[0][column], stride);
  sum.write(&shared.u[0][column], stride);
  sum.write(factors + Factors::u + column, N);
  __syncwarp();
  sum.read(&shared.r[0][column], stride);
  addSteps(sum, steps.rb(), pairStride, &shared.p[0][column], stride);
  sum.write(factors + Factors::q + column, N);
  sum.clear();
  addSteps(sum, steps.rb(), pairStride, &shared.u[0][column], stride);
  addSteps(sum, steps.rk(), pairStride, &shared.v[0][column], stride);
  sum.write(factors + Factors::z + column, N);
}

}  // namespace metastate::cuda
