#pragma once

#include "platform.h"

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

}  // namespace metastate::cuda
