// The ops of the models that Meta-State is compared with, and of parameter tokens, on the GPU. Arguments are those of the
// native addon's functions of the same names.

#include <cmath>

#include "node/bindings.h"
#include "ops/attention.h"
#include "ops/ops.h"
#include "ops/wkv4.h"
#include "runtime/scratch.h"

namespace metastate::cuda {
namespace {

int integer(Call& call, const char* name) { return static_cast<int>(call.size(name)); }

/// batch, time, keys, heads, size, q, k, v, starts
Attention attentionInputs(DeviceCall& call, int64_t& queries, int64_t& rows) {
  Attention o{};
  o.batch = integer(call, "batch");
  o.time = integer(call, "time");
  o.keys = integer(call, "keys");
  o.heads = integer(call, "heads");
  o.size = integer(call, "size");
  if (o.keys < o.time) throw Napi::RangeError::New(call.env(), "there are fewer keys than queries");
  if (o.size > mostHeadChannels) {
    throw Napi::RangeError::New(call.env(), "attention heads of " + std::to_string(o.size) +
                                                " channels: the CUDA kernel takes at most 256. Use more and smaller "
                                                "heads, or the engine native");
  }
  o.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(o.size)));
  rows = product(call.env(), {o.batch, o.time, o.heads});
  queries = product(call.env(), {rows, o.size});
  const int64_t others = product(call.env(), {o.batch, o.keys, o.heads, o.size});
  o.q = call.deviceFloats("q", queries);
  o.k = call.deviceFloats("k", others);
  o.v = call.deviceFloats("v", others);
  o.starts = call.deviceInts("starts", o.batch);
  return o;
}

/// attention(batch, time, keys, heads, size, q, k, v, starts, y, logSums)
Napi::Value attentionCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  int64_t queries, rows;
  const Attention o = attentionInputs(call, queries, rows);
  float* y = call.deviceFloats("y", queries);
  attention(call.stream(), o, y, call.deviceFloats("logSums", rows));
  return info.Env().Undefined();
}

/// attentionGrad(batch, time, keys, heads, size, q, k, v, starts, y, logSums, dy, dq, dk, dv)
Napi::Value attentionGradCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  int64_t queries, rows;
  const Attention o = attentionInputs(call, queries, rows);
  const int64_t others = static_cast<int64_t>(o.batch) * o.keys * o.heads * o.size;
  AttentionGrad g{};
  g.y = call.deviceFloats("y", queries);
  g.logSums = call.deviceFloats("logSums", rows);
  g.dy = call.deviceFloats("dy", queries);
  g.dq = call.deviceFloats("dq", queries);
  g.dk = call.deviceFloats("dk", others);
  g.dv = call.deviceFloats("dv", others);
  attentionGrad(call.stream(), o, g);
  return info.Env().Undefined();
}

/// rotary(tokens, heads, size, direction, x, cosines, sines, y)
Napi::Value rotaryCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  const int tokens = integer(call, "tokens"), heads = integer(call, "heads"), size = integer(call, "size");
  if (size % 2 != 0) throw Napi::RangeError::New(info.Env(), "size must be even");
  const float direction = static_cast<float>(call.number("direction"));
  const int64_t rows = product(info.Env(), {tokens, heads}), length = product(info.Env(), {rows, size});
  if (rows > 2147483647) throw Napi::RangeError::New(info.Env(), "tokens × heads are too many");
  const int64_t angles = product(info.Env(), {tokens, size / 2});
  const float* x = call.deviceFloats("x", length);
  const float* cosines = call.deviceFloats("cosines", angles);
  const float* sines = call.deviceFloats("sines", angles);
  rotary(call.stream(), tokens, heads, size, direction, x, cosines, sines, call.deviceFloats("y", length));
  return info.Env().Undefined();
}

/// rmsNorm(rows, width, epsilon, x, weight, y)
Napi::Value rmsNormCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  const int rows = integer(call, "rows"), width = integer(call, "width");
  const float epsilon = static_cast<float>(call.number("epsilon"));
  const int64_t length = product(info.Env(), {rows, width});
  const float* x = call.deviceFloats("x", length);
  const float* weight = call.deviceFloats("weight", width);
  rmsNorm(call.stream(), rows, width, epsilon, x, weight, call.deviceFloats("y", length));
  return info.Env().Undefined();
}

/// rmsNormGrad(rows, width, epsilon, x, weight, dy, dx, dweight)
Napi::Value rmsNormGradCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  const int rows = integer(call, "rows"), width = integer(call, "width");
  const float epsilon = static_cast<float>(call.number("epsilon"));
  const int64_t length = product(info.Env(), {rows, width});
  const float* x = call.deviceFloats("x", length);
  const float* weight = call.deviceFloats("weight", width);
  const float* dy = call.deviceFloats("dy", length);
  float* dx = call.deviceFloats("dx", length);
  float* dweight = call.deviceFloats("dweight", width);
  const Scratch scratch(call.device(), rmsNormGradScratch(rows, width));
  rmsNormGrad(call.stream(), rows, width, epsilon, x, weight, dy, dx, dweight, scratch.floats());
  return info.Env().Undefined();
}

/// swiGlu(length, gate, x, y)
Napi::Value swiGluCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  const int64_t length = call.size("length");
  const float* gate = call.deviceFloats("gate", length);
  const float* x = call.deviceFloats("x", length);
  swiGlu(call.stream(), length, gate, x, call.deviceFloats("y", length));
  return info.Env().Undefined();
}

