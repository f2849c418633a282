// The calls of the library's ops from JavaScript, for both addons: which arguments an op takes, in which order and of
// which sizes. Sizes come first, then numbers, inputs and outputs, as src/kernels/library-ops.ts gives them.
//
// A `Call` finds an operand in a typed array (cpp/node/cpu_call.h) or by the address of a tensor on the GPU
// (cuda/node/op_call.h), and names the types that ops take their operands in. The op itself is the function of the same
// name that takes what call.engine() gives (cpp/ops/library_ops.h, cuda/ops/ops.h).
#pragma once

#include <algorithm>
#include <iterator>

#include "node/call.h"
#include "ops/adamw_step.h"

namespace metastate::calls {

/// A function of the addon out of an op's call.
template <typename Call, void (*op)(Call&)>
Napi::Value called(const Napi::CallbackInfo& info) {
  Call call(info);
  op(call);
  return info.Env().Undefined();
}

/// Groups or heads that must divide a width.
template <typename Call>
int64_t divisor(Call& call, const char* name, int64_t width) {
  const int64_t groups = call.size(name);
  if (width % groups != 0) {
    throw Napi::RangeError::New(call.env(), std::to_string(groups) + " " + name + " do not divide a width of " +
                                                std::to_string(width));
  }
  return groups;
}

template <typename Call>
typename Call::TokenShift tokenShiftOperands(Call& call, int64_t& batch) {
  batch = call.size("batch");
  typename Call::TokenShift o{};
  constexpr int mostMixes = std::size(decltype(o.mixes){});
  o.time = call.size("time");
  o.width = call.size("width");
  o.count = call.size("count");
  if (o.count != 1 && o.count != mostMixes) throw Napi::RangeError::New(call.env(), "count must be 1 or 6");
  o.x = call.floats("x", call.product({batch, o.time, o.width}));
  o.previous = call.floats("previous", call.product({batch, o.width}));
  const std::vector<float*> mixes = call.listOfFloats("mixes", o.count, o.width);
  std::copy(mixes.begin(), mixes.end(), o.mixes);
  return o;
}

template <typename Call>
void tokenShift(Call& call) {
  int64_t batch;
  const auto o = tokenShiftOperands(call, batch);
  const std::vector<float*> ys = call.listOfFloats("ys", o.count, call.product({batch, o.time, o.width}));
  tokenShift(call.engine(), o, call.rows(batch, o.time), ys.data());
}

template <typename Call>
void tokenShiftGrad(Call& call) {
  int64_t batch;
  const auto o = tokenShiftOperands(call, batch);
  const int64_t steps = call.product({batch, o.time, o.width});
  const std::vector<float*> dys = call.listOfFloats("dys", o.count, steps);
  float* dx = call.floats("dx", steps);
  float* dprevious = call.floats("dprevious", batch * o.width);
  const std::vector<float*> dmixes = call.listOfFloats("dmixes", o.count, o.width);
  tokenShiftGrad(call.engine(), o, call.rows(batch, o.time), dys.data(), dx, dprevious, dmixes.data());
}

template <typename Call>
typename Call::GroupNorm groupNormOperands(Call& call, int64_t& rows, int64_t& length) {
  rows = call.size("rows");
  typename Call::GroupNorm o{};
  o.width = call.size("width");
  o.groups = divisor(call, "groups", o.width);
  o.epsilon = static_cast<float>(call.number("epsilon"));
  length = call.product({rows, o.width});
  o.x = call.floats("x", length);
  o.weight = call.floats("weight", o.width);
  return o;
}

template <typename Call>
void groupNorm(Call& call) {
  int64_t rows, length;
  const auto o = groupNormOperands(call, rows, length);
  const float* bias = call.floats("bias", o.width);
  float* y = call.floats("y", length);
  groupNorm(call.engine(), o, rows, bias, y);
}

template <typename Call>
void groupNormGrad(Call& call) {
  int64_t rows, length;
  const auto o = groupNormOperands(call, rows, length);
  const float* dy = call.floats("dy", length);
  float* dx = call.floats("dx", length);
  float* dweight = call.floats("dweight", o.width);
  float* dbias = call.floats("dbias", o.width);
  groupNormGrad(call.engine(), o, rows, dy, dx, dweight, dbias);
}

template <typename Call>
typename Call::KeyPreparation keyOperands(Call& call, int64_t& rows, int64_t& length) {
  rows = call.size("rows");
  typename Call::KeyPreparation o{};
  o.width = call.size("width");
  o.heads = divisor(call, "heads", o.width);
  length = call.product({rows, o.width});
  o.k = call.floats("k", length);
  o.kk = call.floats("kk", o.width);
  o.rate = call.floats("rate", length);
  o.ka = call.floats("ka", o.width);
  return o;
}

template <typename Call>
void keyPreparation(Call& call) {
  int64_t rows, length;
  const auto o = keyOperands(call, rows, length);
  float* key = call.floats("key", length);
  float* alpha = call.floats("alpha", length);
  float* beta = call.floats("beta", length);
  keyPreparation(call.engine(), o, rows, key, alpha, beta);
}

template <typename Call>
void keyPreparationGrad(Call& call) {
  int64_t rows, length;
  const auto o = keyOperands(call, rows, length);
  const float* dkey = call.floats("dkey", length);
  const float* dalpha = call.floats("dalpha", length);
  const float* dbeta = call.floats("dbeta", length);
  float* dk = call.floats("dk", length);
  float* dkk = call.floats("dkk", o.width);
  float* drate = call.floats("drate", length);
  float* dka = call.floats("dka", o.width);
  keyPreparationGrad(call.engine(), o, rows, dkey, dalpha, dbeta, dk, dkk, drate, dka);
}

template <typename Call>
void decay(Call& call) {
  const int64_t rows = call.size("rows"), width = call.size("width"), length = call.product({rows, width});
  const float* x = call.floats("x", length);
  const float* bias = call.floats("bias", width);
  float* w = call.floats("w", length);
  float* sigmoid = call.floats("sigmoid", length);
  decay(call.engine(), rows, width, x, bias, w, sigmoid);
}

template <typename Call>
void decayGrad(Call& call) {
  const int64_t rows = call.size("rows"), width = call.size("width"), length = call.product({rows, width});
  const float* w = call.floats("w", length);
  const float* sigmoid = call.floats("sigmoid", length);
  const float* dy = call.floats("dy", length);
  float* dx = call.floats("dx", length);
  float* dbias = call.floats("dbias", width);
  decayGrad(call.engine(), rows, width, w, sigmoid, dy, dx, dbias);
}

template <typename Call>
void biasedSigmoid(Call& call) {
  const int64_t rows = call.size("rows"), width = call.size("width"), length = call.product({rows, width});
  const float* x = call.floats("x", length);
  const float* bias = call.floats("bias", width);
  float* y = call.floats("y", length);
  biasedSigmoid(call.engine(), rows, width, x, bias, y);
}

template <typename Call>
void biasedSigmoidGrad(Call& call) {
  const int64_t rows = call.size("rows"), width = call.size("width"), length = call.product({rows, width});
  const float* y = call.floats("y", length);
  const float* dy = call.floats("dy", length);
  float* dx = call.floats("dx", length);
  float* dbias = call.floats("dbias", width);
  biasedSigmoidGrad(call.engine(), rows, width, y, dy, dx, dbias);
}

template <typename Call>
void interpolate(Call& call) {
  const int64_t length = call.size("length");
  const float* from = call.floats("from", length);
  const float* to = call.floats("to", length);
  const float* gate = call.floats("gate", length);
  float* y = call.floats("y", length);
  interpolate(call.engine(), length, from, to, gate, y);
}

template <typename Call>
void interpolateGrad(Call& call) {
  const int64_t length = call.size("length");
  const float* from = call.floats("from", length);
  const float* to = call.floats("to", length);
  const float* gate = call.floats("gate", length);
  const float* dy = call.floats("dy", length);
  float* dfrom = call.floats("dfrom", length);
  float* dto = call.floats("dto", length);
  float* dgate = call.floats("dgate", length);
  interpolateGrad(call.engine(), length, from, to, gate, dy, dfrom, dto, dgate);
}

template <typename Call>
typename Call::BonusGate bonusOperands(Call& call, int64_t& rows, int64_t& length) {
  rows = call.size("rows");
  typename Call::BonusGate o{};
  o.width = call.size("width");
  o.heads = divisor(call, "heads", o.width);
  length = call.product({rows, o.width});
  o.x = call.floats("x", length);
  o.r = call.floats("r", length);
  o.k = call.floats("k", length);
  o.v = call.floats("v", length);
  o.gate = call.floats("gate", length);
  o.rk = call.floats("rk", o.width);
  return o;
}

template <typename Call>
void bonusGate(Call& call) {
  int64_t rows, length;
  const auto o = bonusOperands(call, rows, length);
  float* y = call.floats("y", length);
  bonusGate(call.engine(), o, rows, y);
}

template <typename Call>
void bonusGateGrad(Call& call) {
  int64_t rows, length;
  const auto o = bonusOperands(call, rows, length);
  const float* dy = call.floats("dy", length);
  float* dx = call.floats("dx", length);
  float* dr = call.floats("dr", length);
  float* dk = call.floats("dk", length);
  float* dv = call.floats("dv", length);
  float* dgate = call.floats("dgate", length);
  float* drk = call.floats("drk", o.width);
  bonusGateGrad(call.engine(), o, rows, dy, dx, dr, dk, dv, dgate, drk);
}

template <typename Call>
void squaredRelu(Call& call) {
  const int64_t length = call.size("length");
  const float* x = call.floats("x", length);
  float* y = call.floats("y", length);
  squaredRelu(call.engine(), length, x, y);
}

template <typename Call>
void squaredReluGrad(Call& call) {
  const int64_t length = call.size("length");
  const float* x = call.floats("x", length);
  const float* dy = call.floats("dy", length);
  float* dx = call.floats("dx", length);
  squaredReluGrad(call.engine(), length, x, dy, dx);
}

template <typename Call>
void crossEntropy(Call& call) {
  const int64_t rows = call.size("rows"), vocabulary = call.size("vocabulary");
  const int64_t length = call.product({rows, vocabulary});
  const float* logits = call.floats("logits", length);
  const int32_t* targets = call.numbersBelow("targets", rows, vocabulary);
  float* loss = call.floats("loss", 1);
  float* probabilities = call.floats("probabilities", length);
  crossEntropy(call.engine(), rows, vocabulary, logits, targets, loss, probabilities);
}

template <typename Call>
void crossEntropyGrad(Call& call) {
  const int64_t rows = call.size("rows"), vocabulary = call.size("vocabulary");
  const int64_t length = call.product({rows, vocabulary});
  const float* probabilities = call.floats("probabilities", length);
  const int32_t* targets = call.numbersBelow("targets", rows, vocabulary);
  const float* dloss = call.floats("dloss", 1);
  float* dlogits = call.floats("dlogits", length);
  crossEntropyGrad(call.engine(), rows, vocabulary, probabilities, targets, dloss, dlogits);
}

template <typename Call>
void embedding(Call& call) {
  const int64_t count = call.size("count"), rows = call.size("rows"), width = call.size("width");
  const float* weight = call.floats("weight", call.product({rows, width}));
  const int32_t* tokens = call.numbersBelow("tokens", count, rows);
  float* y = call.floats("y", call.product({count, width}));
  embedding(call.engine(), count, rows, width, weight, tokens, y);
}

template <typename Call>
void embeddingGrad(Call& call) {
  const int64_t count = call.size("count"), rows = call.size("rows"), width = call.size("width");
  const int32_t* tokens = call.numbersBelow("tokens", count, rows);
  const float* dy = call.floats("dy", call.product({count, width}));
  float* dweight = call.floats("dweight", call.product({rows, width}));
  embeddingGrad(call.engine(), count, rows, width, tokens, dy, dweight);
}

template <typename Call>
void adamW(Call& call) {
  AdamWStep o{};
  o.length = call.size("length");
  o.learningRate = call.number("learningRate");
  o.beta1 = call.number("beta1");
  o.beta2 = call.number("beta2");
  o.epsilon = call.number("epsilon");
  o.weightDecay = call.number("weightDecay");
  o.step = call.number("step");
  o.clip = call.number("clip");
  o.norm = call.floats("norm", 1);
  o.parameter = call.floats("parameter", o.length);
  o.gradient = call.floats("gradient", o.length);
  o.moment1 = call.floats("moment1", o.length);
  o.moment2 = call.floats("moment2", o.length);
  o.nextParameter = call.floats("nextParameter", o.length);
  o.nextMoment1 = call.floats("nextMoment1", o.length);
  o.nextMoment2 = call.floats("nextMoment2", o.length);
  adamW(call.engine(), o);
}

/// The square root of the sum of all squares.
template <typename Call>
void globalNorm(Call& call) {
  std::vector<int64_t> lengths;
  const std::vector<float*> arrays = call.listOfAnyFloats("arrays", lengths);
  float* norm = call.floats("norm", 1);
  globalNorm(call.engine(), arrays, lengths, norm);
}

template <typename Call>
void transposeMatrix(Call& call) {
  const int64_t rows = call.size("rows"), columns = call.size("columns"), length = call.product({rows, columns});
  const float* x = call.floats("x", length);
  float* y = call.floats("y", length);
  transposeMatrix(call.engine(), rows, columns, x, y);
}

template <typename Call>
void defineLibraryOps(Napi::Object& exports) {
  define<called<Call, tokenShift<Call>>>(exports, "tokenShift");
  define<called<Call, tokenShiftGrad<Call>>>(exports, "tokenShiftGrad");
  define<called<Call, groupNorm<Call>>>(exports, "groupNorm");
  define<called<Call, groupNormGrad<Call>>>(exports, "groupNormGrad");
  define<called<Call, keyPreparation<Call>>>(exports, "keyPreparation");
  define<called<Call, keyPreparationGrad<Call>>>(exports, "keyPreparationGrad");
  define<called<Call, decay<Call>>>(exports, "decay");
  define<called<Call, decayGrad<Call>>>(exports, "decayGrad");
  define<called<Call, biasedSigmoid<Call>>>(exports, "biasedSigmoid");
  define<called<Call, biasedSigmoidGrad<Call>>>(exports, "biasedSigmoidGrad");
  define<called<Call, interpolate<Call>>>(exports, "interpolate");
  define<called<Call, interpolateGrad<Call>>>(exports, "interpolateGrad");
  define<called<Call, bonusGate<Call>>>(exports, "bonusGate");
  define<called<Call, bonusGateGrad<Call>>>(exports, "bonusGateGrad");
  define<called<Call, squaredRelu<Call>>>(exports, "squaredRelu");
  define<called<Call, squaredReluGrad<Call>>>(exports, "squaredReluGrad");
  define<called<Call, crossEntropy<Call>>>(exports, "crossEntropy");
  define<called<Call, crossEntropyGrad<Call>>>(exports, "crossEntropyGrad");
  define<called<Call, embedding<Call>>>(exports, "embedding");
  define<called<Call, embeddingGrad<Call>>>(exports, "embeddingGrad");
  define<called<Call, adamW<Call>>>(exports, "adamW");
  define<called<Call, globalNorm<Call>>>(exports, "globalNorm");
  define<called<Call, transposeMatrix<Call>>>(exports, "transposeMatrix");
}

}  // namespace metastate::calls
