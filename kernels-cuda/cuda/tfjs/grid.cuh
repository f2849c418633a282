// How a row of elements is shared out: blocks of threads that go on with strides of the whole grid, four elements at a
// time where the addresses allow 16-byte loads.
#pragma once

#include <algorithm>
#include <cstdint>

#include "platform.h"

namespace metastate::cuda::tfjs {

/// Four adjacent elements that travel together.
template <typename T>
struct alignas(4 * sizeof(T)) Four {
  T at[4];
};

constexpr int elementThreads = 256;
/// Enough blocks to fill any GPU several times over; what is left is done by strides.
constexpr int64_t mostBlocks = 8192;

/// Threads of a block for `count` pieces of work: whole warps, no more than are needed.
inline unsigned blockFor(int64_t count, int most = elementThreads) {
  return static_cast<unsigned>(std::min<int64_t>(most, (count + 31) / 32 * 32));
}

inline unsigned gridFor(int64_t count, int most = elementThreads) {
  return static_cast<unsigned>(std::min<int64_t>(mostBlocks, (count + most - 1) / most));
}

/// Whether addresses and a length are right for pieces of four.
template <typename... T>
bool inFours(const T*... addresses) {
  return (... && (reinterpret_cast<uintptr_t>(addresses) % (4 * sizeof(T)) == 0));
}

/// The number of the thread in the grid, and of all threads. Counts are below 2^31, so that the sum of both fits.
__device__ __forceinline__ uint32_t threadInGrid() { return blockIdx.x * blockDim.x + threadIdx.x; }
__device__ __forceinline__ uint32_t threadsOfGrid() { return gridDim.x * blockDim.x; }

}  // namespace metastate::cuda::tfjs
