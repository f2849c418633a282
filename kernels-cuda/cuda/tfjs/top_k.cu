#include "tfjs/top_k.cuh"

namespace metastate::cuda::tfjs {
namespace {

template <typename T>
void topK(int64_t rows, int64_t width, int64_t k, const T* x, T* values, int32_t* indices, cudaStream_t stream) {
  uint32_t capacity = 1;
  while (capacity < k) capacity *= 2;
  launch(topKKernel<T>, dim3(static_cast<unsigned>(rows)), dim3(topKThreads), capacity * sizeof(uint64_t), stream,
         static_cast<uint32_t>(width), static_cast<uint32_t>(k), capacity, x, values, indices);
}

}  // namespace

void launchTopK(int64_t rows, int64_t width, int64_t k, const float* x, float* values, int32_t* indices,
                cudaStream_t stream) {
  topK(rows, width, k, x, values, indices, stream);
}

void launchTopK(int64_t rows, int64_t width, int64_t k, const int32_t* x, int32_t* values, int32_t* indices,
                cudaStream_t stream) {
  topK(rows, width, k, x, values, indices, stream);
}

}  // namespace metastate::cuda::tfjs
