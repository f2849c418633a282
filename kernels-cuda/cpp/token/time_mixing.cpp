#include "token/time_mixing.h"

#include <algorithm>

#include "ops/library_ops.h"
#include "tfjs/tensor_kernels.h"
#include "token/token_products.h"
#include "wkv7/wkv7.h"

namespace metastate {

void timeMixingToken(const Cpu& cpu, ProductPrecision precision, const TimeMixingToken& o) {
  const int64_t rows = o.batch, width = o.width, inner = o.heads * o.headSize;
  const bool first = o.firstValue == nullptr;
  const int64_t ranks = o.decay.rank + o.rate.rank + o.gate.rank + o.residual.rank;
  TokenScratch scratch(rows * (7 * width + 11 * inner + ranks), 22);
  const auto ofWidth = [&] { return scratch.take(rows * width); };
  const auto ofInner = [&] { return scratch.take(rows * inner); };
  const auto apply = [&](Unary function, int64_t length, float* x) {
    cpu.path.tensors.unary(static_cast<int>(function), length, x, x, 0, 0);
  };

  groupNorm(cpu, {width, 1, o.normEpsilon, o.stream, o.normWeight}, rows, o.normBias, o.shiftAfter);
  TokenShift shift{1, width, 6, o.shiftAfter, o.shift, {}};
  std::copy(std::begin(o.mixes), std::end(o.mixes), shift.mixes);
  float *const xr = ofWidth(), *const xw = ofWidth(), *const xk = ofWidth(), *const xv = ofWidth();
  float *const xa = ofWidth(), *const xg = ofWidth();
  float* const mixed[] = {xr, xw, xk, xv, xa, xg};
  tokenShift(cpu, shift, rows, mixed);

  float *const rawKey = ofInner(), *const ownValue = first ? o.v : ofInner();
  const auto innerOf = [&](const LowRankPart& part) { return scratch.take(rows * part.rank); };
  float *const decayInner = innerOf(o.decay), *const rateInner = innerOf(o.rate), *const gateInner = innerOf(o.gate);
  float* const valueInner = innerOf(o.residual);
  std::vector<TokenProduct> ofShifted{
      {xr, width, o.receptance, true, o.r, inner},
      {xk, width, o.key, true, rawKey, inner},
      {xv, width, o.value, true, ownValue, inner},
      {xw, width, o.decay.w1, false, decayInner, o.decay.rank},
      {xa, width, o.rate.w1, false, rateInner, o.rate.rank},
      {xg, width, o.gate.w1, false, gateInner, o.gate.rank},
  };
  if (!first) ofShifted.push_back({xv, width, o.residual.w1, false, valueInner, o.residual.rank});
  tokenProducts(cpu, precision, rows, ofShifted);
  apply(Unary::tanh, rows * o.decay.rank, decayInner);
  apply(Unary::sigmoid, rows * o.gate.rank, gateInner);

  float *const decayLogits = ofInner(), *const rateLogits = ofInner(), *const gate = ofInner();
  float* const valueLogits = first ? nullptr : ofInner();
  std::vector<TokenProduct> ofRanks{
      {decayInner, o.decay.rank, o.decay.w2, false, decayLogits, inner},
      {rateInner, o.rate.rank, o.rate.w2, false, rateLogits, inner},
      {gateInner, o.gate.rank, o.gate.w2, false, gate, inner},
  };
  if (!first) ofRanks.push_back({valueInner, o.residual.rank, o.residual.w2, false, valueLogits, inner});
  tokenProducts(cpu, precision, rows, ofRanks);

  float *const rate = ofInner(), *const notWanted = ofInner();
  decay(cpu, rows, inner, decayLogits, o.w0, o.w, notWanted);
  biasedSigmoid(cpu, rows, inner, rateLogits, o.a0, rate);
  if (!first) {
    biasedSigmoid(cpu, rows, inner, valueLogits, o.v0, valueLogits);
    interpolate(cpu, rows * inner, ownValue, o.firstValue, valueLogits, o.v);
  }
  keyPreparation(cpu, {inner, o.heads, rawKey, o.kk, rate, o.ka}, rows, o.k, o.alpha, o.beta);
  if (o.aScale != 1) cpu.path.ops.scale(0, rows * inner, o.beta, o.aScale, o.beta);

  float *const read = ofInner(), *const normalised = ofInner(), *const gated = ofInner();
  wkv7Forward(cpu.pool, cpu.path, {rows, 1, o.heads, o.headSize, 0}, {o.r, o.w, o.k, o.v, o.alpha, o.beta, o.wkv},
              {read, o.wkvAfter, nullptr});
  groupNorm(cpu, {inner, o.heads, o.readEpsilon, read, o.readWeight}, rows, o.readBias, normalised);
  bonusGate(cpu, {inner, o.heads, normalised, o.r, o.k, o.v, gate, o.rk}, rows, gated);
  float* const added = ofWidth();
  tokenProducts(cpu, precision, rows, {{gated, inner, o.output, true, added, width}});
  std::copy_n(o.stream, rows * width, o.streamAfter);
  cpu.path.ops.addTo(rows * width, added, o.streamAfter);
}

}  // namespace metastate
