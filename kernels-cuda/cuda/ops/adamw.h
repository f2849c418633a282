// Launches of AdamW and of the global norm over tables of tensors. The tables lie in device memory.
#pragma once

#include <cstdint>

#include "runtime/api.h"

namespace metastate::cuda {

/// Elements that one block of threads works on.
constexpr int64_t elementsOfBlock = 4096;

/// How many blocks a tensor gets.
int64_t blocksOfTensor(int64_t length);

struct AdamWTensor {
  const float *parameter, *gradient, *moment1, *moment2;
  float *nextParameter, *nextMoment1, *nextMoment2;
  int64_t length, firstBlock;  ///< the sum of the blocks of the tensors before
  float rate;                  ///< learning rate / (1 - beta1^step)
  float kept;                  ///< 1 - learning rate × weight decay
};

/// What all tensors of a step share. Differences from 1 come from float64: 1 - 0.9999f has few digits.
struct AdamWNumbers {
  float beta1, beta2, oneMinusBeta1, oneMinusBeta2;
  float correction;  ///< 1 / (1 - beta2^step)
  float epsilon, clip;
};

/// One step of `count` tensors, in one launch; `norm` [1] is the global norm of the gradients, on the device.
void adamW(cudaStream_t stream, const AdamWTensor* table, int count, int64_t blocks, const AdamWNumbers& numbers,
           const float* norm);

struct NormTensor {
  const float* x;
  int64_t length, firstBlock;
};

/// norm [1] = the square root of the sum of all squares. `scratch` holds a double for each block.
void globalNorm(cudaStream_t stream, const NormTensor* table, int count, int64_t blocks, float* norm, double* scratch);

}  // namespace metastate::cuda
