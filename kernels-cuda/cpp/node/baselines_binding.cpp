// The ops of the models that Meta-State is compared with, and of parameter tokens, for JavaScript. Arguments: sizes, numbers,
// inputs, outputs, each in the order of the tfjs kernel.

#include <napi.h>

#include "attention/attention.h"
#include "node/bindings.h"
#include "node/call.h"
#include "node/engine.h"
#include "ops/runs.h"
#include "simd/flush_denormals.h"

namespace metastate {
namespace {

template <typename Work>
Napi::Value run(Call& call, Work work) {
  Engine::instance().use(work);
  return call.env().Undefined();
}

/// rmsNorm(rows, width, epsilon, x, weight, y)
Napi::Value rmsNorm(const Napi::CallbackInfo& info) {
  Call call(info);
  const int64_t rows = call.size("rows"), width = call.size("width"), length = product(info.Env(), {rows, width});
  const float epsilon = static_cast<float>(call.number("epsilon"));
  const float* x = call.floats("x", length);
  const float* weight = call.floats("weight", width);
  float* y = call.floats("y", length);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    Runs(rows, width).each(pool, [&](int64_t from, int64_t to, int64_t) {
      path.ops.rmsNorm(width, epsilon, from, to, x, weight, y);
    });
  });
}

/// rmsNormGrad(rows, width, epsilon, x, weight, dy, dx, dweight)
Napi::Value rmsNormGrad(const Napi::CallbackInfo& info) {
  Call call(info);
  const int64_t rows = call.size("rows"), width = call.size("width"), length = product(info.Env(), {rows, width});
  const float epsilon = static_cast<float>(call.number("epsilon"));
  const float* x = call.floats("x", length);
  const float* weight = call.floats("weight", width);
  const float* dy = call.floats("dy", length);
  float* dx = call.floats("dx", length);
  float* dweight = call.floats("dweight", width);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    const Runs runs(rows, width);
    const PartialSums sums(runs, width);
    runs.each(pool, [&](int64_t from, int64_t to, int64_t part) {
      path.ops.rmsNormGrad(width, epsilon, from, to, x, weight, dy, dx, sums.of(part));
    });
    sums.total(path, 0, width, dweight);
  });
}

/// rotary(rows, heads, size, direction, x, cosines, sines, y): rows are positions of all texts
Napi::Value rotary(const Napi::CallbackInfo& info) {
  Call call(info);
  const int64_t rows = call.size("rows"), heads = call.size("heads"), size = call.size("size");
  if (size % 2 != 0) throw Napi::RangeError::New(info.Env(), "rotary turns pairs: size must be even");
  const float direction = static_cast<float>(call.number("direction"));
  const int64_t length = product(info.Env(), {rows, heads, size});
  const float* x = call.floats("x", length);
  const float* cosines = call.floats("cosines", rows * size / 2);
  const float* sines = call.floats("sines", rows * size / 2);
  float* y = call.floats("y", length);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    Runs(rows, heads * size).each(pool, [&](int64_t from, int64_t to, int64_t) {
      path.ops.rotary(heads, size, direction, from, to, x, cosines, sines, y);
    });
  });
}

/// swiGlu(length, gate, x, y)
Napi::Value swiGlu(const Napi::CallbackInfo& info) {
  Call call(info);
  const int64_t length = call.size("length");
  const float* gate = call.floats("gate", length);
  const float* x = call.floats("x", length);
  float* y = call.floats("y", length);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    Runs(length, 1).each(pool, [&](int64_t from, int64_t to, int64_t) { path.ops.swiGlu(from, to, gate, x, y); });
  });
}

/// swiGluGrad(length, gate, x, dy, dgate, dx)
Napi::Value swiGluGrad(const Napi::CallbackInfo& info) {
  Call call(info);
  const int64_t length = call.size("length");
  const float* gate = call.floats("gate", length);
  const float* x = call.floats("x", length);
  const float* dy = call.floats("dy", length);
  float* dgate = call.floats("dgate", length);
  float* dx = call.floats("dx", length);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    Runs(length, 1).each(pool, [&](int64_t from, int64_t to, int64_t) {
      path.ops.swiGluGrad(from, to, gate, x, dy, dgate, dx);
    });
  });
}

