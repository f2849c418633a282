// The ops of the library on the GPU. Arguments are those of cpp/node/ops_binding.cpp, in the same places: sizes, numbers,
// inputs, outputs, with a tensor's address where that has an array. src/cuda/kernels/library-ops.ts relies on it.

#include <cmath>

#include "node/bindings.h"
#include "ops/adamw.h"
#include "ops/ops.h"
#include "runtime/scratch.h"

namespace metastate::cuda {
namespace {

/// Sizes of the launches are ints: rows and widths fit, as long as nothing has more elements than JavaScript can address.
int integer(Call& call, const char* name) { return static_cast<int>(call.size(name)); }

int rowsOf(Call& call, int64_t batch, int64_t time) {
  const int64_t rows = product(call.env(), {batch, time});
  if (rows > 2147483647) throw Napi::RangeError::New(call.env(), "batch × time is " + std::to_string(rows) + ", too large");
  return static_cast<int>(rows);
}

/// Groups or heads that must divide a width.
int divisor(Call& call, const char* name, int width) {
  const int groups = integer(call, name);
  if (width % groups != 0) {
    throw Napi::RangeError::New(call.env(), std::to_string(groups) + " " + name + " do not divide a width of " +
                                                std::to_string(width));
  }
  return groups;
}

/// batch, time, width, count, x, previous, mixes
TokenShift shiftInputs(DeviceCall& call, int& rows, int64_t& steps, int64_t& before) {
  const int64_t batch = call.size("batch");
  TokenShift o{};
  o.time = integer(call, "time");
  o.width = integer(call, "width");
  o.count = integer(call, "count");
  if (o.count != 1 && o.count != mostMixes) throw Napi::RangeError::New(call.env(), "count must be 1 or 6");
  rows = rowsOf(call, batch, o.time);
  steps = product(call.env(), {rows, o.width});
  before = product(call.env(), {batch, o.width});
  o.x = call.deviceFloats("x", steps);
  o.previous = call.deviceFloats("previous", before);
  const std::vector<float*> mixes = call.listOfDeviceFloats("mixes", o.count, o.width);
  std::copy(mixes.begin(), mixes.end(), o.mixes);
  return o;
}

/// tokenShift(batch, time, width, count, x, previous, mixes, ys)
Napi::Value tokenShiftCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  int rows;
  int64_t steps, before;
  const TokenShift o = shiftInputs(call, rows, steps, before);
  tokenShift(call.stream(), o, rows, call.listOfDeviceFloats("ys", o.count, steps).data());
  return info.Env().Undefined();
}

/// tokenShiftGrad(batch, time, width, count, x, previous, mixes, dys, dx, dprevious, dmixes)
Napi::Value tokenShiftGradCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  int rows;
  int64_t steps, before;
  const TokenShift o = shiftInputs(call, rows, steps, before);
  const std::vector<float*> dys = call.listOfDeviceFloats("dys", o.count, steps);
  float* dx = call.deviceFloats("dx", steps);
  float* dprevious = call.deviceFloats("dprevious", before);
  const std::vector<float*> dmixes = call.listOfDeviceFloats("dmixes", o.count, o.width);
  const Scratch scratch(call.device(), tokenShiftGradScratch(o, rows));
  tokenShiftGrad(call.stream(), o, rows, dys.data(), dx, dprevious, dmixes.data(), scratch.floats());
  return info.Env().Undefined();
}

/// rows, width, groups, epsilon, x, weight
GroupNorm groupNormInputs(DeviceCall& call, int& rows, int64_t& length) {
  rows = integer(call, "rows");
  GroupNorm o{};
  o.width = integer(call, "width");
  o.groups = divisor(call, "groups", o.width);
  o.epsilon = static_cast<float>(call.number("epsilon"));
  length = product(call.env(), {rows, o.width});
  o.x = call.deviceFloats("x", length);
  o.weight = call.deviceFloats("weight", o.width);
  return o;
}

