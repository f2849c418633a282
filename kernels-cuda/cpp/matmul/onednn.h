// oneDNN, found and loaded while the addon runs: matrix products of bfloat16 operands with float32 sums, which no BLAS that
// we know as a wheel has. The addon is built, and works, without it.
#pragma once

#include <cstdint>
#include <string>

namespace metastate {

class OneDnn {
 public:
  /// Loads the library at `path`; throws std::runtime_error saying what is wrong with it.
  static void load(const std::string& path);
  static bool there();
  /// E.g. "oneDNN 3.2.0"; empty without one.
  static std::string description();

  enum class Type { bfloat16 = 2, float32 = 3 };  // as dnnl_data_type_t numbers them

  /// c = op(a) op(b), row by row, a and b of `type`, c and sums float32, on `threads` threads of the library's own. Throws
  /// std::runtime_error with the library's status when it cannot.
  static void product(int threads, Type type, bool transposeA, bool transposeB, int64_t m, int64_t n, int64_t k,
                      const void* a, const void* b, float* c);
};

}  // namespace metastate
