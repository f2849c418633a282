// Matrix products over all threads: which form of the product computes which part of the result.
#pragma once

#include <cstdint>
#include <vector>

#include "simd/paths.h"
#include "threads/thread_pool.h"

namespace metastate {

/// What becomes of the operands of large products; sums are float32 always.
enum class ProductPrecision {
  float32,
  bfloat16,          ///< rounded to bfloat16: in AVX-512 BF16, or, slower than float32, in what the CPU has
  bfloat16ByOneDnn,  ///< rounded to bfloat16, and multiplied by oneDNN, which knows AMX
};

/// c[g] = op(a[g]) op(b[g]) for each matrix g of a batch; op transposes, as asked. c is [batch, m, n].
struct MatMul {
  int64_t m, n, k;  ///< each at least 1
  bool transposeA, transposeB;
  std::vector<int64_t> aPlaces, bPlaces;  ///< where each matrix of the batch starts, in floats
  const float* a;
  const float* b;
  float* c;
  ProductPrecision precision = ProductPrecision::float32;
};

void matMul(ThreadPool& pool, const SimdPath& path, const MatMul& operands);

/// Products of one row each (rows is 1), none of which needs another's result, all in one loop over the threads: to start
/// that costs as much as a small product, and one that is nearly done leaves threads to the next.
void rowProducts(ThreadPool& pool, const SimdPath& path, const std::vector<ProductOperands>& products);

}  // namespace metastate
