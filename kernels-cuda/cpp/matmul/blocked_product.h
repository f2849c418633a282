// A matrix product of packed blocks: which part of the operands is packed when, and who multiplies which part of the result.
#pragma once

#include <cstdint>

#include "matmul/matmul_kernels.h"
#include "threads/thread_pool.h"

namespace metastate {

/// The blocks of a product: parts of a and b that stay in caches while they are multiplied.
struct ProductBlocks {
  bool packsA;                   ///< or a is read where it lies
  int64_t rows, columns, depth;  ///< of a block; rows and columns are whole tiles, or all those of a product that packs b alone

  /// They depend on the operands' shapes alone, so that the sums are the same bits for any number of threads.
  ProductBlocks(const MatMulKernels& kernels, const ProductOperands& o);

  /// Floats of a packed block of a, to where one of b begins on a cache line.
  int64_t floatsOfA() const { return packsA ? (rows * depth + 15) / 16 * 16 : 0; }
  /// Floats of both blocks: the scratch of a product on one thread.
  int64_t floats() const { return floatsOfA() + columns * depth; }
  /// The same on several threads, which have one pair of blocks together, or a stripe of b each.
  int64_t floats(const MatMulKernels& kernels, int64_t threads) const;

  /// At least the floats of any product of these sizes or smaller ones; the blocks of a smaller one can be deeper.
  static int64_t mostFloats(const MatMulKernels& kernels, int64_t rows, int64_t columns, int64_t depth);
};

/// c = a b on the calling thread; `scratch`, on a cache line, has room for the blocks' floats.
void blockedProduct(const MatMulKernels& kernels, const ProductOperands& o, const ProductBlocks& blocks, float* scratch);

/// c = a b on all threads. They pack a block of a and of b together, then share out its part of c; or, where b alone is packed,
/// each packs the columns of b that it multiplies: what one thread has packed another would fetch slowly, and wait for.
void blockedProduct(ThreadPool& pool, const MatMulKernels& kernels, const ProductOperands& o, const ProductBlocks& blocks,
                    float* scratch);

}  // namespace metastate
