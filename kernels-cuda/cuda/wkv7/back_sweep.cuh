// The way back through a few steps for some rows of one head: what Wkv7Grad and MetaPassGrad share.
//
// G is the adjoint of the state; G' = G_t + dy_t r_t^T counts the read of the step. Reverse in time
//
//   dr = S_t^T dy    dv = G' k    dk = G'^T v    db = G'^T sa    dsa = G' b    dw_j = sum_i G'_ij S_{t-1,ij}
//   da = S_{t-1}^T dsa            G_{t-1} = G' diag(w) + dsa a^T
//
// Most of these are sums over rows, so the lanes of a warp lie along the columns (all N of them) and a thread has several
// rows: `rows` x `columns` elements of G, and of each state that it needs. States are never stepped back (the inverse of
// the transition multiplies its error by up to 1.83 each step): from a checkpoint on, the state before every fourth step
// is kept in shared memory, and four steps at a time are computed again from there into registers.
//
// Sums over columns are taken in a warp; sums over rows in a thread, then over the warps of the block through shared
// memory, in the order of the rows.
#pragma once

#include "platform.h"
#include "wkv7/lanes.cuh"

namespace metastate::cuda {

/// Most steps of one sweep.
constexpr int sweepSteps = 16;
/// Steps whose states are in registers together.
constexpr int quad = 4;

/// Operands along columns at step 0 of the sweep: [.., N], `stride` floats from step to step. `r` is what the state is
/// read with.
struct SweepColumns {
  const float *r, *w, *k, *a, *b;
  size_t stride;

  __device__ __forceinline__ SweepColumns after(int steps) const {
    const size_t by = static_cast<size_t>(steps) * stride;
    return {r + by, w + by, k + by, a + by, b + by, stride};
  }
};

/// Operands along rows, of global or of shared memory, at row 0 of the slab: what is written to the state from the
/// checkpoint's step on, and the adjoint of what is read from the first step of the sweep on.
struct SweepRows {
  const float *v, *dy;
  size_t vStride, dyStride;
};

/// Where gradients along columns go, at step 0. Those of r are added to what is there when `addRead`, the rest when `add`.
struct SweepGradients {
  float *dr, *dw, *dk, *da, *db;
  size_t stride;
  bool addRead, add;

  __device__ __forceinline__ SweepGradients after(int steps) const {
    const size_t by = static_cast<size_t>(steps) * stride;
    return {dr + by, dw + by, dk + by, da + by, db + by, stride, addRead, add};
  }
};

/// How a slab of rows lies over the threads of a block of `warps` warps.
template <int N, int warps>
struct BackSweep {
  static constexpr int lanes = N < 32 ? N : 32;
  static constexpr int columns = N / lanes;
  static constexpr int groups = 32 / lanes;  // of rows, in a warp
  static constexpr int rows = N == 128 ? 4 : 8;
  static constexpr int slab = warps * groups * rows;
  static constexpr int slabs = N / slab;
  /// Steps whose sums over rows wait in shared memory together: fewer of the longest.
  static constexpr int waiting = N * warps >= 512 ? 2 : quad;
  static_assert(N % slab == 0, "whole slabs");

  using Tile = float[rows][columns];

  struct Shared {
    /// The state before each fourth step, each thread's elements apart.
    float states[sweepSteps / quad][rows * columns][warps * 32];
    float sums[waiting][5][warps * groups][N];
    float sa[sweepSteps][slab];
    float dsa[slab];
  };

  Shared& shared;
  int tid, lane;
  /// First of this thread's rows in the slab, first of its columns, and which of the block's groups of rows it is in.
  int row, column, group;

  __device__ __forceinline__ explicit BackSweep(Shared& memory) : shared(memory) {
    tid = static_cast<int>(threadIdx.x);
    lane = tid % 32;
    group = tid / lanes;
    row = group * rows;
    column = lane % lanes * columns;
  }

  /// `state` is row 0 of the slab.
  __device__ __forceinline__ void read(const float* state, Tile& tile) const {
#pragma unroll
    for (int i = 0; i < rows; ++i) readFloats<columns>(state + (row + i) * N + column, tile[i]);
  }

  __device__ __forceinline__ void write(float* state, const Tile& tile) const {
#pragma unroll
    for (int i = 0; i < rows; ++i) writeFloats<columns>(state + (row + i) * N + column, tile[i]);
  }

