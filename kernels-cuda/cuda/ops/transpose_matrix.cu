// A matrix with rows and columns exchanged, a tile of 32 × 32 at a time through shared memory, so that both sides move whole
// lines; one column more keeps the threads of a warp on different banks.

#include "ops/ops.h"
#include "ops/rows.cuh"

namespace metastate::cuda {
namespace {

constexpr int tile = 32;

__global__ void transposeTile(int rows, int columns, const float* x, float* y) {
  __shared__ float values[tile][tile + 1];
  // Tiles are counted along one axis of the grid: the other has too few blocks for tall matrices.
  const int across = (columns + tile - 1) / tile;
  const int firstRow = static_cast<int>(blockIdx.x) / across * tile;
  const int firstColumn = static_cast<int>(blockIdx.x) % across * tile;
  const int column = firstColumn + static_cast<int>(threadIdx.x);
  for (int i = static_cast<int>(threadIdx.y); i < tile; i += tileRows) {
    if (firstRow + i < rows && column < columns) {
      values[i][threadIdx.x] = x[static_cast<int64_t>(firstRow + i) * columns + column];
    }
  }
  __syncthreads();
  const int row = firstRow + static_cast<int>(threadIdx.x);
  for (int i = static_cast<int>(threadIdx.y); i < tile; i += tileRows) {
    if (firstColumn + i < columns && row < rows) {
      y[static_cast<int64_t>(firstColumn + i) * rows + row] = values[threadIdx.x][i];
    }
  }
}

}  // namespace

void transposeMatrix(cudaStream_t stream, int rows, int columns, const float* x, float* y) {
  const int64_t tiles = static_cast<int64_t>(blocksFor(rows, tile)) * blocksFor(columns, tile);
  launch(transposeTile, dim3(static_cast<unsigned int>(tiles)), dim3(tile, tileRows), 0, stream, rows, columns, x, y);
}

}  // namespace metastate::cuda
