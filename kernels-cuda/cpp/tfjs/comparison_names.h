// Comparisons by number, on the CPU and on the GPU alike: nothing but the enumeration, so that device code may include it.
#pragma once

namespace metastate {

/// In the order of `comparisonNames` in src/kernels/comparison-names.ts.
enum class Comparison : int {
  equal, notEqual, greater, greaterEqual, less, lessEqual, logicalAnd, logicalOr, count
};

}  // namespace metastate