using Activated = void (*OpKernels::*)(int64_t, float, int64_t, int64_t, const float*, float*);
using ActivatedGrad = void (*OpKernels::*)(int64_t, float, int64_t, int64_t, const float*, const float*, float*);

/// l2Gelu(rows, width, scale, x, y), geluL2 alike
template <Activated kernel>
Napi::Value activation(const Napi::CallbackInfo& info) {
  Call call(info);
  const int64_t rows = call.size("rows"), width = call.size("width"), length = product(info.Env(), {rows, width});
  const float scale = static_cast<float>(call.number("scale"));
  const float* x = call.floats("x", length);
  float* y = call.floats("y", length);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    Runs(rows, 4 * width).each(pool, [&](int64_t from, int64_t to, int64_t) {
      (path.ops.*kernel)(width, scale, from, to, x, y);
    });
  });
}

/// l2GeluGrad(rows, width, scale, x, dy, dx), geluL2Grad alike
template <ActivatedGrad kernel>
Napi::Value activationGrad(const Napi::CallbackInfo& info) {
  Call call(info);
  const int64_t rows = call.size("rows"), width = call.size("width"), length = product(info.Env(), {rows, width});
  const float scale = static_cast<float>(call.number("scale"));
  const float* x = call.floats("x", length);
  const float* dy = call.floats("dy", length);
  float* dx = call.floats("dx", length);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    Runs(rows, 4 * width).each(pool, [&](int64_t from, int64_t to, int64_t) {
      (path.ops.*kernel)(width, scale, from, to, x, dy, dx);
    });
  });
}

/// groupWeights(rows, groups, topK, x, y)
Napi::Value groupWeights(const Napi::CallbackInfo& info) {
  Call call(info);
  const int64_t rows = call.size("rows"), groups = call.size("groups"), topK = call.size("topK");
  const int64_t length = product(info.Env(), {rows, groups});
  const float* x = call.floats("x", length);
  float* y = call.floats("y", length);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    Runs(rows, groups).each(pool, [&](int64_t from, int64_t to, int64_t) {
      path.ops.groupWeights(groups, topK, from, to, x, y);
    });
  });
}

Wkv4 wkv4Inputs(Call& call) {
  Wkv4 o{};
  o.batch = call.size("batch");
  o.time = call.size("time");
  o.width = call.size("width");
  const int64_t steps = product(call.env(), {o.batch, o.time, o.width}), state = o.batch * o.width;
  o.w = call.floats("w", o.width);
  o.u = call.floats("u", o.width);
  o.k = call.floats("k", steps);
  o.v = call.floats("v", steps);
  o.a = call.floats("numerator", state);
  o.b = call.floats("denominator", state);
  o.p = call.floats("exponent", state);
  return o;
}

/// Shares channels out, a few registers of them a task: body(from, to, slot).
template <typename Body>
void eachChannels(ThreadPool& pool, const SimdPath& path, const Wkv4& o, Body body) {
  const int64_t part = path.wkv4.lanes, parts = (o.width + part - 1) / part;
  const auto one = [&](int64_t index, int slot) {
    const FlushDenormals flush;
    body(index * part, std::min(o.width, (index + 1) * part), slot);
  };
  if (16 * o.batch * o.time * o.width >= leastElementsForThreads) {
    pool.run(parts, one);
  } else {
    for (int64_t index = 0; index < parts; ++index) one(index, 0);
  }
}

/// wkv4(batch, time, width, w, u, k, v, numerator, denominator, exponent, y, and the last state's three)
Napi::Value wkv4(const Napi::CallbackInfo& info) {
  Call call(info);
  const Wkv4 o = wkv4Inputs(call);
  float* y = call.floats("y", o.batch * o.time * o.width);
  float* a = call.floats("lastNumerator", o.batch * o.width);
  float* b = call.floats("lastDenominator", o.batch * o.width);
  float* p = call.floats("lastExponent", o.batch * o.width);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    eachChannels(pool, path, o, [&](int64_t from, int64_t to, int) { path.wkv4.forward(o, from, to, y, a, b, p); });
  });
}

