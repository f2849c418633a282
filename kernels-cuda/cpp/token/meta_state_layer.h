// The Meta-State layer of one token of each text, or RWKV-7's channel mixing, from the residual stream to the residual stream:
// as time_mixing.h.
#pragma once

#include "matmul/matmul.h"
#include "ops/cpu.h"
#include "token/one_token.h"

namespace metastate {

void metaStateLayerToken(const Cpu& cpu, ProductPrecision precision, const MetaStateLayerToken& o);

}  // namespace metastate
