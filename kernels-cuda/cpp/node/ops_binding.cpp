// The ops of the library for JavaScript. Arguments: sizes, numbers, inputs, outputs, each in the order of the tfjs kernel.

#include <napi.h>

#include <cmath>

#include "node/bindings.h"
#include "node/call.h"
#include "node/engine.h"
#include "ops/runs.h"

namespace metastate {
namespace {

template <typename Work>
Napi::Value run(Call& call, Work work) {
  Engine::instance().use(work);
  return call.env().Undefined();
}

/// tokenShift(batch, time, width, x, previous, mixes, ys)
TokenShift tokenShiftInputs(Call& call, int64_t& batch) {
  batch = call.size("batch");
  TokenShift o{};
  o.time = call.size("time");
  o.width = call.size("width");
  const int64_t count = call.size("count");
  if (count > mostMixes) throw Napi::RangeError::New(call.env(), "count must be at most 6");
  o.count = count;
  o.x = call.floats("x", product(call.env(), {batch, o.time, o.width}));
  o.previous = call.floats("previous", batch * o.width);
  const std::vector<float*> mixes = call.listOfFloats("mixes", count, o.width);
  std::copy(mixes.begin(), mixes.end(), o.mixes);
  return o;
}

Napi::Value tokenShift(const Napi::CallbackInfo& info) {
  Call call(info);
  int64_t batch;
  const TokenShift o = tokenShiftInputs(call, batch);
  const std::vector<float*> ys = call.listOfFloats("ys", o.count, batch * o.time * o.width);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    Runs(batch * o.time, o.width * (o.count + 1)).each(pool, [&](int64_t from, int64_t to, int64_t) {
      path.ops.tokenShift(o, from, to, ys.data());
    });
  });
}

/// tokenShiftGrad(batch, time, width, count, x, previous, mixes, dys, dx, dprevious, dmixes)
Napi::Value tokenShiftGrad(const Napi::CallbackInfo& info) {
  Call call(info);
  int64_t batch;
  const TokenShift o = tokenShiftInputs(call, batch);
  const int64_t steps = batch * o.time * o.width;
  const std::vector<float*> dys = call.listOfFloats("dys", o.count, steps);
  float* dx = call.floats("dx", steps);
  float* dprevious = call.floats("dprevious", batch * o.width);
  const std::vector<float*> dmixes = call.listOfFloats("dmixes", o.count, o.width);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    const Runs runs(batch * o.time, o.width * (o.count + 1));
    const PartialSums sums(runs, o.count * o.width);
    runs.each(pool, [&](int64_t from, int64_t to, int64_t part) {
      path.ops.tokenShiftGrad(o, from, to, dys.data(), dx, dprevious, sums.of(part));
    });
    for (int64_t i = 0; i < o.count; ++i) sums.total(path, i * o.width, o.width, dmixes[static_cast<size_t>(i)]);
  });
}

/// Groups or heads that must divide a width.
int64_t divisor(Call& call, const char* name, int64_t width) {
  const int64_t groups = call.size(name);
  if (width % groups != 0) {
    throw Napi::RangeError::New(call.env(), std::to_string(groups) + " " + name + " do not divide a width of " +
                                                std::to_string(width));
  }
  return groups;
}

/// groupNorm(rows, width, groups, epsilon, x, weight, bias, y)
Napi::Value groupNorm(const Napi::CallbackInfo& info) {
  Call call(info);
  const int64_t rows = call.size("rows");
  GroupNorm o{};
  o.width = call.size("width");
  o.groups = divisor(call, "groups", o.width);
  o.epsilon = static_cast<float>(call.number("epsilon"));
  const int64_t length = product(info.Env(), {rows, o.width});
  o.x = call.floats("x", length);
  o.weight = call.floats("weight", o.width);
  const float* bias = call.floats("bias", o.width);
  float* y = call.floats("y", length);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    Runs(rows, o.width).each(pool, [&](int64_t from, int64_t to, int64_t) { path.ops.groupNorm(o, from, to, bias, y); });
  });
}

