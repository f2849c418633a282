// The arguments of the kernels of one token, on the CPU and on the GPU: sizes and numbers, then many tensors in two
// lists, which are taken one after the other. src/addon/binding.ts declares these calls.
#pragma once

#include <string>
#include <vector>

#include "node/call.h"
#include "token/blocks.h"

namespace metastate {

/// A list of tensors, each of the length that its place wants.
class TokenTensors {
 public:
  template <typename Call>
  TokenTensors(Call& call, const char* list)
      : env_(call.env()), list_(list), tensors_(call.listOfAnyFloats(list, lengths_)) {}

  bool goOn() const { return at_ < tensors_.size(); }

  float* next(const char* name, int64_t length) {
    if (lengthOfNext(name) != length) refuse(name, std::to_string(length));
    return tensors_[at_++];
  }

  /// A matrix with one side known; the other side.
  float* next(const char* name, int64_t side, int64_t& other) {
    const int64_t length = lengthOfNext(name);
    if (length <= 0 || length % side != 0) refuse(name, "a multiple of " + std::to_string(side));
    other = length / side;
    return tensors_[at_++];
  }

 private:
  int64_t lengthOfNext(const char* name) {
    if (at_ < tensors_.size()) return lengths_[at_];
    throw Napi::RangeError::New(env_, std::string(list_) + " ends before " + name);
  }

  [[noreturn]] void refuse(const char* name, const std::string& wanted) const {
    throw Napi::RangeError::New(env_, std::string(name) + " has " + std::to_string(lengths_[at_]) +
                                          " values; the sizes given want " + wanted);
  }

  Napi::Env env_;
  const char* list_;
  std::vector<int64_t> lengths_;
  std::vector<float*> tensors_;
  size_t at_ = 0;
};

/// What both kernels begin with: batch, width, heads, headSize, normEpsilon, readEpsilon.
struct TokenSizes {
  int64_t batch, width, heads, headSize, channels, inner, steps, states;
  float normEpsilon, readEpsilon;

  template <typename Call>
  explicit TokenSizes(Call& call) {
    batch = call.size("batch");
    width = call.size("width");
    heads = call.size("heads");
    headSize = call.size("headSize");
    normEpsilon = static_cast<float>(call.number("normEpsilon"));
    readEpsilon = static_cast<float>(call.number("readEpsilon"));
    channels = call.product({batch, width});
    inner = call.product({heads, headSize});
    steps = call.product({batch, inner});
    states = call.product({steps, headSize});
  }

