#include "node/bindings.h"
#include "platform_tests/platform_tests.h"

namespace metastate::cuda {
namespace {

/// platformTest(test, blocks, x, y)
Napi::Value platformTest(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  const int64_t test = call.size("test", 0), blocks = call.size("blocks", 0);
  if (test >= static_cast<int64_t>(PlatformTest::count)) throw Napi::RangeError::New(info.Env(), "no such test");
  const float* x = call.floats("x", blocks * 64);
  float* y = call.floats("y", blocks * 64);
  runPlatformTest(static_cast<PlatformTest>(test), static_cast<int>(blocks), x, y, call.stream());
  return info.Env().Undefined();
}

}  // namespace

METASTATE_BINDING(platform_tests) { define<platformTest>(exports, "platformTest"); }

}  // namespace metastate::cuda
