// y[i] = f(x[i]): bound by memory, so each thread moves 16 bytes at a time.
#pragma once

#include "platform.h"
#include "tfjs/grid.cuh"

namespace metastate::cuda::tfjs {

/// The first 4 `fours` elements go in fours, the rest one by one.
template <typename F, typename T, typename R>
__global__ void __launch_bounds__(elementThreads)
    unaryKernel(F f, uint32_t count, uint32_t fours, const T* __restrict__ x, R* __restrict__ y) {
  const Four<T>* from = reinterpret_cast<const Four<T>*>(x);
  Four<R>* to = reinterpret_cast<Four<R>*>(y);
  for (uint32_t i = threadInGrid(); i < fours; i += threadsOfGrid()) {
    const Four<T> values = from[i];
    Four<R> results;
#pragma unroll
    for (int lane = 0; lane < 4; ++lane) results.at[lane] = f(values.at[lane]);
    to[i] = results;
  }
  for (uint32_t i = 4 * fours + threadInGrid(); i < count; i += threadsOfGrid()) y[i] = f(x[i]);
}

template <typename T, typename R, typename F>
void mapElements(F f, int64_t count, const T* x, R* y, cudaStream_t stream) {
  if (count == 0) return;
  const int64_t fours = inFours(x, y) ? count / 4 : 0;
  const int64_t work = std::max(fours, count - 4 * fours);
  launch(unaryKernel<F, T, R>, gridFor(work), blockFor(work), 0, stream, f, static_cast<uint32_t>(count),
         static_cast<uint32_t>(fours), x, y);
}

}  // namespace metastate::cuda::tfjs