  template <typename Token>
  void giveTo(Token& o) const {
    o.batch = batch;
    o.width = width;
    o.heads = heads;
    o.headSize = headSize;
    o.normEpsilon = normEpsilon;
    o.readEpsilon = readEpsilon;
  }
};

template <typename Call>
LowRankPart lowRank(const Call& call, const TokenSizes& s, TokenTensors& in, const char* first, const char* second) {
  LowRankPart part;
  part.w1 = in.next(first, s.width, part.rank);
  part.w2 = in.next(second, call.product({part.rank, s.inner}));
  return part;
}

/// What time mixing takes of its layer: parameters and states.
template <typename Call>
void mixingOfLayer(const Call& call, const TokenSizes& s, TokenTensors& in, TimeMixingToken& o) {
  o.normWeight = in.next("ln1.weight", s.width);
  o.normBias = in.next("ln1.bias", s.width);
  o.shift = in.next("shift", s.channels);
  o.wkv = in.next("wkv", s.states);
  int which = 0;
  for (const char* name : {"x_r", "x_w", "x_k", "x_v", "x_a", "x_g"}) o.mixes[which++] = in.next(name, s.width);
  const int64_t matrix = call.product({s.inner, s.width});
  o.receptance = in.next("receptance.weight", matrix);
  o.key = in.next("key.weight", matrix);
  o.value = in.next("value.weight", matrix);
  o.output = in.next("output.weight", matrix);
  o.w0 = in.next("w0", s.inner);
  o.decay = lowRank(call, s, in, "w1", "w2");
  o.a0 = in.next("a0", s.inner);
  o.rate = lowRank(call, s, in, "a1", "a2");
  o.gate = lowRank(call, s, in, "g1", "g2");
  o.kk = in.next("k_k", s.inner);
  o.ka = in.next("k_a", s.inner);
  o.rk = in.next("r_k", s.inner);
  o.readWeight = in.next("ln_x.weight", s.inner);
  o.readBias = in.next("ln_x.bias", s.inner);
}

/// What it takes of a layer after the first besides.
template <typename Call>
void residualOfLayer(const Call& call, const TokenSizes& s, TokenTensors& in, TimeMixingToken& o) {
  o.v0 = in.next("v0", s.inner);
  o.residual = lowRank(call, s, in, "v1", "v2");
}

/// timeMixingToken(batch, width, heads, headSize, normEpsilon, readEpsilon, aScale, inputs, outputs): of a layer
/// after the first where the inputs go on to what those have.
template <typename Call>
TimeMixingToken timeMixingOperands(Call& call) {
  const TokenSizes s(call);
  TimeMixingToken o{};
  s.giveTo(o);
  o.aScale = static_cast<float>(call.number("aScale"));

  TokenTensors in(call, "inputs");
  o.stream = in.next("stream", s.channels);
  mixingOfLayer(call, s, in, o);
  if (in.goOn()) {
    o.firstValue = in.next("firstValue", s.steps);
    residualOfLayer(call, s, in, o);
  }

  TokenTensors out(call, "outputs");
  o.streamAfter = out.next("stream", s.channels);
  o.shiftAfter = out.next("shift", s.channels);
  o.wkvAfter = out.next("wkv", s.states);
  o.r = out.next("r", s.steps);
  o.w = out.next("w", s.steps);
  o.k = out.next("k", s.steps);
  o.v = out.next("v", s.steps);
  o.alpha = out.next("alpha", s.steps);
  o.beta = out.next("beta", s.steps);
  return o;
}

/// What the Meta-State layer takes of its layer, without the pass over both states.
template <typename Call>
void layerOfLayer(const Call& call, const TokenSizes& s, TokenTensors& in, MetaStateLayerToken& o) {
  o.normWeight = in.next("ln2.weight", s.width);
  o.normBias = in.next("ln2.bias", s.width);
  o.shift = in.next("shift", s.channels);
  o.mix = in.next("x_k", s.width);
  o.key = in.next("key.weight", s.width, o.parameterTokens);
  o.value = in.next("value.weight", call.product({o.parameterTokens, s.width}));
}

inline void gainsOfLayer(const TokenSizes& s, TokenTensors& in, MetaStateLayerToken& o) {
  o.pass.readGain = in.next("beta_g", s.inner);
  o.pass.memoryGain = in.next("alpha_g", s.inner);
}

/// The pass over both states wants heads that share out the width.
template <typename Call>
void requireSlices(const Call& call, const TokenSizes& s) {
  if (s.inner == s.width) return;
  throw Napi::RangeError::New(call.env(), std::to_string(s.heads) + " heads of " + std::to_string(s.headSize) +
                                              " channels are no width of " + std::to_string(s.width));
}

/// blocksToken(batch, width, heads, headSize, normEpsilon, readEpsilon, aScale, hasPass, inputs, outputs): the stream, then layer by
/// layer what its halves take, and give the next token.
template <typename Call>
BlocksToken blocksOperands(Call& call) {
  const TokenSizes s(call);
  const float aScale = static_cast<float>(call.number("aScale"));
  const bool hasPass = call.flag("hasPass");
  if (hasPass) requireSlices(call, s);
  TokenTensors in(call, "inputs"), out(call, "outputs");
  BlocksToken o{in.next("stream", s.channels), out.next("stream", s.channels), {}};
  do {
    BlockToken block{};
    TimeMixingToken& mixing = block.mixing;
    s.giveTo(mixing);
    mixing.aScale = aScale;
    mixingOfLayer(call, s, in, mixing);
    if (!o.blocks.empty()) residualOfLayer(call, s, in, mixing);
    MetaStateLayerToken& layer = block.layer;
    s.giveTo(layer);
    layerOfLayer(call, s, in, layer);
    layer.hasPass = hasPass;
    if (hasPass) {
      gainsOfLayer(s, in, layer);
      layer.pass.wkv = mixing.wkv;
      layer.pass.meta = in.next("meta", s.states);
    }
    mixing.shiftAfter = out.next("attShift", s.channels);
    layer.shiftAfter = out.next("ffnShift", s.channels);
    mixing.wkvAfter = out.next("wkv", s.states);
    if (hasPass) layer.metaAfter = out.next("meta", s.states);
    o.blocks.push_back(block);
  } while (in.goOn());
  return o;
}

}  // namespace metastate
