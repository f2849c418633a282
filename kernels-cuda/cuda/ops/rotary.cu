// Positions as rotations of the pairs (x_i, x_{i + N/2}) of every head (RoPE, arXiv 2104.09864).

#include "ops/ops.h"
#include "ops/rows.cuh"

namespace metastate::cuda {
namespace {

/// Rows are heads of tokens, channels their first halves.
struct RotaryOf {
  int heads, half;
  float direction;
  const float *x, *cosines, *sines;
  float* y;

  template <int V>
  __device__ void at(int row, int channel) const {
    const int64_t first = static_cast<int64_t>(row) * 2 * half + channel, second = first + half;
    const int64_t angle = static_cast<int64_t>(row / heads) * half + channel;
    const Floats<V> cosine = load<V>(cosines + angle), sine = load<V>(sines + angle);
    Floats<V> a = load<V>(x + first), b = load<V>(x + second);
    for (int i = 0; i < V; ++i) {
      const float turned = a.at[i] * cosine.at[i] - b.at[i] * (sine.at[i] * direction);
      b.at[i] = b.at[i] * cosine.at[i] + a.at[i] * (sine.at[i] * direction);
      a.at[i] = turned;
    }
    store<V>(y + first, a);
    store<V>(y + second, b);
  }
};

}  // namespace

void rotary(cudaStream_t stream, int tokens, int heads, int size, float direction, const float* x, const float* cosines,
            const float* sines, float* y) {
  launchRows(stream, tokens * heads, size / 2, RotaryOf{heads, size / 2, direction, x, cosines, sines, y});
}

}  // namespace metastate::cuda
