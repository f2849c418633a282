// The recurrence of RWKV-7 and the Meta-State pass for JavaScript.

#include "meta/meta_pass.h"
#include "node/bindings.h"
#include "node/engine.h"
#include "node/recurrence_operands.h"
#include "wkv7/wkv7.h"

namespace metastate {
namespace {

using RecurrenceCall = RecurrenceOperands<Call, Wkv7Shape>;

/// wkv7(batch, time, heads, headSize, checkpointInterval, r, w, k, v, a, b, state, y, finalState, checkpoints)
Napi::Value forward(const Napi::CallbackInfo& info) {
  RecurrenceCall call(info, 0);
  Wkv7Inputs in;
  Wkv7Outputs out;
  call.readWkv7(in, out);
  const Engine::InUse engine = Engine::instance().use();
  wkv7Forward(engine.pool, engine.path, call.shape, in, out);
  return info.Env().Undefined();
}

/// wkv7Grad(batch, time, heads, headSize, checkpointInterval, r, w, k, v, a, b, checkpoints, dy, dFinalState,
///          dr, dw, dk, dv, da, db, dState)
Napi::Value backward(const Napi::CallbackInfo& info) {
  RecurrenceCall call(info, 1);
  Wkv7GradInputs in;
  call.readWkv7GradInputs(in);
  struct {
    float *dr, *dw, *dk, *dv, *da, *db;
  } out;
  call.readTransitionGradients(out);
  const Wkv7RowGradients rows{out.dv, call.states("dState")};
  const int64_t n = call.shape.headSize, stride = call.shape.heads * n;
  const Wkv7ColumnGradients columns{out.dr, out.dw, out.dk, out.da, out.db, call.shape.time * stride, n, stride};
  const Engine::InUse engine = Engine::instance().use();
  wkv7Backward(engine.pool, engine.path, call.shape, in, rows, columns);
  return info.Env().Undefined();
}

/// metaPass(batch, time, heads, headSize, checkpointInterval, epsilon, r, w, k, v, a, b, x, q, readGain, memoryGain, wkv,
///          meta, added, metaAfter, u, o, wkvCheckpoints, metaCheckpoints)
Napi::Value metaForward(const Napi::CallbackInfo& info) {
  RecurrenceCall call(info, 0);
  const MetaShape shape{call.shape, static_cast<float>(call.number("epsilon"))};
  MetaInputs in;
  MetaOutputs out;
  call.readMetaPass(in, out);
  const Engine::InUse engine = Engine::instance().use();
  metaPassForward(engine.pool, engine.path, shape, in, out);
  return info.Env().Undefined();
}

/// metaPassGrad(batch, time, heads, headSize, checkpointInterval, epsilon, r, w, k, v, a, b, x, q, readGain, memoryGain,
///              u, o, wkvCheckpoints, metaCheckpoints, dAdded, dMetaAfter,
///              dr, dw, dk, dv, da, db, dx, dq, dReadGain, dMemoryGain, dWkv, dMeta)
Napi::Value metaBackward(const Napi::CallbackInfo& info) {
  RecurrenceCall call(info, 1);
  const MetaShape shape{call.shape, static_cast<float>(call.number("epsilon"))};
  MetaInputs in{};
  MetaSaved saved;
  MetaGradients out;
  call.readMetaPassGrad(in, saved, out);
  const Engine::InUse engine = Engine::instance().use();
  metaPassBackward(engine.pool, engine.path, shape, in, saved, out);
  return info.Env().Undefined();
}

}  // namespace

void defineRecurrences(Napi::Object& exports) {
  define<forward>(exports, "wkv7");
  define<backward>(exports, "wkv7Grad");
  define<metaForward>(exports, "metaPass");
  define<metaBackward>(exports, "metaPassGrad");
}

}  // namespace metastate