/// groupNorm(rows, width, groups, epsilon, x, weight, bias, y)
Napi::Value groupNormCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  int rows;
  int64_t length;
  const GroupNorm o = groupNormInputs(call, rows, length);
  const float* bias = call.deviceFloats("bias", o.width);
  groupNorm(call.stream(), o, rows, bias, call.deviceFloats("y", length));
  return info.Env().Undefined();
}

/// groupNormGrad(rows, width, groups, epsilon, x, weight, dy, dx, dweight, dbias)
Napi::Value groupNormGradCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  int rows;
  int64_t length;
  const GroupNorm o = groupNormInputs(call, rows, length);
  const float* dy = call.deviceFloats("dy", length);
  float* dx = call.deviceFloats("dx", length);
  float* dweight = call.deviceFloats("dweight", o.width);
  float* dbias = call.deviceFloats("dbias", o.width);
  const Scratch scratch(call.device(), groupNormGradScratch(o, rows));
  groupNormGrad(call.stream(), o, rows, dy, dx, dweight, dbias, scratch.floats());
  return info.Env().Undefined();
}

/// rows, width, heads, k, kk, rate, ka
KeyPreparation keyInputs(DeviceCall& call, int& rows, int64_t& length) {
  rows = integer(call, "rows");
  KeyPreparation o{};
  o.width = integer(call, "width");
  o.heads = divisor(call, "heads", o.width);
  length = product(call.env(), {rows, o.width});
  o.k = call.deviceFloats("k", length);
  o.kk = call.deviceFloats("kk", o.width);
  o.rate = call.deviceFloats("rate", length);
  o.ka = call.deviceFloats("ka", o.width);
  return o;
}

/// keyPreparation(rows, width, heads, k, kk, rate, ka, key, alpha, beta)
Napi::Value keyPreparationCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  int rows;
  int64_t length;
  const KeyPreparation o = keyInputs(call, rows, length);
  float* key = call.deviceFloats("key", length);
  float* alpha = call.deviceFloats("alpha", length);
  float* beta = call.deviceFloats("beta", length);
  keyPreparation(call.stream(), o, rows, key, alpha, beta);
  return info.Env().Undefined();
}

/// keyPreparationGrad(rows, width, heads, k, kk, rate, ka, dkey, dalpha, dbeta, dk, dkk, drate, dka)
Napi::Value keyPreparationGradCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  int rows;
  int64_t length;
  const KeyPreparation o = keyInputs(call, rows, length);
  const float* dkey = call.deviceFloats("dkey", length);
  const float* dalpha = call.deviceFloats("dalpha", length);
  const float* dbeta = call.deviceFloats("dbeta", length);
  float* dk = call.deviceFloats("dk", length);
  float* dkk = call.deviceFloats("dkk", o.width);
  float* drate = call.deviceFloats("drate", length);
  float* dka = call.deviceFloats("dka", o.width);
  const Scratch scratch(call.device(), keyPreparationGradScratch(o, rows));
  keyPreparationGrad(call.stream(), o, rows, dkey, dalpha, dbeta, dk, dkk, drate, dka, scratch.floats());
  return info.Env().Undefined();
}

/// decay(rows, width, x, bias, w, sigmoid)
Napi::Value decayCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  const int rows = integer(call, "rows"), width = integer(call, "width");
  const int64_t length = product(info.Env(), {rows, width});
  const float* x = call.deviceFloats("x", length);
  const float* bias = call.deviceFloats("bias", width);
  float* w = call.deviceFloats("w", length);
  decay(call.stream(), rows, width, x, bias, w, call.deviceFloats("sigmoid", length));
  return info.Env().Undefined();
}

