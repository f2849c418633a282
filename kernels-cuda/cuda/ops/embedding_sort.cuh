// Places of tokens sorted by token and then by place: a bitonic sort (Batcher 1968) of the keys token 2^32 + place. Steps over
// short distances run together in shared memory, those over long ones a launch each.
#pragma once

#include "ops/rows.cuh"

namespace metastate::cuda {

/// Keys that one block sorts in shared memory, two a thread.
constexpr int keysOfBlock = 2 * blockThreads;

__device__ __forceinline__ uint32_t tokenOf(uint64_t key) { return static_cast<uint32_t>(key >> 32); }
__device__ __forceinline__ uint32_t placeOf(uint64_t key) { return static_cast<uint32_t>(key); }

/// How many keys are sorted for `count` places: a power of two, of at least a block's.
inline int64_t sortedPlaces(int64_t count) {
  int64_t keys = keysOfBlock;
  while (keys < count) keys *= 2;
  return keys;
}

static __global__ void makeKeys(int count, const int32_t* tokens, uint64_t* keys) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockThreads + threadIdx.x;
  // What fills up comes last: no token has this number.
  keys[i] = i < count ? static_cast<uint64_t>(static_cast<uint32_t>(tokens[i])) << 32 | static_cast<uint64_t>(i)
                      : ~static_cast<uint64_t>(0);
}

__device__ __forceinline__ void exchange(uint64_t& a, uint64_t& b, bool ascending) {
  if ((a > b) == ascending) {
    const uint64_t kept = a;
    a = b;
    b = kept;
  }
}

/// The first of the pair of `thread` at this distance, a power of two; the second lies that far behind.
__device__ __forceinline__ int64_t firstOfPair(int64_t thread, int64_t distance) {
  return 2 * thread - (thread & (distance - 1));
}

/// One step over a distance of a block's keys or more, in runs of `length` that are sorted alternately up and down.
static __global__ void exchangeFar(uint64_t* keys, int64_t length, int64_t distance) {
  const int64_t i = firstOfPair(static_cast<int64_t>(blockIdx.x) * blockThreads + threadIdx.x, distance);
  exchange(keys[i], keys[i + distance], (i & length) == 0);
}

/// All steps within a block's keys: for every run length from `fromLength` to `toLength`.
static __global__ void exchangeNear(uint64_t* keys, int64_t fromLength, int64_t toLength) {
  __shared__ uint64_t mine[keysOfBlock];
  const int64_t base = static_cast<int64_t>(blockIdx.x) * keysOfBlock;
  mine[threadIdx.x] = keys[base + threadIdx.x];
  mine[threadIdx.x + blockThreads] = keys[base + threadIdx.x + blockThreads];
  for (int64_t length = fromLength; length <= toLength; length *= 2) {
    for (int64_t distance = length / 2 < keysOfBlock / 2 ? length / 2 : keysOfBlock / 2; distance > 0; distance /= 2) {
      __syncthreads();
      const int64_t i = firstOfPair(threadIdx.x, distance);
      exchange(mine[i], mine[i + distance], ((base + i) & length) == 0);
    }
  }
  __syncthreads();
  keys[base + threadIdx.x] = mine[threadIdx.x];
  keys[base + threadIdx.x + blockThreads] = mine[threadIdx.x + blockThreads];
}

/// `keys` has room for `sortedPlaces(count)`.
inline void sortPlaces(cudaStream_t stream, int count, const int32_t* tokens, uint64_t* keys) {
  const int64_t total = sortedPlaces(count);
  const dim3 pairs(blocksFor(total, keysOfBlock)), threads(blockThreads);
  launch(makeKeys, dim3(blocksFor(total, blockThreads)), threads, 0, stream, count, tokens, keys);
  launch(exchangeNear, pairs, threads, 0, stream, keys, static_cast<int64_t>(2), static_cast<int64_t>(keysOfBlock));
  for (int64_t length = 2 * keysOfBlock; length <= total; length *= 2) {
    for (int64_t distance = length / 2; distance >= keysOfBlock; distance /= 2) {
      launch(exchangeFar, pairs, threads, 0, stream, keys, length, distance);
    }
    launch(exchangeNear, pairs, threads, 0, stream, keys, length, length);
  }
}

}  // namespace metastate::cuda
