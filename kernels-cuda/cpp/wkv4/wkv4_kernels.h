// RWKV-4's weighted average, channel by channel, over time:
//
//   y_t = (A + e^(u + k_t) v_t) / (B + e^(u + k_t))        A <- e^w A + e^(k_t) v_t        B <- e^w B + e^(k_t)
//
// with A = e^p a and B = e^p b, p the largest exponent so far. k, v, y are [B, T, C]; a, b, p [B, C]; w, u [C].
#pragma once

#include <stdint.h>

namespace metastate {

struct Wkv4 {
  int64_t batch, time, width;
  const float *w, *u, *k, *v, *numerator, *denominator, *exponent;  ///< the last three are a, b, p
};

/// The adjoints of y and of the last state, and the gradients of the inputs.
struct Wkv4Grad {
  const float *dy, *dNumerator, *dDenominator, *dExponent;
  float *dw, *du, *dk, *dv, *dnumerator, *ddenominator, *dexponent;
};

struct Wkv4Kernels {
  /// Channels that go together: shares of the work are multiples.
  int64_t lanes;
  /// All of channels [from, to): y and the last state.
  void (*forward)(const Wkv4&, int64_t from, int64_t to, float* y, float* a, float* b, float* p);
  /// Floats of scratch that `backward` needs.
  int64_t (*scratch)(int64_t time);
  void (*backward)(const Wkv4&, const Wkv4Grad&, int64_t from, int64_t to, float* scratch);
};

}  // namespace metastate
