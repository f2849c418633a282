// What is between the products of a token, head by head: a block has a head of one text, of any size, and all that
// its rows have in common. Time mixing: keys are prepared, the state goes one step and is read, the read is
// normalised, gets its bonus and the gate. The Meta-State layer: S and M go one step under the same transition, M
// written with what S showed of the token.
#pragma once

#include "ops/scalars.cuh"
#include "token/shifted_stream.cuh"

namespace metastate::cuda {

/// A head's threads: a warp for four rows of its state.
constexpr int mostHeadThreads = 512;
constexpr int rowsTogether = 4;

/// The transition of a step and what reads the state after it, in shared memory: [N] each.
struct HeadStep {
  const float *w, *a, *b, *k, *read;
};

/// One step of a state and its product with `read`, row by row: S <- S diag(w) + (S a) b^T + written k^T. `after` may
/// be null. A warp has four rows at a time; each is read twice, the second time out of the nearest cache.
__device__ __forceinline__ void stepState(int size, const HeadStep& step, const float* __restrict__ state,
                                          const float* written, float* __restrict__ after, float* product) {
  const int warp = static_cast<int>(threadIdx.x) / warpThreads, lane = static_cast<int>(threadIdx.x) % warpThreads;
  const int warps = static_cast<int>(blockDim.x) / warpThreads;
  for (int first = warp * rowsTogether; first < size; first += warps * rowsTogether) {
    const float* rows[rowsTogether];
    float removed[rowsTogether] = {}, found[rowsTogether] = {}, put[rowsTogether];
#pragma unroll
    for (int i = 0; i < rowsTogether; ++i) {
      const int row = first + i < size ? first + i : size - 1;  // past the end: summed up, and not stored
      rows[i] = state + static_cast<int64_t>(row) * size;
      put[i] = written[row];
    }
#pragma unroll 4
    for (int j = lane; j < size; j += warpThreads) {
      const float a = step.a[j];
#pragma unroll
      for (int i = 0; i < rowsTogether; ++i) removed[i] += rows[i][j] * a;
    }
#pragma unroll
    for (int i = 0; i < rowsTogether; ++i) removed[i] = teamSum<warpThreads>(removed[i]);
#pragma unroll 4
    for (int j = lane; j < size; j += warpThreads) {
      const float w = step.w[j], b = step.b[j], k = step.k[j], read = step.read[j];
#pragma unroll
      for (int i = 0; i < rowsTogether; ++i) {
        const float next = rows[i][j] * w + removed[i] * b + put[i] * k;
        found[i] += next * read;
        if (after && first + i < size) after[static_cast<int64_t>(first + i) * size + j] = next;
      }
    }
#pragma unroll
    for (int i = 0; i < rowsTogether; ++i) {
      found[i] = teamSum<warpThreads>(found[i]);
      if (lane == 0 && first + i < size) product[first + i] = found[i];
    }
  }
}

/// Time mixing between its products. Vectors are [B, A] or [A], A = H N.
struct MixedHeads {
  int heads, size;
  float aScale, epsilon;
  const float *r, *w, *rawKey, *rate, *v, *gate, *state;
  const float *kk, *ka, *rk, *readWeight, *readBias;
  float *k, *alpha, *beta, *stateAfter, *gated;
};

/// Floats of shared memory of a block.
constexpr int mixedHeadVectors = 7;

__global__ void __launch_bounds__(mostHeadThreads) mixHeads(MixedHeads o) {
  DYNAMIC_SHARED(float, memory);
  const int size = o.size, channel = static_cast<int>(blockIdx.x) % o.heads * size;
  const int64_t at = static_cast<int64_t>(blockIdx.x) * size, stateAt = at * size;
  const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x), lane = thread % warpThreads;
  float *const w = memory, *const a = w + size, *const b = a + size, *const k = b + size, *const r = k + size;
  float *const v = r + size, *const read = v + size;
  prefetchAll(o.state + stateAt, static_cast<int64_t>(size) * size);

