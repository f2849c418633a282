// RWKV-7's time mixing of one token of each text, from the residual stream to the residual stream: the ops of
// ops/library_ops.h and the recurrence one after the other, with the same bits, but without JavaScript between them, in which
// the memory that holds the weights would wait.
#pragma once

#include "matmul/matmul.h"
#include "ops/cpu.h"
#include "token/one_token.h"

namespace metastate {

void timeMixingToken(const Cpu& cpu, ProductPrecision precision, const TimeMixingToken& o);

}  // namespace metastate
