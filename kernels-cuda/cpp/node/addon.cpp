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
#include "wkv7/wkv7.h"

namespace metastate {
namespace {

/// Raised whenever a function here changes what it takes or gives, so that TypeScript refuses an addon of other sources.
constexpr int interfaceVersion = 8;

Wkv7Shape shapeArgument(const Napi::CallbackInfo& info, int64_t leastInterval) {
  const Napi::Object shape = objectArgument(info, 0, "the shape");
  return {sizeMember(shape, "batch", 1), sizeMember(shape, "time", 1), sizeMember(shape, "heads", 1),
          sizeMember(shape, "headSize", 1), sizeMember(shape, "checkpointInterval", leastInterval)};
}

struct Lengths {
  int64_t steps, state, checkpoints;  // of [B, T, H, N], [B, H, N, N] and [B, H, ceil(T / interval), N, N]

  Lengths(Napi::Env env, const Wkv7Shape& s)
      : steps(product(env, {s.batch, s.time, s.heads, s.headSize})),
        state(product(env, {s.batch, s.heads, s.headSize, s.headSize})),
        checkpoints(product(env, {s.batch, s.heads, checkpointCount(s), s.headSize, s.headSize})) {}
};

/// wkv7Forward(shape, inputs, outputs)
Napi::Value forward(const Napi::CallbackInfo& info) {
  const Wkv7Shape shape = shapeArgument(info, 0);
  const Lengths lengths(info.Env(), shape);
  const Napi::Object in = objectArgument(info, 1, "the inputs"), out = objectArgument(info, 2, "the outputs");
  const Wkv7Inputs inputs{
      floatsMember(in, "r", lengths.steps), floatsMember(in, "w", lengths.steps), floatsMember(in, "k", lengths.steps),
      floatsMember(in, "v", lengths.steps), floatsMember(in, "a", lengths.steps), floatsMember(in, "b", lengths.steps),
      floatsMember(in, "state", lengths.state)};
  const Wkv7Outputs outputs{floatsMember(out, "y", lengths.steps), floatsMember(out, "finalState", lengths.state),
                            shape.interval == 0 ? nullptr : floatsMember(out, "checkpoints", lengths.checkpoints)};
  Engine::instance().use(
      [&](ThreadPool& pool, const SimdPath& path) { wkv7Forward(pool, path, shape, inputs, outputs); });
  return info.Env().Undefined();
}

/// wkv7Backward(shape, inputs, gradients)
Napi::Value backward(const Napi::CallbackInfo& info) {
  const Wkv7Shape shape = shapeArgument(info, 1);
  const Lengths lengths(info.Env(), shape);
  const Napi::Object in = objectArgument(info, 1, "the inputs"), out = objectArgument(info, 2, "the gradients");
  const Wkv7GradInputs inputs{
      floatsMember(in, "r", lengths.steps), floatsMember(in, "w", lengths.steps), floatsMember(in, "k", lengths.steps),
      floatsMember(in, "v", lengths.steps), floatsMember(in, "a", lengths.steps), floatsMember(in, "b", lengths.steps),
      floatsMember(in, "checkpoints", lengths.checkpoints), floatsMember(in, "dy", lengths.steps),
      floatsMember(in, "dFinalState", lengths.state)};
  const Wkv7RowGradients rows{floatsMember(out, "dv", lengths.steps), floatsMember(out, "dState", lengths.state)};
  const Wkv7ColumnGradients columns{
      floatsMember(out, "dr", lengths.steps), floatsMember(out, "dw", lengths.steps),
      floatsMember(out, "dk", lengths.steps), floatsMember(out, "da", lengths.steps),
      floatsMember(out, "db", lengths.steps), shape.heads * shape.headSize};
  Engine::instance().use(
      [&](ThreadPool& pool, const SimdPath& path) { wkv7Backward(pool, path, shape, inputs, rows, columns); });
  return info.Env().Undefined();
}

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
  about.Set("blas", Blas::description());
  about.Set("oneDnn", OneDnn::description());
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
  define<forward>(exports, "wkv7Forward");
  define<backward>(exports, "wkv7Backward");
  define<describe>(exports, "info");
  define<configure>(exports, "configure");
  defineMeasurements(exports);
  defineMatMul(exports);
  defineMeta(exports);
  defineOps(exports);
  defineMovement(exports);
  defineTensors(exports);
  exports.Set("interfaceVersion", interfaceVersion);
  return exports;
}

}  // namespace
}  // namespace metastate

static Napi::Object initialise(Napi::Env env, Napi::Object exports) { return metastate::initialise(env, exports); }

NODE_API_MODULE(metastate_native, initialise)
