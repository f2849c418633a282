// The Meta-State pass forward and backward over all heads, shared out over the threads of a pool.
#pragma once

#include "meta/meta_kernels.h"
#include "simd/paths.h"
#include "threads/thread_pool.h"

namespace metastate {

/// u and o of MetaOutputs may be null when the interval is 0. Sizes are the caller's to check. Throws std::bad_alloc.
void metaPassForward(ThreadPool& pool, const SimdPath& path, const MetaShape& shape, const MetaInputs& in,
                     const MetaOutputs& out);

/// What the backward pass takes beside the inputs, of which it uses no state: the forward pass's outputs and the adjoints.
struct MetaSaved {
  const float *u, *o, *wkvCheckpoints, *metaCheckpoints, *dAdded, *dMetaAfter;
};

/// In the shapes of what they are the gradients of.
struct MetaGradients {
  float *dr, *dw, *dk, *dv, *da, *db, *dx, *dq, *dReadGain, *dMemoryGain, *dWkv, *dMeta;
};

/// The interval is at least 1. Throws std::bad_alloc.
void metaPassBackward(ThreadPool& pool, const SimdPath& path, const MetaShape& shape, const MetaInputs& in,
                      const MetaSaved& saved, const MetaGradients& out);

}  // namespace metastate
