// Gradients that are sums over rows, of weights and biases: first each run of rows by itself, then the runs' sums. How many
// runs there are depends on the shape alone and nothing is added atomically, so that the same call gives the same bits.
//
// One pass over the elements does both: `visit.at<V>(row, channel, totals)` writes what belongs to the elements and adds
// to the thread's own totals.
#pragma once

#include <algorithm>

#include "ops/rows.cuh"

namespace metastate::cuda {

struct ColumnRuns {
  int count, length;  ///< runs, rows of a run

  ColumnRuns(int rows, int width) {
    // Enough blocks for a large GPU, and for each of its threads a few rows.
    const int across = static_cast<int>(blocksFor(width, warpThreads));
    count = std::max(1, std::min<int>(static_cast<int>(blocksFor(rows, 4 * tileRows)), std::max(1, 8192 / across)));
    length = (rows + count - 1) / count;
    count = (rows + length - 1) / length;
  }
};

/// Where a number of sums of `width` values go.
template <int sums>
struct ColumnOutputs {
  float* at[sums];
};

/// Adds up the totals of the block's rows of threads in their order and stores them as row `blockIdx.y` of each output.
template <int V, int sums>
__device__ __forceinline__ void storeColumns(const Floats<V> (&totals)[sums], int channel, int width, int row,
                                             const ColumnOutputs<sums>& outputs) {
  __shared__ float ofRows[tileRows][warpThreads * V];
  for (int s = 0; s < sums; ++s) {
    __syncthreads();
    for (int i = 0; i < V; ++i) ofRows[threadIdx.y][threadIdx.x * V + i] = totals[s].at[i];
    __syncthreads();
    if (threadIdx.y == 0 && channel < width) {
      Floats<V> total{};
      for (int y = 0; y < tileRows; ++y) {
        for (int i = 0; i < V; ++i) total.at[i] += ofRows[y][threadIdx.x * V + i];
      }
      store<V>(outputs.at[s] + static_cast<int64_t>(row) * width + channel, total);
    }
  }
}

template <int V, int sums, typename Visit>
__global__ void visitColumns(Visit visit, int rows, int width, int runLength, ColumnOutputs<sums> outputs) {
  const int channel = static_cast<int>(blockIdx.x * warpThreads + threadIdx.x) * V;
  const int run = static_cast<int>(blockIdx.y);
  Floats<V> totals[sums] = {};
  if (channel < width) {
    const int from = run * runLength, to = rows - from < runLength ? rows : from + runLength;
    for (int row = from + static_cast<int>(threadIdx.y); row < to; row += tileRows) {
      visit.template at<V>(row, channel, totals);
    }
  }
  storeColumns<V, sums>(totals, channel, width, run, outputs);
}

/// Adds the runs of partial sums `[sums, runs, width]`.
template <int sums>
__global__ void addRuns(const float* partial, int runs, int width, ColumnOutputs<sums> outputs) {
  const int channel = static_cast<int>(blockIdx.x * warpThreads + threadIdx.x);
  const int which = static_cast<int>(blockIdx.y);
  // Compared, not indexed: an index that is known late moves the array from registers to memory.
  float* to = outputs.at[0];
#pragma unroll
  for (int s = 1; s < sums; ++s) to = s == which ? outputs.at[s] : to;
  Floats<1> totals[1] = {};
  if (channel < width) {
    const float* from = partial + static_cast<int64_t>(which) * runs * width + channel;
    for (int run = static_cast<int>(threadIdx.y); run < runs; run += tileRows) {
      totals[0].at[0] += from[static_cast<int64_t>(run) * width];
    }
  }
  storeColumns<1, 1>(totals, channel, width, 0, ColumnOutputs<1>{{to}});
}

template <int sums>
void addRunsOf(cudaStream_t stream, const float* partial, int runs, int width, ColumnOutputs<sums> outputs) {
  launch(addRuns<sums>, dim3(blocksFor(width, warpThreads), sums), dim3(warpThreads, tileRows), 0, stream, partial,
         runs, width, outputs);
}

/// The floats of scratch that `launchColumns` asks for.
inline int64_t columnScratch(int rows, int width, int sums) {
  const ColumnRuns runs(rows, width);
  // A multiple of four, so that what comes after is aligned.
  return runs.count == 1 ? 0 : (static_cast<int64_t>(sums) * runs.count * width + 3) / 4 * 4;
}

template <int sums, typename Visit>
void launchColumns(cudaStream_t stream, int rows, int width, Visit visit, ColumnOutputs<sums> outputs, float* scratch) {
  const ColumnRuns runs(rows, width);
  ColumnOutputs<sums> partial = outputs;
  if (runs.count > 1) {
    for (int s = 0; s < sums; ++s) partial.at[s] = scratch + static_cast<int64_t>(s) * runs.count * width;
  }
  withVectors(width, [&](auto vector) {
    constexpr int V = decltype(vector)::value;
    launch(visitColumns<V, sums, Visit>, dim3(blocksFor(width, warpThreads * V), static_cast<unsigned int>(runs.count)),
           dim3(warpThreads, tileRows), 0, stream, visit, rows, width, runs.length, partial);
  });
  if (runs.count > 1) addRunsOf<sums>(stream, scratch, runs.count, width, outputs);
}

}  // namespace metastate::cuda
