// What the ops of the library ask of each instruction set: each function computes a run of rows. Float32 throughout;
// sums over rows come out as partial sums, one for each run, for the caller to add.
#pragma once

#include <cstdint>

namespace metastate {

constexpr int mostMixes = 6;

struct TokenShift {
  int64_t time, width, count;  ///< T, C and the number of mixes
  const float* x;              ///< [B, T, C]
  const float* previous;       ///< [B, C]
  const float* mixes[mostMixes];
};

struct GroupNorm {
  int64_t width, groups;
  float epsilon;
  const float *x, *weight;
};

struct KeyPreparation {
  int64_t width, heads;
  const float *k, *kk, *rate, *ka;
};

struct BonusGate {
  int64_t width, heads;
  const float *x, *r, *k, *v, *gate, *rk;
};

struct AdamW {
  const float *parameter, *gradient, *moment1, *moment2;
  float *nextParameter, *nextMoment1, *nextMoment2;
  float scale, beta1, beta2, rate, correction, kept, epsilon;
};

struct OpKernels {
  void (*tokenShift)(const TokenShift&, int64_t from, int64_t to, float* const* y);
  void (*tokenShiftGrad)(const TokenShift&, int64_t from, int64_t to, const float* const* dy, float* dx,
                         float* dprevious, float* dmixes);
  void (*groupNorm)(const GroupNorm&, int64_t from, int64_t to, const float* bias, float* y);
  void (*groupNormGrad)(const GroupNorm&, int64_t from, int64_t to, const float* dy, float* dx, float* dweight,
                        float* dbias);
  void (*keyPreparation)(const KeyPreparation&, int64_t from, int64_t to, float* key, float* alpha, float* beta);
  void (*keyPreparationGrad)(const KeyPreparation&, int64_t from, int64_t to, const float* dkey, const float* dalpha,
                             const float* dbeta, float* dk, float* drate, float* dkk, float* dka);
  void (*decay)(int64_t width, int64_t from, int64_t to, const float* x, const float* bias, float* w, float* sigmoid);
  void (*decayGrad)(int64_t width, int64_t from, int64_t to, const float* w, const float* sigmoid, const float* dy,
                    float* dx, float* dbias);
  void (*biasedSigmoid)(int64_t width, int64_t from, int64_t to, const float* x, const float* bias, float* y);
  void (*biasedSigmoidGrad)(int64_t width, int64_t from, int64_t to, const float* y, const float* dy, float* dx,
                            float* dbias);
  void (*interpolate)(int64_t from, int64_t to, const float* start, const float* end, const float* gate, float* y);
  void (*interpolateGrad)(int64_t from, int64_t to, const float* start, const float* end, const float* gate,
                          const float* dy, float* dstart, float* dend, float* dgate);
  void (*bonusGate)(const BonusGate&, int64_t from, int64_t to, float* y);
  void (*bonusGateGrad)(const BonusGate&, int64_t from, int64_t to, const float* dy, float* dx, float* dr, float* dk,
                        float* dv, float* dgate, float* drk);
  void (*squaredRelu)(int64_t from, int64_t to, const float* x, float* y);
  void (*squaredReluGrad)(int64_t from, int64_t to, const float* x, const float* dy, float* dx);
  /// Probabilities of each row, and its loss.
  void (*crossEntropy)(int64_t vocabulary, int64_t from, int64_t to, const float* logits, const int32_t* targets,
                       float* probabilities, float* losses);
  void (*scale)(int64_t from, int64_t to, const float* x, float factor, float* y);
  void (*addTo)(int64_t length, const float* x, float* sum);
  double (*sumOfSquares)(int64_t from, int64_t to, const float* x);
  void (*adamW)(const AdamW&, int64_t from, int64_t to);
  /// c = activation(c + bias[j]); the numbers of `Activation`.
  void (*addBias)(int64_t columns, int64_t from, int64_t to, const float* bias, int activation, float alpha, float* c);
  void (*transposeMatrix)(const float* x, int64_t rows, int64_t columns, int64_t from, int64_t to, float* y);

  void (*rmsNorm)(int64_t width, float epsilon, int64_t from, int64_t to, const float* x, const float* weight, float* y);
  void (*rmsNormGrad)(int64_t width, float epsilon, int64_t from, int64_t to, const float* x, const float* weight,
                      const float* dy, float* dx, float* dweight);
  /// Rows are positions.
  void (*rotary)(int64_t heads, int64_t size, float direction, int64_t from, int64_t to, const float* x,
                 const float* cosines, const float* sines, float* y);
  void (*swiGlu)(int64_t from, int64_t to, const float* gate, const float* x, float* y);
  void (*swiGluGrad)(int64_t from, int64_t to, const float* gate, const float* x, const float* dy, float* dgate,
                     float* dx);
  void (*l2Gelu)(int64_t width, float scale, int64_t from, int64_t to, const float* x, float* y);
  void (*l2GeluGrad)(int64_t width, float scale, int64_t from, int64_t to, const float* x, const float* dy, float* dx);
  void (*geluL2)(int64_t width, float scale, int64_t from, int64_t to, const float* x, float* y);
  void (*geluL2Grad)(int64_t width, float scale, int64_t from, int64_t to, const float* x, const float* dy, float* dx);
  void (*groupWeights)(int64_t groups, int64_t topK, int64_t from, int64_t to, const float* x, float* y);
};

}  // namespace metastate
