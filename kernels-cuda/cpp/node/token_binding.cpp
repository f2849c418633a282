// The kernels of one token for JavaScript: many tensors each, in two lists, taken one after the other.

#include "node/bindings.h"
#include "node/call.h"
#include "node/engine.h"
#include "token/meta_state_layer.h"
#include "token/time_mixing.h"

namespace metastate {
namespace {

/// A list of Float32Arrays, each of the length that its place wants.
class Tensors {
 public:
  Tensors(Call& call, const char* list) : env_(call.env()), list_(list), arrays_(call.listOfAnyFloats(list, lengths_)) {}

  bool goOn() const { return at_ < arrays_.size(); }

  float* next(const char* name, int64_t length) {
    require(name, lengthOfNext(name) == length, std::to_string(length));
    return arrays_[at_++];
  }

  /// A matrix with one side known; the other side.
  float* next(const char* name, int64_t side, int64_t& other) {
    const int64_t length = lengthOfNext(name);
    require(name, length > 0 && length % side == 0, "a multiple of " + std::to_string(side));
    other = length / side;
    return arrays_[at_++];
  }

 private:
  int64_t lengthOfNext(const char* name) {
    if (at_ < arrays_.size()) return lengths_[at_];
    throw Napi::RangeError::New(env_, std::string(list_) + " ends before " + name);
  }

  void require(const char* name, bool fits, const std::string& wanted) {
    if (fits) return;
    throw Napi::RangeError::New(env_, std::string(name) + " has " + std::to_string(lengths_[at_]) +
                                          " values; the sizes given want " + wanted);
  }

  Napi::Env env_;
  const char* list_;
  std::vector<int64_t> lengths_;
  std::vector<float*> arrays_;
  size_t at_ = 0;
};

/// What both kernels begin with: batch, width, heads, headSize, normEpsilon, readEpsilon.
struct Sizes {
  int64_t batch, width, heads, headSize, channels, inner, steps, states;
  float normEpsilon, readEpsilon;

  explicit Sizes(Call& call) {
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
};

/// timeMixingToken(batch, width, heads, headSize, normEpsilon, readEpsilon, aScale, inputs, outputs): of a layer after the first
/// where the inputs go on to what those have.
Napi::Value timeMixing(const Napi::CallbackInfo& info) {
  Call call(info);
  const Sizes s(call);
  TimeMixingToken o{};
  o.batch = s.batch;
  o.width = s.width;
  o.heads = s.heads;
  o.headSize = s.headSize;
  o.normEpsilon = s.normEpsilon;
  o.readEpsilon = s.readEpsilon;
  o.aScale = static_cast<float>(call.number("aScale"));

  Tensors in(call, "inputs");
  o.stream = in.next("stream", s.channels);
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
  const auto lowRank = [&](LowRankPart& part, const char* first, const char* second) {
    part.w1 = in.next(first, s.width, part.rank);
    part.w2 = in.next(second, call.product({part.rank, s.inner}));
  };
  o.w0 = in.next("w0", s.inner);
  lowRank(o.decay, "w1", "w2");
  o.a0 = in.next("a0", s.inner);
  lowRank(o.rate, "a1", "a2");
  lowRank(o.gate, "g1", "g2");
  o.kk = in.next("k_k", s.inner);
  o.ka = in.next("k_a", s.inner);
  o.rk = in.next("r_k", s.inner);
  o.readWeight = in.next("ln_x.weight", s.inner);
  o.readBias = in.next("ln_x.bias", s.inner);
  if (in.goOn()) {
    o.firstValue = in.next("firstValue", s.steps);
    o.v0 = in.next("v0", s.inner);
    lowRank(o.residual, "v1", "v2");
  }

  Tensors out(call, "outputs");
  o.streamAfter = out.next("stream", s.channels);
  o.shiftAfter = out.next("shift", s.channels);
  o.wkvAfter = out.next("wkv", s.states);
  o.r = out.next("r", s.steps);
  o.w = out.next("w", s.steps);
  o.k = out.next("k", s.steps);
  o.v = out.next("v", s.steps);
  o.alpha = out.next("alpha", s.steps);
  o.beta = out.next("beta", s.steps);

  const ProductPrecision precision = Engine::instance().precision();
  timeMixingToken(Engine::instance().use(), precision, o);
  return info.Env().Undefined();
}

/// metaStateLayerToken(batch, width, heads, headSize, normEpsilon, readEpsilon, inputs, outputs): with the pass over both
/// states where the lists go on to its tensors.
Napi::Value metaStateLayer(const Napi::CallbackInfo& info) {
  Call call(info);
  const Sizes s(call);
  MetaStateLayerToken o{};
  o.batch = s.batch;
  o.width = s.width;
  o.normEpsilon = s.normEpsilon;
  o.shape = {{s.batch, 1, s.heads, s.headSize, 0}, s.readEpsilon};

  Tensors in(call, "inputs");
  o.stream = in.next("stream", s.channels);
  o.normWeight = in.next("ln2.weight", s.width);
  o.normBias = in.next("ln2.bias", s.width);
  o.shift = in.next("shift", s.channels);
  o.mix = in.next("x_k", s.width);
  o.key = in.next("key.weight", s.width, o.parameterTokens);
  o.value = in.next("value.weight", call.product({o.parameterTokens, s.width}));
  o.hasPass = in.goOn();
  if (o.hasPass) {
    if (s.inner != s.width) {
      throw Napi::RangeError::New(call.env(), std::to_string(s.heads) + " heads of " + std::to_string(s.headSize) +
                                                  " channels are no width of " + std::to_string(s.width));
    }
    o.pass.r = in.next("r", s.steps);
    o.pass.w = in.next("w", s.steps);
    o.pass.k = in.next("k", s.steps);
    o.pass.v = in.next("v", s.steps);
    o.pass.a = in.next("alpha", s.steps);
    o.pass.b = in.next("beta", s.steps);
    o.pass.readGain = in.next("beta_g", s.inner);
    o.pass.memoryGain = in.next("alpha_g", s.inner);
    o.pass.wkv = in.next("wkv", s.states);
    o.pass.meta = in.next("meta", s.states);
  }

  Tensors out(call, "outputs");
  o.streamAfter = out.next("stream", s.channels);
  o.shiftAfter = out.next("shift", s.channels);
  if (o.hasPass) o.metaAfter = out.next("meta", s.states);

  const ProductPrecision precision = Engine::instance().precision();
  metaStateLayerToken(Engine::instance().use(), precision, o);
  return info.Env().Undefined();
}

}  // namespace

void defineTokens(Napi::Object& exports) {
  define<timeMixing>(exports, "timeMixingToken");
  define<metaStateLayer>(exports, "metaStateLayerToken");
}

}  // namespace metastate
