// Launches of RWKV-4's average.
#pragma once

#include <cstdint>

#include "runtime/api.h"

namespace metastate::cuda {

struct Wkv4 {
  int batch, time, width;
  const float *w, *u;                                 ///< [C]
  const float *k, *v;                                 ///< [B, T, C]
  const float *numerator, *denominator, *exponent;    ///< [B, C]
};

struct Wkv4Grad {
  const float *dy, *dNumerator, *dDenominator, *dExponent;
  float *dw, *du, *dk, *dv, *dnumerator, *ddenominator, *dexponent;
};

void wkv4(cudaStream_t stream, const Wkv4& o, float* y, float* numerator, float* denominator, float* exponent);
/// In floats.
int64_t wkv4GradScratch(const Wkv4& o);
void wkv4Grad(cudaStream_t stream, const Wkv4& o, const Wkv4Grad& g, float* scratch);

}  // namespace metastate::cuda