  // The replacement key, and with it the bonus, wants no length: both sums at once, each warp for itself.
  float squares = 0, bonus = 0;
  for (int j = lane; j < size; j += warpThreads) {
    const float key = o.rawKey[at + j], scaled = key * o.kk[channel + j];
    squares += scaled * scaled;
    bonus += o.r[at + j] * (key * (1 + (o.rate[at + j] - 1) * o.ka[channel + j])) * o.rk[channel + j];
  }
  const float length = sqrtf(teamSum<warpThreads>(squares));
  const float inverse = 1.0f / (length < shortestKey ? shortestKey : length);
  bonus = teamSum<warpThreads>(bonus);
  for (int j = thread; j < size; j += threads) {
    const float key = o.rawKey[at + j], rate = o.rate[at + j], unit = key * o.kk[channel + j] * inverse;
    w[j] = o.w[at + j];
    a[j] = -unit;
    b[j] = unit * rate * o.aScale;
    k[j] = key * (1 + (rate - 1) * o.ka[channel + j]);
    r[j] = o.r[at + j];
    v[j] = o.v[at + j];
    o.k[at + j] = k[j];
    o.alpha[at + j] = a[j];
    o.beta[at + j] = b[j];
  }
  __syncthreads();
  stepState(size, {w, a, b, k, r}, o.state + stateAt, v, o.stateAfter + stateAt, read);
  __syncthreads();
  const Moments moments = momentsOf<warpThreads, 1>(read, size, o.epsilon);
  for (int j = thread; j < size; j += threads) {
    const float normalised = (read[j] - moments.mean) * moments.inverse;
    const float scaled = normalised * o.readWeight[channel + j] + o.readBias[channel + j];
    o.gated[at + j] = (scaled + bonus * v[j]) * o.gate[at + j];
  }
}

/// The Meta-State layer before its products, C = H N: the residual stream normalised and shifted, then the pass.
struct PassHeads {
  ShiftedStream stream;
  const float* mix;
  int heads, size;
  float epsilon;
  const float *r, *w, *k, *v, *a, *b, *readGain, *memoryGain, *wkv, *meta;
  float *z, *metaAfter;
};

constexpr int passHeadVectors = 11;

__global__ void __launch_bounds__(mostHeadThreads) passHeads(PassHeads o) {
  DYNAMIC_SHARED(float, memory);
  __shared__ float partial[2 * mostHeadThreads / warpThreads];
  const int size = o.size, text = static_cast<int>(blockIdx.x) / o.heads;
  const int channel = static_cast<int>(blockIdx.x) % o.heads * size;
  const int64_t at = static_cast<int64_t>(blockIdx.x) * size, stateAt = at * size;
  const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
  float *const w = memory, *const a = w + size, *const b = a + size, *const k = b + size, *const r = k + size;
  float *const v = r + size, *const x = v + size, *const q = x + size, *const u = q + size, *const m = u + size;
  float* const read = m + size;
  prefetchAll(o.wkv + stateAt, static_cast<int64_t>(size) * size);
  prefetchAll(o.meta + stateAt, static_cast<int64_t>(size) * size);

  const int width = o.stream.width, warps = threads / warpThreads;
  const float* const row = o.stream.stream + static_cast<int64_t>(text) * width;
  const Moments ofStream = width % 4 == 0 ? momentsOfRow<4>(row, width, o.stream.epsilon, warps, partial)
                                          : momentsOfRow<1>(row, width, o.stream.epsilon, warps, partial);
  for (int j = thread; j < size; j += threads) {
    Floats<1> normalised;
    q[j] = shiftedAt<1>(o.stream, o.mix, text, channel + j, ofStream, normalised).at[0];
    x[j] = normalised.at[0];
    o.stream.normalised[at + j] = x[j];
    w[j] = o.w[at + j];
    a[j] = o.a[at + j];
    b[j] = o.b[at + j];
    k[j] = o.k[at + j];
    r[j] = o.r[at + j];
    v[j] = o.v[at + j];
  }
  __syncthreads();
  stepState(size, {w, a, b, k, q}, o.wkv + stateAt, v, nullptr, u);
  __syncthreads();
  const Moments ofRead = momentsOf<warpThreads, 1>(u, size, o.epsilon);
  __syncthreads();
  for (int j = thread; j < size; j += threads) {
    u[j] = (u[j] - ofRead.mean) * ofRead.inverse * o.readGain[channel + j];
    m[j] = x[j] + u[j];
  }
  __syncthreads();
  stepState(size, {w, a, b, k, r}, o.meta + stateAt, m, o.metaAfter + stateAt, read);
  __syncthreads();
  const Moments ofMemory = momentsOf<warpThreads, 1>(read, size, o.epsilon);
  for (int j = thread; j < size; j += threads) {
    const float remembered = (read[j] - ofMemory.mean) * ofMemory.inverse * o.memoryGain[channel + j];
    o.z[at + j] = q[j] + (u[j] + remembered);
  }
}

}  // namespace metastate::cuda
