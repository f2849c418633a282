// OpenBLAS, found and loaded while the addon runs: the addon is built, and works, without it.
#pragma once

#include <cstdint>
#include <string>

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

  /// c = op(a) op(b), row by row; leading strides in floats. Sizes must be below 2^31.
  static void product(bool transposeA, bool transposeB, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda,
                      const float* b, int64_t ldb, float* c, int64_t ldc);
};

}  // namespace metastate
