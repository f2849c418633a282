// What is done to the scores of parameter tokens, row by row: TokenFormer's activations (arXiv 2410.23168) and the weights of
// groups. With P and p the normal distribution's probability and density:
//
//   l2Gelu   z = scale x / sqrt(sum x^2 + 1e-12), y = z P(z)
//   geluL2   g = x P(x), y = scale g / sqrt(sum g^2 + 1e-6)
//   groupWeights   2 sigmoid(x) where fewer than topK are larger, else 0

#include "ops/ops.h"
#include "ops/rows.cuh"

namespace metastate::cuda {
namespace {

/// So that a row of zeros stays one.
constexpr float leastSquares = 1e-12f;
constexpr float leastGeluSquares = 1e-6f;

/// Right in the far left tail too, where 1 + erf would have no digits.
__device__ __forceinline__ float probability(float x) { return 0.5f * erfcf(x * -0.70710678118654752f); }
__device__ __forceinline__ float density(float x) { return 0.39894228040143268f * expf(-0.5f * x * x); }

/// The sum over the row of term(j); every thread of the team gets it.
template <int team, typename Term>
__device__ __forceinline__ float rowSum(int width, Term term) {
  float sum = 0;
  for (int j = static_cast<int>(threadIdx.x) % team; j < width; j += team) sum += term(j);
  return teamSum<team>(sum);
}

template <int team, typename Body>
__device__ __forceinline__ void eachOfRow(int width, Body body) {
  for (int j = static_cast<int>(threadIdx.x) % team; j < width; j += team) body(j);
}

template <int team>
__global__ void l2GeluKernel(int rows, int width, float scale, const float* inputs, float* outputs) {
  const int64_t mine = teamGroup<team>(), row = mine < rows ? mine : rows - 1;
  const float* x = inputs + row * width;
  const float squares = rowSum<team>(width, [&](int j) { return x[j] * x[j]; });
  if (mine >= rows) return;
  const float factor = scale / sqrtf(squares + leastSquares);
  eachOfRow<team>(width, [&](int j) {
    const float z = x[j] * factor;
    outputs[row * width + j] = z * probability(z);
  });
}

/// dx = factor (dz - z sum(dz z) / scale^2) with dz = dy (P(z) + z p(z)).
template <int team>
__global__ void l2GeluGradKernel(int rows, int width, float scale, const float* inputs, const float* dys, float* dxs) {
  const int64_t mine = teamGroup<team>(), row = mine < rows ? mine : rows - 1;
  const float *x = inputs + row * width, *dy = dys + row * width;
  const float factor = scale / sqrtf(rowSum<team>(width, [&](int j) { return x[j] * x[j]; }) + leastSquares);
  const auto dz = [&](int j) {
    const float z = x[j] * factor;
    return dy[j] * (probability(z) + z * density(z));
  };
  const float along = rowSum<team>(width, [&](int j) { return dz(j) * (x[j] * factor); }) / (scale * scale);
  if (mine >= rows) return;
  eachOfRow<team>(width, [&](int j) { dxs[row * width + j] = factor * (dz(j) - x[j] * factor * along); });
}

template <int team>
__global__ void geluL2Kernel(int rows, int width, float scale, const float* inputs, float* outputs) {
  const int64_t mine = teamGroup<team>(), row = mine < rows ? mine : rows - 1;
  const float* x = inputs + row * width;
  const auto gelu = [&](int j) { return x[j] * probability(x[j]); };
  const float squares = rowSum<team>(width, [&](int j) { return gelu(j) * gelu(j); });
  if (mine >= rows) return;
  const float factor = scale / sqrtf(squares + leastGeluSquares);
  eachOfRow<team>(width, [&](int j) { outputs[row * width + j] = gelu(j) * factor; });
}

/// dx = factor (dy - g sum(g dy) / sum(g^2)) (P(x) + x p(x)).
template <int team>
__global__ void geluL2GradKernel(int rows, int width, float scale, const float* inputs, const float* dys, float* dxs) {
  const int64_t mine = teamGroup<team>(), row = mine < rows ? mine : rows - 1;
  const float *x = inputs + row * width, *dy = dys + row * width;
  const auto gelu = [&](int j) { return x[j] * probability(x[j]); };
  const float squares = rowSum<team>(width, [&](int j) { return gelu(j) * gelu(j); }) + leastGeluSquares;
  const float along = rowSum<team>(width, [&](int j) { return gelu(j) * dy[j]; }) / squares;
  if (mine >= rows) return;
  const float factor = scale / sqrtf(squares);
  eachOfRow<team>(width, [&](int j) {
    dxs[row * width + j] = factor * (dy[j] - gelu(j) * along) * (probability(x[j]) + x[j] * density(x[j]));
  });
}

struct GroupWeightsOf {
  int width, topK;
  const float* x;
  float* y;

  template <int V>
  __device__ void at(int row, int channel) const {
    const float* const logits = x + static_cast<int64_t>(row) * width;
    for (int i = channel; i < channel + V; ++i) {
      int larger = 0;
      for (int j = 0; j < width; ++j) larger += logits[j] > logits[i];
      y[static_cast<int64_t>(row) * width + i] = larger < topK ? 2.0f / (1.0f + expf(-logits[i])) : 0;
    }
  }
};

/// launch of Kernel<team> with a warp a row, or a block.
#define LAUNCH_ROWS(kernel, ...)                                                                                \
  do {                                                                                                          \
    if (width <= 512) {                                                                                         \
      launch(kernel<warpThreads>, teamBlocks<warpThreads>(rows), dim3(blockThreads), 0, stream, __VA_ARGS__);   \
    } else {                                                                                                    \
      launch(kernel<blockThreads>, teamBlocks<blockThreads>(rows), dim3(blockThreads), 0, stream, __VA_ARGS__); \
    }                                                                                                           \
  } while (false)

}  // namespace

void l2Gelu(cudaStream_t stream, int rows, int width, float scale, const float* x, float* y) {
  LAUNCH_ROWS(l2GeluKernel, rows, width, scale, x, y);
}

void l2GeluGrad(cudaStream_t stream, int rows, int width, float scale, const float* x, const float* dy, float* dx) {
  LAUNCH_ROWS(l2GeluGradKernel, rows, width, scale, x, dy, dx);
}

void geluL2(cudaStream_t stream, int rows, int width, float scale, const float* x, float* y) {
  LAUNCH_ROWS(geluL2Kernel, rows, width, scale, x, y);
}

void geluL2Grad(cudaStream_t stream, int rows, int width, float scale, const float* x, const float* dy, float* dx) {
  LAUNCH_ROWS(geluL2GradKernel, rows, width, scale, x, dy, dx);
}

void groupWeights(cudaStream_t stream, int rows, int width, int topK, const float* x, float* y) {
  launchRows(stream, rows, width, GroupWeightsOf{width, topK, x, y});
}

}  // namespace metastate::cuda
