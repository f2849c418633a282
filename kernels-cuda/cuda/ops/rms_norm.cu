// y = n weight with n = x / sqrt(mean(x^2) + epsilon) over a row (arXiv 1910.07467). Backwards, with dn = dy weight:
// dx = (dn - n mean(n dn)) / sqrt(...), dweight the sum over rows of dy n.

#include "ops/column_sums.cuh"
#include "ops/ops.h"

namespace metastate::cuda {
namespace {

/// What the gradient needs of a row: 1 / sqrt(mean(x^2) + epsilon), and mean(n dn).
struct RowScale {
  float inverse, along;
};

template <int team, int V>
__device__ __forceinline__ float inverseRoot(const float* x, int width, float epsilon) {
  float squares = 0;
  for (int j = static_cast<int>(threadIdx.x) % team * V; j < width; j += team * V) {
    const Floats<V> here = load<V>(x + j);
    for (int i = 0; i < V; ++i) squares += here.at[i] * here.at[i];
  }
  return 1.0f / sqrtf(teamSum<team>(squares) / static_cast<float>(width) + epsilon);
}

template <int team, int V>
__global__ void rmsNormKernel(int rows, int width, float epsilon, const float* x, const float* weight, float* y) {
  const int64_t mine = teamGroup<team>(), row = mine < rows ? mine : rows - 1;
  const float inverse = inverseRoot<team, V>(x + row * width, width, epsilon);
  if (mine >= rows) return;
  for (int j = static_cast<int>(threadIdx.x) % team * V; j < width; j += team * V) {
    Floats<V> here = load<V>(x + row * width + j);
    const Floats<V> w = load<V>(weight + j);
    for (int i = 0; i < V; ++i) here.at[i] = here.at[i] * inverse * w.at[i];
    store<V>(y + row * width + j, here);
  }
}

template <int team, int V>
__global__ void rowScales(int rows, int width, float epsilon, const float* x, const float* weight, const float* dy,
                          RowScale* scales) {
  const int64_t mine = teamGroup<team>(), row = mine < rows ? mine : rows - 1;
  const float inverse = inverseRoot<team, V>(x + row * width, width, epsilon);
  float along = 0;
  for (int j = static_cast<int>(threadIdx.x) % team * V; j < width; j += team * V) {
    const Floats<V> here = load<V>(x + row * width + j), d = load<V>(dy + row * width + j), w = load<V>(weight + j);
    for (int i = 0; i < V; ++i) along += here.at[i] * inverse * (d.at[i] * w.at[i]);
  }
  along = teamSum<team>(along);
  if (mine < rows && threadIdx.x % team == 0) scales[row] = {inverse, along / static_cast<float>(width)};
}

struct RmsNormGradOf {
  int width;
  const float *x, *weight, *dy;
  float* dx;
  const RowScale* scales;

  template <int V>
  __device__ void at(int row, int channel, Floats<V> (&dweight)[1]) const {
    const int64_t here = static_cast<int64_t>(row) * width + channel;
    const RowScale scale = scales[row];
    const Floats<V> x = load<V>(this->x + here), w = load<V>(weight + channel);
    Floats<V> d = load<V>(dy + here);
    for (int i = 0; i < V; ++i) {
      const float n = x.at[i] * scale.inverse;
      dweight[0].at[i] += d.at[i] * n;
      d.at[i] = (d.at[i] * w.at[i] - n * scale.along) * scale.inverse;
    }
    store<V>(dx + here, d);
  }
};

}  // namespace

void rmsNorm(cudaStream_t stream, int rows, int width, float epsilon, const float* x, const float* weight, float* y) {
  withTeams(width, [&](auto teamType, auto vector) {
    constexpr int team = decltype(teamType)::value, V = decltype(vector)::value;
    launch(rmsNormKernel<team, V>, teamBlocks<team>(rows), dim3(blockThreads), 0, stream, rows, width, epsilon, x,
           weight, y);
  });
}

int64_t rmsNormGradScratch(int rows, int width) { return columnScratch(rows, width, 1) + static_cast<int64_t>(2) * rows; }

void rmsNormGrad(cudaStream_t stream, int rows, int width, float epsilon, const float* x, const float* weight,
                 const float* dy, float* dx, float* dweight, float* scratch) {
  auto* const scales = reinterpret_cast<RowScale*>(scratch + columnScratch(rows, width, 1));
  withTeams(width, [&](auto teamType, auto vector) {
    constexpr int team = decltype(teamType)::value, V = decltype(vector)::value;
    launch(rowScales<team, V>, teamBlocks<team>(rows), dim3(blockThreads), 0, stream, rows, width, epsilon, x, weight,
           dy, scales);
  });
  launchColumns<1>(stream, rows, width, RmsNormGradOf{width, x, weight, dy, dx, scales}, ColumnOutputs<1>{{dweight}},
                   scratch);
}

}  // namespace metastate::cuda
