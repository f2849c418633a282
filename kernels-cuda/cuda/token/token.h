// The halves of a block for one token of each text, from the residual stream to the residual stream: RWKV-7's time
// mixing, and the Meta-State layer or RWKV-7's channel mixing. A few launches each, README.md has them. All float32
// in device memory, at addresses that 16 divides; the outputs are none of the inputs.
#pragma once

#include <cstdint>

#include "runtime/api.h"
#include "token/one_token.h"

namespace metastate::cuda {

/// The most channels of a head: a block has several vectors of one in shared memory.
constexpr int64_t mostTokenHeadSize = 2048;

/// Floats of scratch that a launch wants.
int64_t timeMixingTokenScratch(const TimeMixingToken& o);
int64_t metaStateLayerTokenScratch(const MetaStateLayerToken& o);

void timeMixingToken(const TimeMixingToken& o, float* scratch, int multiprocessors, cudaStream_t stream);
void metaStateLayerToken(const MetaStateLayerToken& o, float* scratch, int multiprocessors, cudaStream_t stream);

}  // namespace metastate::cuda
