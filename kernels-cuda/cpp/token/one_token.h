// What the halves of a block take and give for one token of each text, on the CPU and on the GPU.
#pragma once

#include <cstdint>

namespace metastate {

/// y = inner(x w1) w2, w1 [C, rank], w2 [rank, A].
struct LowRankPart {
  const float *w1, *w2;
  int64_t rank;
};

/// B texts, C width, A = heads * headSize. The first layer has no firstValue, v0 and no part `residual`: null.
struct TimeMixingToken {
  int64_t batch, width, heads, headSize;
  float aScale, normEpsilon, readEpsilon;

  const float *stream, *normWeight, *normBias;  ///< [B, C], [C], [C]
  const float *shift, *wkv;                     ///< what the token before left: [B, C], [B, H, N, N]
  const float* mixes[6];                        ///< of r, w, k, v, a, g: [C]
  const float *receptance, *key, *value;        ///< [A, C]
  const float* output;                          ///< [C, A]
  LowRankPart decay, rate, gate, residual;
  const float *w0, *a0, *v0, *kk, *ka, *rk;     ///< [A]
  const float *readWeight, *readBias;           ///< of the normalisation of the read, [A]
  const float* firstValue;                      ///< the first layer's v, [B, A]

  float *streamAfter, *shiftAfter, *wkvAfter;
  float *r, *w, *k, *v, *alpha, *beta;  ///< [B, A]
};

/// What the pass over both states takes of time mixing, [B, A]; the gains, [A]; S and M before the token.
struct TokenPass {
  const float *r, *w, *k, *v, *a, *b, *readGain, *memoryGain, *wkv, *meta;
};

/// B texts, C width, n parameter tokens. With the pass over both states C is heads * headSize; without it (channel
/// mixing) `pass` is left as it is.
struct MetaStateLayerToken {
  int64_t batch, width, heads, headSize, parameterTokens;
  float normEpsilon, readEpsilon;

  const float *stream, *normWeight, *normBias;  ///< [B, C], [C], [C]
  const float* shift;                           ///< what the token before left: [B, C]
  const float *mix, *key, *value;               ///< [C], [n, C], [C, n]

  bool hasPass;
  TokenPass pass;

  float *streamAfter, *shiftAfter, *metaAfter;
};

}  // namespace metastate