/// wkv4Grad(…as wkv4's inputs, dy, dNumerator, dDenominator, dExponent, and the gradients of the seven inputs)
Napi::Value wkv4Grad(const Napi::CallbackInfo& info) {
  Call call(info);
  const Wkv4 o = wkv4Inputs(call);
  const int64_t steps = o.batch * o.time * o.width, state = o.batch * o.width;
  Wkv4Adjoints adjoints{};
  adjoints.dy = call.floats("dy", steps);
  adjoints.da = call.floats("dNumerator", state);
  adjoints.db = call.floats("dDenominator", state);
  adjoints.dp = call.floats("dExponent", state);
  Wkv4Gradients out{};
  out.dw = call.floats("dw", o.width);
  out.du = call.floats("du", o.width);
  out.dk = call.floats("dk", steps);
  out.dv = call.floats("dv", steps);
  out.da = call.floats("dnumerator", state);
  out.db = call.floats("ddenominator", state);
  out.dp = call.floats("dexponent", state);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    const int64_t stride = (path.wkv4.scratch(o.time) + 15) / 16 * 16;
    const AlignedBuffer scratch(static_cast<size_t>(stride * pool.threads()));
    eachChannels(pool, path, o, [&](int64_t from, int64_t to, int slot) {
      path.wkv4.backward(o, adjoints, from, to, out, scratch.data() + slot * stride);
    });
  });
}

Attention attentionInputs(Call& call, int64_t& queries, int64_t& cached) {
  Attention o{};
  o.batch = call.size("batch");
  o.time = call.size("time");
  o.keys = call.size("keys");
  o.heads = call.size("heads");
  o.size = call.size("size");
  if (o.keys < o.time) throw Napi::RangeError::New(call.env(), "keys must be at least time: each query has a key");
  queries = product(call.env(), {o.batch, o.time, o.heads, o.size});
  cached = product(call.env(), {o.batch, o.keys, o.heads, o.size});
  product(call.env(), {o.time, o.keys});
  o.q = call.floats("q", queries);
  o.k = call.floats("k", cached);
  o.v = call.floats("v", cached);
  o.starts = call.integers("starts", o.batch);
  for (int64_t b = 0; b < o.batch; ++b) {
    if (o.starts[b] >= 0 && o.starts[b] <= o.keys - o.time) continue;
    throw Napi::RangeError::New(call.env(), "starts holds " + std::to_string(o.starts[b]) + "; it must be from 0 to " +
                                                std::to_string(o.keys - o.time) + ", the keys before the queries");
  }
  return o;
}

/// attention(batch, time, keys, heads, size, q, k, v, starts, y, logSums)
Napi::Value attend(const Napi::CallbackInfo& info) {
  Call call(info);
  int64_t queries, cached;
  const Attention o = attentionInputs(call, queries, cached);
  float* y = call.floats("y", queries);
  float* logSums = call.floats("logSums", queries / o.size);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) { attention(pool, path, o, y, logSums); });
}

/// attentionGrad(batch, time, keys, heads, size, q, k, v, starts, y, logSums, dy, dq, dk, dv)
Napi::Value attendGrad(const Napi::CallbackInfo& info) {
  Call call(info);
  int64_t queries, cached;
  const Attention o = attentionInputs(call, queries, cached);
  const float* y = call.floats("y", queries);
  const float* logSums = call.floats("logSums", queries / o.size);
  const float* dy = call.floats("dy", queries);
  float* dq = call.floats("dq", queries);
  float* dk = call.floats("dk", cached);
  float* dv = call.floats("dv", cached);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    attentionGrad(pool, path, o, y, logSums, dy, dq, dk, dv);
  });
}

}  // namespace

void defineBaselines(Napi::Object& exports) {
  define<rmsNorm>(exports, "rmsNorm");
  define<rmsNormGrad>(exports, "rmsNormGrad");
  define<rotary>(exports, "rotary");
  define<swiGlu>(exports, "swiGlu");
  define<swiGluGrad>(exports, "swiGluGrad");
  define<activation<&OpKernels::l2Gelu>>(exports, "l2Gelu");
  define<activationGrad<&OpKernels::l2GeluGrad>>(exports, "l2GeluGrad");
  define<activation<&OpKernels::geluL2>>(exports, "geluL2");
  define<activationGrad<&OpKernels::geluL2Grad>>(exports, "geluL2Grad");
  define<groupWeights>(exports, "groupWeights");
  define<wkv4>(exports, "wkv4");
  define<wkv4Grad>(exports, "wkv4Grad");
  define<attend>(exports, "attention");
  define<attendGrad>(exports, "attentionGrad");
}

}  // namespace metastate
