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
  call.readMetaOperands(in);
  in.wkv = call.states("wkv");
  in.meta = call.states("meta");
  MetaPassOutputs out;
  out.added = call.steps("added");
  out.metaAfter = call.states("metaAfter");
  out.u = call.keptSteps("u");
  out.o = call.keptSteps("o");
  out.wkvCheckpoints = call.checkpoints("wkvCheckpoints");
  out.metaCheckpoints = call.checkpoints("metaCheckpoints");
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
  call.readMetaOperands(in);
  in.u = call.steps("u");
  in.o = call.steps("o");
  in.wkvCheckpoints = call.checkpoints("wkvCheckpoints");
  in.metaCheckpoints = call.checkpoints("metaCheckpoints");
  in.dAdded = call.steps("dAdded");
  in.dMetaAfter = call.states("dMetaAfter");
  MetaPassGradients out;
  call.readMetaGradients(out);
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
