#include "node/bindings.h"
#include "tfjs/elementwise.h"

namespace metastate::cuda {
namespace {

/// unary(function, count, x, y)
Napi::Value unaryCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  const int64_t function = call.size("function", 0);
  if (function >= static_cast<int64_t>(Unary::count)) throw Napi::RangeError::New(info.Env(), "no such function");
  const int64_t count = call.size("count", 0);
  const float* x = call.deviceFloats("x", count);
  float* y = call.deviceFloats("y", count);
  unary(static_cast<Unary>(function), x, y, count, call.stream());
  return info.Env().Undefined();
}

}  // namespace

METASTATE_BINDING(elementwise) { define<unaryCall>(exports, "unary"); }

}  // namespace metastate::cuda
