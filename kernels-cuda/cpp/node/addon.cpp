// The addon's face to Node: functions on Float32Arrays. src/addon/binding.ts is its declaration in TypeScript.

#include <napi.h>

#include <string>
#include <vector>

#include "node/arguments.h"
#include "node/bindings.h"
#include "node/call.h"
#include "node/engine.h"
#include "matmul/blas.h"
#include "matmul/onednn.h"

namespace metastate {
namespace {

/// Raised whenever a function here changes what it takes or gives, so that TypeScript refuses an addon of other sources.
constexpr int interfaceVersion = 16;

Napi::Array strings(Napi::Env env, const std::vector<std::string>& values) {
  Napi::Array array = Napi::Array::New(env, values.size());
  for (uint32_t i = 0; i < values.size(); ++i) array.Set(i, values[i]);
  return array;
}

/// info(): what runs, and what could.
Napi::Value describe(const Napi::CallbackInfo& info) {
  std::vector<std::string> available;
  for (const SimdPath* path : availablePaths()) available.push_back(path->name);
  Napi::Object about = Napi::Object::New(info.Env());
  about.Set("simd", Engine::instance().path().name);
  about.Set("simdAvailable", strings(info.Env(), available));
  about.Set("simdCompiled", strings(info.Env(), compiledPaths()));
  about.Set("blas", Engine::instance().alone(Blas::description));
  about.Set("oneDnn", Engine::instance().alone(OneDnn::description));
  about.Set("bfloat16", bfloat16Instructions());
  about.Set("threads", Engine::instance().threads());
#if defined(__clang__)
  about.Set("compiler", "Clang " __clang_version__);
#elif defined(__GNUC__)
  about.Set("compiler", "GCC " __VERSION__);
#else
  about.Set("compiler", "an unknown compiler");
#endif
  return about;
}

/// configure({threads?, simd?})
Napi::Value configure(const Napi::CallbackInfo& info) {
  const Napi::Object options = objectArgument(info, 0, "the options");
  if (!options.Get("threads").IsUndefined()) {
    Engine::instance().setThreads(static_cast<int>(sizeMember(options, "threads", 1)));
  }
  const Napi::Value simd = options.Get("simd");
  if (!simd.IsUndefined()) {
    if (!simd.IsString()) throw Napi::TypeError::New(info.Env(), "simd must be the name of an instruction set");
    Engine::instance().setPath(simd.As<Napi::String>().Utf8Value());
  }
  return info.Env().Undefined();
}

Napi::Object initialise(Napi::Env, Napi::Object exports) {
  define<describe>(exports, "info");
  define<configure>(exports, "configure");
  defineMeasurements(exports);
  defineMatMul(exports);
  defineOps(exports);
  defineRecurrences(exports);
  defineMemory(exports);
  defineMovement(exports);
  defineTensors(exports);
  defineTokens(exports);
  exports.Set("interfaceVersion", interfaceVersion);
  return exports;
}

}  // namespace
}  // namespace metastate

static Napi::Object initialise(Napi::Env env, Napi::Object exports) { return metastate::initialise(env, exports); }

NODE_API_MODULE(metastate_native, initialise)
