// The kernels of one token for JavaScript.

#include "node/bindings.h"
#include "node/call.h"
#include "node/engine.h"
#include "node/token_operands.h"
#include "token/meta_state_layer.h"
#include "token/time_mixing.h"

namespace metastate {
namespace {

Napi::Value timeMixing(const Napi::CallbackInfo& info) {
  Call call(info);
  const auto token = timeMixingOperands(call);
  const ProductPrecision precision = Engine::instance().precision();
  timeMixingToken(Engine::instance().use(), precision, token);
  return info.Env().Undefined();
}

Napi::Value blocks(const Napi::CallbackInfo& info) {
  Call call(info);
  const BlocksToken token = blocksOperands(call);
  const ProductPrecision precision = Engine::instance().precision();
  const auto cpu = Engine::instance().use();
  const BetweenHalves between(token);
  const AlignedBuffer scratch(static_cast<size_t>(between.floats()));
  between.run(
      token, scratch.data(), [&](const TimeMixingToken& half) { timeMixingToken(cpu, precision, half); },
      [&](const MetaStateLayerToken& half) { metaStateLayerToken(cpu, precision, half); });
  return info.Env().Undefined();
}

}  // namespace

void defineTokens(Napi::Object& exports) {
  define<timeMixing>(exports, "timeMixingToken");
  define<blocks>(exports, "blocksToken");
}

}  // namespace metastate