/// swiGluGrad(length, gate, x, dy, dgate, dx)
Napi::Value swiGluGradCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  const int64_t length = call.size("length");
  const float* gate = call.deviceFloats("gate", length);
  const float* x = call.deviceFloats("x", length);
  const float* dy = call.deviceFloats("dy", length);
  float* dgate = call.deviceFloats("dgate", length);
  swiGluGrad(call.stream(), length, gate, x, dy, dgate, call.deviceFloats("dx", length));
  return info.Env().Undefined();
}

using Activation = void (*)(cudaStream_t, int, int, float, const float*, float*);
using ActivationGrad = void (*)(cudaStream_t, int, int, float, const float*, const float*, float*);

/// l2Gelu, geluL2(rows, width, scale, x, y)
template <Activation body>
Napi::Value activationCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  const int rows = integer(call, "rows"), width = integer(call, "width");
  const float scale = static_cast<float>(call.number("scale"));
  const int64_t length = product(info.Env(), {rows, width});
  const float* x = call.deviceFloats("x", length);
  body(call.stream(), rows, width, scale, x, call.deviceFloats("y", length));
  return info.Env().Undefined();
}

/// l2GeluGrad, geluL2Grad(rows, width, scale, x, dy, dx)
template <ActivationGrad body>
Napi::Value activationGradCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  const int rows = integer(call, "rows"), width = integer(call, "width");
  const float scale = static_cast<float>(call.number("scale"));
  const int64_t length = product(info.Env(), {rows, width});
  const float* x = call.deviceFloats("x", length);
  const float* dy = call.deviceFloats("dy", length);
  body(call.stream(), rows, width, scale, x, dy, call.deviceFloats("dx", length));
  return info.Env().Undefined();
}

/// groupWeights(rows, width, topK, x, y)
Napi::Value groupWeightsCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  const int rows = integer(call, "rows"), width = integer(call, "width"), topK = integer(call, "topK");
  const int64_t length = product(info.Env(), {rows, width});
  const float* x = call.deviceFloats("x", length);
  groupWeights(call.stream(), rows, width, topK, x, call.deviceFloats("y", length));
  return info.Env().Undefined();
}

/// batch, time, width, w, u, k, v, numerator, denominator, exponent
Wkv4 wkv4Inputs(DeviceCall& call, int64_t& steps, int64_t& channels) {
  Wkv4 o{};
  o.batch = integer(call, "batch");
  o.time = integer(call, "time");
  o.width = integer(call, "width");
  channels = product(call.env(), {o.batch, o.width});
  steps = product(call.env(), {channels, o.time});
  o.w = call.deviceFloats("w", o.width);
  o.u = call.deviceFloats("u", o.width);
  o.k = call.deviceFloats("k", steps);
  o.v = call.deviceFloats("v", steps);
  o.numerator = call.deviceFloats("numerator", channels);
  o.denominator = call.deviceFloats("denominator", channels);
  o.exponent = call.deviceFloats("exponent", channels);
  return o;
}

/// wkv4(batch, time, width, w, u, k, v, numerator, denominator, exponent, y, nextNumerator, nextDenominator, nextExponent)
Napi::Value wkv4Call(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  int64_t steps, channels;
  const Wkv4 o = wkv4Inputs(call, steps, channels);
  float* y = call.deviceFloats("y", steps);
  float* numerator = call.deviceFloats("nextNumerator", channels);
  float* denominator = call.deviceFloats("nextDenominator", channels);
  float* exponent = call.deviceFloats("nextExponent", channels);
  wkv4(call.stream(), o, y, numerator, denominator, exponent);
  return info.Env().Undefined();
}

/// wkv4Grad(batch, time, width, w, u, k, v, numerator, denominator, exponent, dy, dNumerator, dDenominator, dExponent, dw,
/// du, dk, dv, dnumerator, ddenominator, dexponent): adjoints of the last state, then gradients
Napi::Value wkv4GradCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  int64_t steps, channels;
  const Wkv4 o = wkv4Inputs(call, steps, channels);
  Wkv4Grad g{};
  g.dy = call.deviceFloats("dy", steps);
  g.dNumerator = call.deviceFloats("dNumerator", channels);
  g.dDenominator = call.deviceFloats("dDenominator", channels);
  g.dExponent = call.deviceFloats("dExponent", channels);
  g.dw = call.deviceFloats("dw", o.width);
  g.du = call.deviceFloats("du", o.width);
  g.dk = call.deviceFloats("dk", steps);
  g.dv = call.deviceFloats("dv", steps);
  g.dnumerator = call.deviceFloats("dnumerator", channels);
  g.ddenominator = call.deviceFloats("ddenominator", channels);
  g.dexponent = call.deviceFloats("dexponent", channels);
  const Scratch scratch(call.device(), wkv4GradScratch(o));
  wkv4Grad(call.stream(), o, g, scratch.floats());
  return info.Env().Undefined();
}

}  // namespace

METASTATE_BINDING(baseline_ops) {
  define<attentionCall>(exports, "attention");
  define<attentionGradCall>(exports, "attentionGrad");
  define<rotaryCall>(exports, "rotary");
  define<rmsNormCall>(exports, "rmsNorm");
  define<rmsNormGradCall>(exports, "rmsNormGrad");
  define<swiGluCall>(exports, "swiGlu");
  define<swiGluGradCall>(exports, "swiGluGrad");
  define<activationCall<l2Gelu>>(exports, "l2Gelu");
  define<activationGradCall<l2GeluGrad>>(exports, "l2GeluGrad");
  define<activationCall<geluL2>>(exports, "geluL2");
  define<activationGradCall<geluL2Grad>>(exports, "geluL2Grad");
  define<groupWeightsCall>(exports, "groupWeights");
  define<wkv4Call>(exports, "wkv4");
  define<wkv4GradCall>(exports, "wkv4Grad");
}

}  // namespace metastate::cuda
