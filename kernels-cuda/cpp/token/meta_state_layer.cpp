#include "token/meta_state_layer.h"

#include <algorithm>

#include "meta/meta_pass.h"
#include "ops/library_ops.h"
#include "token/token_products.h"

namespace metastate {

void metaStateLayerToken(const Cpu& cpu, ProductPrecision precision, const MetaStateLayerToken& o) {
  const int64_t rows = o.batch, width = o.width, channels = rows * width;
  TokenScratch scratch(rows * (3 * width + o.parameterTokens), 4);

  groupNorm(cpu, {width, 1, o.normEpsilon, o.stream, o.normWeight}, rows, o.normBias, o.shiftAfter);
  float* const z = scratch.take(channels);
  const TokenShift shift{1, width, 1, o.shiftAfter, o.shift, {o.mix}};
  tokenShift(cpu, shift, rows, &z);
  if (o.hasPass) {
    float* const added = scratch.take(channels);
    const TokenPass& p = o.pass;
    const MetaInputs pass{p.r, p.w, p.k, p.v, p.a, p.b, o.shiftAfter, z, p.readGain, p.memoryGain, p.wkv, p.meta};
    const MetaShape shape{{rows, 1, o.heads, o.headSize, 0}, o.readEpsilon};
    metaPassForward(cpu.pool, cpu.path, shape, pass, {added, o.metaAfter, nullptr, nullptr, nullptr, nullptr});
    cpu.path.ops.addTo(channels, added, z);
  }

  float* const hidden = scratch.take(rows * o.parameterTokens);
  tokenProducts(cpu, precision, rows, {{z, width, o.key, true, hidden, o.parameterTokens}});
  squaredRelu(cpu, rows * o.parameterTokens, hidden, hidden);
  float* const added = scratch.take(channels);
  tokenProducts(cpu, precision, rows, {{hidden, o.parameterTokens, o.value, true, added, width}});
  std::copy_n(o.stream, channels, o.streamAfter);
  cpu.path.ops.addTo(channels, added, o.streamAfter);
}

}  // namespace metastate
