// The library's ops of other models than Meta-State's on the GPU: attention, rotary positions, RMS norm, SwiGLU,
// TokenFormer's activations, groups of parameter tokens, RWKV-4. src/cuda/addon/ops-binding.ts is the declaration.

#include <algorithm>
#include <array>
#include <cmath>

#include "node/bindings.h"
#include "node/scratch.h"
#include "ops/attention.h"
#include "ops/ops.h"
#include "ops/wkv4.h"

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

/// causalAttention(batch, time, keys, heads, size, q, k, v, starts, y, logSums)
Napi::Value attentionCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  int64_t queries, rows;
  const Attention o = attentionInputs(call, queries, rows);
  float* y = call.deviceFloats("y", queries);
  attention(call.stream(), o, y, call.deviceFloats("logSums", rows));
  return info.Env().Undefined();
}

/// causalAttentionGrad(batch, time, keys, heads, size, q, k, v, starts, y, logSums, dy, dq, dk, dv)
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

/// A list of tensors of these sizes.
template <size_t count>
std::array<float*, count> tensors(DeviceCall& call, const char* name, const std::array<int64_t, count>& sizes) {
  std::vector<int64_t> there;
  const std::vector<float*> given = call.listOfAnyDeviceFloats(name, there);
  if (!std::equal(there.begin(), there.end(), sizes.begin(), sizes.end())) {
    throw Napi::RangeError::New(call.env(), std::string(name) + " are not " + std::to_string(count) +
                                                " tensors of the sizes that the shape wants");
  }
  std::array<float*, count> result;
  std::copy(given.begin(), given.end(), result.begin());
  return result;
}

/// batch, time, width, inputs
Wkv4 wkv4Inputs(DeviceCall& call, int64_t& steps, int64_t& channels) {
  Wkv4 o{};
  o.batch = integer(call, "batch");
  o.time = integer(call, "time");
  o.width = integer(call, "width");
  channels = product(call.env(), {o.batch, o.width});
  steps = product(call.env(), {channels, o.time});
  const auto [w, u, k, v, numerator, denominator, exponent] =
      tensors<7>(call, "inputs", {o.width, o.width, steps, steps, channels, channels, channels});
  o.w = w;
  o.u = u;
  o.k = k;
  o.v = v;
  o.numerator = numerator;
  o.denominator = denominator;
  o.exponent = exponent;
  return o;
}

/// wkv4(batch, time, width, inputs, outputs)
Napi::Value wkv4Call(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  int64_t steps, channels;
  const Wkv4 o = wkv4Inputs(call, steps, channels);
  const auto [y, numerator, denominator, exponent] =
      tensors<4>(call, "outputs", {steps, channels, channels, channels});
  wkv4(call.stream(), o, y, numerator, denominator, exponent);
  return info.Env().Undefined();
}

/// wkv4Grad(batch, time, width, inputs, adjoints, gradients)
Napi::Value wkv4GradCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  int64_t steps, channels;
  const Wkv4 o = wkv4Inputs(call, steps, channels);
  Wkv4Grad g{};
  const auto [dy, dNumerator, dDenominator, dExponent] =
      tensors<4>(call, "adjoints", {steps, channels, channels, channels});
  g.dy = dy;
  g.dNumerator = dNumerator;
  g.dDenominator = dDenominator;
  g.dExponent = dExponent;
  const auto [dw, du, dk, dv, dnumerator, ddenominator, dexponent] =
      tensors<7>(call, "gradients", {o.width, o.width, steps, steps, channels, channels, channels});
  g.dw = dw;
  g.du = du;
  g.dk = dk;
  g.dv = dv;
  g.dnumerator = dnumerator;
  g.ddenominator = ddenominator;
  g.dexponent = dexponent;
  const Scratch scratch(call.device(), wkv4GradScratch(o));
  wkv4Grad(call.stream(), o, g, scratch.floats());
  return info.Env().Undefined();
}

}  // namespace

METASTATE_BINDING(more_ops) {
  define<attentionCall>(exports, "causalAttention");
  define<attentionGradCall>(exports, "causalAttentionGrad");
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