/// groupNormGrad(rows, width, groups, epsilon, x, weight, dy, dx, dweight, dbias)
Napi::Value groupNormGrad(const Napi::CallbackInfo& info) {
  Call call(info);
  const int64_t rows = call.size("rows");
  GroupNorm o{};
  o.width = call.size("width");
  o.groups = divisor(call, "groups", o.width);
  o.epsilon = static_cast<float>(call.number("epsilon"));
  const int64_t length = product(info.Env(), {rows, o.width});
  o.x = call.floats("x", length);
  o.weight = call.floats("weight", o.width);
  const float* dy = call.floats("dy", length);
  float* dx = call.floats("dx", length);
  float* dweight = call.floats("dweight", o.width);
  float* dbias = call.floats("dbias", o.width);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    const Runs runs(rows, o.width);
    const PartialSums sums(runs, 2 * o.width);
    runs.each(pool, [&](int64_t from, int64_t to, int64_t part) {
      path.ops.groupNormGrad(o, from, to, dy, dx, sums.of(part), sums.of(part) + o.width);
    });
    sums.total(path, 0, o.width, dweight);
    sums.total(path, o.width, o.width, dbias);
  });
}

KeyPreparation keyInputs(Call& call, int64_t& rows, int64_t& length) {
  rows = call.size("rows");
  KeyPreparation o{};
  o.width = call.size("width");
  o.heads = divisor(call, "heads", o.width);
  length = product(call.env(), {rows, o.width});
  o.k = call.floats("k", length);
  o.kk = call.floats("kk", o.width);
  o.rate = call.floats("rate", length);
  o.ka = call.floats("ka", o.width);
  return o;
}

/// keyPreparation(rows, width, heads, k, kk, rate, ka, key, alpha, beta)
Napi::Value keyPreparation(const Napi::CallbackInfo& info) {
  Call call(info);
  int64_t rows, length;
  const KeyPreparation o = keyInputs(call, rows, length);
  float* key = call.floats("key", length);
  float* alpha = call.floats("alpha", length);
  float* beta = call.floats("beta", length);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    Runs(rows, 3 * o.width).each(pool, [&](int64_t from, int64_t to, int64_t) {
      path.ops.keyPreparation(o, from, to, key, alpha, beta);
    });
  });
}

/// keyPreparationGrad(rows, width, heads, k, kk, rate, ka, dkey, dalpha, dbeta, dk, dkk, drate, dka)
Napi::Value keyPreparationGrad(const Napi::CallbackInfo& info) {
  Call call(info);
  int64_t rows, length;
  const KeyPreparation o = keyInputs(call, rows, length);
  const float* dkey = call.floats("dkey", length);
  const float* dalpha = call.floats("dalpha", length);
  const float* dbeta = call.floats("dbeta", length);
  float* dk = call.floats("dk", length);
  float* dkk = call.floats("dkk", o.width);
  float* drate = call.floats("drate", length);
  float* dka = call.floats("dka", o.width);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    const Runs runs(rows, 3 * o.width);
    const PartialSums sums(runs, 2 * o.width);
    runs.each(pool, [&](int64_t from, int64_t to, int64_t part) {
      path.ops.keyPreparationGrad(o, from, to, dkey, dalpha, dbeta, dk, drate, sums.of(part),
                                  sums.of(part) + o.width);
    });
    sums.total(path, 0, o.width, dkk);
    sums.total(path, o.width, o.width, dka);
  });
}

/// decay(rows, width, x, bias, w, sigmoid)
Napi::Value decay(const Napi::CallbackInfo& info) {
  Call call(info);
  const int64_t rows = call.size("rows"), width = call.size("width"), length = product(info.Env(), {rows, width});
  const float* x = call.floats("x", length);
  const float* bias = call.floats("bias", width);
  float* w = call.floats("w", length);
  float* sigmoid = call.floats("sigmoid", length);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    Runs(rows, 2 * width).each(pool, [&](int64_t from, int64_t to, int64_t) {
      path.ops.decay(width, from, to, x, bias, w, sigmoid);
    });
  });
}

