// The Meta-State pass, forward: a block takes one head through time.
//
// S does not wait for M, and M needs of S only what was read and normalised. So the block works in tiles of a few steps:
// while some warps take S over tile i, the others take M over tile i - 1, and then all warps normalise what both have read.
// (Head size 128 has too many rows for that: every warp has rows of both, and takes them one after the other.) Both states
// stay in registers; the operands of three tiles lie in shared memory: S's, M's, and the one on its way.
#pragma once

#include "meta/head_norm.cuh"
#include "meta/meta_pass.h"
#include "wkv7/async_copy.h"
#include "wkv7/state_rows.cuh"

namespace metastate::cuda {

template <int N>
struct MetaPassForward {
  using Rows = StateRows<N>;
  /// Whether S and M have warps of their own.
  static constexpr bool apart = N < 128;
  static constexpr int warps = Rows::warpsPerHead * (apart ? 2 : 1);
  static constexpr int tile = N < 128 ? 8 : 4;

  struct Operands {
    float w[tile][N], b[tile][N], k[tile][N], q[tile][N], r[tile][N], v[tile][N], x[tile][N];
    /// a of the step after.
    float nextA[tile][N];
  };
  struct Shared {
    Operands operands[3];
    /// What S and M gave when read; the tile of o is the one before that of u.
    float u[tile][N], o[tile][N];
    /// Of the tile of u: readGain * GN(u), and what is written to M.
    float seen[tile][N], m[tile][N];
    /// Not in registers: at 128 the states leave too few.
    float readGain[N], memoryGain[N];
  };
};

template <int N>
__device__ __forceinline__ void copyMetaTile(const Wkv7Shape& shape, const MetaPassInputs& in, size_t headAt, int first,
                                             typename MetaPassForward<N>::Operands& to) {
  constexpr int tile = MetaPassForward<N>::tile;
  const size_t stride = static_cast<size_t>(shape.heads) * N;
  const int left = shape.time - first, steps = left < tile ? left : tile;
  for (int i = static_cast<int>(threadIdx.x); i < steps * (N / 4); i += static_cast<int>(blockDim.x)) {
    const int step = i / (N / 4), j = i % (N / 4) * 4, t = first + step;
    const size_t at = headAt + t * stride + j;
    copyLater16(&to.w[step][j], in.w + at);
    copyLater16(&to.b[step][j], in.b + at);
    copyLater16(&to.k[step][j], in.k + at);
    copyLater16(&to.q[step][j], in.q + at);
    copyLater16(&to.r[step][j], in.r + at);
    copyLater16(&to.v[step][j], in.v + at);
    copyLater16(&to.x[step][j], in.x + at);
    // After the last step there is no a to prepare for: the product is taken with any and not used.
    copyLater16(&to.nextA[step][j], in.a + (t + 1 < shape.time ? at + stride : at));
  }
  endOfCopies();
}

/// One of the two states, as one warp has it.
template <int N>
struct MetaPassState {
  using Rows = StateRows<N>;
  Rows state;
  float sa[Rows::rows];
  float* checkpoint;
  int untilCheckpoint = 0;

  /// `before` and `checkpoints` are at this thread's row 0; a at the first step.
  __device__ __forceinline__ void begin(const float* before, float* checkpoints, const float* a, int lane) {
    state.read(before, lane);
    state.times(a, lane, sa);
    checkpoint = checkpoints;
  }

