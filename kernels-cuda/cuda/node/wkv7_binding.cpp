// The recurrence of RWKV-7 for JavaScript; src/cuda/addon/ops-binding.ts is its declaration.
#include "node/bindings.h"
#include "node/recurrence_call.h"

namespace metastate::cuda {
namespace {

/// The form that is wanted, the last argument; "auto" without one.
Wkv7Form formArgument(RecurrenceCall& call) {
  const std::string form = call.text("form", "auto");
  if (form == "auto") return wkv7Form(call.shape, call.multiprocessors());
  if (form == "recurrent") return Wkv7Form::recurrent;
  if (form != "chunked") {
    throw Napi::RangeError::New(call.env(), "form must be auto, recurrent or chunked, not " + form);
  }
  if (!wkv7CanChunk(call.shape)) {
    throw Napi::RangeError::New(call.env(), "the chunked form wants a checkpointInterval of 16, or 0 for none, not " +
                                                std::to_string(call.shape.interval));
  }
  return Wkv7Form::chunked;
}

/// wkv7(batch, time, heads, headSize, checkpointInterval, r, w, k, v, a, b, state, y, finalState, checkpoints, form?)
Napi::Value forward(const Napi::CallbackInfo& info) {
  RecurrenceCall call(info, 0);
  Wkv7Inputs in;
  Wkv7Outputs out;
  call.readWkv7(in, out);
  const Wkv7Form form = formArgument(call);
  const Scratch scratch(call.device(), wkv7ForwardScratch(call.shape, form));
  wkv7Forward(call.shape, in, out, form, scratch.floats(), call.multiprocessors(), call.stream());
  return info.Env().Undefined();
}

/// wkv7Grad(batch, time, heads, headSize, checkpointInterval, r, w, k, v, a, b, checkpoints, dy, dFinalState,
///          dr, dw, dk, dv, da, db, dState, form?)
Napi::Value backward(const Napi::CallbackInfo& info) {
  RecurrenceCall call(info, 1);
  Wkv7GradInputs in;
  call.readWkv7GradInputs(in);
  Wkv7Gradients out;
  call.readTransitionGradients(out);
  out.dState = call.states("dState");
  const Wkv7Form form = formArgument(call);
  const Scratch scratch(call.device(), wkv7BackwardScratch(call.shape, form, call.multiprocessors()));
  wkv7Backward(call.shape, in, out, form, scratch.floats(), call.multiprocessors(), call.stream());
  return info.Env().Undefined();
}

}  // namespace

METASTATE_BINDING(wkv7) {
  define<forward>(exports, "wkv7");
  define<backward>(exports, "wkv7Grad");
}

}  // namespace metastate::cuda
