// The Meta-State pass for JavaScript; src/cuda/addon/ops-binding.ts is its declaration.
#include "meta/meta_pass.h"
#include "node/bindings.h"
#include "node/recurrence_call.h"

namespace metastate::cuda {
namespace {

/// The last argument: how many channels of a head are not padding; all of them without it.
HeadNorm normArgument(RecurrenceCall& call, float epsilon) {
  const int64_t channels = call.size("channels", 1, call.shape.headSize);
  if (channels <= call.shape.headSize) return {epsilon, static_cast<int>(channels)};
  throw Napi::RangeError::New(call.env(), "channels must be at most headSize, " + std::to_string(call.shape.headSize) +
                                              ", not " + std::to_string(channels));
}

/// metaPass(batch, time, heads, headSize, checkpointInterval, epsilon, r, w, k, v, a, b, x, q, readGain, memoryGain, wkv,
///          meta, added, metaAfter, u, o, wkvCheckpoints, metaCheckpoints, channels?)
Napi::Value forward(const Napi::CallbackInfo& info) {
  RecurrenceCall call(info, 0);
  const float epsilon = static_cast<float>(call.number("epsilon"));
  MetaPassInputs in;
  MetaPassOutputs out;
  call.readMetaPass(in, out);
  metaPass(call.shape, normArgument(call, epsilon), in, out, call.stream());
  return info.Env().Undefined();
}

/// metaPassGrad(batch, time, heads, headSize, checkpointInterval, epsilon, r, w, k, v, a, b, x, q, readGain, memoryGain,
///              u, o, wkvCheckpoints, metaCheckpoints, dAdded, dMetaAfter,
///              dr, dw, dk, dv, da, db, dx, dq, dReadGain, dMemoryGain, dWkv, dMeta, channels?)
Napi::Value backward(const Napi::CallbackInfo& info) {
  RecurrenceCall call(info, 1);
  const float epsilon = static_cast<float>(call.number("epsilon"));
  MetaPassGradInputs in;
  MetaPassGradients out;
  call.readMetaPassGrad(in, in, out);
  const Scratch scratch(call.device(), metaPassGradScratch(call.shape));
  metaPassGrad(call.shape, normArgument(call, epsilon), in, out, scratch.floats(), call.stream());
  return info.Env().Undefined();
}

}  // namespace

METASTATE_BINDING(metaPass) {
  define<forward>(exports, "metaPass");
  define<backward>(exports, "metaPassGrad");
}

}  // namespace metastate::cuda
