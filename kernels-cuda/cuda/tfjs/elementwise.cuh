// Functions of single elements: a thread takes every gridDim * blockDim-th of them.
#pragma once

#include "platform.h"

namespace metastate::cuda {

struct Exp {
  __device__ float operator()(float x) const { return expf(x); }
};
struct Sigmoid {
  __device__ float operator()(float x) const { return 1 / (1 + expf(-x)); }
};
struct Tanh {
  __device__ float operator()(float x) const { return tanhf(x); }
};
struct Relu {
  // Not fmaxf: of a NaN it would make 0.
  __device__ float operator()(float x) const { return x < 0 ? 0 : x; }
};

template <typename Function>
__global__ void unaryKernel(const float* x, float* y, int64_t count, Function function) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += stride) {
    y[i] = function(x[i]);
  }
}

}  // namespace metastate::cuda
