// What device code may use, for a C++ compiler: CUDA's keywords, barriers, shuffles, atomics and functions of numbers.
// Barriers take their place in the source by default arguments.
#pragma once

#include <math.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "emulator/block.h"
#include "emulator/races.h"

#define __global__
#define __device__
#define __host__
#define __constant__ static const
#ifdef METASTATE_FINDS_RACES
// What is always inlined is watched as the code around it is.
#define __forceinline__ inline
#else
#define __forceinline__ inline __attribute__((always_inline))
#endif
#define __noinline__ __attribute__((noinline))
#ifndef __restrict__
#define __restrict__ __restrict
#endif
#define __launch_bounds__(...)
#define __align__(bytes) alignas(bytes)
// One launch runs at a time, and one block of it: a static variable is the block's own.
#define __shared__ static
#define DYNAMIC_SHARED(type, name) type* const name = static_cast<type*>(::metastate::cuda::emulator::dynamicShared())

constexpr int warpSize = 32;

#define METASTATE_SITE(name) \
  ::metastate::cuda::emulator::Site { name, file, line }

inline void __syncthreads(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  metastate::cuda::emulator::blockBarrier(false, METASTATE_SITE("__syncthreads"));
}
inline int __syncthreads_count(int predicate, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  return metastate::cuda::emulator::blockBarrier(predicate != 0, METASTATE_SITE("__syncthreads_count"));
}
inline int __syncthreads_or(int predicate, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  return metastate::cuda::emulator::blockBarrier(predicate != 0, METASTATE_SITE("__syncthreads_or")) > 0;
}
inline void __syncwarp(unsigned mask = ~0u, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  metastate::cuda::emulator::warpBarrier(mask, METASTATE_SITE("__syncwarp"));
}
inline unsigned __activemask() { return metastate::cuda::emulator::liveLanes(); }
inline unsigned __ballot_sync(unsigned mask, int predicate, const char* file = __builtin_FILE(),
                              int line = __builtin_LINE()) {
  return metastate::cuda::emulator::warpVote(mask, predicate != 0, METASTATE_SITE("__ballot_sync"));
}
inline int __any_sync(unsigned mask, int predicate, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  return metastate::cuda::emulator::warpVote(mask, predicate != 0, METASTATE_SITE("__any_sync")) != 0;
}
inline int __all_sync(unsigned mask, int predicate, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  return metastate::cuda::emulator::warpVote(mask, predicate == 0, METASTATE_SITE("__all_sync")) == 0;
}

namespace metastate::cuda::emulator {

template <typename T>
T exchange(unsigned mask, T value, int source, Site site) {
  static_assert(sizeof(T) <= 8 && std::is_trivially_copyable<T>::value, "a shuffle moves up to 8 bytes");
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = warpExchange(mask, bits, source, site);
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

}  // namespace metastate::cuda::emulator

template <typename T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, const char* file = __builtin_FILE(),
              int line = __builtin_LINE()) {
  const int first = metastate::cuda::emulator::lane() & ~(width - 1);
  return metastate::cuda::emulator::exchange(mask, value, first + (source & (width - 1)), METASTATE_SITE("__shfl_sync"));
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32, const char* file = __builtin_FILE(),
                  int line = __builtin_LINE()) {
  const int lane = metastate::cuda::emulator::lane(), past = (lane & ~(width - 1)) + width;
  const int source = (lane ^ bits) < past ? lane ^ bits : lane;
  return metastate::cuda::emulator::exchange(mask, value, source, METASTATE_SITE("__shfl_xor_sync"));
}
template <typename T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, const char* file = __builtin_FILE(),
                 int line = __builtin_LINE()) {
  const int lane = metastate::cuda::emulator::lane(), first = lane & ~(width - 1);
  const int from = lane - static_cast<int>(delta);
  return metastate::cuda::emulator::exchange(mask, value, from < first ? lane : from, METASTATE_SITE("__shfl_up_sync"));
}
template <typename T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, const char* file = __builtin_FILE(),
                   int line = __builtin_LINE()) {
  const int lane = metastate::cuda::emulator::lane(), past = (lane & ~(width - 1)) + width;
  const int from = lane + static_cast<int>(delta);
  return metastate::cuda::emulator::exchange(mask, value, from >= past ? lane : from,
                                             METASTATE_SITE("__shfl_down_sync"));
}

