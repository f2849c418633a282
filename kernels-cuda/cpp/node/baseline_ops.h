// The calls of the ops of the models that Meta-State is compared with, and of parameter tokens, as node/library_ops.h
// has those of the library's own. src/kernels/baseline-ops.ts gives them.
#pragma once

#include "node/library_ops.h"

namespace metastate::calls {

template <typename Call>
void rmsNorm(Call& call) {
  const int64_t rows = call.size("rows"), width = call.size("width"), length = call.product({rows, width});
  const float epsilon = static_cast<float>(call.number("epsilon"));
  const float* x = call.floats("x", length);
  const float* weight = call.floats("weight", width);
  float* y = call.floats("y", length);
  rmsNorm(call.engine(), rows, width, epsilon, x, weight, y);
}

template <typename Call>
void rmsNormGrad(Call& call) {
  const int64_t rows = call.size("rows"), width = call.size("width"), length = call.product({rows, width});
  const float epsilon = static_cast<float>(call.number("epsilon"));
  const float* x = call.floats("x", length);
  const float* weight = call.floats("weight", width);
  const float* dy = call.floats("dy", length);
  float* dx = call.floats("dx", length);
  float* dweight = call.floats("dweight", width);
  rmsNormGrad(call.engine(), rows, width, epsilon, x, weight, dy, dx, dweight);
}

/// Rows are positions of all texts.
template <typename Call>
void rotary(Call& call) {
  const int64_t rows = call.size("rows"), heads = call.size("heads"), size = call.size("size");
  if (size % 2 != 0) throw Napi::RangeError::New(call.env(), "size must be even: rotary turns pairs");
  const float direction = static_cast<float>(call.number("direction"));
  const int64_t length = call.product({call.rows(rows, heads), size}), angles = call.product({rows, size / 2});
  const float* x = call.floats("x", length);
  const float* cosines = call.floats("cosines", angles);
  const float* sines = call.floats("sines", angles);
  float* y = call.floats("y", length);
  rotary(call.engine(), rows, heads, size, direction, x, cosines, sines, y);
}

template <typename Call>
void swiGlu(Call& call) {
  const int64_t length = call.size("length");
  const float* gate = call.floats("gate", length);
  const float* x = call.floats("x", length);
  float* y = call.floats("y", length);
  swiGlu(call.engine(), length, gate, x, y);
}

template <typename Call>
void swiGluGrad(Call& call) {
  const int64_t length = call.size("length");
  const float* gate = call.floats("gate", length);
  const float* x = call.floats("x", length);
  const float* dy = call.floats("dy", length);
  float* dgate = call.floats("dgate", length);
  float* dx = call.floats("dx", length);
  swiGluGrad(call.engine(), length, gate, x, dy, dgate, dx);
}

/// An activation of parameter tokens: op(engine, rows, width, scale, x, y).
template <typename Call, typename Op>
void activation(Call& call, Op op) {
  const int64_t rows = call.size("rows"), width = call.size("width"), length = call.product({rows, width});
  const float scale = static_cast<float>(call.number("scale"));
  const float* x = call.floats("x", length);
  float* y = call.floats("y", length);
  op(call.engine(), rows, width, scale, x, y);
}

template <typename Call, typename Op>
void activationGrad(Call& call, Op op) {
  const int64_t rows = call.size("rows"), width = call.size("width"), length = call.product({rows, width});
  const float scale = static_cast<float>(call.number("scale"));
  const float* x = call.floats("x", length);
  const float* dy = call.floats("dy", length);
  float* dx = call.floats("dx", length);
  op(call.engine(), rows, width, scale, x, dy, dx);
}

template <typename Call>
void l2Gelu(Call& call) {
  activation(call, [](const auto&... arguments) { l2Gelu(arguments...); });
}
template <typename Call>
void l2GeluGrad(Call& call) {
  activationGrad(call, [](const auto&... arguments) { l2GeluGrad(arguments...); });
}
template <typename Call>
void geluL2(Call& call) {
  activation(call, [](const auto&... arguments) { geluL2(arguments...); });
}
template <typename Call>
void geluL2Grad(Call& call) {
  activationGrad(call, [](const auto&... arguments) { geluL2Grad(arguments...); });
}

template <typename Call>
void groupWeights(Call& call) {
  const int64_t rows = call.size("rows"), groups = call.size("groups"), topK = call.size("topK");
  const int64_t length = call.product({rows, groups});
  const float* x = call.floats("x", length);
  float* y = call.floats("y", length);
  groupWeights(call.engine(), rows, groups, topK, x, y);
}

template <typename Call>
typename Call::Wkv4 wkv4Operands(Call& call, int64_t& steps, int64_t& channels) {
  typename Call::Wkv4 o{};
  o.batch = call.size("batch");
  o.time = call.size("time");
  o.width = call.size("width");
  channels = call.product({o.batch, o.width});
  steps = call.product({channels, o.time});
  o.w = call.floats("w", o.width);
  o.u = call.floats("u", o.width);
  o.k = call.floats("k", steps);
  o.v = call.floats("v", steps);
  o.numerator = call.floats("numerator", channels);
  o.denominator = call.floats("denominator", channels);
  o.exponent = call.floats("exponent", channels);
  return o;
}

template <typename Call>
void wkv4(Call& call) {
  int64_t steps, channels;
  const auto o = wkv4Operands(call, steps, channels);
  float* y = call.floats("y", steps);
  float* numerator = call.floats("lastNumerator", channels);
  float* denominator = call.floats("lastDenominator", channels);
  float* exponent = call.floats("lastExponent", channels);
  wkv4(call.engine(), o, y, numerator, denominator, exponent);
}

template <typename Call>
void wkv4Grad(Call& call) {
  int64_t steps, channels;
  const auto o = wkv4Operands(call, steps, channels);
  typename Call::Wkv4Grad g{};
  g.dy = call.floats("dy", steps);
  g.dNumerator = call.floats("dLastNumerator", channels);
  g.dDenominator = call.floats("dLastDenominator", channels);
  g.dExponent = call.floats("dLastExponent", channels);
  g.dw = call.floats("dw", o.width);
  g.du = call.floats("du", o.width);
  g.dk = call.floats("dk", steps);
  g.dv = call.floats("dv", steps);
  g.dnumerator = call.floats("dnumerator", channels);
  g.ddenominator = call.floats("ddenominator", channels);
  g.dexponent = call.floats("dexponent", channels);
  wkv4Grad(call.engine(), o, g);
}

template <typename Call>
typename Call::Attention attentionOperands(Call& call, int64_t& queries, int64_t& cached) {
  typename Call::Attention o{};
  o.batch = call.size("batch");
  o.time = call.size("time");
  o.keys = call.size("keys");
  o.heads = call.size("heads");
  o.size = call.attentionHeadSize("size");
  if (o.keys < o.time) throw Napi::RangeError::New(call.env(), "keys must be at least time: each query has a key");
  queries = call.product({o.batch, o.time, o.heads, o.size});
  cached = call.product({o.batch, o.keys, o.heads, o.size});
  call.product({o.time, o.keys});
  o.q = call.floats("q", queries);
  o.k = call.floats("k", cached);
  o.v = call.floats("v", cached);
  o.starts = call.numbersBelow("starts", o.batch, o.keys - o.time + 1);
  return o;
}

template <typename Call>
void attention(Call& call) {
  int64_t queries, cached;
  const auto o = attentionOperands(call, queries, cached);
  float* y = call.floats("y", queries);
  float* logSums = call.floats("logSums", queries / o.size);
  attention(call.engine(), o, y, logSums);
}

template <typename Call>
void attentionGrad(Call& call) {
  int64_t queries, cached;
  const auto o = attentionOperands(call, queries, cached);
  const float* y = call.floats("y", queries);
  const float* logSums = call.floats("logSums", queries / o.size);
  const float* dy = call.floats("dy", queries);
  float* dq = call.floats("dq", queries);
  float* dk = call.floats("dk", cached);
  float* dv = call.floats("dv", cached);
  attentionGrad(call.engine(), o, y, logSums, dy, dq, dk, dv);
}

template <typename Call>
void defineBaselineOps(Napi::Object& exports) {
  define<called<Call, rmsNorm<Call>>>(exports, "rmsNorm");
  define<called<Call, rmsNormGrad<Call>>>(exports, "rmsNormGrad");
  define<called<Call, rotary<Call>>>(exports, "rotary");
  define<called<Call, swiGlu<Call>>>(exports, "swiGlu");
  define<called<Call, swiGluGrad<Call>>>(exports, "swiGluGrad");
  define<called<Call, l2Gelu<Call>>>(exports, "l2Gelu");
  define<called<Call, l2GeluGrad<Call>>>(exports, "l2GeluGrad");
  define<called<Call, geluL2<Call>>>(exports, "geluL2");
  define<called<Call, geluL2Grad<Call>>>(exports, "geluL2Grad");
  define<called<Call, groupWeights<Call>>>(exports, "groupWeights");
  define<called<Call, wkv4<Call>>>(exports, "wkv4");
  define<called<Call, wkv4Grad<Call>>>(exports, "wkv4Grad");
  define<called<Call, attention<Call>>>(exports, "attention");
  define<called<Call, attentionGrad<Call>>>(exports, "attentionGrad");
}

}  // namespace metastate::calls
