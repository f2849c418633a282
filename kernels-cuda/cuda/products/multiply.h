// A product by whatever computes it: cuBLASLt where it is in use, the addon's own kernel otherwise.
#pragma once

#include "products/product.h"
#include "runtime/device.h"

namespace metastate::cuda::products {

/// c = activation(op(a) op(b) + bias). No size is 0. Returns when it is launched.
void multiply(Device& device, const ProductShape& shape, Precision precision, const float* a, const float* b, float* c,
              const Epilogue& epilogue);

}  // namespace metastate::cuda::products
