// Sums, products, extrema and their places over the middle axis of x [outer, length, inner].
#pragma once

#include <cstdint>

#include "runtime/api.h"
#include "tfjs/axes.h"

namespace metastate::cuda::tfjs {

struct ReductionShape {
  int64_t outer, length, inner;
};

/// In the order of `reductions` in src/cuda/kernels/reductions.ts. argMax and argMin give int32, of equal ones the first.
enum class Reduction : int { sum, prod, max, min, any, all, argMax, argMin, count };

/// The types that there are: float32 and int32 for all but any and all, which take bool. The result's is the operand's.
bool reduces(Reduction reduction, ElementType type);

/// Bytes of scratch that `launchReduce` takes: partial results, where there are too few sums to fill the GPU.
size_t reduceScratch(const ReductionShape& shape);

/// y [outer, inner]; float32 results are multiplied by `scale`. No size is 0. The order of terms depends on the shape alone.
void launchReduce(Reduction reduction, ElementType type, const ReductionShape& shape, const void* x, void* y, float scale,
                  void* scratch, cudaStream_t stream);

}  // namespace metastate::cuda::tfjs
