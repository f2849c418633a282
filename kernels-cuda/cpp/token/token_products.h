// The matrix products of one token of each text, and the scratch of what lies between them.
#pragma once

#include <cstdint>
#include <vector>

#include "matmul/matmul.h"
#include "ops/cpu.h"
#include "simd/aligned_buffer.h"

namespace metastate {

/// y = x W^T with W [out, in] where it is `outIn`, y = x W with W [in, out] where not; x [rows, in], y [rows, out].
struct TokenProduct {
  const float* x;
  int64_t in;
  const float* weight;
  bool outIn;
  float* y;
  int64_t out;
};

/// Products that do not need each other's results: those of one row in one loop over the threads.
inline void tokenProducts(const Cpu& cpu, ProductPrecision precision, int64_t rows,
                          const std::vector<TokenProduct>& products) {
  if (rows > 1) {
    for (const TokenProduct& o : products) {
      matMul(cpu.pool, cpu.path, {rows, o.out, o.in, false, o.outIn, {0}, {0}, o.x, o.weight, o.y, precision});
    }
    return;
  }
  std::vector<ProductOperands> all;
  for (const TokenProduct& o : products) {
    all.push_back({1, o.out, o.in, o.x, o.in, 1, o.weight, o.outIn ? 1 : o.out, o.outIn ? o.in : 1, o.y, o.out});
  }
  rowProducts(cpu.pool, cpu.path, all);
}

/// Arrays for what is needed within a call only, each from a cache line on.
class TokenScratch {
 public:
  /// With room for arrays of so many floats together, and for where each begins.
  TokenScratch(int64_t floats, int64_t arrays) : buffer_(static_cast<size_t>(floats + 16 * arrays)) {}

  float* take(int64_t floats) {
    float* const array = buffer_.data() + used_;
    used_ += (floats + 15) / 16 * 16;
    return array;
  }

 private:
  AlignedBuffer buffer_;
  int64_t used_ = 0;
};

}  // namespace metastate
