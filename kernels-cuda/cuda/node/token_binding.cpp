// The kernels of one token for JavaScript: the native addon's calls (cpp/node/token_operands.h).
#include <algorithm>

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

Napi::Value blocks(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  const BlocksToken token = blocksOperands(call);
  // Of the largest layer: one half begins when the one before has ended.
  int64_t ofHalf = 0;
  for (const BlockToken& block : token.blocks) {
    ofHalf = std::max({ofHalf, timeMixingTokenScratch(withHeadsThatFit(call, block.mixing)),
                       metaStateLayerTokenScratch(block.layer)});
  }
  const BetweenHalves between(token);
  const Scratch scratch(call.device(), between.floats() + ofHalf);
  float* const ofOne = scratch.floats() + between.floats();
  const int multiprocessors = call.device().properties().multiProcessorCount;
  const auto stream = call.stream();
  between.run(
      token, scratch.floats(),
      [&](const TimeMixingToken& half) { timeMixingToken(half, ofOne, multiprocessors, stream); },
      [&](const MetaStateLayerToken& half) { metaStateLayerToken(half, ofOne, multiprocessors, stream); });
  return info.Env().Undefined();
}

}  // namespace

METASTATE_BINDING(token) {
  define<timeMixing>(exports, "timeMixingToken");
  define<blocks>(exports, "blocksToken");
}

}  // namespace metastate::cuda