/// decayGrad(rows, width, w, sigmoid, dy, dx, dbias)
Napi::Value decayGrad(const Napi::CallbackInfo& info) {
  Call call(info);
  const int64_t rows = call.size("rows"), width = call.size("width"), length = product(info.Env(), {rows, width});
  const float* w = call.floats("w", length);
  const float* sigmoid = call.floats("sigmoid", length);
  const float* dy = call.floats("dy", length);
  float* dx = call.floats("dx", length);
  float* dbias = call.floats("dbias", width);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    const Runs runs(rows, width);
    const PartialSums sums(runs, width);
    runs.each(pool, [&](int64_t from, int64_t to, int64_t part) {
      path.ops.decayGrad(width, from, to, w, sigmoid, dy, dx, sums.of(part));
    });
    sums.total(path, 0, width, dbias);
  });
}

/// biasedSigmoid(rows, width, x, bias, y)
Napi::Value biasedSigmoid(const Napi::CallbackInfo& info) {
  Call call(info);
  const int64_t rows = call.size("rows"), width = call.size("width"), length = product(info.Env(), {rows, width});
  const float* x = call.floats("x", length);
  const float* bias = call.floats("bias", width);
  float* y = call.floats("y", length);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    Runs(rows, width).each(pool, [&](int64_t from, int64_t to, int64_t) {
      path.ops.biasedSigmoid(width, from, to, x, bias, y);
    });
  });
}

/// biasedSigmoidGrad(rows, width, y, dy, dx, dbias)
Napi::Value biasedSigmoidGrad(const Napi::CallbackInfo& info) {
  Call call(info);
  const int64_t rows = call.size("rows"), width = call.size("width"), length = product(info.Env(), {rows, width});
  const float* y = call.floats("y", length);
  const float* dy = call.floats("dy", length);
  float* dx = call.floats("dx", length);
  float* dbias = call.floats("dbias", width);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    const Runs runs(rows, width);
    const PartialSums sums(runs, width);
    runs.each(pool, [&](int64_t from, int64_t to, int64_t part) {
      path.ops.biasedSigmoidGrad(width, from, to, y, dy, dx, sums.of(part));
    });
    sums.total(path, 0, width, dbias);
  });
}

/// interpolate(length, from, to, gate, y)
Napi::Value interpolate(const Napi::CallbackInfo& info) {
  Call call(info);
  const int64_t length = call.size("length");
  const float* start = call.floats("from", length);
  const float* end = call.floats("to", length);
  const float* gate = call.floats("gate", length);
  float* y = call.floats("y", length);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    Runs(length, 1).each(pool, [&](int64_t from, int64_t to, int64_t) {
      path.ops.interpolate(from, to, start, end, gate, y);
    });
  });
}

/// interpolateGrad(length, from, to, gate, dy, dfrom, dto, dgate)
Napi::Value interpolateGrad(const Napi::CallbackInfo& info) {
  Call call(info);
  const int64_t length = call.size("length");
  const float* start = call.floats("from", length);
  const float* end = call.floats("to", length);
  const float* gate = call.floats("gate", length);
  const float* dy = call.floats("dy", length);
  float* dstart = call.floats("dfrom", length);
  float* dend = call.floats("dto", length);
  float* dgate = call.floats("dgate", length);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    Runs(length, 1).each(pool, [&](int64_t from, int64_t to, int64_t) {
      path.ops.interpolateGrad(from, to, start, end, gate, dy, dstart, dend, dgate);
    });
  });
}

BonusGate bonusInputs(Call& call, int64_t& rows, int64_t& length) {
  rows = call.size("rows");
  BonusGate o{};
  o.width = call.size("width");
  o.heads = divisor(call, "heads", o.width);
  length = product(call.env(), {rows, o.width});
  o.x = call.floats("x", length);
  o.r = call.floats("r", length);
  o.k = call.floats("k", length);
  o.v = call.floats("v", length);
  o.gate = call.floats("gate", length);
  o.rk = call.floats("rk", o.width);
  return o;
}

