// The ops of the library for JavaScript, and the bias of a product, which on the GPU is part of the product.

#include "node/baseline_ops.h"
#include "node/bindings.h"
#include "node/cpu_call.h"
#include "node/library_ops.h"

namespace metastate {
namespace {

/// addBias(c, columns, bias | null, activation, alpha): in place
void addBias(CpuCall& call) {
  int64_t length;
  float* c = call.anyFloats("c", length);
  const int64_t columns = call.size("columns");
  if (length % columns != 0) throw Napi::RangeError::New(call.env(), "c is no whole number of rows of columns");
  const float* bias = call.optionalFloats("bias", columns);
  const int64_t activation = call.size("activation", 0);
  if (activation > static_cast<int64_t>(Activation::sigmoid)) {
    throw Napi::RangeError::New(call.env(), "activation must be from 0 to 5, not " + std::to_string(activation));
  }
  const float alpha = static_cast<float>(call.number("alpha"));
  metastate::addBias(call.engine(), length / columns, columns, bias, static_cast<Activation>(activation), alpha, c);
}

}  // namespace

void defineOps(Napi::Object& exports) {
  calls::defineLibraryOps<CpuCall>(exports);
  calls::defineBaselineOps<CpuCall>(exports);
  define<calls::called<CpuCall, addBias>>(exports, "addBias");
}

}  // namespace metastate