inline void __threadfence() {}
inline void __threadfence_block() {}

// Threads run one at a time: what is atomic needs no more than this. Each gives the value from before.
template <typename T>
METASTATE_UNWATCHED T atomicAdd(T* address, T value) {
  metastate::cuda::emulator::reached(address, sizeof(T), metastate::cuda::emulator::Reach::atomic);
  const T before = *address;
  *address = before + value;
  return before;
}
template <typename T>
METASTATE_UNWATCHED T atomicMax(T* address, T value) {
  metastate::cuda::emulator::reached(address, sizeof(T), metastate::cuda::emulator::Reach::atomic);
  const T before = *address;
  if (value > before) *address = value;
  return before;
}
template <typename T>
METASTATE_UNWATCHED T atomicMin(T* address, T value) {
  metastate::cuda::emulator::reached(address, sizeof(T), metastate::cuda::emulator::Reach::atomic);
  const T before = *address;
  if (value < before) *address = value;
  return before;
}
template <typename T>
METASTATE_UNWATCHED T atomicExch(T* address, T value) {
  metastate::cuda::emulator::reached(address, sizeof(T), metastate::cuda::emulator::Reach::atomic);
  const T before = *address;
  *address = value;
  return before;
}
template <typename T>
METASTATE_UNWATCHED T atomicCAS(T* address, T expected, T value) {
  metastate::cuda::emulator::reached(address, sizeof(T), metastate::cuda::emulator::Reach::atomic);
  const T before = *address;
  if (before == expected) *address = value;
  return before;
}

template <typename T>
T __ldg(const T* address) {
  return *address;
}
template <typename T>
void __stwb(T* address, T value) {
  *address = value;
}

inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float __log2f(float x) { return log2f(x); }
inline float __powf(float x, float y) { return powf(x, y); }
inline float __fdividef(float x, float y) { return x / y; }
inline float __fmaf_rn(float x, float y, float z) { return fmaf(x, y, z); }
inline float __fadd_rn(float x, float y) { return x + y; }
inline float __fmul_rn(float x, float y) { return x * y; }
inline float __frcp_rn(float x) { return 1 / x; }
inline float __frsqrt_rn(float x) { return 1 / sqrtf(x); }
inline float __saturatef(float x) { return x > 0 ? (x < 1 ? x : 1) : 0; }
inline float rsqrtf(float x) { return 1 / sqrtf(x); }
inline double rsqrt(double x) { return 1 / sqrt(x); }
inline int __float2int_rn(float x) { return static_cast<int>(nearbyintf(x)); }
inline int __float2int_rz(float x) { return static_cast<int>(x); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x)); }
inline int __ffs(int x) { return __builtin_ffs(x); }

inline float __int_as_float(int bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}
inline float __uint_as_float(unsigned bits) { return __int_as_float(static_cast<int>(bits)); }
inline int __float_as_int(float x) {
  int bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}
inline unsigned __float_as_uint(float x) { return static_cast<unsigned>(__float_as_int(x)); }

#define METASTATE_MIN_MAX(T)                            \
  inline T min(T a, T b) { return b < a ? b : a; } \
  inline T max(T a, T b) { return a < b ? b : a; }
METASTATE_MIN_MAX(int)
METASTATE_MIN_MAX(unsigned)
METASTATE_MIN_MAX(long)
METASTATE_MIN_MAX(long long)
METASTATE_MIN_MAX(unsigned long)
METASTATE_MIN_MAX(unsigned long long)
#undef METASTATE_MIN_MAX
// As CUDA's: of a number and a NaN, the number.
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline double max(double a, double b) { return fmax(a, b); }
