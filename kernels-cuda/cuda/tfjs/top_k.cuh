// The k largest of a row: radix selection, then a bitonic sort of those k. A value and its place make one key of 64 bits,
// larger for what comes first; all keys differ, so the k-th largest cuts off exactly k. Its digits of 8 bits are found
// from the highest on, each by a histogram of the keys that agree so far, until the histogram itself separates k of them.
#pragma once

#include "platform.h"
#include "tfjs/top_k.h"

namespace metastate::cuda::tfjs {

constexpr int topKThreads = 256;

// Bits that order as the numbers do: a negative number has its other bits turned round. −0 is 0.
__device__ __forceinline__ uint32_t orderedBits(float x) {
  const uint32_t bits = __float_as_uint(x == 0 ? 0.0f : x);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}
__device__ __forceinline__ uint32_t orderedBits(int32_t x) { return static_cast<uint32_t>(x) ^ 0x80000000u; }

template <typename T>
__device__ __forceinline__ uint64_t keyOf(T x, uint32_t index) {
  return static_cast<uint64_t>(orderedBits(x)) << 32 | ~index;
}

/// A block for each row; dynamic shared memory holds `capacity` keys, the next power of two from k on.
template <typename T>
__global__ void __launch_bounds__(topKThreads)
    topKKernel(uint32_t width, uint32_t k, uint32_t capacity, const T* __restrict__ x, T* __restrict__ values,
               int32_t* __restrict__ indices) {
  DYNAMIC_SHARED(uint64_t, chosen);
  __shared__ unsigned histogram[256];
  __shared__ unsigned digit, missing, separated, found;
  const T* row = x + static_cast<int64_t>(blockIdx.x) * width;

  uint64_t prefix = 0;
  uint32_t wanted = k;  // of the keys that agree with the prefix
  int shift = 64;
  bool done = width == k;
  while (!done) {
    shift -= 8;
    for (uint32_t i = threadIdx.x; i < 256; i += blockDim.x) histogram[i] = 0;
    __syncthreads();
    for (uint32_t i = threadIdx.x; i < width; i += blockDim.x) {
      const uint64_t key = keyOf(row[i], i);
      if (shift == 56 || key >> (shift + 8) == prefix) atomicAdd(&histogram[key >> shift & 255], 1u);
    }
    __syncthreads();
    if (threadIdx.x < 32) {
      // A lane has eight bins, the highest first; the one in whose bins the wanted key lies finds it there.
      int at = 255 - 8 * static_cast<int>(threadIdx.x);
      uint32_t own = 0;
      for (int bin = 0; bin < 8; ++bin) own += histogram[at - bin];
      uint32_t through = own;
      for (uint32_t lanes = 1; lanes < 32; lanes *= 2) {
        const uint32_t before = __shfl_up_sync(~0u, through, lanes);
        if (threadIdx.x >= lanes) through += before;
      }
      uint32_t above = through - own;
      if (above < wanted && wanted <= through) {
        while (above + histogram[at] < wanted) above += histogram[at--];
        digit = static_cast<unsigned>(at);
        missing = wanted - above;
        separated = histogram[at] == wanted - above;
      }
    }
    __syncthreads();
    prefix = prefix << 8 | digit;
    wanted = missing;
    done = separated != 0;
    __syncthreads();
  }

  const uint64_t least = shift == 64 ? 0 : prefix << shift;
  if (threadIdx.x == 0) found = 0;
  for (uint32_t i = threadIdx.x; i < capacity; i += blockDim.x) chosen[i] = 0;
  __syncthreads();
  for (uint32_t i = threadIdx.x; i < width; i += blockDim.x) {
    const uint64_t key = keyOf(row[i], i);
    // The order in which they come does not matter: they are sorted, and all differ.
    if (key >= least) chosen[atomicAdd(&found, 1u)] = key;
  }
  __syncthreads();

  for (uint32_t size = 2; size <= capacity; size *= 2) {
    for (uint32_t step = size / 2; step > 0; step /= 2) {
      for (uint32_t i = threadIdx.x; i < capacity / 2; i += blockDim.x) {
        const uint32_t low = i / step * step * 2 + i % step, high = low + step;
        const bool descending = (low & size) == 0;
        if ((chosen[low] < chosen[high]) == descending) {
          const uint64_t other = chosen[low];
          chosen[low] = chosen[high];
          chosen[high] = other;
        }
      }
      __syncthreads();
    }
  }
  for (uint32_t i = threadIdx.x; i < k; i += blockDim.x) {
    const uint32_t index = ~static_cast<uint32_t>(chosen[i]);
    values[static_cast<int64_t>(blockIdx.x) * k + i] = row[index];
    indices[static_cast<int64_t>(blockIdx.x) * k + i] = static_cast<int32_t>(index);
  }
}

}  // namespace metastate::cuda::tfjs
