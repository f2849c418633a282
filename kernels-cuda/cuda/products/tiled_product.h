// Products by a kernel of our own: where there is no cuBLASLt, and in the emulator.
#pragma once

#include "products/product.h"

namespace metastate::cuda::products {

void launchTiledProduct(const ProductShape& shape, const float* a, const float* b, float* c, const Epilogue& epilogue,
                        cudaStream_t stream);

/// The same of operands that lie as bfloat16.
void launchTiledProductOfBfloat16(const ProductShape& shape, const void* a, const void* b, float* c,
                                  const Epilogue& epilogue, cudaStream_t stream);

/// y[i] = x[i] rounded to bfloat16, to even.
void launchToBfloat16(int64_t count, const float* x, void* y, cudaStream_t stream);

/// c = activation(c + bias) in place, c [rows, columns].
void launchEpilogue(int64_t rows, int64_t columns, const Epilogue& epilogue, float* c, cudaStream_t stream);

}  // namespace metastate::cuda::products
