#include "token/token.h"

#include <initializer_list>

#include "token/token_heads.cuh"
#include "token/token_products.cuh"

namespace metastate::cuda {
namespace {

/// Texts of a block at most.
constexpr int mostTexts = 8;
/// Of a block's shared memory, for vectors.
constexpr int vectorFloats = 8192;
/// Rows of a matrix [in, out] from which on a block has a strip of a sector, and not of a line.
constexpr int64_t manyRows = 512;

constexpr int sectorFloats = 8;

/// Products that do not need each other's results, in one launch.
class Products {
 public:
  Products(int64_t rows, int multiprocessors) : multiprocessors_(multiprocessors) {
    all_.rows = static_cast<int>(rows);
  }

  /// What the matrices without a vector of their own are multiplied with.
  void of(const ShiftedStream& stream) {
    all_.stream = stream;
    leastOutputs_ = sectorFloats;  // a block normalises for itself, and should have more to do than that
  }

  TokenMatrix& add(const float* x, const float* weight, bool outIn, int64_t in, int64_t out, float* y,
                   AfterProduct after = AfterProduct::none) {
    TokenMatrix& m = all_.matrices[all_.count++];
    m = {};
    m.x = x;
    m.weight = weight;
    m.outIn = outIn;
    m.in = static_cast<int>(in);
    m.out = static_cast<int>(out);
    m.y = y;
    m.after = after;
    return m;
  }

  void launchAll(cudaStream_t stream) {
    // As many as there are, of which the last group may lack some.
    switch (all_.rows) {
      case 1: return launchOf<1>(stream);
      case 2: return launchOf<2>(stream);
      case 3:
      case 4: return launchOf<4>(stream);
      default: return launchOf<mostTexts>(stream);
    }
  }

 private:
  template <int G>
  void launchOf(cudaStream_t stream) {
    // Blocks of fewer outputs read the vectors again for each: not more of them than the multiprocessors ask for.
    const int least = leastOutputs_ > G ? leastOutputs_ : G;
    all_.parts = 1;
    int blocks = deal();
    while (blocks < 2 * multiprocessors_ && outputsOfBlock() / 2 >= least && all_.parts < tokenWarps) {
      all_.parts *= 2;
      blocks = deal();
    }
    int longest = 0;
    for (int i = 0; i < all_.count; ++i) longest = all_.matrices[i].in > longest ? all_.matrices[i].in : longest;
    const int whole = (longest + 3) / 4 * 4;
    all_.chunk = whole < vectorFloats / G ? whole : vectorFloats / G;
    const int groups = (all_.rows + G - 1) / G;
    launch(tokenProducts<G>, dim3(static_cast<unsigned>(blocks * groups)), dim3(tokenThreads),
           sizeof(float) * G * all_.chunk, stream, all_);
  }

  int outputsOfBlock() const { return tokenWarps / all_.parts * rowsOfWarp; }

  /// Which blocks have which matrix; how many there are.
  int deal() {
    int blocks = 0;
    for (int i = 0; i < all_.count; ++i) {
      TokenMatrix& m = all_.matrices[i];
      m.outputs = m.outIn ? outputsOfBlock() : m.in >= manyRows ? sectorFloats : mostTokenOutputs;
      m.firstBlock = blocks;
      blocks += (m.out + m.outputs - 1) / m.outputs;
    }
    return blocks;
  }

  TokenProducts all_{};
  const int multiprocessors_;
  int leastOutputs_ = rowsOfWarp;
};

/// Parts of the scratch, each from a place that 16 bytes divide.
class Parts {
 public:
  explicit Parts(float* at) : at_(at) {}
  float* take(int64_t floats) {
    float* const part = at_ ? at_ + used_ : nullptr;
    used_ += (floats + 3) / 4 * 4;
    return part;
  }
  int64_t used() const { return used_; }

 private:
  float* const at_;
  int64_t used_ = 0;
};

/// What time mixing keeps between its launches.
struct MixingScratch {
  float *rawKey, *ownValue, *rate, *gate, *gated, *decayInner, *rateInner, *gateInner, *valueInner;

  MixingScratch(const TimeMixingToken& o, Parts& parts) {
    const int64_t inner = o.batch * o.heads * o.headSize;
    for (float** const one : {&rawKey, &ownValue, &rate, &gate, &gated}) *one = parts.take(inner);
    decayInner = parts.take(o.batch * o.decay.rank);
    rateInner = parts.take(o.batch * o.rate.rank);
    gateInner = parts.take(o.batch * o.gate.rank);
    valueInner = parts.take(o.batch * o.residual.rank);
  }
};

struct LayerScratch {
  float *z, *hidden;

