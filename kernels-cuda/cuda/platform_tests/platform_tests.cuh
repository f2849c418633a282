#pragma once

#include "platform.h"
#include "wkv7/async_copy.h"
#include "wkv7/tile.h"

namespace metastate::cuda {

constexpr int platformThreads = 64;

template <bool isGuarded>
__global__ void reverseKernel(const float* x, float* y) {
  __shared__ float values[platformThreads];
  const int i = threadIdx.x, first = blockIdx.x * platformThreads;
  // Not what an earlier block has left there.
  values[i] = 0;
  __syncthreads();
  values[i] = x[first + i];
  if (isGuarded) __syncthreads();
  y[first + i] = values[platformThreads - 1 - i];
}

__global__ void warpSumKernel(const float* x, float* y) {
  const int i = blockIdx.x * platformThreads + threadIdx.x;
  float sum = x[i];
  for (int distance = 16; distance > 0; distance /= 2) sum += __shfl_xor_sync(~0u, sum, distance);
  y[i] = sum;
}

__global__ void warpScanKernel(const float* x, float* y) {
  const int i = blockIdx.x * platformThreads + threadIdx.x, lane = threadIdx.x % warpSize;
  float sum = x[i];
  for (int distance = 1; distance < warpSize; distance *= 2) {
    const float before = __shfl_up_sync(~0u, sum, distance);
    if (lane >= distance) sum += before;
  }
  y[i] = sum;
}

__global__ void votesKernel(const float* x, float* y) {
  const int i = blockIdx.x * platformThreads + threadIdx.x;
  y[i] = -1;
  if (threadIdx.x % warpSize == 31) return;
  const unsigned others = 0x7fffffffu;
  const unsigned positive = __ballot_sync(others, x[i] > 0);
  y[i] = static_cast<float>(__popc(positive));
}

__global__ void largeSharedKernel(const float* x, float* y) {
  DYNAMIC_SHARED(float, values);
  const int i = blockIdx.x * platformThreads + threadIdx.x;
  const int far = 16 * 1024 - 1 - static_cast<int>(threadIdx.x);
  values[far] = x[i];
  __syncthreads();
  float sum = 0;
  for (int j = 0; j < platformThreads; ++j) sum += values[16 * 1024 - 1 - j];
  y[i] = sum;
}

__global__ void atomicsKernel(const float* x, float* y) {
  atomicAdd(&y[0], x[blockIdx.x * platformThreads + threadIdx.x]);
  atomicAdd(&y[1], 1.0f);
}

__global__ void bfloat16Kernel(const float* x, float* y) {
  const int i = blockIdx.x * platformThreads + threadIdx.x;
  y[i] = __bfloat162float(__float2bfloat16(x[i]));
}

__global__ void divergentBarrierKernel(const float* x, float* y) {
  const int i = blockIdx.x * platformThreads + threadIdx.x;
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncwarp();
    __syncthreads();
  }
  y[i] = x[i];
}

__global__ void divergentShuffleKernel(const float* x, float* y) {
  const int i = blockIdx.x * platformThreads + threadIdx.x;
  if (threadIdx.x % 2 == 0) {
    y[i] = __shfl_sync(~0u, x[i], 0);
  } else {
    y[i] = __shfl_xor_sync(~0u, x[i], 1);
  }
}

__global__ void earlyEndKernel(const float* x, float* y) {
  const int i = blockIdx.x * platformThreads + threadIdx.x;
  y[i] = 0;
  if (threadIdx.x >= 40) return;
  __syncthreads();
  y[i] = x[i];
}

__global__ void unwrittenKernel(const float* x, float* y) {
  const int i = blockIdx.x * platformThreads + threadIdx.x;
  if (i % 2 == 0) y[i] = x[i];
}

__global__ void illegalAddressKernel(const float* x, float* y) { y[threadIdx.x] = x[threadIdx.x]; }

template <bool isGuarded>
__global__ void exchangeKernel(const float* x, float* y) {
  __shared__ float values[platformThreads];
  const int thread = threadIdx.x, i = blockIdx.x * platformThreads + thread;
  values[thread] = x[i];
  if (isGuarded) {
    __syncwarp();
  } else {
    __shfl_sync(~0u, 0, 0);
  }
  y[i] = values[thread ^ 1];
}

__global__ void blocksMeetKernel(const float* x, float* y) { y[threadIdx.x] = x[threadIdx.x]; }

__global__ void unwrittenSharedKernel(const float* x, float* y) {
  __shared__ float values[platformThreads];
  const int thread = threadIdx.x, i = blockIdx.x * platformThreads + thread;
  if (thread % 2 == 0) values[thread] = x[i];
  __syncthreads();
  y[i] = values[thread];
}

struct alignas(32) SharedTile {
  float at[tileSize * tileSize];
};

/// A block's values are the first rows of a tile; the others are zeros.
template <bool isGuarded>
__global__ void tileKernel(const float* x, float* y) {
  __shared__ SharedTile tiles[platformThreads / 32];
  const int thread = threadIdx.x, first = blockIdx.x * platformThreads;
  float* const tile = tiles[thread / warpSize].at;
  for (int i = thread % warpSize; i < tileSize * tileSize; i += warpSize) {
    tile[i] = i < platformThreads ? x[first + i] : 0;
  }
  if (isGuarded) __syncwarp();
  TileSum sum;
  sum.read(tile, tileSize);
  __syncwarp();
  sum.write(tile, tileSize);
  __syncwarp();
  y[first + thread] = tile[thread];
}

__global__ void misalignedVectorKernel(const float* x, float* y) {
  const float4 four = *reinterpret_cast<const float4*>(x + 1);
  y[threadIdx.x] = four.x;
}

__global__ void misalignedTileKernel(const float* x, float* y) {
  TileSum sum;
  sum.read(x + 4, 8);
  y[threadIdx.x] = 0;
}

__global__ void misalignedCopyKernel(const float* x, float* y) {
  __shared__ SharedTile tile;
  copyLater16(tile.at, x + 1);
  endOfCopies();
  y[threadIdx.x] = 0;
}

template <bool isAwaited>
__global__ void copyKernel(const float* x, float* y) {
  __shared__ SharedTile tile;
  float* const values = tile.at;
  const int thread = threadIdx.x, first = blockIdx.x * platformThreads;
  values[thread] = 0;
  __syncthreads();
  if (thread < platformThreads / 4) copyLater16(values + 4 * thread, x + first + 4 * thread);
  endOfCopies();
  if (isAwaited) waitForCopies();
  __syncthreads();
  y[first + thread] = values[thread];
}

}  // namespace metastate::cuda
