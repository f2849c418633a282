// The ops of the library on the GPU for JavaScript: the native addon's calls (cpp/node/library_ops.h), and AdamW for all
// parameters at once. An op without scratch is its launch function; the others are here.

#include <cmath>

#include "node/baseline_ops.h"
#include "node/bindings.h"
#include "node/library_ops.h"
#include "node/op_call.h"
#include "ops/adamw.h"
#include "runtime/scratch.h"

namespace metastate::cuda {

template <typename... Rest>
void tokenShiftGrad(Queue queue, const TokenShift& o, int rows, Rest... rest) {
  const Scratch scratch(queue.device(), tokenShiftGradScratch(o, rows));
  tokenShiftGrad(queue.device().stream(), o, rows, rest..., scratch.floats());
}

template <typename... Rest>
void groupNormGrad(Queue queue, const GroupNorm& o, int rows, Rest... rest) {
  const Scratch scratch(queue.device(), groupNormGradScratch(o, rows));
  groupNormGrad(queue.device().stream(), o, rows, rest..., scratch.floats());
}

template <typename... Rest>
void keyPreparationGrad(Queue queue, const KeyPreparation& o, int rows, Rest... rest) {
  const Scratch scratch(queue.device(), keyPreparationGradScratch(o, rows));
  keyPreparationGrad(queue.device().stream(), o, rows, rest..., scratch.floats());
}

template <typename... Rest>
void bonusGateGrad(Queue queue, const BonusGate& o, int rows, Rest... rest) {
  const Scratch scratch(queue.device(), bonusGateGradScratch(o, rows));
  bonusGateGrad(queue.device().stream(), o, rows, rest..., scratch.floats());
}

template <typename... Rest>
void decayGrad(Queue queue, int rows, int width, Rest... rest) {
  const Scratch scratch(queue.device(), biasGradScratch(rows, width));
  decayGrad(queue.device().stream(), rows, width, rest..., scratch.floats());
}

template <typename... Rest>
void biasedSigmoidGrad(Queue queue, int rows, int width, Rest... rest) {
  const Scratch scratch(queue.device(), biasGradScratch(rows, width));
  biasedSigmoidGrad(queue.device().stream(), rows, width, rest..., scratch.floats());
}

template <typename... Rest>
void crossEntropy(Queue queue, int rows, Rest... rest) {
  const Scratch scratch(queue.device(), crossEntropyScratch(rows));
  crossEntropy(queue.device().stream(), rows, rest..., scratch.floats());
}

template <typename... Rest>
void embeddingGrad(Queue queue, int count, Rest... rest) {
  const Scratch scratch(queue.device(), embeddingGradScratch(count));
  embeddingGrad(queue.device().stream(), count, rest..., scratch.floats());
}

template <typename... Rest>
void rmsNormGrad(Queue queue, int rows, int width, Rest... rest) {
  const Scratch scratch(queue.device(), rmsNormGradScratch(rows, width));
  rmsNormGrad(queue.device().stream(), rows, width, rest..., scratch.floats());
}

inline void wkv4Grad(Queue queue, const Wkv4& o, const Wkv4Grad& g) {
  const Scratch scratch(queue.device(), wkv4GradScratch(o));
  wkv4Grad(queue.device().stream(), o, g, scratch.floats());
}

namespace {

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

void launchAdamW(Queue queue, std::vector<AdamWTensor>& table, const AdamWNumbers& numbers, const float* norm) {
  int64_t blocks = 0;
  for (AdamWTensor& tensor : table) {
    tensor.firstBlock = blocks;
    blocks += blocksOfTensor(tensor.length);
  }
  const Scratch scratch(queue.device(), table);
  adamW(queue, scratch.as<AdamWTensor>(), static_cast<int>(table.size()), blocks, numbers, norm);
}

/// adamWAll(beta1, beta2, epsilon, step, clip, learningRates, weightDecays, norm, parameters, gradients, moments1,
/// moments2, nextParameters, nextMoments1, nextMoments2): lists of one length; an output may be its own input
void adamWAll(OpCall& call) {
  const double beta1 = call.number("beta1"), beta2 = call.number("beta2"), epsilon = call.number("epsilon");
  const double step = call.number("step"), clip = call.number("clip");
  const std::vector<double> learningRates = call.listOfNumbers("learningRates");
  const std::vector<double> weightDecays = call.listOfNumbers("weightDecays");
  const float* norm = call.floats("norm", 1);
  std::vector<int64_t> lengths;
  const auto listed = [&](const char* name) {
    std::vector<int64_t> here;
    const std::vector<float*> tensors = call.listOfAnyFloats(name, here);
    if (lengths.empty()) lengths = here;
    if (here != lengths || here.empty()) {
      throw Napi::RangeError::New(call.env(), std::string(name) + " must have the parameters' sizes, one or more");
    }
    return tensors;
  };
  const std::vector<float*> parameters = listed("parameters"), gradients = listed("gradients");
  const std::vector<float*> moments1 = listed("moments1"), moments2 = listed("moments2");
  const std::vector<float*> nextParameters = listed("nextParameters"), nextMoments1 = listed("nextMoments1");
  const std::vector<float*> nextMoments2 = listed("nextMoments2");
  if (learningRates.size() != lengths.size() || weightDecays.size() != lengths.size()) {
    throw Napi::RangeError::New(call.env(), "learningRates and weightDecays must have a number for each parameter");
  }
  std::vector<AdamWTensor> table;
  for (size_t i = 0; i < lengths.size(); ++i) {
    AdamWTensor tensor{parameters[i], gradients[i], moments1[i], moments2[i], nextParameters[i], nextMoments1[i],
                       nextMoments2[i], lengths[i], 0, 0, 0};
    setRates(tensor, learningRates[i], weightDecays[i], beta1, step);
    table.push_back(tensor);
  }
  launchAdamW(call.engine(), table, adamWNumbers(beta1, beta2, epsilon, step, clip), norm);
}

}  // namespace

inline void adamW(Queue queue, const AdamWStep& o) {
  AdamWTensor tensor{o.parameter, o.gradient, o.moment1, o.moment2, o.nextParameter, o.nextMoment1,
                     o.nextMoment2, o.length, 0, 0, 0};
  setRates(tensor, o.learningRate, o.weightDecay, o.beta1, o.step);
  std::vector<AdamWTensor> table{tensor};
  launchAdamW(queue, table, adamWNumbers(o.beta1, o.beta2, o.epsilon, o.step, o.clip), o.norm);
}

inline void globalNorm(Queue queue, const std::vector<float*>& tensors, const std::vector<int64_t>& lengths,
                       float* norm) {
  if (tensors.empty()) return queue.device().clear(norm, sizeof(float));
  std::vector<NormTensor> table;
  int64_t blocks = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    table.push_back({tensors[i], lengths[i], blocks});
    blocks += blocksOfTensor(lengths[i]);
  }
  const Scratch entries(queue.device(), table), sums(queue.device(), 2 * blocks);
  globalNorm(queue, entries.as<NormTensor>(), static_cast<int>(table.size()), blocks, norm, sums.as<double>());
}

inline Attention scaled(Attention o) {
  o.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(o.size)));
  return o;
}

inline void attention(Queue queue, const Attention& o, float* y, float* logSums) {
  attention(queue.device().stream(), scaled(o), y, logSums);
}

inline void attentionGrad(Queue queue, const Attention& o, const float* y, const float* logSums, const float* dy,
                          float* dq, float* dk, float* dv) {
  attentionGrad(queue, scaled(o), {y, logSums, dy, dq, dk, dv});
}

}  // namespace metastate::cuda

METASTATE_BINDING(ops) {
  using metastate::cuda::OpCall;
  metastate::calls::defineLibraryOps<OpCall>(exports);
  metastate::calls::defineBaselineOps<OpCall>(exports);
  metastate::define<metastate::calls::called<OpCall, metastate::cuda::adamWAll>>(exports, "adamWAll");
}
