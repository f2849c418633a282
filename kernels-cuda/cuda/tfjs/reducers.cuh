// What a reduction keeps while it runs: how a value enters, how two of them join, what comes out. Joining is commutative
// but for the order of rounding, so that a butterfly of shuffles leaves the same bits in all lanes.
#pragma once

#include <cstdint>

#include "platform.h"

namespace metastate::cuda::tfjs {

// Integers wrap, as JavaScript's int32 arrays do.
__device__ __forceinline__ float plus(float a, float b) { return a + b; }
__device__ __forceinline__ int32_t plus(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
}
__device__ __forceinline__ float times(float a, float b) { return a * b; }
__device__ __forceinline__ int32_t times(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) * static_cast<uint32_t>(b));
}

template <typename T>
struct SumOf {
  using Value = T;
  using State = T;
  using Result = T;
  float scale;
  __device__ State none() const { return 0; }
  __device__ void take(State& state, T value, uint32_t) const { state = plus(state, value); }
  __device__ State join(State a, State b) const { return plus(a, b); }
  __device__ Result finish(State state) const { return scaled(state); }

 private:
  __device__ float scaled(float sum) const { return sum * scale; }
  __device__ int32_t scaled(int32_t sum) const { return sum; }
};

template <typename T>
struct ProductOf {
  using Value = T;
  using State = T;
  using Result = T;
  __device__ State none() const { return 1; }
  __device__ void take(State& state, T value, uint32_t) const { state = times(state, value); }
  __device__ State join(State a, State b) const { return times(a, b); }
  __device__ Result finish(State state) const { return state; }
};

__device__ __forceinline__ float lowest(float) { return -__int_as_float(0x7f800000); }
__device__ __forceinline__ int32_t lowest(int32_t) { return INT32_MIN; }
__device__ __forceinline__ float highest(float) { return __int_as_float(0x7f800000); }
__device__ __forceinline__ int32_t highest(int32_t) { return INT32_MAX; }

/// The largest, or NaN when there is one.
template <typename T>
struct MaxOf {
  using Value = T;
  using State = T;
  using Result = T;
  __device__ State none() const { return lowest(T()); }
  __device__ void take(State& state, T value, uint32_t) const { state = join(state, value); }
  __device__ State join(State a, State b) const { return a > b || a != a ? a : b; }
  __device__ Result finish(State state) const { return state; }
};

/// The smallest, or NaN when there is one.
template <typename T>
struct MinOf {
  using Value = T;
  using State = T;
  using Result = T;
  __device__ State none() const { return highest(T()); }
  __device__ void take(State& state, T value, uint32_t) const { state = join(state, value); }
  __device__ State join(State a, State b) const { return a < b || a != a ? a : b; }
  __device__ Result finish(State state) const { return state; }
};

struct AnyOf {
  using Value = uint8_t;
  using State = int32_t;
  using Result = uint8_t;
  __device__ State none() const { return 0; }
  __device__ void take(State& state, uint8_t value, uint32_t) const { state |= value != 0; }
  __device__ State join(State a, State b) const { return a | b; }
  __device__ Result finish(State state) const { return static_cast<uint8_t>(state); }
};

struct AllOf {
  using Value = uint8_t;
  using State = int32_t;
  using Result = uint8_t;
  __device__ State none() const { return 1; }
  __device__ void take(State& state, uint8_t value, uint32_t) const { state &= value != 0; }
  __device__ State join(State a, State b) const { return a & b; }
  __device__ Result finish(State state) const { return static_cast<uint8_t>(state); }
};

/// A value and its place; the place is past all others while there is none.
template <typename T>
struct Placed {
  T value;
  int32_t at;
};

/// The place of the largest (`sign` 1) or smallest (−1), of equal ones the first. As in tfjs, a NaN is passed over, but
/// one at place 0 stays the answer, because nothing compares with it.
template <typename T, int sign>
struct PlaceOf {
  using Value = T;
  using State = Placed<T>;
  using Result = int32_t;
  __device__ State none() const { return {worst(), INT32_MAX}; }
  __device__ void take(State& state, T value, uint32_t index) const {
    if (value != value) {
      if (index != 0) return;
      value = sign > 0 ? highest(T()) : lowest(T());
    }
    state = join(state, {value, static_cast<int32_t>(index)});
  }
  __device__ State join(State a, State b) const {
    if (a.value == b.value) return a.at < b.at ? a : b;
    return (sign > 0 ? a.value > b.value : a.value < b.value) ? a : b;
  }
  __device__ Result finish(State state) const { return state.at; }

 private:
  __device__ T worst() const { return sign > 0 ? lowest(T()) : highest(T()); }
};

template <typename T>
__device__ __forceinline__ T exchanged(T state, int lanes) {
  return __shfl_xor_sync(~0u, state, lanes);
}
template <typename T>
__device__ __forceinline__ Placed<T> exchanged(Placed<T> state, int lanes) {
  return {__shfl_xor_sync(~0u, state.value, lanes), __shfl_xor_sync(~0u, state.at, lanes)};
}

/// The states of a whole warp, joined, in every lane.
template <typename R>
__device__ __forceinline__ typename R::State joinWarp(const R& reducer, typename R::State state) {
#pragma unroll
  for (int lanes = 16; lanes > 0; lanes >>= 1) state = reducer.join(state, exchanged(state, lanes));
  return state;
}

}  // namespace metastate::cuda::tfjs