  LayerScratch(const MetaStateLayerToken& o, Parts& parts)
      : z(parts.take(o.batch * o.width)), hidden(parts.take(o.batch * o.parameterTokens)) {}
};

/// A warp for four rows of a state, up to the most that a block has.
dim3 headThreads(int64_t size) {
  const int64_t warps = (size + rowsTogether - 1) / rowsTogether, most = mostHeadThreads / warpThreads;
  return dim3(static_cast<unsigned>((warps < most ? warps : most) * warpThreads));
}

unsigned headBlocks(int64_t batch, int64_t heads) { return static_cast<unsigned>(batch * heads); }

}  // namespace

int64_t timeMixingTokenScratch(const TimeMixingToken& o) {
  Parts parts(nullptr);
  const MixingScratch wanted(o, parts);
  return parts.used();
}

int64_t metaStateLayerTokenScratch(const MetaStateLayerToken& o) {
  Parts parts(nullptr);
  const LayerScratch wanted(o, parts);
  return parts.used();
}

void timeMixingToken(const TimeMixingToken& o, float* scratch, int multiprocessors, cudaStream_t stream) {
  Parts parts(scratch);
  const MixingScratch s(o, parts);
  const int64_t width = o.width, inner = o.heads * o.headSize;
  const bool first = o.firstValue == nullptr;

  Products ofStream(o.batch, multiprocessors);
  ofStream.of({o.stream, o.normWeight, o.normBias, o.shift, o.shiftAfter, static_cast<int>(width), o.normEpsilon});
  const auto shifted = [&](int mix, const float* weight, bool outIn, int64_t out, float* y,
                           AfterProduct after = AfterProduct::none) {
    ofStream.add(nullptr, weight, outIn, width, out, y, after).mix = o.mixes[mix];
  };
  enum { ofR, ofW, ofK, ofV, ofA, ofG };
  shifted(ofR, o.receptance, true, inner, o.r);
  shifted(ofK, o.key, true, inner, s.rawKey);
  shifted(ofV, o.value, true, inner, first ? o.v : s.ownValue);
  shifted(ofW, o.decay.w1, false, o.decay.rank, s.decayInner, AfterProduct::tanh);
  shifted(ofA, o.rate.w1, false, o.rate.rank, s.rateInner);
  shifted(ofG, o.gate.w1, false, o.gate.rank, s.gateInner, AfterProduct::sigmoid);
  if (!first) shifted(ofV, o.residual.w1, false, o.residual.rank, s.valueInner);
  ofStream.launchAll(stream);

  Products ofRanks(o.batch, multiprocessors);
  const auto low = [&](const LowRankPart& part, const float* hidden, float* y, AfterProduct after,
                       const float* bias) -> TokenMatrix& {
    TokenMatrix& m = ofRanks.add(hidden, part.w2, false, part.rank, inner, y, after);
    m.bias = bias;
    return m;
  };
  low(o.decay, s.decayInner, o.w, AfterProduct::decay, o.w0);
  low(o.rate, s.rateInner, s.rate, AfterProduct::biasedSigmoid, o.a0);
  low(o.gate, s.gateInner, s.gate, AfterProduct::none, nullptr);
  if (!first) {
    TokenMatrix& m = low(o.residual, s.valueInner, o.v, AfterProduct::interpolate, o.v0);
    m.base = s.ownValue;
    m.other = o.firstValue;
  }
  ofRanks.launchAll(stream);

  const int size = static_cast<int>(o.headSize);
  const MixedHeads mixed = {static_cast<int>(o.heads), size, o.aScale, o.readEpsilon, o.r, o.w, s.rawKey, s.rate, o.v,
                            s.gate, o.wkv, o.kk, o.ka, o.rk, o.readWeight, o.readBias, o.k, o.alpha, o.beta, o.wkvAfter,
                            s.gated};
  launch(mixHeads, dim3(headBlocks(o.batch, o.heads)), headThreads(size), sizeof(float) * mixedHeadVectors * size,
         stream, mixed);

  Products last(o.batch, multiprocessors);
  last.add(s.gated, o.output, true, inner, width, o.streamAfter, AfterProduct::add).base = o.stream;
  last.launchAll(stream);
}

void metaStateLayerToken(const MetaStateLayerToken& o, float* scratch, int multiprocessors, cudaStream_t stream) {
  Parts parts(scratch);
  const LayerScratch s(o, parts);
  const ShiftedStream shifted = {o.stream, o.normWeight, o.normBias, o.shift, o.shiftAfter, static_cast<int>(o.width),
                                 o.normEpsilon};
  Products keys(o.batch, multiprocessors);
  if (o.hasPass) {
    const TokenPass& p = o.pass;
    const int size = static_cast<int>(o.headSize);
    const PassHeads pass = {shifted, o.mix, static_cast<int>(o.heads), size, o.readEpsilon, p.r, p.w, p.k, p.v, p.a,
                            p.b, p.readGain, p.memoryGain, p.wkv, p.meta, s.z, o.metaAfter};
    launch(passHeads, dim3(headBlocks(o.batch, o.heads)), headThreads(size), sizeof(float) * passHeadVectors * size,
           stream, pass);
    keys.add(s.z, o.key, true, o.width, o.parameterTokens, s.hidden, AfterProduct::squaredRelu);
  } else {
    keys.of(shifted);
    keys.add(nullptr, o.key, true, o.width, o.parameterTokens, s.hidden, AfterProduct::squaredRelu).mix = o.mix;
  }
  keys.launchAll(stream);

  Products values(o.batch, multiprocessors);
  values.add(s.hidden, o.value, true, o.parameterTokens, o.width, o.streamAfter, AfterProduct::add).base = o.stream;
  values.launchAll(stream);
}

}  // namespace metastate::cuda