/// decayGrad(rows, width, w, sigmoid, dy, dx, dbias)
Napi::Value decayGradCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  const int rows = integer(call, "rows"), width = integer(call, "width");
  const int64_t length = product(info.Env(), {rows, width});
  const float* w = call.deviceFloats("w", length);
  const float* sigmoid = call.deviceFloats("sigmoid", length);
  const float* dy = call.deviceFloats("dy", length);
  float* dx = call.deviceFloats("dx", length);
  float* dbias = call.deviceFloats("dbias", width);
  const Scratch scratch(call.device(), biasGradScratch(rows, width));
  decayGrad(call.stream(), rows, width, w, sigmoid, dy, dx, dbias, scratch.floats());
  return info.Env().Undefined();
}

/// biasedSigmoid(rows, width, x, bias, y)
Napi::Value biasedSigmoidCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  const int rows = integer(call, "rows"), width = integer(call, "width");
  const int64_t length = product(info.Env(), {rows, width});
  const float* x = call.deviceFloats("x", length);
  const float* bias = call.deviceFloats("bias", width);
  biasedSigmoid(call.stream(), rows, width, x, bias, call.deviceFloats("y", length));
  return info.Env().Undefined();
}

/// biasedSigmoidGrad(rows, width, y, dy, dx, dbias)
Napi::Value biasedSigmoidGradCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  const int rows = integer(call, "rows"), width = integer(call, "width");
  const int64_t length = product(info.Env(), {rows, width});
  const float* y = call.deviceFloats("y", length);
  const float* dy = call.deviceFloats("dy", length);
  float* dx = call.deviceFloats("dx", length);
  float* dbias = call.deviceFloats("dbias", width);
  const Scratch scratch(call.device(), biasGradScratch(rows, width));
  biasedSigmoidGrad(call.stream(), rows, width, y, dy, dx, dbias, scratch.floats());
  return info.Env().Undefined();
}

/// interpolate(length, from, to, gate, y)
Napi::Value interpolateCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  const int64_t length = call.size("length");
  const float* start = call.deviceFloats("from", length);
  const float* end = call.deviceFloats("to", length);
  const float* gate = call.deviceFloats("gate", length);
  interpolate(call.stream(), length, start, end, gate, call.deviceFloats("y", length));
  return info.Env().Undefined();
}

/// interpolateGrad(length, from, to, gate, dy, dfrom, dto, dgate)
Napi::Value interpolateGradCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  const int64_t length = call.size("length");
  const float* start = call.deviceFloats("from", length);
  const float* end = call.deviceFloats("to", length);
  const float* gate = call.deviceFloats("gate", length);
  const float* dy = call.deviceFloats("dy", length);
  float* dstart = call.deviceFloats("dfrom", length);
  float* dend = call.deviceFloats("dto", length);
  float* dgate = call.deviceFloats("dgate", length);
  interpolateGrad(call.stream(), length, start, end, gate, dy, dstart, dend, dgate);
  return info.Env().Undefined();
}

/// rows, width, heads, x, r, k, v, gate, rk
BonusGate bonusInputs(DeviceCall& call, int& rows, int64_t& length) {
  rows = integer(call, "rows");
  BonusGate o{};
  o.width = integer(call, "width");
  o.heads = divisor(call, "heads", o.width);
  length = product(call.env(), {rows, o.width});
  o.x = call.deviceFloats("x", length);
  o.r = call.deviceFloats("r", length);
  o.k = call.deviceFloats("k", length);
  o.v = call.deviceFloats("v", length);
  o.gate = call.deviceFloats("gate", length);
  o.rk = call.deviceFloats("rk", o.width);
  return o;
}

/// bonusGate(rows, width, heads, x, r, k, v, gate, rk, y)
Napi::Value bonusGateCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  int rows;
  int64_t length;
  const BonusGate o = bonusInputs(call, rows, length);
  bonusGate(call.stream(), o, rows, call.deviceFloats("y", length));
  return info.Env().Undefined();
}

