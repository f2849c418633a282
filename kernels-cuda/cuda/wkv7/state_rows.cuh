// The part of a head's state that one thread holds in registers on the way forward, and one step of the recurrence on it.
//
// Rows of the state never meet, so a warp takes some rows through time alone. `lanesPerRow` neighbouring lanes share a
// row, each with every lanesPerRow-th group of four columns (so that what the lanes read together lies together), and a
// thread has the same columns of `rows` neighbouring rows: an operand's column is read once for all of them.
#pragma once

#include "platform.h"
#include "wkv7/lanes.cuh"

namespace metastate::cuda {

template <int N>
struct StateRows {
  static constexpr int lanesPerRow = N == 16 ? 4 : N == 128 ? 16 : 8;
  static constexpr int columns = N / lanesPerRow;
  static constexpr int rows = N == 16 ? 2 : 4;
  static constexpr int rowsPerWarp = 32 / lanesPerRow * rows;
  static constexpr int warpsPerHead = N / rowsPerWarp;

  float s[rows][columns];

  /// Where this thread's row 0 is, among the rows of its warp.
  static __device__ __forceinline__ int firstRow(int lane) { return lane / lanesPerRow * rows; }
  /// Column of this thread's group `q` of four.
  static __device__ __forceinline__ int column(int lane, int q) { return (q * lanesPerRow + lane % lanesPerRow) * 4; }

  /// `state` is row 0 of this thread.
  __device__ __forceinline__ void read(const float* state, int lane) {
#pragma unroll
    for (int i = 0; i < rows; ++i) {
#pragma unroll
      for (int q = 0; q < columns / 4; ++q) readFloats<4>(state + i * N + column(lane, q), s[i] + 4 * q);
    }
  }

  __device__ __forceinline__ void write(float* state, int lane) const {
#pragma unroll
    for (int i = 0; i < rows; ++i) {
#pragma unroll
      for (int q = 0; q < columns / 4; ++q) writeFloats<4>(state + i * N + column(lane, q), s[i] + 4 * q);
    }
  }

  /// S x for this thread's rows, in every lane. x [N].
  __device__ __forceinline__ void times(const float* x, int lane, float* product) const {
    float sums[rows] = {};
#pragma unroll
    for (int q = 0; q < columns / 4; ++q) {
      float xs[4];
      readFloats<4>(x + column(lane, q), xs);
#pragma unroll
      for (int e = 0; e < 4; ++e) {
#pragma unroll
        for (int i = 0; i < rows; ++i) sums[i] += s[i][4 * q + e] * xs[e];
      }
    }
    gather(scatteredSum<rows, lanesPerRow>(sums, lane), 0, rows, lane, product);
  }

  /// One step: S <- S diag(w) + sa b^T + v k^T, then the products of the new S with `read` (returned by the lanes that
  /// holdsRead names) and with `nextA`, which become sa. One sweep over the columns does it all.
  __device__ __forceinline__ float advance(const float* w, const float* b, const float* k, const float* read,
                                           const float* nextA, const float* v, float* sa, int lane) {
    float sums[2 * rows] = {};
#pragma unroll
    for (int q = 0; q < columns / 4; ++q) {
      const int j = column(lane, q);
      float ws[4], bs[4], ks[4], reads[4], as[4];
      readFloats<4>(w + j, ws);
      readFloats<4>(b + j, bs);
      readFloats<4>(k + j, ks);
      readFloats<4>(read + j, reads);
      readFloats<4>(nextA + j, as);
#pragma unroll
      for (int e = 0; e < 4; ++e) {
#pragma unroll
        for (int i = 0; i < rows; ++i) {
          const float next = s[i][4 * q + e] * ws[e] + sa[i] * bs[e] + v[i] * ks[e];
          s[i][4 * q + e] = next;
          sums[i] += next * reads[e];
          sums[rows + i] += next * as[e];
        }
      }
    }
    const float mine = scatteredSum<2 * rows, lanesPerRow>(sums, lane);
    gather(mine, rows, 2 * rows, lane, sa);
    return mine;
  }

  /// Of what `advance` returns: whether this lane has a row's product with `read`, and which row's.
  static __device__ __forceinline__ bool holdsRead(int lane) {
    constexpr int apart = lanesPerRow / (2 * rows);
    const int place = lane % lanesPerRow;
    return place % apart == 0 && place / apart < rows;
  }
  static __device__ __forceinline__ int rowOfRead(int lane) { return lane % lanesPerRow / (lanesPerRow / (2 * rows)); }

 private:
  /// Hands each of this thread's rows the sum that one lane of its group has, values [rows] of `count` scattered ones
  /// from `first` on.
  static __device__ __forceinline__ void gather(float mine, int first, int count, int lane, float* to) {
    const int apart = lanesPerRow / count, group = lane / lanesPerRow * lanesPerRow;
#pragma unroll
    for (int i = 0; i < rows; ++i) to[i] = __shfl_sync(wholeWarp, mine, group + (first + i) * apart);
  }
};

}  // namespace metastate::cuda
