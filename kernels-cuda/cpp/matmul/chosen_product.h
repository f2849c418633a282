// Which code computes a product: that for one row, OpenBLAS, or the addon's own blocks.
#pragma once

#include <cstdint>

#include "matmul/blocked_product.h"
#include "matmul/matmul_kernels.h"

namespace metastate {

/// What computes products of one shape, with the same strides.
class ChosenProduct {
 public:
  enum class By { row, library, blocks };

  /// @param threads that share out one product; 1 where each thread has products of its own
  ChosenProduct(const MatMulKernels& kernels, const ProductOperands& o, int64_t threads = 1);

  By by() const { return by_; }
  const ProductBlocks& blocks() const { return blocks_; }

  /// Floats of scratch for a product on one thread, whole cache lines.
  int64_t floats() const { return by_ == By::blocks ? (blocks_.floats(1) + 15) / 16 * 16 : 0; }
  /// c = a b on the calling thread; `scratch`, on a cache line, has room for that many floats.
  void alone(const MatMulKernels& kernels, const ProductOperands& o, float* scratch) const;

 private:
  ProductBlocks blocks_;
  By by_;
};

}  // namespace metastate