/// bonusGateGrad(rows, width, heads, x, r, k, v, gate, rk, dy, dx, dr, dk, dv, dgate, drk)
Napi::Value bonusGateGradCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  int rows;
  int64_t length;
  const BonusGate o = bonusInputs(call, rows, length);
  const float* dy = call.deviceFloats("dy", length);
  float* dx = call.deviceFloats("dx", length);
  float* dr = call.deviceFloats("dr", length);
  float* dk = call.deviceFloats("dk", length);
  float* dv = call.deviceFloats("dv", length);
  float* dgate = call.deviceFloats("dgate", length);
  float* drk = call.deviceFloats("drk", o.width);
  const Scratch scratch(call.device(), bonusGateGradScratch(o, rows));
  bonusGateGrad(call.stream(), o, rows, dy, dx, dr, dk, dv, dgate, drk, scratch.floats());
  return info.Env().Undefined();
}

/// squaredRelu(length, x, y)
Napi::Value squaredReluCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  const int64_t length = call.size("length");
  const float* x = call.deviceFloats("x", length);
  squaredRelu(call.stream(), length, x, call.deviceFloats("y", length));
  return info.Env().Undefined();
}

/// squaredReluGrad(length, x, dy, dx)
Napi::Value squaredReluGradCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  const int64_t length = call.size("length");
  const float* x = call.deviceFloats("x", length);
  const float* dy = call.deviceFloats("dy", length);
  squaredReluGrad(call.stream(), length, x, dy, call.deviceFloats("dx", length));
  return info.Env().Undefined();
}

/// crossEntropy(rows, vocabulary, logits, targets, loss, probabilities)
Napi::Value crossEntropyCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  const int rows = integer(call, "rows"), vocabulary = integer(call, "vocabulary");
  const int64_t length = product(info.Env(), {rows, vocabulary});
  const float* logits = call.deviceFloats("logits", length);
  const int32_t* targets = call.deviceInts("targets", rows);
  float* loss = call.deviceFloats("loss", 1);
  float* probabilities = call.deviceFloats("probabilities", length);
  const Scratch scratch(call.device(), crossEntropyScratch(rows));
  crossEntropy(call.stream(), rows, vocabulary, logits, targets, loss, probabilities, scratch.floats());
  return info.Env().Undefined();
}

/// crossEntropyGrad(rows, vocabulary, probabilities, targets, dloss, dlogits)
Napi::Value crossEntropyGradCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  const int rows = integer(call, "rows"), vocabulary = integer(call, "vocabulary");
  const int64_t length = product(info.Env(), {rows, vocabulary});
  const float* probabilities = call.deviceFloats("probabilities", length);
  const int32_t* targets = call.deviceInts("targets", rows);
  const float* dloss = call.deviceFloats("dloss", 1);
  float* dlogits = call.deviceFloats("dlogits", length);
  crossEntropyGrad(call.stream(), rows, vocabulary, probabilities, targets, dloss, dlogits);
  return info.Env().Undefined();
}

/// embedding(count, rows, width, weight, tokens, y)
Napi::Value embeddingCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  const int count = integer(call, "count"), rows = integer(call, "rows"), width = integer(call, "width");
  const float* weight = call.deviceFloats("weight", product(info.Env(), {rows, width}));
  const int32_t* tokens = call.deviceInts("tokens", count);
  float* y = call.deviceFloats("y", product(info.Env(), {count, width}));
  embedding(call.stream(), count, rows, width, weight, tokens, y);
  return info.Env().Undefined();
}

/// embeddingGrad(count, rows, width, tokens, dy, dweight)
Napi::Value embeddingGradCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  const int count = integer(call, "count"), rows = integer(call, "rows"), width = integer(call, "width");
  const int32_t* tokens = call.deviceInts("tokens", count);
  const float* dy = call.deviceFloats("dy", product(info.Env(), {count, width}));
  float* dweight = call.deviceFloats("dweight", product(info.Env(), {rows, width}));
  const Scratch scratch(call.device(), embeddingGradScratch(count));
  embeddingGrad(call.stream(), count, rows, width, tokens, dy, dweight, scratch.floats());
  return info.Env().Undefined();
}