  /// Takes `adjoint` back over steps [skip, skip + steps) after the checkpoint (row 0 of the slab), at most sweepSteps
  /// of them. Operands and gradients are those of the checkpoint's own step on; dv is at row 0 of the slab. All threads of
  /// the block come here together.
  __device__ __forceinline__ void sweep(const float* checkpoint, int skip, int steps, const SweepColumns& in,
                                        const SweepRows& rowIn, const SweepGradients& out, float* dv, size_t dvStride,
                                        Tile& adjoint) {
    recompute(checkpoint, skip, steps, in, rowIn);
    const SweepRows rowsHere = {rowIn.v + static_cast<size_t>(skip) * rowIn.vStride, rowIn.dy, rowIn.vStride,
                                rowIn.dyStride};
    const SweepColumns columnsHere = in.after(skip);
    const SweepGradients outHere = out.after(skip);
    float* const dvHere = dv + static_cast<size_t>(skip) * dvStride;
    for (int first = (steps - 1) / quad * quad; first >= 0; first -= quad) {
      const int count = steps - first < quad ? steps - first : quad;
      backOverQuad(first, count, columnsHere, rowsHere, outHere, dvHere, dvStride, adjoint);
    }
  }

 private:
  /// The sum that a lane got from scatteredSum over `count` values belongs to value l / (lanes / count) of its group.
  template <int count>
  __device__ __forceinline__ int valueOfLane() const {
    return lane % lanes / (lanes / count);
  }
  template <int count>
  __device__ __forceinline__ bool firstOfValue() const {
    return lane % lanes % (lanes / count) == 0;
  }

  /// S a for this warp's rows, into `to` [slab]; whole warps.
  __device__ __forceinline__ void removal(const Tile& state, const float* a, float* to) {
    float as[columns], sums[rows];
    readFloats<columns>(a + column, as);
#pragma unroll
    for (int i = 0; i < rows; ++i) {
      sums[i] = state[i][0] * as[0];
#pragma unroll
      for (int c = 1; c < columns; ++c) sums[i] += state[i][c] * as[c];
    }
    const float mine = scatteredSum<rows, lanes>(sums, lane);
    __syncwarp();  // whoever still reads what was there
    if (firstOfValue<rows>()) to[row + valueOfLane<rows>()] = mine;
    __syncwarp();
  }

  /// next = S diag(w) + sa b^T + v k^T. `next` may be `state`.
  __device__ __forceinline__ void step(const Tile& state, const SweepColumns& in, const float* v, const float* sa,
                                       Tile& next) const {
    float ws[columns], bs[columns], ks[columns], vs[rows], sas[rows];
    readFloats<columns>(in.w + column, ws);
    readFloats<columns>(in.b + column, bs);
    readFloats<columns>(in.k + column, ks);
    readFloats<rows>(v + row, vs);
    readFloats<rows>(sa + row, sas);
#pragma unroll
    for (int i = 0; i < rows; ++i) {
#pragma unroll
      for (int c = 0; c < columns; ++c) next[i][c] = state[i][c] * ws[c] + sas[i] * bs[c] + vs[i] * ks[c];
    }
  }

  /// From the checkpoint on: S a of every step of the sweep, and the state before every fourth.
  __device__ __forceinline__ void recompute(const float* checkpoint, int skip, int steps, const SweepColumns& in,
                                            const SweepRows& rowIn) {
    Tile state;
    read(checkpoint, state);
    for (int t = 0; t < skip + steps; ++t) {
      const int s = t - skip;
      const SweepColumns here = in.after(t);
      float* const sa = shared.sa[s < 0 ? 0 : s];
      if (s >= 0 && s % quad == 0) {
#pragma unroll
        for (int i = 0; i < rows; ++i) {
#pragma unroll
          for (int c = 0; c < columns; ++c) shared.states[s / quad][i * columns + c][tid] = state[i][c];
        }
      }
      removal(state, here.a, sa);
      if (s + 1 < steps) step(state, here, rowIn.v + static_cast<size_t>(t) * rowIn.vStride, sa, state);
    }
  }

