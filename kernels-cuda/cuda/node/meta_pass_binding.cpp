// The Meta-State pass for JavaScript; src/cuda/addon/recurrence-binding.ts is its declaration.
#include "meta/meta_pass.h"
#include "node/bindings.h"
#include "node/recurrence_call.h"

namespace metastate::cuda {
namespace {

/// metaPass(batch, time, heads, headSize, checkpointInterval, epsilon, r, w, k, v, a, b, x, q, readGain, memoryGain, wkv,
///          meta, added, metaAfter, u, o, wkvCheckpoints, metaCheckpoints)
Napi::Value forward(const Napi::CallbackInfo& info) {
  RecurrenceCall call(info, 0);
  const float epsilon = static_cast<float>(call.number("epsilon"));
  MetaPassInputs in;
  MetaPassOutputs out;
  call.readMetaPass(in, out);
  metaPass(call.shape, epsilon, in, out, call.stream());
  return info.Env().Undefined();
}

/// metaPassGrad(batch, time, heads, headSize, checkpointInterval, epsilon, r, w, k, v, a, b, x, q, readGain, memoryGain,
///              u, o, wkvCheckpoints, metaCheckpoints, dAdded, dMetaAfter,
///              dr, dw, dk, dv, da, db, dx, dq, dReadGain, dMemoryGain, dWkv, dMeta)
Napi::Value backward(const Napi::CallbackInfo& info) {
  RecurrenceCall call(info, 1);
  const float epsilon = static_cast<float>(call.number("epsilon"));
  MetaPassGradInputs in;
  MetaPassGradients out;
  call.readMetaPassGrad(in, in, out);
  const Scratch scratch(call.device(), metaPassGradScratch(call.shape));
  metaPassGrad(call.shape, epsilon, in, out, scratch.floats(), call.stream());
  return info.Env().Undefined();
}

}  // namespace

METASTATE_BINDING(metaPass) {
  define<forward>(exports, "metaPass");
  define<backward>(exports, "metaPassGrad");
}

}  // namespace metastate::cuda
