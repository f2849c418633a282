// The halves of a block for one token of each text, from the residual stream to the residual stream: RWKV-7's time
// mixing, and the Meta-State layer or RWKV-7's channel mixing. A few launches each, README.md has them. All float32
// in device memory, at addresses that 16 divides; the outputs are none of the inputs.
#pragma once

#include <cstdint>

#include "runtime/api.h"
#include "token/time_mixing_token.h"

namespace metastate::cuda {

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
