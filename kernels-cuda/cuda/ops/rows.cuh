// What the ops' kernels share: rows and channels dealt out to threads, four floats moved as one, sums over the threads of a
// group.
//
// Device buffers are aligned to 16 bytes (the pool's are to 256), so that four floats of a row whose width is a multiple of
// four are one load.
#pragma once

#include <cstdint>
#include <type_traits>

#include "platform.h"

namespace metastate::cuda {

constexpr int warpThreads = 32;
constexpr int blockThreads = 256;

/// A warp along the channels, eight rows.
constexpr int tileRows = blockThreads / warpThreads;

/// V floats in a row.
template <int V>
struct Floats {
  float at[V];
};

template <int V>
__device__ __forceinline__ Floats<V> load(const float* from) {
  Floats<V> x;
  if constexpr (V == 4) {
    const float4 four = *reinterpret_cast<const float4*>(from);
    x.at[0] = four.x;
    x.at[1] = four.y;
    x.at[2] = four.z;
    x.at[3] = four.w;
  } else {
    for (int i = 0; i < V; ++i) x.at[i] = from[i];
  }
  return x;
}

template <int V>
__device__ __forceinline__ void store(float* to, const Floats<V>& x) {
  if constexpr (V == 4) {
    *reinterpret_cast<float4*>(to) = make_float4(x.at[0], x.at[1], x.at[2], x.at[3]);
  } else {
    for (int i = 0; i < V; ++i) to[i] = x.at[i];
  }
}

/// body.at<V>(i) for V elements from i on, for all of `length`.
template <typename Body>
__global__ void eachElement(Body body, int64_t length) {
  int64_t i = (static_cast<int64_t>(blockIdx.x) * blockThreads + threadIdx.x) * 4;
  if (i + 4 <= length) {
    body.template at<4>(i);
  } else {
    for (; i < length; ++i) body.template at<1>(i);
  }
}

/// How many blocks of a warp's width it takes to go along `width` channels. Blocks are counted along one axis of the grid: the
/// others have too few.
template <int V>
__host__ __device__ __forceinline__ unsigned blocksAcross(int width) {
  constexpr int channels = warpThreads * V;
  return static_cast<unsigned>((static_cast<int64_t>(width) + channels - 1) / channels);
}

/// body.at<V>(row, channel) for V channels from `channel` on, for all of rows × width.
template <int V, typename Body>
__global__ void eachOfRows(Body body, int rows, int width) {
  const unsigned across = blocksAcross<V>(width);
  const int64_t row = static_cast<int64_t>(blockIdx.x / across) * tileRows + threadIdx.y;
  const int channel = static_cast<int>(blockIdx.x % across * warpThreads + threadIdx.x) * V;
  if (row < rows && channel < width) body.template at<V>(static_cast<int>(row), channel);
}

/// The sum over a team's values, in an order that is always the same; each of its threads gets it. A team is a warp or, along
/// x, a block; all threads of the block must call.
template <int team>
__device__ __forceinline__ float teamSum(float value) {
  for (int apart = warpThreads / 2; apart > 0; apart /= 2) value += __shfl_xor_sync(0xffffffffu, value, apart);
  if constexpr (team > warpThreads) {
    __shared__ float ofWarps[team / warpThreads];
    __syncthreads();  // what was there before has been read
    if (threadIdx.x % warpThreads == 0) ofWarps[threadIdx.x / warpThreads] = value;
    __syncthreads();
    value = 0;
    for (int warp = 0; warp < team / warpThreads; ++warp) value += ofWarps[warp];
  }
  return value;
}

/// body(V) with V as a type: 4 for rows that are whole vectors of four, else 1.
template <typename Body>
void withVectors(int64_t width, Body body) {
  if (width % 4 == 0) {
    body(std::integral_constant<int, 4>{});
  } else {
    body(std::integral_constant<int, 1>{});
  }
}

/// body(team, V) as types: a warp for a group of up to 512 elements, a block for a longer one.
template <typename Body>
void withTeams(int64_t size, Body body) {
  withVectors(size, [&](auto vector) {
    if (size <= 512) {
      body(std::integral_constant<int, warpThreads>{}, vector);
    } else {
      body(std::integral_constant<int, blockThreads>{}, vector);
    }
  });
}

/// The blocks in which every one of `count` groups has a team.
template <int team>
dim3 teamBlocks(int64_t count) {
  return dim3(blocksFor(count, blockThreads / team));
}

/// The group of this thread's team.
template <int team>
__device__ __forceinline__ int64_t teamGroup() {
  return static_cast<int64_t>(blockIdx.x) * (blockThreads / team) + threadIdx.x / team;
}

template <typename Body>
void launchElements(cudaStream_t stream, int64_t length, Body body) {
  launch(eachElement<Body>, dim3(blocksFor(length, 4 * blockThreads)), dim3(blockThreads), 0, stream, body, length);
}

template <typename Body>
void launchRows(cudaStream_t stream, int rows, int width, Body body) {
  withVectors(width, [&](auto vector) {
    constexpr int V = decltype(vector)::value;
    launch(eachOfRows<V, Body>, dim3(blocksFor(rows, tileRows) * blocksAcross<V>(width)), dim3(warpThreads, tileRows), 0,
           stream, body, rows, width);
  });
}

}  // namespace metastate::cuda
