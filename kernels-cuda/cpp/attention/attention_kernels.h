// What attention asks of each instruction set beside matrix products: the softmax of a block of scores, and its gradient.
#pragma once

#include <stdint.h>

namespace metastate {

/// A block of scores: rows of `width` floats, of which row i sees the first `seen + i`.
struct ScoreBlock {
  int64_t rows, width, seen;
  float scale;  ///< 1 / sqrt(N)
};

struct AttentionKernels {
  /// scores become e^(scale score - largest), 0 where a row does not see; totals and logarithms of the sums a row.
  void (*weights)(const ScoreBlock&, float* scores, float* totals, float* logSums);
  /// The weights again from the logarithms of the sums: scores become e^(scale score - logSum).
  void (*weightsAgain)(const ScoreBlock&, const float* logSums, float* scores);
  /// dweights become the scores' adjoint, scale weight (dweight - inner), inner a row.
  void (*scoresGrad)(const ScoreBlock&, const float* weights, const float* inner, float* dweights);
  /// x . y of `size` floats.
  float (*dot)(int64_t size, const float* x, const float* y);
};

}  // namespace metastate
