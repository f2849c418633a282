#include "matmul/blocked_product.h"

#include <algorithm>

namespace metastate {
namespace {

/// Floats of a panel of b: it is in the nearest cache, or comes from the second one as fast as it is used.
constexpr int64_t mostOfPanel = 1 << 13;
constexpr int64_t mostSlots = 512;
/// Up to so many columns, rows of a that lie along the depth are read where they are: to copy them would cost more than it gains.
constexpr int64_t mostDirectColumns = 512;
/// Slots of a packed block of one operand.
constexpr int64_t mostOfBlock = 1 << 19;
/// Slots of a that one task reads again for each panel of b: they fit the second cache.
constexpr int64_t taskSlots = 1 << 16;
/// Slots of b that a task packs at most: they fit the second cache, beside those of a.
constexpr int64_t stripeSlots = 1 << 16;
/// A task has at least so many rows to multiply its columns of b with, that to pack these costs little; where there are fewer
/// stripes than threads, so many.
constexpr int64_t leastStripeRows = 256;
constexpr int64_t leastSharedRows = 48;
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

/// The slots of a depth.
int64_t slotsOf(const MatMulKernels& kernels, int64_t depth) { return parts(depth, kernels.slotDepth); }

/// The deepest block, of a product that is deep enough. With every block c is read and written again, which takes twice the share of
/// a product of bfloat16 that it takes of one of floats: there blocks are deep though a panel then fills more than the nearest cache.
int64_t mostDepthOf(const MatMulKernels& kernels) {
  if (kernels.slotDepth > 1) return kernels.slotDepth * mostSlots;
  return std::min(mostSlots, mostOfPanel / kernels.tileColumns);
}

/// A part of c that one task computes.
struct Part {
  int64_t i, high, j, wide;  ///< rows [i, i + high), columns [j, j + wide)
};

/// What [p0, p0 + deep) of the depth gives to a part of c. `a` begins with the part's rows; its columns of b go into `packed`.
void multiplyPart(const MatMulKernels& kernels, const ProductOperands& o, const Part& c, int64_t p0, int64_t deep,
                  const RowPanels& a, float* packed) {
  const int64_t slots = slotsOf(kernels, deep);
  kernels.packColumns(o.b + p0 * o.bRow + c.j * o.bColumn, o.bColumn, o.bRow, c.wide, deep, packed);
  const int64_t rows = evenShare(c.high, taskSlots / slots, kernels.tileRows);
  for (int64_t i = 0; i < c.high; i += rows) {
    const RowPanels near{a.values + i / kernels.tileRows * a.panel, a.panel, a.row, a.step};
    kernels.packedProduct(std::min(rows, c.high - i), c.wide, slots, near, packed, o.c + (c.i + i) * o.cRow + c.j, o.cRow,
                          p0 > 0);
  }
}

/// run(count, task) calls task(index, slot) for each index below count, on `threads` threads.
template <typename Run>
void multiply(const MatMulKernels& kernels, const ProductOperands& o, const ProductBlocks& blocks, float* scratch,
              int64_t threads, Run run) {
  const int64_t wantedTasks = tasksOfThread * threads;
  const int64_t wide = blocks.stripeColumns(threads), stripes = parts(o.columns, wide);
  const auto eachPart = [&](int64_t i0, int64_t high, auto body) {
    const int64_t least = stripes < threads ? leastSharedRows : leastStripeRows;
    const int64_t rowParts = threads == 1 ? 1 : std::max<int64_t>(1, std::min(high / least, parts(wantedTasks, stripes)));
    const int64_t rows = share(high, rowParts, kernels.tileRows);
    run(stripes * parts(high, rows), [&](int64_t index, int slot) {
      const int64_t i = index / stripes * rows, j = index % stripes * wide;
      body(Part{i0 + i, std::min(rows, high - i), j, std::min(wide, o.columns - j)},
           scratch + blocks.floatsOfA() + slot * wide * blocks.slots);
    });
  };
  const auto eachDepth = [&](auto body) {
    for (int64_t p0 = 0; p0 < o.depth; p0 += blocks.depth) body(p0, std::min(blocks.depth, o.depth - p0));
  };
  if (!blocks.packsA) {
    return eachPart(0, o.rows, [&](const Part& part, float* packed) {
      eachDepth([&](int64_t p0, int64_t deep) {
        const float* const a = o.a + part.i * o.aRow + p0 * o.aColumn;
        multiplyPart(kernels, o, part, p0, deep, {a, kernels.tileRows * o.aRow, o.aRow, o.aColumn}, packed);
      });
    });
  }
  eachDepth([&](int64_t p0, int64_t deep) {
    for (int64_t i0 = 0; i0 < o.rows; i0 += blocks.rows) {
      const int64_t high = std::min(blocks.rows, o.rows - i0);
      const int64_t slots = slotsOf(kernels, deep);
      const int64_t rows = share(high, std::min(wantedTasks, parts(high * deep, packedAtOnce)), kernels.tileRows);
      run(parts(high, rows), [&](int64_t index, int) {
        const int64_t i = index * rows;
        kernels.packRows(o.a + (i0 + i) * o.aRow + p0 * o.aColumn, o.aRow, o.aColumn, std::min(rows, high - i), deep,
                         scratch + i * slots);
      });
      eachPart(i0, high, [&](const Part& part, float* packed) {
        const float* const a = scratch + (part.i - i0) * slots;
        multiplyPart(kernels, o, part, p0, deep, kernels.packedRows(a, o.aColumn, slots), packed);
      });
    }
  });
}

}  // namespace

ProductBlocks::ProductBlocks(const MatMulKernels& kernels, const ProductOperands& o)
    : packsA(kernels.slotDepth > 1 || o.aColumn != 1 || o.columns > mostDirectColumns),
      depth(evenShare(o.depth, mostDepthOf(kernels), 8)),
      slots(slotsOf(kernels, depth)),
      columns_(o.columns),
      tileColumns_(kernels.tileColumns) {
  rows = packsA ? evenShare(o.rows, mostOfBlock / slots / kernels.tileRows * kernels.tileRows, kernels.tileRows) : o.rows;
}

int64_t ProductBlocks::stripeColumns(int64_t threads) const {
  const int64_t stripes = std::max(threads == 1 ? 1 : tasksOfThread * threads, parts(columns_ * slots, stripeSlots));
  return share(columns_, std::min(stripes, parts(columns_, tileColumns_)), tileColumns_);
}

int64_t ProductBlocks::mostFloats(const MatMulKernels& kernels, int64_t rows, int64_t columns, int64_t depth) {
  const int64_t deep = std::min(roundUp(depth, 8), mostDepthOf(kernels));
  const auto floats = [&](int64_t length, int64_t tile) { return std::min(roundUp(length, tile) * deep, mostOfBlock); };
  return roundUp(floats(rows, kernels.tileRows), 16) + floats(columns, kernels.tileColumns);
}

void blockedProduct(const MatMulKernels& kernels, const ProductOperands& o, const ProductBlocks& blocks, float* scratch) {
  multiply(kernels, o, blocks, scratch, 1, [](int64_t count, auto task) {
    for (int64_t index = 0; index < count; ++index) task(index, 0);
  });
}

void blockedProduct(ThreadPool& pool, const MatMulKernels& kernels, const ProductOperands& o, const ProductBlocks& blocks,
                    float* scratch) {
  multiply(kernels, o, blocks, scratch, pool.threads(), [&](int64_t count, auto task) { pool.run(count, task); });
}

}  // namespace metastate
