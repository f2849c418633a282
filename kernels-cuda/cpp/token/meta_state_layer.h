// The Meta-State layer of one token of each text, or RWKV-7's channel mixing, from the residual stream to the residual stream:
// as time_mixing.h.
#pragma once

#include "matmul/matmul.h"
#include "meta/meta_kernels.h"
#include "ops/cpu.h"

namespace metastate {

/// B texts, C width, n parameter tokens. With the pass over both states C is heads * headSize; without it (channel mixing)
/// `pass` is left as it is.
struct MetaStateLayerToken {
  int64_t batch, width, heads, headSize, parameterTokens;
  float normEpsilon, readEpsilon;

  const float *stream, *normWeight, *normBias;  ///< [B, C], [C], [C]
  const float* shift;                           ///< what the token before left: [B, C]
  const float *mix, *key, *value;               ///< [C], [n, C], [C, n]

  bool hasPass;
  MetaInputs pass;  ///< but for x and q, which are made here

  float *streamAfter, *shiftAfter, *metaAfter;
};

void metaStateLayerToken(const Cpu& cpu, ProductPrecision precision, const MetaStateLayerToken& o);

}  // namespace metastate