/// bonusGate(rows, width, heads, x, r, k, v, gate, rk, y)
Napi::Value bonusGate(const Napi::CallbackInfo& info) {
  Call call(info);
  int64_t rows, length;
  const BonusGate o = bonusInputs(call, rows, length);
  float* y = call.floats("y", length);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    Runs(rows, 2 * o.width).each(pool, [&](int64_t from, int64_t to, int64_t) { path.ops.bonusGate(o, from, to, y); });
  });
}

/// bonusGateGrad(rows, width, heads, x, r, k, v, gate, rk, dy, dx, dr, dk, dv, dgate, drk)
Napi::Value bonusGateGrad(const Napi::CallbackInfo& info) {
  Call call(info);
  int64_t rows, length;
  const BonusGate o = bonusInputs(call, rows, length);
  const float* dy = call.floats("dy", length);
  float* dx = call.floats("dx", length);
  float* dr = call.floats("dr", length);
  float* dk = call.floats("dk", length);
  float* dv = call.floats("dv", length);
  float* dgate = call.floats("dgate", length);
  float* drk = call.floats("drk", o.width);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    const Runs runs(rows, 4 * o.width);
    const PartialSums sums(runs, o.width);
    runs.each(pool, [&](int64_t from, int64_t to, int64_t part) {
      path.ops.bonusGateGrad(o, from, to, dy, dx, dr, dk, dv, dgate, sums.of(part));
    });
    sums.total(path, 0, o.width, drk);
  });
}

/// squaredRelu(length, x, y)
Napi::Value squaredRelu(const Napi::CallbackInfo& info) {
  Call call(info);
  const int64_t length = call.size("length");
  const float* x = call.floats("x", length);
  float* y = call.floats("y", length);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    Runs(length, 1).each(pool, [&](int64_t from, int64_t to, int64_t) { path.ops.squaredRelu(from, to, x, y); });
  });
}

/// squaredReluGrad(length, x, dy, dx)
Napi::Value squaredReluGrad(const Napi::CallbackInfo& info) {
  Call call(info);
  const int64_t length = call.size("length");
  const float* x = call.floats("x", length);
  const float* dy = call.floats("dy", length);
  float* dx = call.floats("dx", length);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    Runs(length, 1).each(pool, [&](int64_t from, int64_t to, int64_t) {
      path.ops.squaredReluGrad(from, to, x, dy, dx);
    });
  });
}

/// Throws Napi::RangeError for a number that names no row.
void requireRows(Call& call, const char* name, const int32_t* numbers, int64_t count, int64_t rows) {
  for (int64_t i = 0; i < count; ++i) {
    if (numbers[i] >= 0 && numbers[i] < rows) continue;
    throw Napi::RangeError::New(call.env(), std::string(name) + " must be from 0 to " + std::to_string(rows - 1) +
                                                ", not " + std::to_string(numbers[i]) + " (at place " +
                                                std::to_string(i) + ")");
  }
}

/// crossEntropy(rows, vocabulary, logits, targets, loss, probabilities)
Napi::Value crossEntropy(const Napi::CallbackInfo& info) {
  Call call(info);
  const int64_t rows = call.size("rows"), vocabulary = call.size("vocabulary");
  const int64_t length = product(info.Env(), {rows, vocabulary});
  const float* logits = call.floats("logits", length);
  const int32_t* targets = call.integers("targets", rows);
  float* loss = call.floats("loss", 1);
  float* probabilities = call.floats("probabilities", length);
  requireRows(call, "targets", targets, rows, vocabulary);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    const AlignedBuffer losses(static_cast<size_t>(rows));
    Runs(rows, 4 * vocabulary).each(pool, [&](int64_t from, int64_t to, int64_t) {
      path.ops.crossEntropy(vocabulary, from, to, logits, targets, probabilities, losses.data());
    });
    double total = 0;
    for (int64_t row = 0; row < rows; ++row) total += static_cast<double>(losses.data()[row]);
    *loss = static_cast<float>(total / static_cast<double>(rows));
  });
}

