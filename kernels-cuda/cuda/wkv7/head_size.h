// Kernels are compiled for each head size.
#pragma once

#include <stdexcept>
#include <type_traits>

namespace metastate::cuda {

/// Calls `visit` with the head size as a type's `value`.
template <typename Visit>
auto withHeadSize(int headSize, Visit visit) {
  switch (headSize) {
    case 16: return visit(std::integral_constant<int, 16>{});
    case 32: return visit(std::integral_constant<int, 32>{});
    case 64: return visit(std::integral_constant<int, 64>{});
    case 128: return visit(std::integral_constant<int, 128>{});
    default: throw std::invalid_argument("the recurrences on the GPU have head sizes 16, 32, 64 and 128");
  }
}

}  // namespace metastate::cuda
