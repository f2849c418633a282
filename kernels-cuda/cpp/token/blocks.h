// All blocks of a model for one token of each text, half by half, on the CPU and on the GPU.
#pragma once

#include <cstdint>
#include <vector>

#include "token/one_token.h"

namespace metastate {

/// The streams, the first layer's value, and what time mixing gives to the other half are left open: they lie in scratch.
struct BlockToken {
  TimeMixingToken mixing;
  MetaStateLayerToken layer;
};

/// There is one block at least.
struct BlocksToken {
  const float* stream;  ///< [B, C]
  float* streamAfter;
  std::vector<BlockToken> blocks;
};

/// Where what goes from one half to another lies, each array from a cache line on.
class BetweenHalves {
 public:
  explicit BetweenHalves(const BlocksToken& o)
      : ofStream_(wholeLines(sizes(o).batch * sizes(o).width)),
        ofInner_(wholeLines(sizes(o).batch * sizes(o).heads * sizes(o).headSize)) {}

  /// Of scratch.
  int64_t floats() const { return 2 * ofStream_ + 7 * ofInner_; }

  /// Calls mixing(o) and layer(o) of one block after the other.
  template <typename Mixing, typename Layer>
  void run(const BlocksToken& o, float* scratch, Mixing mixing, Layer layer) const {
    float *const middle = scratch, *const after = middle + ofStream_, *const inner = after + ofStream_;
    float* const firstValue = inner + 6 * ofInner_;
    const float* stream = o.stream;
    for (size_t i = 0; i < o.blocks.size(); ++i) {
      TimeMixingToken first = o.blocks[i].mixing;
      MetaStateLayerToken second = o.blocks[i].layer;
      first.stream = stream;
      first.streamAfter = middle;
      if (i > 0) first.firstValue = firstValue;
      float** const made[] = {&first.r, &first.w, &first.k, &first.v, &first.alpha, &first.beta};
      for (int64_t which = 0; which < 6; ++which) *made[which] = inner + which * ofInner_;
      if (i == 0) first.v = firstValue;
      mixing(first);
      TokenPass& pass = second.pass;
      pass.r = first.r;
      pass.w = first.w;
      pass.k = first.k;
      pass.v = first.v;
      pass.a = first.alpha;
      pass.b = first.beta;
      second.stream = middle;
      second.streamAfter = i + 1 < o.blocks.size() ? after : o.streamAfter;
      layer(second);
      stream = second.streamAfter;
    }
  }

 private:
  static const TimeMixingToken& sizes(const BlocksToken& o) { return o.blocks.front().mixing; }
  static int64_t wholeLines(int64_t floats) { return (floats + 15) / 16 * 16; }

  int64_t ofStream_, ofInner_;
};

}  // namespace metastate
