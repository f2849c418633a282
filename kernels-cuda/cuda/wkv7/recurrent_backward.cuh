// Wkv7 backward: a block takes one head, or a share of its rows when there are few heads, from the last checkpoint to the
// first (back_sweep.cuh has the mathematics). When its share has more rows than the block, slab after slab goes over the
// steps of a checkpoint, and the adjoint of the slabs that wait lies where dState will be.
//
// Sums over the rows of other shares are other blocks': the first share writes where the gradients belong, the others
// beside, and addShares adds them up in order.
#pragma once

#include "wkv7/back_sweep.cuh"
#include "wkv7/wkv7.h"

namespace metastate::cuda {

/// The gradients that are sums over rows, in the order in which `beside` has them.
constexpr int columnGradients = 5;

/// Grid: heads x shares. `beside` is [shares - 1, 5, B, T, H, N]; `chunks` is checkpointCount(shape).
template <int N, int warps>
__global__ void __launch_bounds__(warps * 32, 1)
    wkv7RecurrentBackward(Wkv7Shape shape, int chunks, Wkv7GradInputs in, Wkv7Gradients out, float* beside) {
  using Sweep = BackSweep<N, warps>;
  DYNAMIC_SHARED(float, memory);
  Sweep sweep(*reinterpret_cast<typename Sweep::Shared*>(memory));
  const int head = static_cast<int>(blockIdx.x), share = static_cast<int>(blockIdx.y);
  const int slabsEach = Sweep::slabs / static_cast<int>(gridDim.y);
  const size_t stride = static_cast<size_t>(shape.heads) * N;
  const size_t headAt = static_cast<size_t>(head / shape.heads) * shape.time * stride + head % shape.heads * N;
  const size_t all = static_cast<size_t>(shape.batch) * shape.time * stride;

  SweepGradients columns = {out.dr, out.dw, out.dk, out.da, out.db, stride, false, false};
  if (share > 0) {
    float* const mine = beside + static_cast<size_t>(share - 1) * columnGradients * all;
    columns = {mine, mine + all, mine + 2 * all, mine + 3 * all, mine + 4 * all, stride, false, false};
  }

  typename Sweep::Tile adjoint;
  for (int chunk = chunks - 1; chunk >= 0; --chunk) {
    const int first = chunk * shape.interval;
    const int left = shape.time - first, steps = left < shape.interval ? left : shape.interval;
    const size_t at = headAt + first * stride;
    const SweepColumns operands = {in.r + at, in.w + at, in.k + at, in.a + at, in.b + at, stride};
    SweepGradients gradients = {columns.dr + at, columns.dw + at, columns.dk + at, columns.da + at,
                                columns.db + at, stride,          false,           false};
    const float* const checkpoint = in.checkpoints + (static_cast<size_t>(head) * chunks + chunk) * N * N;
    for (int slab = 0; slab < slabsEach; ++slab) {
      const int row = (share * slabsEach + slab) * Sweep::slab;
      const size_t stateAt = static_cast<size_t>(head) * N * N + row * N;
      gradients.addRead = gradients.add = slab > 0;
      if (chunk == chunks - 1) {
        sweep.read(in.dFinalState + stateAt, adjoint);
      } else if (slabsEach > 1) {
        sweep.read(out.dState + stateAt, adjoint);
      }
      // A checkpoint's steps, sixteen at a time from the last.
      for (int skip = (steps - 1) / sweepSteps * sweepSteps; skip >= 0; skip -= sweepSteps) {
        const int count = steps - skip < sweepSteps ? steps - skip : sweepSteps;
        const SweepRows rows = {in.v + at + row, in.dy + at + skip * stride + row, stride, stride};
        sweep.sweep(checkpoint + row * N, skip, count, operands, rows, gradients, out.dv + at + row, stride, adjoint);
      }
      if (chunk == 0 || slabsEach > 1) sweep.write(out.dState + stateAt, adjoint);
    }
  }
}

/// Adds what the other shares have, in their order. One thread for each of the B T H N places, of all five sums.
__global__ void __launch_bounds__(256)
    addShares(Wkv7Gradients out, const float* __restrict__ beside, int others, size_t all) {
  const size_t i = static_cast<size_t>(blockIdx.x) * 256 + threadIdx.x;
  if (i >= all) return;
  float* const to[columnGradients] = {out.dr, out.dw, out.dk, out.da, out.db};
#pragma unroll
  for (int which = 0; which < columnGradients; ++which) {
    float sum = to[which][i];
    for (int share = 0; share < others; ++share) {
      sum += beside[(static_cast<size_t>(share) * columnGradients + which) * all + i];
    }
    to[which][i] = sum;
  }
}

}  // namespace metastate::cuda
