// The Meta-State pass for JavaScript: operands by name, as the recurrence has them.

#include <napi.h>

#include "meta/meta_pass.h"
#include "node/arguments.h"
#include "node/bindings.h"
#include "node/call.h"
#include "node/engine.h"

namespace metastate {
namespace {

/// Sizes of a call and the lengths of its arrays.
struct Sizes {
  MetaShape shape;
  int64_t steps, gain, state, checkpoints;

  Sizes(const Napi::CallbackInfo& info, int64_t leastInterval) {
    const Napi::Object given = objectArgument(info, 0, "the shape");
    Wkv7Shape& s = shape.states;
    s = {sizeMember(given, "batch", 1), sizeMember(given, "time", 1), sizeMember(given, "heads", 1),
         sizeMember(given, "headSize", 1), sizeMember(given, "checkpointInterval", leastInterval)};
    const Napi::Value epsilon = member(given, "epsilon", "a number");
    if (!epsilon.IsNumber()) throw Napi::TypeError::New(info.Env(), "epsilon must be a number");
    shape.epsilon = epsilon.As<Napi::Number>().FloatValue();
    steps = product(info.Env(), {s.batch, s.time, s.heads, s.headSize});
    gain = s.heads * s.headSize;
    state = product(info.Env(), {s.batch, s.heads, s.headSize, s.headSize});
    checkpoints = product(info.Env(), {s.batch, s.heads, checkpointCount(s), s.headSize, s.headSize});
  }
};

MetaInputs operands(const Napi::Object& in, const Sizes& sizes) {
  const auto step = [&](const char* name) { return floatsMember(in, name, sizes.steps); };
  return {step("r"), step("w"), step("k"), step("v"), step("a"), step("b"), step("x"), step("q"),
          floatsMember(in, "readGain", sizes.gain), floatsMember(in, "memoryGain", sizes.gain), nullptr, nullptr};
}

/// metaPassForward(shape, inputs, outputs)
Napi::Value forward(const Napi::CallbackInfo& info) {
  const Sizes sizes(info, 0);
  const Napi::Object in = objectArgument(info, 1, "the inputs"), out = objectArgument(info, 2, "the outputs");
  MetaInputs inputs = operands(in, sizes);
  inputs.wkv = floatsMember(in, "wkv", sizes.state);
  inputs.meta = floatsMember(in, "meta", sizes.state);
  const auto kept = [&](const char* name, int64_t length) {
    return sizes.shape.states.interval == 0 ? nullptr : floatsMember(out, name, length);
  };
  const MetaOutputs outputs{floatsMember(out, "added", sizes.steps),
                            floatsMember(out, "metaAfter", sizes.state),
                            kept("u", sizes.steps),
                            kept("o", sizes.steps),
                            kept("wkvCheckpoints", sizes.checkpoints),
                            kept("metaCheckpoints", sizes.checkpoints)};
  Engine::instance().use(
      [&](ThreadPool& pool, const SimdPath& path) { metaPassForward(pool, path, sizes.shape, inputs, outputs); });
  return info.Env().Undefined();
}

/// metaPassBackward(shape, inputs, gradients)
Napi::Value backward(const Napi::CallbackInfo& info) {
  const Sizes sizes(info, 1);
  const Napi::Object in = objectArgument(info, 1, "the inputs"), out = objectArgument(info, 2, "the gradients");
  const MetaInputs inputs = operands(in, sizes);
  const MetaSaved saved{floatsMember(in, "u", sizes.steps),
                        floatsMember(in, "o", sizes.steps),
                        floatsMember(in, "wkvCheckpoints", sizes.checkpoints),
                        floatsMember(in, "metaCheckpoints", sizes.checkpoints),
                        floatsMember(in, "dAdded", sizes.steps),
                        floatsMember(in, "dMetaAfter", sizes.state)};
  const auto step = [&](const char* name) { return floatsMember(out, name, sizes.steps); };
  const MetaGradients gradients{step("dr"), step("dw"), step("dk"), step("dv"),
                                step("da"), step("db"), step("dx"), step("dq"),
                                floatsMember(out, "dReadGain", sizes.gain),
                                floatsMember(out, "dMemoryGain", sizes.gain),
                                floatsMember(out, "dWkv", sizes.state),
                                floatsMember(out, "dMeta", sizes.state)};
  Engine::instance().use([&](ThreadPool& pool, const SimdPath& path) {
    metaPassBackward(pool, path, sizes.shape, inputs, saved, gradients);
  });
  return info.Env().Undefined();
}

}  // namespace

void defineMeta(Napi::Object& exports) {
  define<forward>(exports, "metaPassForward");
  define<backward>(exports, "metaPassBackward");
}

}  // namespace metastate
