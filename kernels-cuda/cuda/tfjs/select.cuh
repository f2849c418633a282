// Of two tensors the one that a condition names, and sums of several.
#pragma once

#include "platform.h"
#include "tfjs/binary.h"
#include "tfjs/grid.cuh"

namespace metastate::cuda::tfjs {

template <typename Word>
__global__ void __launch_bounds__(elementThreads)
    selectKernel(uint32_t count, uint32_t fours, const uint8_t* __restrict__ condition, const Word* __restrict__ a,
                 const Word* __restrict__ b, Word* __restrict__ y) {
  for (uint32_t i = threadInGrid(); i < fours; i += threadsOfGrid()) {
    const Four<uint8_t> chosen = reinterpret_cast<const Four<uint8_t>*>(condition)[i];
    const Four<Word> left = reinterpret_cast<const Four<Word>*>(a)[i], right = reinterpret_cast<const Four<Word>*>(b)[i];
    Four<Word> results;
#pragma unroll
    for (int lane = 0; lane < 4; ++lane) results.at[lane] = chosen.at[lane] ? left.at[lane] : right.at[lane];
    reinterpret_cast<Four<Word>*>(y)[i] = results;
  }
  for (uint32_t i = 4 * fours + threadInGrid(); i < count; i += threadsOfGrid()) y[i] = condition[i] ? a[i] : b[i];
}

template <typename T>
struct Terms {
  int count;
  const T* values[mostTerms];
};

template <typename T>
__global__ void __launch_bounds__(elementThreads) addNKernel(uint32_t count, uint32_t fours, Terms<T> terms, T* y) {
  for (uint32_t i = threadInGrid(); i < fours; i += threadsOfGrid()) {
    Four<T> sum = reinterpret_cast<const Four<T>*>(terms.values[0])[i];
    for (int term = 1; term < terms.count; ++term) {
      const Four<T> next = reinterpret_cast<const Four<T>*>(terms.values[term])[i];
#pragma unroll
      for (int lane = 0; lane < 4; ++lane) sum.at[lane] += next.at[lane];
    }
    reinterpret_cast<Four<T>*>(y)[i] = sum;
  }
  for (uint32_t i = 4 * fours + threadInGrid(); i < count; i += threadsOfGrid()) {
    T sum = terms.values[0][i];
    for (int term = 1; term < terms.count; ++term) sum += terms.values[term][i];
    y[i] = sum;
  }
}

}  // namespace metastate::cuda::tfjs
