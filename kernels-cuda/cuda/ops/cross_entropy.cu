// Softmax of each row with its largest value taken out, and the loss -log p[target] = log(sum) + largest - x[target], averaged
// over rows. One reading finds largest and sum together: a sum so far is scaled when a larger value turns up.

#include "ops/ops.h"
#include "ops/rows.cuh"

namespace metastate::cuda {
namespace {

/// sum_j exp(x_j - largest) over some values.
struct ExponentialSum {
  float largest, sum;
};

__device__ __forceinline__ ExponentialSum joined(ExponentialSum a, ExponentialSum b) {
  const float largest = a.largest < b.largest ? b.largest : a.largest;
  // Where nothing was seen yet, or only -infinity, there is nothing to scale.
  const float ofA = a.largest == largest ? a.sum : a.sum * expf(a.largest - largest);
  const float ofB = b.largest == largest ? b.sum : b.sum * expf(b.largest - largest);
  return {largest, ofA + ofB};
}

/// Over a team, in an order that is always the same; each of its threads gets it.
template <int team>
__device__ __forceinline__ ExponentialSum teamJoined(ExponentialSum mine) {
  for (int apart = warpThreads / 2; apart > 0; apart /= 2) {
    const ExponentialSum other{__shfl_xor_sync(0xffffffffu, mine.largest, apart),
                               __shfl_xor_sync(0xffffffffu, mine.sum, apart)};
    // Both partners join in one order, so that they have the same bits.
    mine = (threadIdx.x & static_cast<unsigned int>(apart)) ? joined(other, mine) : joined(mine, other);
  }
  if constexpr (team > warpThreads) {
    __shared__ ExponentialSum ofWarps[team / warpThreads];
    if (threadIdx.x % warpThreads == 0) ofWarps[threadIdx.x / warpThreads] = mine;
    __syncthreads();
    mine = ofWarps[0];
    for (int warp = 1; warp < team / warpThreads; ++warp) mine = joined(mine, ofWarps[warp]);
  }
  return mine;
}

template <int team, int V>
__global__ void crossEntropyRows(int rows, int vocabulary, const float* logits, const int32_t* targets,
                                 float* probabilities, float* losses) {
  const int64_t mine = teamGroup<team>(), row = mine < rows ? mine : rows - 1;
  const int lane = static_cast<int>(threadIdx.x) % team;
  const float* x = logits + row * vocabulary;
  ExponentialSum seen{-INFINITY, 0};
  for (int j = lane * V; j < vocabulary; j += team * V) {
    const Floats<V> here = load<V>(x + j);
    float largest = here.at[0];
    for (int i = 1; i < V; ++i) largest = largest < here.at[i] ? here.at[i] : largest;
    float sum = 0;
    for (int i = 0; i < V; ++i) sum += here.at[i] == largest ? 1 : expf(here.at[i] - largest);
    seen = joined(seen, {largest, sum});
  }
  seen = teamJoined<team>(seen);
  if (mine >= rows) return;
  const float inverse = 1.0f / seen.sum;
  for (int j = lane * V; j < vocabulary; j += team * V) {
    Floats<V> here = load<V>(x + j);
    for (int i = 0; i < V; ++i) here.at[i] = expf(here.at[i] - seen.largest) * inverse;
    store<V>(probabilities + row * vocabulary + j, here);
  }
  if (lane == 0) {
    const int target = targets[row];
    // A target outside the vocabulary cannot be refused without waiting for the device: its loss is NaN.
    losses[row] = target >= 0 && target < vocabulary ? logf(seen.sum) + (seen.largest - x[target]) : NAN;
  }
}

/// The mean, in double and in a fixed order, by one block.
__global__ void meanLoss(int rows, const float* losses, float* loss) {
  __shared__ double sums[blockThreads];
  double sum = 0;
  for (int row = static_cast<int>(threadIdx.x); row < rows; row += blockThreads) sum += static_cast<double>(losses[row]);
  sums[threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.x > 0) return;
  for (int i = 1; i < blockThreads; ++i) sum += sums[i];
  *loss = static_cast<float>(sum / rows);
}

struct CrossEntropyGradOf {
  int rows, vocabulary;
  const float* probabilities;
  const int32_t* targets;
  const float* dloss;
  float* dlogits;

  template <int V>
  __device__ void at(int row, int channel) const {
    const int64_t here = static_cast<int64_t>(row) * vocabulary + channel;
    const float factor = *dloss / static_cast<float>(rows);
    const int target = targets[row] - channel;
    Floats<V> p = load<V>(probabilities + here);
    for (int i = 0; i < V; ++i) p.at[i] = p.at[i] * factor - (i == target ? factor : 0);
    store<V>(dlogits + here, p);
  }
};

}  // namespace

int64_t crossEntropyScratch(int rows) { return rows; }

void crossEntropy(cudaStream_t stream, int rows, int vocabulary, const float* logits, const int32_t* targets,
                  float* loss, float* probabilities, float* scratch) {
  withTeams(vocabulary, [&](auto teamType, auto vector) {
    constexpr int team = decltype(teamType)::value, V = decltype(vector)::value;
    launch(crossEntropyRows<team, V>, teamBlocks<team>(rows), dim3(blockThreads), 0, stream, rows, vocabulary, logits,
           targets, probabilities, scratch);
  });
  launch(meanLoss, dim3(1), dim3(blockThreads), 0, stream, rows, static_cast<const float*>(scratch), loss);
}

void crossEntropyGrad(cudaStream_t stream, int rows, int vocabulary, const float* probabilities,
                      const int32_t* targets, const float* dloss, float* dlogits) {
  launchRows(stream, rows, vocabulary,
             CrossEntropyGradOf{rows, vocabulary, probabilities, targets, dloss, dlogits});
}

}  // namespace metastate::cuda
