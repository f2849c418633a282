// Matrix products: c = activation(op(a) op(b) + bias), batched with broadcasting.
#pragma once

#include <cstdint>

#include "runtime/api.h"
#include "tfjs/axes.h"

namespace metastate::cuda::products {

/// How a product is computed. Inputs and results are float32 in memory, and sums are float32, always.
enum class Precision : int {
  float32,   ///< as float32
  tf32,      ///< inputs rounded to 10 bits of mantissa where there are tensor cores for it
  bfloat16,  ///< inputs rounded to bfloat16, in products that are large enough to gain by it
  count
};

/// What is done to each element of a product, in the order of `activations` in src/cuda/kernels/matmul.ts.
enum class Activation : int { none, relu, relu6, elu, leakyRelu, sigmoid, count };

/// c [batch, m, n] of a […, m, k] and b […, k, n]; transposed ones lie as [k, m] and [n, k].
struct ProductShape {
  int64_t m, n, k;
  bool transposeA, transposeB;
  /// Of the batch; strides of a and of b in matrices, 0 where one is taken again.
  tfjs::Axes<2> batch;
};

/// What follows the product; `bias` [n] or null.
struct Epilogue {
  const float* bias = nullptr;
  Activation activation = Activation::none;
  float alpha = 0;  ///< of leakyRelu

  bool isNothing() const { return bias == nullptr && activation == Activation::none; }
};

}  // namespace metastate::cuda::products
