// Causal softmax attention over a cache, forward and backward, shared out over the threads of a pool.
#pragma once

#include "simd/paths.h"
#include "threads/thread_pool.h"

namespace metastate {

/// q, y [B, T, H, N]; k, v [B, S, H, N]; the query t stands at key S - T + t and sees the keys from its row's start on,
/// starts [B] from 0 to S - T. logSums [B, T, H].
struct Attention {
  int64_t batch, time, keys, heads, size;
  const float *q, *k, *v;
  const int32_t* starts;
};

/// Throws std::bad_alloc.
void attention(ThreadPool& pool, const SimdPath& path, const Attention& o, float* y, float* logSums);

/// Throws std::bad_alloc.
void attentionGrad(ThreadPool& pool, const SimdPath& path, const Attention& o, const float* y, const float* logSums,
                   const float* dy, float* dq, float* dk, float* dv);

}  // namespace metastate
