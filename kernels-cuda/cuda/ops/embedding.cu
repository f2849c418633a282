// Rows of a matrix by token; and the gradient, which for each token that comes up adds the rows of dy at its places, in their
// order: places are sorted by (token, place), keys that are all different, so that any sort gives the one order.

#include "ops/embedding_sort.cuh"
#include "ops/ops.h"
#include "ops/rows.cuh"

namespace metastate::cuda {
namespace {

struct EmbeddingOf {
  int rows, width;
  const float* weight;
  const int32_t* tokens;
  float* y;

  template <int V>
  __device__ void at(int place, int channel) const {
    const int token = tokens[place];
    Floats<V> x;
    if (token >= 0 && token < rows) {
      x = load<V>(weight + static_cast<int64_t>(token) * width + channel);
    } else {
      // Cannot be refused without waiting for the device: it is seen in the values.
      for (int i = 0; i < V; ++i) x.at[i] = NAN;
    }
    store<V>(y + static_cast<int64_t>(place) * width + channel, x);
  }
};

struct Zeroes {
  float* y;

  template <int V>
  __device__ void at(int64_t place) const {
    store<V>(y + place, Floats<V>{});
  }
};

/// A block for each sorted place and some channels: where a token begins, it adds all of that token's rows, each of eight
/// rows of threads every eighth of them; the others have nothing to do.
template <int V>
__global__ void addEmbeddingRows(const uint64_t* sorted, int count, int rows, int width, const float* dy,
                                 float* dweight) {
  const unsigned across = blocksAcross<V>(width);
  const int begin = static_cast<int>(blockIdx.x / across);
  const uint32_t token = tokenOf(sorted[begin]);
  if (token >= static_cast<uint32_t>(rows) || (begin > 0 && tokenOf(sorted[begin - 1]) == token)) return;
  const int channel = static_cast<int>(blockIdx.x % across * warpThreads + threadIdx.x) * V;
  Floats<V> total{};
  if (channel < width) {
    for (int i = begin + static_cast<int>(threadIdx.y); i < count && tokenOf(sorted[i]) == token; i += tileRows) {
      const Floats<V> d = load<V>(dy + static_cast<int64_t>(placeOf(sorted[i])) * width + channel);
      for (int c = 0; c < V; ++c) total.at[c] += d.at[c];
    }
  }
  __shared__ float ofRows[tileRows][warpThreads * V];
  for (int c = 0; c < V; ++c) ofRows[threadIdx.y][threadIdx.x * V + c] = total.at[c];
  __syncthreads();
  if (threadIdx.y > 0 || channel >= width) return;
  for (int y = 1; y < tileRows; ++y) {
    for (int c = 0; c < V; ++c) total.at[c] += ofRows[y][threadIdx.x * V + c];
  }
  store<V>(dweight + static_cast<int64_t>(token) * width + channel, total);
}

}  // namespace

void embedding(cudaStream_t stream, int count, int rows, int width, const float* weight, const int32_t* tokens,
               float* y) {
  launchRows(stream, count, width, EmbeddingOf{rows, width, weight, tokens, y});
}

int64_t embeddingGradScratch(int count) { return 2 * sortedPlaces(count); }

void embeddingGrad(cudaStream_t stream, int count, int rows, int width, const int32_t* tokens, const float* dy,
                   float* dweight, float* scratch) {
  auto* const sorted = reinterpret_cast<uint64_t*>(scratch);
  sortPlaces(stream, count, tokens, sorted);
  launchElements(stream, static_cast<int64_t>(rows) * width, Zeroes{dweight});
  withVectors(width, [&](auto vector) {
    constexpr int V = decltype(vector)::value;
    launch(addEmbeddingRows<V>, dim3(static_cast<unsigned>(count) * blocksAcross<V>(width)), dim3(warpThreads, tileRows),
           0, stream, static_cast<const uint64_t*>(sorted), count, rows, width, dy, dweight);
  });
}

}  // namespace metastate::cuda