/// crossEntropyGrad(rows, vocabulary, probabilities, targets, dloss, dlogits)
Napi::Value crossEntropyGrad(const Napi::CallbackInfo& info) {
  Call call(info);
  const int64_t rows = call.size("rows"), vocabulary = call.size("vocabulary");
  const int64_t length = product(info.Env(), {rows, vocabulary});
  const float* probabilities = call.floats("probabilities", length);
  const int32_t* targets = call.integers("targets", rows);
  const float factor = *call.floats("dloss", 1) / static_cast<float>(rows);
  float* dlogits = call.floats("dlogits", length);
  requireRows(call, "targets", targets, rows, vocabulary);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    Runs(rows, vocabulary).each(pool, [&](int64_t from, int64_t to, int64_t) {
      path.ops.scale(from * vocabulary, to * vocabulary, probabilities, factor, dlogits);
      for (int64_t row = from; row < to; ++row) dlogits[row * vocabulary + targets[row]] -= factor;
    });
  });
}

/// embedding(count, rows, width, weight, tokens, y)
Napi::Value embedding(const Napi::CallbackInfo& info) {
  Call call(info);
  const int64_t count = call.size("count"), rows = call.size("rows"), width = call.size("width");
  const float* weight = call.floats("weight", product(info.Env(), {rows, width}));
  const int32_t* tokens = call.integers("tokens", count);
  float* y = call.floats("y", product(info.Env(), {count, width}));
  requireRows(call, "tokens", tokens, count, rows);
  return run(call, [&](ThreadPool& pool, const SimdPath&) {
    Runs(count, width).each(pool, [&](int64_t from, int64_t to, int64_t) {
      for (int64_t i = from; i < to; ++i) std::copy_n(weight + tokens[i] * width, width, y + i * width);
    });
  });
}

/// embeddingGrad(count, rows, width, tokens, dy, dweight)
Napi::Value embeddingGrad(const Napi::CallbackInfo& info) {
  Call call(info);
  const int64_t count = call.size("count"), rows = call.size("rows"), width = call.size("width");
  const int32_t* tokens = call.integers("tokens", count);
  const float* dy = call.floats("dy", product(info.Env(), {count, width}));
  const int64_t length = product(info.Env(), {rows, width});
  float* dweight = call.floats("dweight", length);
  requireRows(call, "tokens", tokens, count, rows);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    Runs(length, 1).each(pool, [&](int64_t from, int64_t to, int64_t) { std::fill(dweight + from, dweight + to, 0.0f); });
    // A token may come many times: one thread adds.
    for (int64_t i = 0; i < count; ++i) path.ops.addTo(width, dy + i * width, dweight + tokens[i] * width);
  });
}

/// adamW(length, learningRate, beta1, beta2, epsilon, weightDecay, step, clip, norm, parameter, gradient, moment1,
/// moment2, nextParameter, nextMoment1, nextMoment2)
Napi::Value adamW(const Napi::CallbackInfo& info) {
  Call call(info);
  const int64_t length = call.size("length");
  const double learningRate = call.number("learningRate"), beta1 = call.number("beta1"), beta2 = call.number("beta2");
  const double epsilon = call.number("epsilon"), weightDecay = call.number("weightDecay"), step = call.number("step");
  const double clip = call.number("clip");
  const double norm = static_cast<double>(*call.floats("norm", 1));
  AdamW o{};
  o.parameter = call.floats("parameter", length);
  o.gradient = call.floats("gradient", length);
  o.moment1 = call.floats("moment1", length);
  o.moment2 = call.floats("moment2", length);
  o.nextParameter = call.floats("nextParameter", length);
  o.nextMoment1 = call.floats("nextMoment1", length);
  o.nextMoment2 = call.floats("nextMoment2", length);
  o.scale = static_cast<float>(std::min(1.0, clip / std::max(norm, 1e-30)));
  if (std::isnan(norm)) o.scale = NAN;  // std::min and std::max would lose it
  o.beta1 = static_cast<float>(beta1);
  o.beta2 = static_cast<float>(beta2);
  o.rate = static_cast<float>(learningRate / (1 - std::pow(beta1, step)));
  o.correction = static_cast<float>(1 / (1 - std::pow(beta2, step)));
  o.kept = static_cast<float>(1 - learningRate * weightDecay);
  o.epsilon = static_cast<float>(epsilon);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    Runs(length, 4).each(pool, [&](int64_t from, int64_t to, int64_t) { path.ops.adamW(o, from, to); });
  });
}

