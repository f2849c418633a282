// The kernels of one token for JavaScript: the native addon's calls (cpp/node/token_operands.h).
#include "node/bindings.h"
#include "node/token_operands.h"
#include "runtime/scratch.h"
#include "token/token.h"

namespace metastate::cuda {
namespace {

template <typename Token>
const Token& withHeadsThatFit(const DeviceCall& call, const Token& token) {
  if (token.headSize <= mostTokenHeadSize) return token;
  throw Napi::RangeError::New(call.env(), "heads of " + std::to_string(token.headSize) +
                                              " channels: the CUDA kernels of a token take at most 2048. Use more and "
                                              "smaller heads, or the engine native");
}

Napi::Value timeMixing(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  const auto token = withHeadsThatFit(call, timeMixingOperands(call));
  const Scratch scratch(call.device(), timeMixingTokenScratch(token));
  timeMixingToken(token, scratch.floats(), call.device().properties().multiProcessorCount, call.stream());
  return info.Env().Undefined();
}

Napi::Value metaStateLayer(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  const auto token = withHeadsThatFit(call, metaStateLayerOperands(call));
  const Scratch scratch(call.device(), metaStateLayerTokenScratch(token));
  metaStateLayerToken(token, scratch.floats(), call.device().properties().multiProcessorCount, call.stream());
  return info.Env().Undefined();
}

}  // namespace

METASTATE_BINDING(token) {
  define<timeMixing>(exports, "timeMixingToken");
  define<metaStateLayer>(exports, "metaStateLayerToken");
}

}  // namespace metastate::cuda