  /// Takes the state over `steps` steps; `written` and `readOut` are [steps, N] of shared memory.
  __device__ __forceinline__ void advance(const typename MetaPassForward<N>::Operands& in, const float (*readWith)[N],
                                          const float (*written)[N], float (*readOut)[N], int steps, int interval,
                                          int row, int lane) {
    for (int step = 0; step < steps; ++step) {
      if (interval != 0) {
        if (untilCheckpoint == 0) {
          state.write(checkpoint, lane);
          checkpoint += N * N;
          untilCheckpoint = interval;
        }
        --untilCheckpoint;
      }
      float rowsOfWritten[Rows::rows];
      readFloats<Rows::rows>(&written[step][row], rowsOfWritten);
      const float read = state.advance(in.w[step], in.b[step], in.k[step], readWith[step], in.nextA[step],
                                       rowsOfWritten, sa, lane);
      if (Rows::holdsRead(lane)) readOut[step][row + Rows::rowOfRead(lane)] = read;
    }
  }
};

/// One block for each head; `chunks` is checkpointCount(shape).
template <int N>
__global__ void __launch_bounds__(MetaPassForward<N>::warps * 32, 1)
    metaPassForward(Wkv7Shape shape, int chunks, HeadNorm norm, MetaPassInputs in, MetaPassOutputs out) {
  using Pass = MetaPassForward<N>;
  using Rows = StateRows<N>;
  constexpr int tile = Pass::tile;
  DYNAMIC_SHARED(float, memory);
  typename Pass::Shared& shared = *reinterpret_cast<typename Pass::Shared*>(memory);

  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const int head = static_cast<int>(blockIdx.x), channel = head % shape.heads * N;
  const size_t stride = static_cast<size_t>(shape.heads) * N;
  const size_t headAt = static_cast<size_t>(head / shape.heads) * shape.time * stride + channel;
  const bool hasS = !Pass::apart || warp < Rows::warpsPerHead, hasM = !Pass::apart || !hasS;
  const int row = warp % Rows::warpsPerHead * Rows::rowsPerWarp + Rows::firstRow(lane);
  const size_t stateAt = static_cast<size_t>(head) * N * N + row * N;
  const bool checkpoints = shape.interval != 0;
  const size_t checkpointAt = static_cast<size_t>(head) * chunks * N * N + row * N;

  copyMetaTile<N>(shape, in, headAt, 0, shared.operands[0]);
  // Apart, a warp has one of the two: the same registers serve either.
  MetaPassState<N> states[Pass::apart ? 1 : 2];
  MetaPassState<N>&s = states[0], &m = states[Pass::apart ? 0 : 1];
  if (hasS) {
    s.begin(in.wkv + stateAt, checkpoints ? out.wkvCheckpoints + checkpointAt : nullptr, in.a + headAt, lane);
  }
  if (hasM) {
    m.begin(in.meta + stateAt, checkpoints ? out.metaCheckpoints + checkpointAt : nullptr, in.a + headAt, lane);
  }
  for (int j = static_cast<int>(threadIdx.x); j < N; j += static_cast<int>(blockDim.x)) {
    shared.readGain[j] = in.readGain[channel + j];
    shared.memoryGain[j] = in.memoryGain[channel + j];
  }

  const int tiles = (shape.time + tile - 1) / tile;
  const auto stepsOf = [&](int i) { return shape.time - i * tile < tile ? shape.time - i * tile : tile; };
  for (int i = 0; i <= tiles; ++i) {
    waitForCopies();
    // The operands of tile i and what is to be written to M have arrived; the buffer of tile i - 2 is free.
    __syncthreads();
    if (i + 1 < tiles) copyMetaTile<N>(shape, in, headAt, (i + 1) * tile, shared.operands[(i + 1) % 3]);
    const int ofS = i < tiles ? stepsOf(i) : 0, ofM = i > 0 ? stepsOf(i - 1) : 0;
    if (hasS) {
      const typename Pass::Operands& operands = shared.operands[i % 3];
      s.advance(operands, operands.q, operands.v, shared.u, ofS, shape.interval, row, lane);
    }
    if (hasM) {
      const typename Pass::Operands& operands = shared.operands[(i + 2) % 3];
      m.advance(operands, operands.r, shared.m, shared.o, ofM, shape.interval, row, lane);
    }
    __syncthreads();
    for (int step = warp; step < tile; step += Pass::warps) {
      if (step < ofM) {
        const size_t at = headAt + ((i - 1) * tile + step) * stride;
        HeadValues<N> o, seen, gain;
        o.read(shared.o[step], lane);
        seen.read(shared.seen[step], lane);
        gain.read(shared.memoryGain, lane);
        if (checkpoints) o.write(out.o + at, lane);
        o.normalise(norm, lane);
#pragma unroll
        for (int c = 0; c < HeadValues<N>::each; ++c) o.x[c] = seen.x[c] + gain.x[c] * o.x[c];
        o.write(out.added + at, lane);
      }
      if (step < ofS) {
        const size_t at = headAt + (i * tile + step) * stride;
        HeadValues<N> u, x, gain;
        u.read(shared.u[step], lane);
        x.read(shared.operands[i % 3].x[step], lane);
        gain.read(shared.readGain, lane);
        if (checkpoints) u.write(out.u + at, lane);
        u.normalise(norm, lane);
#pragma unroll
        for (int c = 0; c < HeadValues<N>::each; ++c) {
          u.x[c] *= gain.x[c];
          x.x[c] += u.x[c];
        }
        u.write(shared.seen[step], lane);
        x.write(shared.m[step], lane);
      }
    }
  }
  if (hasM) m.state.write(out.metaAfter + stateAt, lane);
}

}  // namespace metastate::cuda
