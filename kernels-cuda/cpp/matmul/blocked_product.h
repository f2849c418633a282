// A matrix product of packed blocks: which part of the operands is packed when, and who multiplies which part of the result.
#pragma once

#include <cstdint>

#include "matmul/matmul_kernels.h"
#include "threads/thread_pool.h"

namespace metastate {

/// The blocks of a product: parts of a and b that stay in the last cache they share while they are multiplied.
struct ProductBlocks {
  bool packsA;                   ///< or a is read where it lies
  int64_t rows, columns, depth;  ///< of a block; rows and columns are whole tiles, or of an a that is not packed all

  /// They depend on the operands' shapes alone, so that the sums are the same bits for any number of threads.
  ProductBlocks(const MatMulKernels& kernels, const ProductOperands& o);

  /// Floats of a packed block of a, to where one of b begins on a cache line, and of both.
  int64_t floatsOfA() const { return packsA ? (rows * depth + 15) / 16 * 16 : 0; }
  int64_t floats() const { return floatsOfA() + columns * depth; }

  /// At least the floats of any product of these sizes or smaller ones; the blocks of a smaller one can be deeper.
  static int64_t mostFloats(const MatMulKernels& kernels, int64_t rows, int64_t columns, int64_t depth);
};

/// c = a b on the calling thread; `scratch`, on a cache line, has room for the blocks' floats.
void blockedProduct(const MatMulKernels& kernels, const ProductOperands& o, const ProductBlocks& blocks, float* scratch);

/// c = a b on all threads: they pack a block of a and of b together, then share out its part of c.
void blockedProduct(ThreadPool& pool, const MatMulKernels& kernels, const ProductOperands& o, const ProductBlocks& blocks,
                    float* scratch);

}  // namespace metastate
