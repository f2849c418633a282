// Matrix products for JavaScript.

#include <napi.h>

#include "matmul/blas.h"
#include "matmul/matmul.h"
#include "matmul/onednn.h"
#include "node/bindings.h"
#include "node/call.h"
#include "node/engine.h"

namespace metastate {
namespace {

/// The places of the matrices of a batch, each checked to lie within the `length` floats there are.
std::vector<int64_t> matrices(Call& call, const char* name, int64_t batch, int64_t matrix, int64_t length) {
  std::vector<int64_t> numbers = call.sizes(name);
  if (static_cast<int64_t>(numbers.size()) != batch) {
    throw Napi::RangeError::New(call.env(), std::string(name) + " has " + std::to_string(numbers.size()) +
                                                " values; the batch wants " + std::to_string(batch));
  }
  for (int64_t& number : numbers) {
    if (matrix != 0 && number >= length / matrix) {
      throw Napi::RangeError::New(call.env(), std::string(name) + " names matrix " + std::to_string(number) +
                                                  " of an operand that has " + std::to_string(length / matrix));
    }
    number *= matrix;
  }
  return numbers;
}

/// matMul(batch, m, n, k, transposeA, transposeB, a, b, c, aMatrices | null, bMatrices | null): the lists say which
/// matrix of an operand each entry of the batch takes; without a list, the one at its place.
Napi::Value multiply(const Napi::CallbackInfo& info) {
  Call call(info);
  MatMul o;
  const int64_t batch = call.size("batch");
  o.m = call.size("m");
  o.n = call.size("n");
  o.k = call.size("k");
  o.transposeA = call.flag("transposeA");
  o.transposeB = call.flag("transposeB");
  const int64_t aSize = product(info.Env(), {o.m, o.k}), bSize = product(info.Env(), {o.k, o.n});
  product(info.Env(), {o.m, o.n, o.k, batch});
  const bool listed = info.Length() > 9;
  int64_t aLength = product(info.Env(), {batch, aSize}), bLength = product(info.Env(), {batch, bSize});
  o.a = listed ? call.anyFloats("a", aLength) : call.floats("a", aLength);
  o.b = listed ? call.anyFloats("b", bLength) : call.floats("b", bLength);
  o.c = call.floats("c", product(info.Env(), {batch, o.m, o.n}));
  if (listed) {
    o.aPlaces = matrices(call, "aMatrices", batch, aSize, aLength);
    o.bPlaces = matrices(call, "bMatrices", batch, bSize, bLength);
  } else {
    for (int64_t g = 0; g < batch; ++g) {
      o.aPlaces.push_back(g * aSize);
      o.bPlaces.push_back(g * bSize);
    }
  }
  o.precision = Engine::instance().precision();
  Engine::instance().use([&](ThreadPool& pool, const SimdPath& path) { matMul(pool, path, o); });
  return info.Env().Undefined();
}

/// setPrecision("float32" | "bfloat16" | "bfloat16 by oneDNN"): of products from now on.
Napi::Value setPrecision(const Napi::CallbackInfo& info) {
  Call call(info);
  const std::string name = call.text("precision");
  const bool oneDnn = Engine::instance().alone(OneDnn::there);
  if (name == "float32") {
    Engine::instance().setPrecision(ProductPrecision::float32);
  } else if (name == "bfloat16") {
    Engine::instance().setPrecision(ProductPrecision::bfloat16);
  } else if (name == "bfloat16 by oneDNN" && oneDnn) {
    Engine::instance().setPrecision(ProductPrecision::bfloat16ByOneDnn);
  } else {
    throw Napi::RangeError::New(info.Env(), "precision \"" + name + "\" cannot be had: give \"float32\", \"bfloat16\" or " +
                                                (oneDnn ? "" : "(when oneDNN is loaded) ") + "\"bfloat16 by oneDNN\"");
  }
  return info.Env().Undefined();
}

/// loadOneDnn(path): returns its version.
Napi::Value loadOneDnn(const Napi::CallbackInfo& info) {
  Call call(info);
  const std::string path = call.text("path");
  const std::string description = Engine::instance().alone([&] {
    OneDnn::load(path);
    return OneDnn::description();
  });
  return Napi::String::New(info.Env(), description);
}

/// oneDnnProduct(m, n, k, transposeA, transposeB, a, b, c): in float32, through the calls that bfloat16 products take.
Napi::Value oneDnnProduct(const Napi::CallbackInfo& info) {
  Call call(info);
  const int64_t m = call.size("m"), n = call.size("n"), k = call.size("k");
  const bool transposeA = call.flag("transposeA"), transposeB = call.flag("transposeB");
  const float* a = call.floats("a", product(info.Env(), {m, k}));
  const float* b = call.floats("b", product(info.Env(), {k, n}));
  float* c = call.floats("c", product(info.Env(), {m, n}));
  Engine::instance().use([&](ThreadPool& pool, const SimdPath&) {
    if (!OneDnn::there()) throw std::runtime_error("oneDNN is not loaded: loadOneDnn comes first");
    OneDnn::product(pool.threads(), OneDnn::Type::float32, transposeA, transposeB, m, n, k, a, b, c);
  });
  return info.Env().Undefined();
}

/// loadBlas(path | ""): uses the library at `path` for large products, or none; returns how it describes itself.
Napi::Value loadBlas(const Napi::CallbackInfo& info) {
  Call call(info);
  const std::string path = call.text("path");
  const std::string description = Engine::instance().alone([&] {
    if (path.empty()) {
      Blas::forget();
    } else {
      Blas::load(path);
    }
    return Blas::description();
  });
  return Napi::String::New(info.Env(), description);
}

}  // namespace

void defineMatMul(Napi::Object& exports) {
  define<multiply>(exports, "matMul");
  define<loadBlas>(exports, "loadBlas");
  define<setPrecision>(exports, "setPrecision");
  define<loadOneDnn>(exports, "loadOneDnn");
  define<oneDnnProduct>(exports, "oneDnnProduct");
}

}  // namespace metastate