/// Numbers of a step that its tensors share, from float64.
AdamWNumbers adamWNumbers(double beta1, double beta2, double epsilon, double step, double clip) {
  AdamWNumbers numbers{};
  numbers.beta1 = static_cast<float>(beta1);
  numbers.beta2 = static_cast<float>(beta2);
  numbers.oneMinusBeta1 = static_cast<float>(1 - beta1);
  numbers.oneMinusBeta2 = static_cast<float>(1 - beta2);
  numbers.correction = static_cast<float>(1 / (1 - std::pow(beta2, step)));
  numbers.epsilon = static_cast<float>(epsilon);
  numbers.clip = static_cast<float>(clip);
  return numbers;
}

void setRates(AdamWTensor& tensor, double learningRate, double weightDecay, double beta1, double step) {
  tensor.rate = static_cast<float>(learningRate / (1 - std::pow(beta1, step)));
  tensor.kept = static_cast<float>(1 - learningRate * weightDecay);
}

void launchAdamW(DeviceCall& call, std::vector<AdamWTensor>& table, const AdamWNumbers& numbers, const float* norm) {
  int64_t blocks = 0;
  for (AdamWTensor& tensor : table) {
    tensor.firstBlock = blocks;
    blocks += blocksOfTensor(tensor.length);
  }
  const Scratch scratch(call.device(), table);
  adamW(call.stream(), scratch.as<AdamWTensor>(), static_cast<int>(table.size()), blocks, numbers, norm);
}

/// adamW(length, learningRate, beta1, beta2, epsilon, weightDecay, step, clip, norm, parameter, gradient, moment1,
/// moment2, nextParameter, nextMoment1, nextMoment2)
Napi::Value adamWCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  AdamWTensor tensor{};
  tensor.length = call.size("length");
  const double learningRate = call.number("learningRate"), beta1 = call.number("beta1"), beta2 = call.number("beta2");
  const double epsilon = call.number("epsilon"), weightDecay = call.number("weightDecay"), step = call.number("step");
  const double clip = call.number("clip");
  setRates(tensor, learningRate, weightDecay, beta1, step);
  const float* norm = call.deviceFloats("norm", 1);
  tensor.parameter = call.deviceFloats("parameter", tensor.length);
  tensor.gradient = call.deviceFloats("gradient", tensor.length);
  tensor.moment1 = call.deviceFloats("moment1", tensor.length);
  tensor.moment2 = call.deviceFloats("moment2", tensor.length);
  tensor.nextParameter = call.deviceFloats("nextParameter", tensor.length);
  tensor.nextMoment1 = call.deviceFloats("nextMoment1", tensor.length);
  tensor.nextMoment2 = call.deviceFloats("nextMoment2", tensor.length);
  std::vector<AdamWTensor> table{tensor};
  launchAdamW(call, table, adamWNumbers(beta1, beta2, epsilon, step, clip), norm);
  return info.Env().Undefined();
}

/// adamWAll(beta1, beta2, epsilon, step, clip, learningRates, weightDecays, norm, parameters, gradients, moments1,
/// moments2, nextParameters, nextMoments1, nextMoments2): lists of one length; an output may be its own input
Napi::Value adamWAllCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  const double beta1 = call.number("beta1"), beta2 = call.number("beta2"), epsilon = call.number("epsilon");
  const double step = call.number("step"), clip = call.number("clip");
  const std::vector<double> learningRates = call.listOfNumbers("learningRates");
  const std::vector<double> weightDecays = call.listOfNumbers("weightDecays");
  const float* norm = call.deviceFloats("norm", 1);
  std::vector<int64_t> lengths;
  const auto listed = [&](const char* name) {
    std::vector<int64_t> here;
    const std::vector<float*> tensors = call.listOfAnyDeviceFloats(name, here);
    if (lengths.empty()) lengths = here;
    if (here != lengths || here.empty()) {
      throw Napi::RangeError::New(info.Env(), std::string(name) + " must have the parameters' sizes, one or more");
    }
    return tensors;
  };
  const std::vector<float*> parameters = listed("parameters"), gradients = listed("gradients");
  const std::vector<float*> moments1 = listed("moments1"), moments2 = listed("moments2");
  const std::vector<float*> nextParameters = listed("nextParameters"), nextMoments1 = listed("nextMoments1");
  const std::vector<float*> nextMoments2 = listed("nextMoments2");
  if (learningRates.size() != lengths.size() || weightDecays.size() != lengths.size()) {
    throw Napi::RangeError::New(info.Env(), "learningRates and weightDecays must have a number for each parameter");
  }
  std::vector<AdamWTensor> table;
  for (size_t i = 0; i < lengths.size(); ++i) {
    AdamWTensor tensor{parameters[i], gradients[i], moments1[i], moments2[i], nextParameters[i], nextMoments1[i],
                       nextMoments2[i], lengths[i], 0, 0, 0};
    setRates(tensor, learningRates[i], weightDecays[i], beta1, step);
    table.push_back(tensor);
  }
  launchAdamW(call, table, adamWNumbers(beta1, beta2, epsilon, step, clip), norm);
  return info.Env().Undefined();
}

