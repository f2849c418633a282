// Matrix products for JavaScript.
#include <mutex>

#include "node/tensor_call.h"
#include "products/cublaslt.h"
#include "products/multiply.h"

namespace metastate::cuda {
namespace {

using namespace products;

/// Of the library in use and what it keeps of shapes: Node's workers multiply too, and each begins by taking a library.
std::mutex library;

/// matMul(precision, m, n, k, transposeA, transposeB, batch, a, b, c, bias | null, activation, alpha): batch is axes with
/// the strides of a and of b, in matrices. Gives, once, what the library in use could not compute.
Napi::Value matMul(const Napi::CallbackInfo& info) {
  TensorCall call(info);
  const Precision precision = call.chosen<Precision>("precision");
  ProductShape shape;
  shape.m = call.size("m");
  shape.n = call.size("n");
  shape.k = call.size("k");
  shape.transposeA = call.flag("transposeA");
  shape.transposeB = call.flag("transposeB");
  shape.batch = call.axes<2>("batch");
  const int64_t batches = shape.batch.size();
  if (batches == 0) throw Napi::RangeError::New(info.Env(), "batch has an axis of length 0");
  const int64_t aMatrix = call.total({shape.m, shape.k}), bMatrix = call.total({shape.k, shape.n});
  const int64_t cSize = call.total({batches, shape.m, shape.n});
  const auto* a = static_cast<const float*>(call.reached("a", 4 * aMatrix, shape.batch, 0));
  const auto* b = static_cast<const float*>(call.reached("b", 4 * bMatrix, shape.batch, 1));
  float* c = call.floats("c", cSize);
  Epilogue epilogue;
  epilogue.bias = call.optionalFloats("bias", shape.n);
  epilogue.activation = call.chosen<Activation>("activation");
  epilogue.alpha = static_cast<float>(call.number("alpha"));
  const std::lock_guard<std::mutex> lock(library);
  multiply(call.device(), shape, precision, a, b, c, epilogue);
  CublasLt* const used = CublasLt::inUse();
  const std::string complaint = used ? used->takeComplaint() : "";
  return complaint.empty() ? info.Env().Undefined() : Napi::String::New(info.Env(), complaint);
}

/// useCublas(path | ""): takes the library in use, or none; returns its version, or "". Throws why it cannot be.
Napi::Value useCublas(const Napi::CallbackInfo& info) {
  Call call(info);
  const std::string path = call.text("path");
  const std::lock_guard<std::mutex> lock(library);
  const CublasLt* const before = CublasLt::inUse();
  if (before && before->path() == path) return Napi::String::New(info.Env(), before->version());
  CublasLt::forget();
  if (path.empty()) return Napi::String::New(info.Env(), "");
  Device::get();  // its GPU is the one that the library takes
  CublasLt::open(path);
  return Napi::String::New(info.Env(), CublasLt::inUse()->version());
}

}  // namespace

METASTATE_BINDING(products) {
  define<matMul>(exports, "matMul");
  define<useCublas>(exports, "useCublas");
}

}  // namespace metastate::cuda
