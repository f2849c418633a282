// AdamW (arXiv 1711.05101) of all parameters in one launch, and the norm of all gradients in two. A table in device memory
// says where the tensors lie; blocks of equal work find theirs in it. Nothing waits for the device: the factor that clips is
// made there, of the norm.

#include "ops/adamw.h"
#include "ops/rows.cuh"

namespace metastate::cuda {
namespace {

/// The last tensor whose first block is not after `block`.
template <typename Row>
__device__ __forceinline__ Row tensorOf(const Row* table, int count, int64_t block) {
  int low = 0, high = count;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (table[middle].firstBlock <= block) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return table[low];
}

/// By the intrinsic of a plain store: of the one that C++ has nvcc makes four here (13.5, seen in its PTX).
template <int V>
__device__ __forceinline__ void storeWhole(float* to, const Floats<V>& x) {
  if constexpr (V == 4) {
    __stwb(reinterpret_cast<float4*>(to), make_float4(x.at[0], x.at[1], x.at[2], x.at[3]));
  } else {
    store<V>(to, x);
  }
}

template <int V>
__device__ __forceinline__ void adamWAt(const AdamWTensor& t, const AdamWNumbers& n, float scale, int64_t i) {
  const Floats<V> gradient = load<V>(t.gradient + i);
  Floats<V> parameter = load<V>(t.parameter + i), m = load<V>(t.moment1 + i), s = load<V>(t.moment2 + i);
  for (int c = 0; c < V; ++c) {
    const float g = gradient.at[c] * scale;
    m.at[c] = m.at[c] * n.beta1 + g * n.oneMinusBeta1;
    s.at[c] = s.at[c] * n.beta2 + g * g * n.oneMinusBeta2;
    parameter.at[c] = parameter.at[c] * t.kept - t.rate * m.at[c] / (sqrtf(s.at[c] * n.correction) + n.epsilon);
  }
  storeWhole<V>(t.nextParameter + i, parameter);
  storeWhole<V>(t.nextMoment1 + i, m);
  storeWhole<V>(t.nextMoment2 + i, s);
}

__global__ void adamWKernel(const AdamWTensor* table, int count, AdamWNumbers numbers, const float* norm) {
  const AdamWTensor t = tensorOf(table, count, blockIdx.x);
  const float total = *norm;
  // A norm of NaN makes the factor NaN: it must not pass for a small one.
  float scale = numbers.clip / (total < 1e-30f ? 1e-30f : total);
  if (scale > 1) scale = 1;
  const int64_t from = (static_cast<int64_t>(blockIdx.x) - t.firstBlock) * elementsOfBlock;
  const int64_t to = t.length - from < elementsOfBlock ? t.length : from + elementsOfBlock;
  for (int64_t i = from + static_cast<int64_t>(threadIdx.x) * 4; i < to; i += blockThreads * 4) {
    if (i + 4 <= to) {
      adamWAt<4>(t, numbers, scale, i);
    } else {
      for (int64_t j = i; j < to; ++j) adamWAt<1>(t, numbers, scale, j);
    }
  }
}

/// Adds the values of a block's threads, in their order; thread 0 gets the sum.
__device__ __forceinline__ double blockSum(double value) {
  __shared__ double values[blockThreads];
  values[threadIdx.x] = value;
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int i = 1; i < blockThreads; ++i) value += values[i];
  }
  return value;
}

__global__ void squaresOfBlocks(const NormTensor* table, int count, double* sums) {
  const NormTensor t = tensorOf(table, count, blockIdx.x);
  const int64_t from = (static_cast<int64_t>(blockIdx.x) - t.firstBlock) * elementsOfBlock;
  const int64_t to = t.length - from < elementsOfBlock ? t.length : from + elementsOfBlock;
  // In float32 for as many as rounding hardly shows in, in float64 beyond.
  float squares = 0;
  for (int64_t i = from + static_cast<int64_t>(threadIdx.x) * 4; i < to; i += blockThreads * 4) {
    if (i + 4 <= to) {
      const Floats<4> x = load<4>(t.x + i);
      for (int c = 0; c < 4; ++c) squares += x.at[c] * x.at[c];
    } else {
      for (int64_t j = i; j < to; ++j) squares += t.x[j] * t.x[j];
    }
  }
  const double sum = blockSum(static_cast<double>(squares));
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

__global__ void normOfSums(const double* sums, int64_t count, float* norm) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < count; i += blockThreads) sum += sums[i];
  sum = blockSum(sum);
  if (threadIdx.x == 0) *norm = static_cast<float>(sqrt(sum));
}

}  // namespace

int64_t blocksOfTensor(int64_t length) { return (length + elementsOfBlock - 1) / elementsOfBlock; }

void adamW(cudaStream_t stream, const AdamWTensor* table, int count, int64_t blocks, const AdamWNumbers& numbers,
           const float* norm) {
  launch(adamWKernel, dim3(static_cast<unsigned int>(blocks)), dim3(blockThreads), 0, stream, table, count, numbers,
         norm);
}

void globalNorm(cudaStream_t stream, const NormTensor* table, int count, int64_t blocks, float* norm, double* scratch) {
  launch(squaresOfBlocks, dim3(static_cast<unsigned int>(blocks)), dim3(blockThreads), 0, stream, table, count,
         scratch);
  launch(normOfSums, dim3(1), dim3(blockThreads), 0, stream, static_cast<const double*>(scratch), blocks, norm);
}

}  // namespace metastate::cuda