/// globalNorm(tensors, norm): the square root of the sum of all squares
Napi::Value globalNormCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  std::vector<int64_t> lengths;
  const std::vector<float*> tensors = call.listOfAnyDeviceFloats("tensors", lengths);
  float* norm = call.deviceFloats("norm", 1);
  if (tensors.empty()) {
    call.device().clear(norm, sizeof(float));
    return info.Env().Undefined();
  }
  std::vector<NormTensor> table;
  int64_t blocks = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    table.push_back({tensors[i], lengths[i], blocks});
    blocks += blocksOfTensor(lengths[i]);
  }
  const Scratch entries(call.device(), table), sums(call.device(), 2 * blocks);
  globalNorm(call.stream(), entries.as<NormTensor>(), static_cast<int>(table.size()), blocks, norm, sums.as<double>());
  return info.Env().Undefined();
}

/// transposeMatrix(rows, columns, x, y)
Napi::Value transposeMatrixCall(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  const int rows = integer(call, "rows"), columns = integer(call, "columns");
  const int64_t length = product(info.Env(), {rows, columns});
  const float* x = call.deviceFloats("x", length);
  transposeMatrix(call.stream(), rows, columns, x, call.deviceFloats("y", length));
  return info.Env().Undefined();
}

}  // namespace

METASTATE_BINDING(ops) {
  define<tokenShiftCall>(exports, "tokenShift");
  define<tokenShiftGradCall>(exports, "tokenShiftGrad");
  define<groupNormCall>(exports, "groupNorm");
  define<groupNormGradCall>(exports, "groupNormGrad");
  define<keyPreparationCall>(exports, "keyPreparation");
  define<keyPreparationGradCall>(exports, "keyPreparationGrad");
  define<decayCall>(exports, "decay");
  define<decayGradCall>(exports, "decayGrad");
  define<biasedSigmoidCall>(exports, "biasedSigmoid");
  define<biasedSigmoidGradCall>(exports, "biasedSigmoidGrad");
  define<interpolateCall>(exports, "interpolate");
  define<interpolateGradCall>(exports, "interpolateGrad");
  define<bonusGateCall>(exports, "bonusGate");
  define<bonusGateGradCall>(exports, "bonusGateGrad");
  define<squaredReluCall>(exports, "squaredRelu");
  define<squaredReluGradCall>(exports, "squaredReluGrad");
  define<crossEntropyCall>(exports, "crossEntropy");
  define<crossEntropyGradCall>(exports, "crossEntropyGrad");
  define<embeddingCall>(exports, "embedding");
  define<embeddingGradCall>(exports, "embeddingGrad");
  define<adamWCall>(exports, "adamW");
  define<adamWAllCall>(exports, "adamWAll");
  define<globalNormCall>(exports, "globalNorm");
  define<transposeMatrixCall>(exports, "transposeMatrix");
}

}  // namespace metastate::cuda
