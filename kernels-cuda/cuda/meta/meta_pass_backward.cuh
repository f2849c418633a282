// The Meta-State pass, back: a block takes one head from the last checkpoint to the first. Sixteen steps at a time it goes
//
//   dAdded -> back through GN(o) -> do     M's adjoint back over the steps: dx (which is dm), dr, and M's part of the rest
//   dAdded + dx -> back through GN(u) -> du     S's adjoint back over the steps: dv, dq, and S's part of dw, dk, da, db
//
// back_sweep.cuh takes either adjoint back. Between, the adjoints lie where dWkv and dMeta will be: reading and writing them
// once in sixteen steps costs little beside the steps, and slabs of rows can take turns.
#pragma once

#include "meta/head_norm.cuh"
#include "meta/meta_pass.h"
#include "wkv7/back_sweep.cuh"

namespace metastate::cuda {

template <int N>
struct MetaPassBackward {
  static constexpr int warps = N == 16 ? 1 : N == 64 ? 8 : 4;
  using Sweep = BackSweep<N, warps>;
  struct Shared {
    typename Sweep::Shared sweep;
    /// do, then du, of the steps at hand.
    float adjoint[sweepSteps][N];
    float gains[warps][N];
  };
};

/// Sums over the warps of a block, in their order, to `to` [N].
template <int N, int warps>
__device__ __forceinline__ void addOverWarps(const HeadValues<N>& mine, float (&shared)[warps][N], float* to) {
  const int tid = static_cast<int>(threadIdx.x);
  mine.write(shared[tid / 32], tid % 32);
  __syncthreads();
  for (int j = tid; j < N; j += warps * 32) {
    float sum = 0;
    for (int i = 0; i < warps; ++i) sum += shared[i][j];
    to[j] = sum;
  }
  __syncthreads();
}

/// One block for each head. `written` [B H, interval, N] is room for m; `gains` [2, B, H, N] gets the gradients of
/// readGain and memoryGain of each batch entry. `chunks` is checkpointCount(shape).
template <int N>
__global__ void __launch_bounds__(MetaPassBackward<N>::warps * 32, 1)
    metaPassBackward(Wkv7Shape shape, int chunks, HeadNorm norm, MetaPassGradInputs in, MetaPassGradients out,
                     float* written, float* gains) {
  using Sweep = typename MetaPassBackward<N>::Sweep;
  using Values = HeadValues<N>;
  constexpr int warps = MetaPassBackward<N>::warps;
  DYNAMIC_SHARED(float, memory);
  auto& shared = *reinterpret_cast<typename MetaPassBackward<N>::Shared*>(memory);
  Sweep sweep(shared.sweep);

  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const int head = static_cast<int>(blockIdx.x), channel = head % shape.heads * N;
  const size_t stride = static_cast<size_t>(shape.heads) * N;
  const size_t headAt = static_cast<size_t>(head / shape.heads) * shape.time * stride + channel;
  const size_t stateAt = static_cast<size_t>(head) * N * N;
  float* const m = written + static_cast<size_t>(head) * shape.interval * N;

  Values readGain, memoryGain, dReadGain = {}, dMemoryGain = {};
  readGain.read(in.readGain + channel, lane);
  memoryGain.read(in.memoryGain + channel, lane);
  typename Sweep::Tile adjoint;

  for (int chunk = chunks - 1; chunk >= 0; --chunk) {
    const int first = chunk * shape.interval;
    const int left = shape.time - first, steps = left < shape.interval ? left : shape.interval;
    const size_t at = headAt + first * stride;
    const size_t checkpointAt = (static_cast<size_t>(head) * chunks + chunk) * N * N;
    const SweepColumns ofM = {in.r + at, in.w + at, in.k + at, in.a + at, in.b + at, stride};
    const SweepColumns ofS = {in.q + at, in.w + at, in.k + at, in.a + at, in.b + at, stride};

    for (int t = warp; t < steps; t += warps) {
      Values u, x;
      u.read(in.u + at + t * stride, lane);
      x.read(in.x + at + t * stride, lane);
      u.normalise(norm, lane);
#pragma unroll
      for (int c = 0; c < Values::each; ++c) x.x[c] += readGain.x[c] * u.x[c];
      x.write(m + t * N, lane);
    }
    for (int skip = (steps - 1) / sweepSteps * sweepSteps; skip >= 0; skip -= sweepSteps) {
      const int count = steps - skip < sweepSteps ? steps - skip : sweepSteps;
      const bool last = first + skip + count == shape.time;

      for (int t = warp; t < count; t += warps) {
        const size_t stepAt = at + (skip + t) * stride;
        Values o, d;
        o.read(in.o + stepAt, lane);
        d.read(in.dAdded + stepAt, lane);
        const float inverse = o.normalise(norm, lane);
#pragma unroll
        for (int c = 0; c < Values::each; ++c) {
          dMemoryGain.x[c] += d.x[c] * o.x[c];
          d.x[c] *= memoryGain.x[c];
        }
        d.normaliseBack(o, inverse, norm, lane);
        d.write(shared.adjoint[t], lane);
      }
      __syncthreads();
      for (int slab = 0; slab < Sweep::slabs; ++slab) {
        const int row = slab * Sweep::slab;
        sweep.read((last ? in.dMetaAfter : out.dMeta) + stateAt + row * N, adjoint);
        sweep.sweep(in.metaCheckpoints + checkpointAt + row * N, skip, count, ofM,
                    {m + row, &shared.adjoint[0][row], N, N},
                    {out.dr + at, out.dw + at, out.dk + at, out.da + at, out.db + at, stride, slab > 0, slab > 0},
                    out.dx + at + row, stride, adjoint);
        sweep.write(out.dMeta + stateAt + row * N, adjoint);
      }
      // dx of all rows is there: the sweep ended with a barrier.
      for (int t = warp; t < count; t += warps) {
        const size_t stepAt = at + (skip + t) * stride;
        Values u, d, dx;
        u.read(in.u + stepAt, lane);
        d.read(in.dAdded + stepAt, lane);
        dx.read(out.dx + stepAt, lane);
        const float inverse = u.normalise(norm, lane);
#pragma unroll
        for (int c = 0; c < Values::each; ++c) {
          d.x[c] += dx.x[c];
          dReadGain.x[c] += d.x[c] * u.x[c];
          d.x[c] *= readGain.x[c];
        }
        d.normaliseBack(u, inverse, norm, lane);
        d.write(shared.adjoint[t], lane);
      }
      __syncthreads();
      for (int slab = 0; slab < Sweep::slabs; ++slab) {
        const int row = slab * Sweep::slab;
        if (last) {
          // S after the last token is time mixing's to give: no adjoint comes from it.
#pragma unroll
          for (int i = 0; i < Sweep::rows; ++i) {
#pragma unroll
            for (int c = 0; c < Sweep::columns; ++c) adjoint[i][c] = 0;
          }
        } else {
          sweep.read(out.dWkv + stateAt + row * N, adjoint);
        }
        sweep.sweep(in.wkvCheckpoints + checkpointAt + row * N, skip, count, ofS,
                    {in.v + at + row, &shared.adjoint[0][row], stride, N},
                    {out.dq + at, out.dw + at, out.dk + at, out.da + at, out.db + at, stride, slab > 0, true},
                    out.dv + at + row, stride, adjoint);
        sweep.write(out.dWkv + stateAt + row * N, adjoint);
      }
    }
  }
  const size_t gainAt = static_cast<size_t>(head) * N, all = static_cast<size_t>(shape.batch) * stride;
  addOverWarps<N, warps>(dReadGain, shared.gains, gains + gainAt);
  addOverWarps<N, warps>(dMemoryGain, shared.gains, gains + all + gainAt);
}

/// The gains' gradients, added up over the batch in its order. `each` is H N.
__global__ void __launch_bounds__(256)
    addGains(const float* __restrict__ gains, int batch, int each, float* dReadGain, float* dMemoryGain) {
  const int i = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  if (i >= each) return;
  float read = 0, memory = 0;
  for (int b = 0; b < batch; ++b) {
    read += gains[static_cast<size_t>(b) * each + i];
    memory += gains[static_cast<size_t>(batch + b) * each + i];
  }
  dReadGain[i] = read;
  dMemoryGain[i] = memory;
}

}  // namespace metastate::cuda
