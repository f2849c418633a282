// The library's ops on the threads of the CPU: rows shared out in runs (ops/runs.h), each a call of a kernel of the
// instruction set in use (ops/op_kernels.h). Sums over rows are added up run by run.
#pragma once

#include <cmath>

#include "ops/adamw_step.h"
#include "ops/cpu.h"

namespace metastate {

inline void tokenShift(const Cpu& cpu, const TokenShift& o, int64_t rows, float* const* ys) {
  cpu.each(rows, o.width * (o.count + 1), [&](int64_t from, int64_t to) { cpu.path.ops.tokenShift(o, from, to, ys); });
}

inline void tokenShiftGrad(const Cpu& cpu, const TokenShift& o, int64_t rows, const float* const* dys, float* dx,
                           float* dprevious, float* const* dmixes) {
  const PartialSums sums = cpu.eachWithSums(
      rows, o.width * (o.count + 1), o.count * o.width, [&](int64_t from, int64_t to, float* ofMixes) {
        cpu.path.ops.tokenShiftGrad(o, from, to, dys, dx, dprevious, ofMixes);
      });
  for (int64_t i = 0; i < o.count; ++i) sums.total(cpu.path, i * o.width, o.width, dmixes[i]);
}

inline void groupNorm(const Cpu& cpu, const GroupNorm& o, int64_t rows, const float* bias, float* y) {
  cpu.each(rows, o.width, [&](int64_t from, int64_t to) { cpu.path.ops.groupNorm(o, from, to, bias, y); });
}

inline void groupNormGrad(const Cpu& cpu, const GroupNorm& o, int64_t rows, const float* dy, float* dx, float* dweight,
                          float* dbias) {
  const PartialSums sums =
      cpu.eachWithSums(rows, o.width, 2 * o.width, [&](int64_t from, int64_t to, float* ofBoth) {
        cpu.path.ops.groupNormGrad(o, from, to, dy, dx, ofBoth, ofBoth + o.width);
      });
  sums.total(cpu.path, 0, o.width, dweight);
  sums.total(cpu.path, o.width, o.width, dbias);
}

inline void keyPreparation(const Cpu& cpu, const KeyPreparation& o, int64_t rows, float* key, float* alpha,
                           float* beta) {
  cpu.each(rows, 3 * o.width, [&](int64_t from, int64_t to) {
    cpu.path.ops.keyPreparation(o, from, to, key, alpha, beta);
  });
}

inline void keyPreparationGrad(const Cpu& cpu, const KeyPreparation& o, int64_t rows, const float* dkey,
                               const float* dalpha, const float* dbeta, float* dk, float* dkk, float* drate,
                               float* dka) {
  const PartialSums sums =
      cpu.eachWithSums(rows, 3 * o.width, 2 * o.width, [&](int64_t from, int64_t to, float* ofBoth) {
        cpu.path.ops.keyPreparationGrad(o, from, to, dkey, dalpha, dbeta, dk, drate, ofBoth, ofBoth + o.width);
      });
  sums.total(cpu.path, 0, o.width, dkk);
  sums.total(cpu.path, o.width, o.width, dka);
}

inline void decay(const Cpu& cpu, int64_t rows, int64_t width, const float* x, const float* bias, float* w,
                  float* sigmoid) {
  cpu.each(rows, 2 * width, [&](int64_t from, int64_t to) {
    cpu.path.ops.decay(width, from, to, x, bias, w, sigmoid);
  });
}

inline void decayGrad(const Cpu& cpu, int64_t rows, int64_t width, const float* w, const float* sigmoid,
                      const float* dy, float* dx, float* dbias) {
  cpu.eachWithSums(rows, width, width, [&](int64_t from, int64_t to, float* ofBias) {
       cpu.path.ops.decayGrad(width, from, to, w, sigmoid, dy, dx, ofBias);
     }).total(cpu.path, 0, width, dbias);
}

inline void biasedSigmoid(const Cpu& cpu, int64_t rows, int64_t width, const float* x, const float* bias, float* y) {
  cpu.each(rows, width, [&](int64_t from, int64_t to) { cpu.path.ops.biasedSigmoid(width, from, to, x, bias, y); });
}

inline void biasedSigmoidGrad(const Cpu& cpu, int64_t rows, int64_t width, const float* y, const float* dy, float* dx,
                              float* dbias) {
  cpu.eachWithSums(rows, width, width, [&](int64_t from, int64_t to, float* ofBias) {
       cpu.path.ops.biasedSigmoidGrad(width, from, to, y, dy, dx, ofBias);
     }).total(cpu.path, 0, width, dbias);
}

inline void interpolate(const Cpu& cpu, int64_t length, const float* start, const float* end, const float* gate,
                        float* y) {
  cpu.each(length, 1, [&](int64_t from, int64_t to) { cpu.path.ops.interpolate(from, to, start, end, gate, y); });
}

inline void interpolateGrad(const Cpu& cpu, int64_t length, const float* start, const float* end, const float* gate,
                            const float* dy, float* dstart, float* dend, float* dgate) {
  cpu.each(length, 1, [&](int64_t from, int64_t to) {
    cpu.path.ops.interpolateGrad(from, to, start, end, gate, dy, dstart, dend, dgate);
  });
}

inline void bonusGate(const Cpu& cpu, const BonusGate& o, int64_t rows, float* y) {
  cpu.each(rows, 2 * o.width, [&](int64_t from, int64_t to) { cpu.path.ops.bonusGate(o, from, to, y); });
}

inline void bonusGateGrad(const Cpu& cpu, const BonusGate& o, int64_t rows, const float* dy, float* dx, float* dr,
                          float* dk, float* dv, float* dgate, float* drk) {
  cpu.eachWithSums(rows, 4 * o.width, o.width, [&](int64_t from, int64_t to, float* ofBonus) {
       cpu.path.ops.bonusGateGrad(o, from, to, dy, dx, dr, dk, dv, dgate, ofBonus);
     }).total(cpu.path, 0, o.width, drk);
}

inline void squaredRelu(const Cpu& cpu, int64_t length, const float* x, float* y) {
  cpu.each(length, 1, [&](int64_t from, int64_t to) { cpu.path.ops.squaredRelu(from, to, x, y); });
}

inline void squaredReluGrad(const Cpu& cpu, int64_t length, const float* x, const float* dy, float* dx) {
  cpu.each(length, 1, [&](int64_t from, int64_t to) { cpu.path.ops.squaredReluGrad(from, to, x, dy, dx); });
}

inline void crossEntropy(const Cpu& cpu, int64_t rows, int64_t vocabulary, const float* logits, const int32_t* targets,
                         float* loss, float* probabilities) {
  const AlignedBuffer losses(static_cast<size_t>(rows));
  cpu.each(rows, 4 * vocabulary, [&](int64_t from, int64_t to) {
    cpu.path.ops.crossEntropy(vocabulary, from, to, logits, targets, probabilities, losses.data());
  });
  double total = 0;
  for (int64_t row = 0; row < rows; ++row) total += static_cast<double>(losses.data()[row]);
  *loss = static_cast<float>(total / static_cast<double>(rows));
}

inline void crossEntropyGrad(const Cpu& cpu, int64_t rows, int64_t vocabulary, const float* probabilities,
                             const int32_t* targets, const float* dloss, float* dlogits) {
  const float factor = *dloss / static_cast<float>(rows);
  cpu.each(rows, vocabulary, [&](int64_t from, int64_t to) {
    cpu.path.ops.scale(from * vocabulary, to * vocabulary, probabilities, factor, dlogits);
    for (int64_t row = from; row < to; ++row) dlogits[row * vocabulary + targets[row]] -= factor;
  });
}

inline void embedding(const Cpu& cpu, int64_t count, int64_t /*rows*/, int64_t width, const float* weight,
                      const int32_t* tokens, float* y) {
  cpu.each(count, width, [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) std::copy_n(weight + tokens[i] * width, width, y + i * width);
  });
}

