#include "products/multiply.h"

#include <algorithm>

#include "products/cublaslt.h"
#include "products/tiled_product.h"
#include "runtime/scratch.h"

namespace metastate::cuda::products {
namespace {

/// Matrices that are stored one after the other under one b are the rows of one matrix.
ProductShape folded(ProductShape s) {
  if (s.batch.count != 1 || s.transposeA || s.batch.strides[0][0] != 1 || s.batch.strides[1][0] != 0) return s;
  s.m *= s.batch.lengths[0];
  s.batch.lengths[0] = 1;
  return s;
}

/// How many matrices of an operand the batch reaches.
int64_t matrices(const ProductShape& s, int operand) {
  int64_t last = 0;
  for (int axis = 0; axis < s.batch.count; ++axis) {
    last += static_cast<int64_t>(s.batch.lengths[axis] - 1) * s.batch.strides[operand][axis];
  }
  return last + 1;
}

/// Below this many rows or columns a product waits for memory, and rounding its operands first would read them twice.
constexpr int64_t leastForBfloat16 = 64;
/// Values that the kernel which rounds takes.
constexpr int64_t mostForBfloat16 = 2147483647;

}  // namespace

void multiply(Device& device, const ProductShape& given, Precision precision, const float* a, const float* b, float* c,
              const Epilogue& epilogue) {
  const ProductShape shape = folded(given);
  const cudaStream_t stream = device.stream();
  const int64_t aCount = matrices(shape, 0) * shape.m * shape.k, bCount = matrices(shape, 1) * shape.k * shape.n;
  const bool gains = std::min(shape.m, shape.n) >= leastForBfloat16 && std::max(aCount, bCount) <= mostForBfloat16;
  if (precision == Precision::bfloat16 && !gains) precision = Precision::tf32;

  const void* left = a;
  const void* right = b;
  const bool narrow = precision == Precision::bfloat16;
  const Scratch aNarrow = Scratch::ofBytes(device, narrow ? 2 * aCount : 0);
  const Scratch bNarrow = Scratch::ofBytes(device, narrow ? 2 * bCount : 0);
  if (narrow) {
    launchToBfloat16(aCount, a, aNarrow.memory(), stream);
    launchToBfloat16(bCount, b, bNarrow.memory(), stream);
    left = aNarrow.memory();
    right = bNarrow.memory();
  }

  if (CublasLt* library = CublasLt::inUse()) {
    if (library->multiply(device, shape, precision, left, right, c, epilogue.bias)) {
      // The library's own activation is max(x, 0), which makes 0 of a NaN: ours lets it through.
      if (epilogue.activation != Activation::none) {
        const Epilogue rest{nullptr, epilogue.activation, epilogue.alpha};
        launchEpilogue(shape.batch.size() * shape.m, shape.n, rest, c, stream);
      }
      return;
    }
  }
  if (narrow) {
    launchTiledProductOfBfloat16(shape, left, right, c, epilogue, stream);
  } else {
    launchTiledProduct(shape, a, b, c, epilogue, stream);
  }
}

}  // namespace metastate::cuda::products