/// globalNorm(arrays, norm): the square root of the sum of all squares.
Napi::Value globalNorm(const Napi::CallbackInfo& info) {
  Call call(info);
  std::vector<int64_t> lengths;
  const std::vector<float*> arrays = call.listOfAnyFloats("arrays", lengths);
  float* norm = call.floats("norm", 1);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    double total = 0;
    for (size_t i = 0; i < arrays.size(); ++i) {
      const Runs runs(lengths[i], 1);
      std::vector<double> sums(static_cast<size_t>(runs.count), 0);
      runs.each(pool, [&](int64_t from, int64_t to, int64_t part) {
        sums[static_cast<size_t>(part)] = path.ops.sumOfSquares(from, to, arrays[i]);
      });
      for (const double sum : sums) total += sum;
    }
    *norm = static_cast<float>(std::sqrt(total));
  });
}

/// transposeMatrix(rows, columns, x, y)
Napi::Value transposeMatrix(const Napi::CallbackInfo& info) {
  Call call(info);
  const int64_t rows = call.size("rows"), columns = call.size("columns"), length = product(info.Env(), {rows, columns});
  const float* x = call.floats("x", length);
  float* y = call.floats("y", length);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    Runs(rows, columns).each(pool, [&](int64_t from, int64_t to, int64_t) {
      path.ops.transposeMatrix(x, rows, columns, from, to, y);
    });
  });
}

/// addBias(c, columns, bias | null, activation, alpha): in place
Napi::Value addBias(const Napi::CallbackInfo& info) {
  Call call(info);
  int64_t length;
  float* c = call.anyFloats("c", length);
  const int64_t columns = call.size("columns");
  if (length % columns != 0) throw Napi::RangeError::New(info.Env(), "c is no whole number of rows of columns");
  const float* bias = call.optionalFloats("bias", columns);
  const int64_t activation = call.size("activation", 0);
  if (activation > static_cast<int64_t>(Activation::sigmoid)) {
    throw Napi::RangeError::New(info.Env(), "activation must be from 0 to 5, not " + std::to_string(activation));
  }
  const float alpha = static_cast<float>(call.number("alpha"));
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    Runs(length / columns, columns).each(pool, [&](int64_t from, int64_t to, int64_t) {
      path.ops.addBias(columns, from, to, bias, static_cast<int>(activation), alpha, c);
    });
  });
}

}  // namespace

void defineOps(Napi::Object& exports) {
  define<tokenShift>(exports, "tokenShift");
  define<tokenShiftGrad>(exports, "tokenShiftGrad");
  define<groupNorm>(exports, "groupNorm");
  define<groupNormGrad>(exports, "groupNormGrad");
  define<keyPreparation>(exports, "keyPreparation");
  define<keyPreparationGrad>(exports, "keyPreparationGrad");
  define<decay>(exports, "decay");
  define<decayGrad>(exports, "decayGrad");
  define<biasedSigmoid>(exports, "biasedSigmoid");
  define<biasedSigmoidGrad>(exports, "biasedSigmoidGrad");
  define<interpolate>(exports, "interpolate");
  define<interpolateGrad>(exports, "interpolateGrad");
  define<bonusGate>(exports, "bonusGate");
  define<bonusGateGrad>(exports, "bonusGateGrad");
  define<squaredRelu>(exports, "squaredRelu");
  define<squaredReluGrad>(exports, "squaredReluGrad");
  define<crossEntropy>(exports, "crossEntropy");
  define<crossEntropyGrad>(exports, "crossEntropyGrad");
  define<embedding>(exports, "embedding");
  define<embeddingGrad>(exports, "embeddingGrad");
  define<adamW>(exports, "adamW");
  define<globalNorm>(exports, "globalNorm");
  define<transposeMatrix>(exports, "transposeMatrix");
  define<addBias>(exports, "addBias");
}

}  // namespace metastate
