// Mean and deviation of values that a team of threads has together.
#pragma once

#include "ops/rows.cuh"

namespace metastate::cuda {

struct Moments {
  float mean, inverse;  ///< inverse: 1 / sqrt(variance + epsilon)
};

/// The mean first and then the variance about it: their difference in one pass would lose what float32 has.
template <int team, int V>
__device__ __forceinline__ Moments momentsOf(const float* x, int size, float epsilon) {
  const int lane = static_cast<int>(threadIdx.x) % team;
  float sum = 0;
  for (int j = lane * V; j < size; j += team * V) {
    const Floats<V> here = load<V>(x + j);
    for (int i = 0; i < V; ++i) sum += here.at[i];
  }
  const float mean = teamSum<team>(sum) / static_cast<float>(size);
  float squares = 0;
  for (int j = lane * V; j < size; j += team * V) {
    const Floats<V> here = load<V>(x + j);
    for (int i = 0; i < V; ++i) squares += (here.at[i] - mean) * (here.at[i] - mean);
  }
  return {mean, 1.0f / sqrtf(teamSum<team>(squares) / static_cast<float>(size) + epsilon)};
}

}  // namespace metastate::cuda
