#include "matmul/chosen_product.h"

#include "matmul/blas.h"

namespace metastate {
namespace {

/// Below this many multiply-adds the library's own preparation costs more than its kernel gains.
constexpr int64_t leastForBlas = 1 << 15;
/// From here on blocks that all threads pack together gain more than the library's kernel, which each thread calls for itself;
/// below, the library only gains where the addon would have to pack a.
constexpr int64_t mostSharedByBlas = 1 << 26;

}  // namespace

ChosenProduct::ChosenProduct(const MatMulKernels& kernels, const ProductOperands& o, int64_t threads)
    : blocks_(kernels, o), by_(By::blocks) {
  const int64_t work = o.rows * o.columns * o.depth;
  if (o.rows == 1) {
    by_ = By::row;
  } else if (Blas::there() && kernels.slotDepth == 1 && blocks_.packsA && o.depth > 1 && work >= leastForBlas &&
             (work < mostSharedByBlas || threads == 1)) {
    by_ = By::library;
  }
}

void ChosenProduct::alone(const MatMulKernels& kernels, const ProductOperands& o, float* scratch) const {
  switch (by_) {
    case By::row: return kernels.rowProduct(o);
    case By::library: return Blas::product(o);
    case By::blocks: return blockedProduct(kernels, o, blocks_, scratch);
  }
}

}  // namespace metastate
