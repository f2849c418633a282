#include <stdexcept>

#include "tfjs/binary.cuh"
#include "tfjs/binary.h"
#include "tfjs/binary_functions.cuh"

namespace metastate::cuda::tfjs {
namespace {

template <typename T>
void compare(Comparison function, const Axes<2>& axes, const T* a, const T* b, uint8_t* y, cudaStream_t stream) {
  switch (function) {
    case Comparison::equal: return broadcast<Equal<T>>(axes, a, b, y, stream);
    case Comparison::notEqual: return broadcast<NotEqual<T>>(axes, a, b, y, stream);
    case Comparison::greater: return broadcast<Greater<T>>(axes, a, b, y, stream);
    case Comparison::greaterEqual: return broadcast<GreaterEqual<T>>(axes, a, b, y, stream);
    case Comparison::less: return broadcast<Less<T>>(axes, a, b, y, stream);
    case Comparison::lessEqual: return broadcast<LessEqual<T>>(axes, a, b, y, stream);
    case Comparison::logicalAnd: return broadcast<LogicalAnd<T>>(axes, a, b, y, stream);
    case Comparison::logicalOr: return broadcast<LogicalOr<T>>(axes, a, b, y, stream);
    case Comparison::count: break;
  }
  throw std::logic_error("no such comparison");
}

}  // namespace

void launchComparison(Comparison function, ElementType type, const Axes<2>& axes, const void* a, const void* b,
                      uint8_t* y, cudaStream_t stream) {
  switch (type) {
    case ElementType::float32:
      return compare(function, axes, static_cast<const float*>(a), static_cast<const float*>(b), y, stream);
    case ElementType::int32:
      return compare(function, axes, static_cast<const int32_t*>(a), static_cast<const int32_t*>(b), y, stream);
    case ElementType::boolean:
      return compare(function, axes, static_cast<const uint8_t*>(a), static_cast<const uint8_t*>(b), y, stream);
  }
}

}  // namespace metastate::cuda::tfjs
