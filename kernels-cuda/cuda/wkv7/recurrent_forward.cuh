// Wkv7 forward, step by step: any length; and a single step, as in decoding.
//
// A block has some or all of the rows of one head; its state stays in registers from the first step to the last. The
// operands of a few steps lie in shared memory, and while the block works through them those of the next few are copied
// in behind. One barrier for so many steps.
#pragma once

#include "wkv7/async_copy.h"
#include "wkv7/state_rows.cuh"
#include "wkv7/wkv7.h"

namespace metastate::cuda {

/// Steps whose operands lie in shared memory together.
constexpr int forwardTile = 8;

/// Operands of a tile of steps, `rows` of v. Sixteen bytes at a time go in and out.
template <int N, int rows>
struct alignas(16) ForwardTile {
  float w[forwardTile][N], b[forwardTile][N], k[forwardTile][N], r[forwardTile][N];
  /// a of the step after: it multiplies the state that the step leaves.
  float nextA[forwardTile][N];
  float v[forwardTile][rows];
};

/// Begins to copy the operands of steps [first, first + forwardTile) that exist.
template <int N, int rows>
__device__ __forceinline__ void copyTile(const Wkv7Shape& shape, const Wkv7Inputs& in, size_t headAt, int firstRow,
                                         int first, ForwardTile<N, rows>& tile) {
  const size_t stride = static_cast<size_t>(shape.heads) * N;
  const int left = shape.time - first, steps = left < forwardTile ? left : forwardTile;
  const int tid = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
  for (int i = tid; i < steps * (N / 4); i += threads) {
    const int step = i / (N / 4), j = i % (N / 4) * 4, t = first + step;
    const size_t at = headAt + t * stride + j;
    copyLater16(&tile.w[step][j], in.w + at);
    copyLater16(&tile.b[step][j], in.b + at);
    copyLater16(&tile.k[step][j], in.k + at);
    copyLater16(&tile.r[step][j], in.r + at);
    // After the last step there is no a to prepare for: the product is taken with any and not used.
    copyLater16(&tile.nextA[step][j], in.a + (t + 1 < shape.time ? at + stride : at));
  }
  for (int i = tid; i < steps * (rows / 4); i += threads) {
    const int step = i / (rows / 4), j = i % (rows / 4) * 4;
    copyLater16(&tile.v[step][j], in.v + headAt + (first + step) * stride + firstRow + j);
  }
  endOfCopies();
}

/// One block of `warps` warps for each `warps * rowsPerWarp` rows of a head; `chunks` is checkpointCount(shape).
template <int N, int warps>
__global__ void __launch_bounds__(warps * 32) wkv7RecurrentForward(Wkv7Shape shape, int chunks, Wkv7Inputs in, Wkv7Outputs out) {
  using Rows = StateRows<N>;
  constexpr int blockRows = warps * Rows::rowsPerWarp, shares = N / blockRows;
  __shared__ ForwardTile<N, blockRows> tiles[2];

  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const int head = static_cast<int>(blockIdx.x) / shares, firstRow = static_cast<int>(blockIdx.x) % shares * blockRows;
  const int row = warp * Rows::rowsPerWarp + Rows::firstRow(lane);  // of this thread, in the block
  const size_t stride = static_cast<size_t>(shape.heads) * N;
  const size_t headAt = static_cast<size_t>(head / shape.heads) * shape.time * stride + head % shape.heads * N;
  const size_t rowAt = static_cast<size_t>(firstRow + row) * N;  // in a state

  copyTile(shape, in, headAt, firstRow, 0, tiles[0]);
  Rows state;
  state.read(in.state + static_cast<size_t>(head) * N * N + rowAt, lane);
  float sa[Rows::rows];
  state.times(in.a + headAt, lane, sa);

  float* checkpoint = shape.interval == 0
                          ? nullptr
                          : out.checkpoints + static_cast<size_t>(head) * chunks * N * N + rowAt;
  int untilCheckpoint = 0;
  float* y = out.y + headAt + firstRow + row + Rows::rowOfRead(lane);

  for (int first = 0, use = 0; first < shape.time; first += forwardTile, use ^= 1) {
    waitForCopies();
    // All copies of this tile have arrived, and no thread still reads the other one.
    __syncthreads();
    if (first + forwardTile < shape.time) {
      copyTile(shape, in, headAt, firstRow, first + forwardTile, tiles[use ^ 1]);
    }
    const ForwardTile<N, blockRows>& tile = tiles[use];
    const int left = shape.time - first, steps = left < forwardTile ? left : forwardTile;
    for (int step = 0; step < steps; ++step) {
      if (shape.interval != 0) {
        if (untilCheckpoint == 0) {
          state.write(checkpoint, lane);
          checkpoint += N * N;
          untilCheckpoint = shape.interval;
        }
        --untilCheckpoint;
      }
      float v[Rows::rows];
      readFloats<Rows::rows>(&tile.v[step][row], v);
      const float read =
          state.advance(tile.w[step], tile.b[step], tile.k[step], tile.r[step], tile.nextA[step], v, sa, lane);
      if (Rows::holdsRead(lane)) *y = read;
      y += stride;
    }
  }
  state.write(out.finalState + static_cast<size_t>(head) * N * N + rowAt, lane);
}

/// One step: T is 1. Reading and writing the state is all the time it takes, so a warp does its rows and is gone.
template <int N>
__global__ void __launch_bounds__(128) wkv7SingleStep(Wkv7Shape shape, Wkv7Inputs in, Wkv7Outputs out) {
  using Rows = StateRows<N>;
  const int warp = static_cast<int>(blockIdx.x) * 4 + static_cast<int>(threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int head = warp / Rows::warpsPerHead;
  if (head >= shape.batch * shape.heads) return;  // whole warps
  const int row = warp % Rows::warpsPerHead * Rows::rowsPerWarp + Rows::firstRow(lane);
  const size_t at = static_cast<size_t>(head) * N, stateAt = (at + row) * N;

  Rows state;
  state.read(in.state + stateAt, lane);
  if (shape.interval != 0) state.write(out.checkpoints + stateAt, lane);
  float sa[Rows::rows], v[Rows::rows];
  state.times(in.a + at, lane, sa);
  readFloats<Rows::rows>(in.v + at + row, v);
  const float read = state.advance(in.w + at, in.b + at, in.k + at, in.r + at, in.a + at, v, sa, lane);
  if (Rows::holdsRead(lane)) out.y[at + row + Rows::rowOfRead(lane)] = read;
  state.write(out.finalState + stateAt, lane);
}

}  // namespace metastate::cuda
