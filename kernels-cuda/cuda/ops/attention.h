// Launches of causal attention over a cache of keys and values.
#pragma once

#include <cstdint>

#include "runtime/api.h"

namespace metastate::cuda {

/// The largest head size that there are tiles for.
constexpr int mostHeadChannels = 256;

struct Attention {
  int batch, time, keys, heads, size;  ///< B, T, S >= T, H, N
  float scale;                         ///< 1 / sqrt(N)
  const float* q;                      ///< [B, T, H, N]
  const float *k, *v;                  ///< [B, S, H, N]
  const int32_t* starts;               ///< [B]: each row's first key
};

struct AttentionGrad {
  const float* y;        ///< like q
  const float* logSums;  ///< [B, T, H]
  const float* dy;
  float *dq, *dk, *dv;
};

void attention(cudaStream_t stream, const Attention& o, float* y, float* logSums);
void attentionGrad(cudaStream_t stream, const Attention& o, const AttentionGrad& g);

}  // namespace metastate::cuda
