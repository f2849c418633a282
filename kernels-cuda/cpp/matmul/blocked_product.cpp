#include "matmul/blocked_product.h"

#include <algorithm>

namespace metastate {
namespace {

/// Floats of a panel of b: it is in the nearest cache, or comes from the second one as fast as it is used.
constexpr int64_t mostOfPanel = 1 << 13;
constexpr int64_t mostDepth = 512;
/// Up to so many columns, rows of a that lie along the depth are read where they are: to copy them would cost more than it gains.
constexpr int64_t mostDirectColumns = 512;
/// Floats of a packed block of one operand.
constexpr int64_t mostOfBlock = 1 << 19;
/// Floats of a that one task reads again for each panel of b: they fit the second cache.
constexpr int64_t taskFloats = 1 << 16;
/// A task that packs the columns of b which it multiplies has at least so many rows to multiply them with.
constexpr int64_t leastStripeRows = 256;
/// A task has at least so many rows, that a panel of b is used often enough when it is near, and so many columns.
constexpr int64_t leastTaskRows = 48;
constexpr int64_t leastTaskColumns = 32;
/// Enough tasks for each thread that one which is late leaves its share to the others.
constexpr int64_t tasksOfThread = 8;
/// Floats that a task packs, at least.
constexpr int64_t packedAtOnce = 1 << 13;

int64_t parts(int64_t length, int64_t each) { return (length + each - 1) / each; }
int64_t roundUp(int64_t length, int64_t multiple) { return parts(length, multiple) * multiple; }

/// `length` in `count` parts of about the same size, each but the last a multiple of `multiple`.
int64_t share(int64_t length, int64_t count, int64_t multiple) { return roundUp(parts(length, count), multiple); }

/// `length` in the fewest parts of at most `most`, all of about the same size.
int64_t evenShare(int64_t length, int64_t most, int64_t multiple) {
  return share(length, parts(length, std::max(most, multiple)), multiple);
}

/// The deepest block, of a product that is deep enough.
int64_t mostDepthOf(const MatMulKernels& kernels) { return std::min(mostDepth, mostOfPanel / kernels.tileColumns); }

/// Columns of a stripe of b, where b alone is packed.
int64_t stripeColumns(const MatMulKernels& kernels, int64_t columns, int64_t wantedTasks) {
  return share(columns, std::min(wantedTasks, parts(columns, kernels.tileColumns)), kernels.tileColumns);
}

/// Rows [i, i + high) of the columns [j, j + wide) of c, with a where it lies; b is packed into `scratch`.
void multiplyStripe(const MatMulKernels& kernels, const ProductOperands& o, const ProductBlocks& blocks, int64_t i,
                    int64_t high, int64_t j, int64_t wide, float* scratch) {
  for (int64_t p0 = 0; p0 < o.depth; p0 += blocks.depth) {
    const int64_t deep = std::min(blocks.depth, o.depth - p0);
    kernels.packColumns(o.b + p0 * o.bRow + j * o.bColumn, o.bColumn, o.bRow, wide, deep, scratch);
    const int64_t rows = evenShare(high, taskFloats / deep, kernels.tileRows);
    for (int64_t first = i; first < i + high; first += rows) {
      const RowPanels a{o.a + first * o.aRow + p0 * o.aColumn, kernels.tileRows * o.aRow, o.aRow, o.aColumn};
      kernels.packedProduct(std::min(rows, i + high - first), wide, deep, a, scratch, o.c + first * o.cRow + j, o.cRow,
                            p0 > 0);
    }
  }
}

/// run(count, task) calls task(index) for each index below count.
template <typename Run>
void multiplyBlocks(const MatMulKernels& kernels, const ProductOperands& o, const ProductBlocks& blocks, float* scratch,
                    int64_t wantedTasks, Run run) {
  float* const packedA = scratch;
  float* const packedB = scratch + blocks.floatsOfA();
  for (int64_t j0 = 0; j0 < o.columns; j0 += blocks.columns) {
    const int64_t wide = std::min(blocks.columns, o.columns - j0);
    for (int64_t p0 = 0; p0 < o.depth; p0 += blocks.depth) {
      const int64_t deep = std::min(blocks.depth, o.depth - p0);
      for (int64_t i0 = 0; i0 < o.rows; i0 += blocks.rows) {
        const int64_t high = std::min(blocks.rows, o.rows - i0);

        const int64_t aRows = share(high, std::min(wantedTasks, parts(high * deep, packedAtOnce)), kernels.tileRows);
        const int64_t bColumns = share(wide, std::min(wantedTasks, parts(wide * deep, packedAtOnce)), kernels.tileColumns);
        const int64_t aTasks = parts(high, aRows), bTasks = i0 == 0 ? parts(wide, bColumns) : 0;
        run(aTasks + bTasks, [&](int64_t index) {
          if (index < aTasks) {
            const int64_t i = index * aRows;
            kernels.packRows(o.a + (i0 + i) * o.aRow + p0 * o.aColumn, o.aRow, o.aColumn, std::min(aRows, high - i), deep,
                             packedA + i * deep);
          } else {
            const int64_t j = (index - aTasks) * bColumns;
            kernels.packColumns(o.b + p0 * o.bRow + (j0 + j) * o.bColumn, o.bColumn, o.bRow, std::min(bColumns, wide - j),
                                deep, packedB + j * deep);
          }
        });

        int64_t rowParts = parts(high * deep, taskFloats);
        const int64_t columnParts = std::min(std::max<int64_t>(1, wide / leastTaskColumns), parts(wantedTasks, rowParts));
        rowParts = std::max(rowParts, std::min(high / leastTaskRows, parts(wantedTasks, columnParts)));
        const int64_t rows = share(high, rowParts, kernels.tileRows), rowTasks = parts(high, rows);
        const int64_t columns = share(wide, columnParts, kernels.tileColumns), columnTasks = parts(wide, columns);
        run(rowTasks * columnTasks, [&](int64_t index) {
          const int64_t i = index / columnTasks * rows, j = index % columnTasks * columns;
          const RowPanels a{packedA + i * deep, kernels.tileRows * deep, 1, kernels.tileRows};
          kernels.packedProduct(std::min(rows, high - i), std::min(columns, wide - j), deep, a, packedB + j * deep,
                                o.c + (i0 + i) * o.cRow + j0 + j, o.cRow, p0 > 0);
        });
      }
    }
  }
}

}  // namespace

ProductBlocks::ProductBlocks(const MatMulKernels& kernels, const ProductOperands& o)
    : packsA(o.aColumn != 1 || o.columns > mostDirectColumns),
      depth(evenShare(o.depth, mostDepthOf(kernels), 8)) {
  rows = packsA ? evenShare(o.rows, mostOfBlock / depth / kernels.tileRows * kernels.tileRows, kernels.tileRows) : o.rows;
  columns = evenShare(o.columns, mostOfBlock / depth / kernels.tileColumns * kernels.tileColumns, kernels.tileColumns);
}

int64_t ProductBlocks::floats(const MatMulKernels& kernels, int64_t threads) const {
  return packsA ? floats() : threads * stripeColumns(kernels, columns, tasksOfThread * threads) * depth;
}

int64_t ProductBlocks::mostFloats(const MatMulKernels& kernels, int64_t rows, int64_t columns, int64_t depth) {
  const int64_t deep = std::min(roundUp(depth, 8), mostDepthOf(kernels));
  const auto floats = [&](int64_t length, int64_t tile) { return std::min(roundUp(length, tile) * deep, mostOfBlock); };
  return roundUp(floats(rows, kernels.tileRows), 16) + floats(columns, kernels.tileColumns);
}

void blockedProduct(const MatMulKernels& kernels, const ProductOperands& o, const ProductBlocks& blocks, float* scratch) {
  if (!blocks.packsA) return multiplyStripe(kernels, o, blocks, 0, o.rows, 0, o.columns, scratch);
  multiplyBlocks(kernels, o, blocks, scratch, 1, [](int64_t count, auto task) {
    for (int64_t index = 0; index < count; ++index) task(index);
  });
}

void blockedProduct(ThreadPool& pool, const MatMulKernels& kernels, const ProductOperands& o, const ProductBlocks& blocks,
                    float* scratch) {
  const int64_t wantedTasks = tasksOfThread * pool.threads();
  if (blocks.packsA) {
    return multiplyBlocks(kernels, o, blocks, scratch, wantedTasks, [&](int64_t count, auto task) {
      pool.run(count, [&](int64_t index, int) { task(index); });
    });
  }
  const int64_t wide = stripeColumns(kernels, blocks.columns, wantedTasks), stripes = parts(o.columns, wide);
  const int64_t rowParts = std::max<int64_t>(1, std::min(o.rows / leastStripeRows, parts(wantedTasks, stripes)));
  const int64_t high = share(o.rows, rowParts, kernels.tileRows);
  pool.run(stripes * parts(o.rows, high), [&](int64_t index, int slot) {
    const int64_t j = index % stripes * wide, i = index / stripes * high;
    multiplyStripe(kernels, o, blocks, i, std::min(high, o.rows - i), j, std::min(wide, o.columns - j),
                   scratch + slot * wide * blocks.depth);
  });
}

}  // namespace metastate
