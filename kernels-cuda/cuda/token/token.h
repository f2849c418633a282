// The halves of a block for one token of each text, from the residual stream to the residual stream: RWKV-7's time
// mixing, and the Meta-State layer or RWKV-7's channel mixing. A few launches each, README.md has them. All float32
// in device memory, at addresses that 16 divides; the outputs are none of the inputs.
#pragma once

#include <cstdint>

#include "runtime/api.h"

namespace metastate::cuda {

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

/// The most channels of a head: a block has several vectors of one in shared memory.
constexpr int64_t mostTokenHeadSize = 2048;

/// Floats of scratch that a launch wants.
int64_t timeMixingTokenScratch(const TimeMixingToken& o);
int64_t metaStateLayerTokenScratch(const MetaStateLayerToken& o);

void timeMixingToken(const TimeMixingToken& o, float* scratch, int multiprocessors, cudaStream_t stream);
void metaStateLayerToken(const MetaStateLayerToken& o, float* scratch, int multiprocessors, cudaStream_t stream);

}  // namespace metastate::cuda
