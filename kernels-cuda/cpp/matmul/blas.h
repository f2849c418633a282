// OpenBLAS, found and loaded while the addon runs: the addon is built, and works, without it.
#pragma once

#include <string>

#include "matmul/matmul_kernels.h"

namespace metastate {

/// cblas_sgemm of a BLAS with 32-bit integers, on the calling thread alone.
class Blas {
 public:
  /// Loads the library at `path`; throws std::runtime_error saying what is wrong with it.
  static void load(const std::string& path);
  /// Stops using it.
  static void forget();
  /// Whether one is loaded.
  static bool there();
  /// As the library describes itself; empty without one.
  static std::string description();

  /// c = a b of at least two rows and a depth of at least two, by which strides tell what is transposed; sizes below 2^31.
  static void product(const ProductOperands&);
};

}  // namespace metastate