inline void embeddingGrad(const Cpu& cpu, int64_t count, int64_t rows, int64_t width, const int32_t* tokens,
                          const float* dy, float* dweight) {
  cpu.each(rows, width, [&](int64_t from, int64_t to) {
    std::fill(dweight + from * width, dweight + to * width, 0.0f);
  });
  // A token may come many times: one thread adds.
  for (int64_t i = 0; i < count; ++i) cpu.path.ops.addTo(width, dy + i * width, dweight + tokens[i] * width);
}

inline void adamW(const Cpu& cpu, const AdamWStep& step) {
  const double norm = static_cast<double>(*step.norm);
  AdamW o{};
  o.parameter = step.parameter;
  o.gradient = step.gradient;
  o.moment1 = step.moment1;
  o.moment2 = step.moment2;
  o.nextParameter = step.nextParameter;
  o.nextMoment1 = step.nextMoment1;
  o.nextMoment2 = step.nextMoment2;
  o.scale = static_cast<float>(std::min(1.0, step.clip / std::max(norm, 1e-30)));
  if (std::isnan(norm)) o.scale = NAN;  // std::min and std::max would lose it
  o.beta1 = static_cast<float>(step.beta1);
  o.beta2 = static_cast<float>(step.beta2);
  o.rate = static_cast<float>(step.learningRate / (1 - std::pow(step.beta1, step.step)));
  o.correction = static_cast<float>(1 / (1 - std::pow(step.beta2, step.step)));
  o.kept = static_cast<float>(1 - step.learningRate * step.weightDecay);
  o.epsilon = static_cast<float>(step.epsilon);
  cpu.each(step.length, 4, [&](int64_t from, int64_t to) { cpu.path.ops.adamW(o, from, to); });
}

inline void globalNorm(const Cpu& cpu, const std::vector<float*>& arrays, const std::vector<int64_t>& lengths,
                       float* norm) {
  double total = 0;
  for (size_t i = 0; i < arrays.size(); ++i) {
    const Runs runs(lengths[i], 1);
    std::vector<double> sums(static_cast<size_t>(runs.count), 0);
    runs.each(cpu.pool, [&](int64_t from, int64_t to, int64_t run) {
      sums[static_cast<size_t>(run)] = cpu.path.ops.sumOfSquares(from, to, arrays[i]);
    });
    for (const double sum : sums) total += sum;
  }
  *norm = static_cast<float>(std::sqrt(total));
}

inline void transposeMatrix(const Cpu& cpu, int64_t rows, int64_t columns, const float* x, float* y) {
  cpu.each(rows, columns, [&](int64_t from, int64_t to) {
    cpu.path.ops.transposeMatrix(x, rows, columns, from, to, y);
  });
}

/// c = activation(c + bias), in place.
inline void addBias(const Cpu& cpu, int64_t rows, int64_t columns, const float* bias, Activation activation,
                    float alpha, float* c) {
  cpu.each(rows, columns, [&](int64_t from, int64_t to) {
    cpu.path.ops.addBias(columns, from, to, bias, static_cast<int>(activation), alpha, c);
  });
}

}  // namespace metastate
