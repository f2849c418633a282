#include "products/tiled_product.h"

#include "products/tiled_product.cuh"

namespace metastate::cuda::products {
namespace {

template <typename T>
void tiledProduct(const ProductShape& s, const T* a, const T* b, float* c, const Epilogue& epilogue,
                  cudaStream_t stream) {
  constexpr int64_t mostDeep = 65535;
  const int64_t batches = s.batch.size();
  // Tiles are counted along one axis of the grid: the others have too few blocks for millions of rows or columns.
  const int64_t tiles = ((s.n + productTile - 1) / productTile) * ((s.m + productTile - 1) / productTile);
  const dim3 grid(static_cast<unsigned>(tiles), static_cast<unsigned>(std::min(batches, mostDeep)));
  launch(tiledProductKernel<T>, grid, dim3(productThreads), 0, stream, static_cast<uint32_t>(s.m),
         static_cast<uint32_t>(s.n), static_cast<uint32_t>(s.k), s.transposeA, s.transposeB,
         static_cast<uint32_t>(batches), tfjs::Places<2>(s.batch), a, b, epilogue, c);
}

}  // namespace

void launchTiledProduct(const ProductShape& shape, const float* a, const float* b, float* c, const Epilogue& epilogue,
                        cudaStream_t stream) {
  tiledProduct(shape, a, b, c, epilogue, stream);
}

void launchTiledProductOfBfloat16(const ProductShape& shape, const void* a, const void* b, float* c,
                                  const Epilogue& epilogue, cudaStream_t stream) {
  tiledProduct(shape, static_cast<const __nv_bfloat16*>(a), static_cast<const __nv_bfloat16*>(b), c, epilogue, stream);
}

void launchToBfloat16(int64_t count, const float* x, void* y, cudaStream_t stream) {
  const int64_t fours = tfjs::inFours(x, static_cast<__nv_bfloat16*>(y)) ? count / 4 : 0;
  const int64_t work = std::max(fours, count - 4 * fours);
  launch(toBfloat16Kernel, tfjs::gridFor(work), tfjs::blockFor(work), 0, stream, static_cast<uint32_t>(count),
         static_cast<uint32_t>(fours), x, static_cast<__nv_bfloat16*>(y));
}

void launchEpilogue(int64_t rows, int64_t columns, const Epilogue& epilogue, float* c, cudaStream_t stream) {
  const int64_t count = rows * columns;
  launch(epilogueKernel, tfjs::gridFor(count), tfjs::blockFor(count), 0, stream, static_cast<uint32_t>(count),
         tfjs::Divider(static_cast<uint32_t>(columns)), epilogue, c);
}

}  // namespace metastate::cuda::products