  __device__ __forceinline__ void backOverQuad(int first, int count, const SweepColumns& in, const SweepRows& rowIn,
                                               const SweepGradients& out, float* dv, size_t dvStride, Tile& adjoint) {
    Tile states[quad + 1];  // before the quad, and after each of its steps
#pragma unroll
    for (int i = 0; i < rows; ++i) {
#pragma unroll
      for (int c = 0; c < columns; ++c) states[0][i][c] = shared.states[first / quad][i * columns + c][tid];
    }
#pragma unroll
    for (int s = 0; s < quad; ++s) {
      if (s < count) {
        step(states[s], in.after(first + s), rowIn.v + static_cast<size_t>(first + s) * rowIn.vStride,
             shared.sa[first + s], states[s + 1]);
      }
    }
#pragma unroll
    for (int s = quad - 1; s >= 0; --s) {
      if (s < count) {
        const int t = first + s;
        backOverStep(states[s], states[s + 1], in.after(t), rowIn.v + static_cast<size_t>(t) * rowIn.vStride,
                     rowIn.dy + static_cast<size_t>(t) * rowIn.dyStride, shared.sa[t], shared.sums[s % waiting],
                     dv + static_cast<size_t>(t) * dvStride, adjoint);
      }
      if (s % waiting == 0 && s < count) {
        const int steps = count - s < waiting ? count - s : waiting;
        __syncthreads();
        addUp(steps, out.after(first + s));
        __syncthreads();
      }
    }
  }

  __device__ __forceinline__ void backOverStep(const Tile& before, const Tile& after, const SweepColumns& in,
                                               const float* v, const float* dy, const float* sa,
                                               float (&sums)[5][warps * groups][N], float* dv, Tile& adjoint) {
    float rs[columns], bs[columns], ks[columns], vs[rows], dys[rows], sas[rows];
    readFloats<columns>(in.r + column, rs);
    readFloats<columns>(in.b + column, bs);
    readFloats<columns>(in.k + column, ks);
    readFloats<rows>(v + row, vs);
    readFloats<rows>(dy + row, dys);
    readFloats<rows>(sa + row, sas);
    float overColumns[2 * rows] = {};  // dv, then dsa
    float dr[columns] = {}, dw[columns] = {}, dk[columns] = {}, da[columns] = {}, db[columns] = {};
#pragma unroll
    for (int i = 0; i < rows; ++i) {
#pragma unroll
      for (int c = 0; c < columns; ++c) {
        const float g = adjoint[i][c] + dys[i] * rs[c];
        adjoint[i][c] = g;
        dr[c] += after[i][c] * dys[i];
        dw[c] += before[i][c] * g;
        dk[c] += g * vs[i];
        db[c] += g * sas[i];
        overColumns[i] += g * ks[c];
        overColumns[rows + i] += g * bs[c];
      }
    }
    const float mine = scatteredSum<2 * rows, lanes>(overColumns, lane);
    const int value = valueOfLane<2 * rows>();
    __syncwarp();  // whoever still reads the last step's dsa
    if (firstOfValue<2 * rows>()) {
      if (value < rows) {
        dv[row + value] = mine;
      } else {
        shared.dsa[row + value - rows] = mine;
      }
    }
    __syncwarp();

    float ws[columns], as[columns], dsas[rows];
    readFloats<columns>(in.w + column, ws);
    readFloats<columns>(in.a + column, as);
    readFloats<rows>(shared.dsa + row, dsas);
#pragma unroll
    for (int i = 0; i < rows; ++i) {
#pragma unroll
      for (int c = 0; c < columns; ++c) {
        da[c] += before[i][c] * dsas[i];
        adjoint[i][c] = adjoint[i][c] * ws[c] + dsas[i] * as[c];
      }
    }
    writeFloats<columns>(&sums[0][group][column], dr);
    writeFloats<columns>(&sums[1][group][column], dw);
    writeFloats<columns>(&sums[2][group][column], dk);
    writeFloats<columns>(&sums[3][group][column], da);
    writeFloats<columns>(&sums[4][group][column], db);
  }

  /// Adds the groups' sums over rows of `steps` waiting steps, and puts them to their place.
  __device__ __forceinline__ void addUp(int steps, const SweepGradients& out) const {
    for (int i = tid; i < steps * N; i += warps * 32) {
      const int s = i / N, j = i % N;
      const size_t at = static_cast<size_t>(s) * out.stride + j;
      put(out.dr + at, out.addRead, s, 0, j);
      put(out.dw + at, out.add, s, 1, j);
      put(out.dk + at, out.add, s, 2, j);
      put(out.da + at, out.add, s, 3, j);
      put(out.db + at, out.add, s, 4, j);
    }
  }

  __device__ __forceinline__ void put(float* to, bool add, int step, int which, int j) const {
    float sum = add ? *to : 0.0f;
#pragma unroll
    for (int g = 0; g < warps * groups; ++g) sum += shared.sums[step][which][g][j];
    *to = sum;
  }
};

}  // namespace metastate::cuda
