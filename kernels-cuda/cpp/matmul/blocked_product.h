// A matrix product of packed blocks: which part of the operands is packed when, and who multiplies which part of the result.
#pragma once

#include <cstdint>

#include "matmul/matmul_kernels.h"
#include "threads/thread_pool.h"

namespace metastate {

/// The parts of a product's operands that stay in caches while they are multiplied: a block of a, or rows of a where they lie,
/// and stripes of b, which the thread that multiplies them packs.
struct ProductBlocks {
  bool packsA;          ///< or a is read where it lies
  int64_t rows, depth;  ///< of a block of a; rows are whole tiles, or all there are where a is not packed
  int64_t slots;        ///< of a block's depth

  /// They depend on the operands' shapes alone, so that the sums are the same bits for any number of threads.
  ProductBlocks(const MatMulKernels& kernels, const ProductOperands& o);

  /// Columns of a stripe, whole tiles: enough stripes for all threads.
  int64_t stripeColumns(int64_t threads) const;
  /// Floats of a packed block of a, to where the stripes begin on a cache line.
  int64_t floatsOfA() const { return packsA ? (rows * slots + 15) / 16 * 16 : 0; }
  /// The scratch of a product on so many threads: a block of a, and a stripe of b for each.
  int64_t floats(int64_t threads) const { return floatsOfA() + threads * stripeColumns(threads) * slots; }

  /// At least the floats, on one thread, of any product of these sizes or smaller ones, whose blocks can be deeper.
  static int64_t mostFloats(const MatMulKernels& kernels, int64_t rows, int64_t columns, int64_t depth);

 private:
  int64_t columns_, tileColumns_;
};

/// c = a b on the calling thread; `scratch`, on a cache line, has room for the blocks' floats.
void blockedProduct(const MatMulKernels& kernels, const ProductOperands& o, const ProductBlocks& blocks, float* scratch);

/// c = a b on all threads. Where a is packed they do that together; of b each packs the columns that it multiplies: what one
/// thread has packed another would fetch slowly, and wait for.
void blockedProduct(ThreadPool& pool, const MatMulKernels& kernels, const ProductOperands& o, const ProductBlocks& blocks,
                    float* scratch);

}  // namespace metastate
