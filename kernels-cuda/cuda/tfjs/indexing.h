// Gathering and scattering by lists of indices that lie on the device.
#pragma once

#include <cstdint>

#include "runtime/api.h"
#include "tfjs/axes.h"

namespace metastate::cuda::tfjs {

/// y [batch, outer, count, width] = x [batch, outer, rows, width] at the rows indices [batch, count]. An index that is no
/// row gives zeros: the device cannot say so without being waited for.
struct GatherShape {
  int64_t batch, outer, rows, count, width;
};
void launchGather(int bytes, const GatherShape& shape, const void* x, const int32_t* indices, void* y,
                  cudaStream_t stream);

/// rows [count]: the number that each of indices [count, axes] has in a tensor with these axes, −1 where it has none.
void launchRowNumbers(int64_t count, const Axes<1>& axes, const int32_t* indices, int32_t* rows, cudaStream_t stream);

/// y [segments, width]: sums of the rows of x [count, width] by their ids, in their order; rows with other ids are left out.
void launchSegmentSum(int64_t count, int64_t width, int64_t segments, const float* x, const int32_t* ids, float* y,
                      cudaStream_t stream);
void launchSegmentSum(int64_t count, int64_t width, int64_t segments, const int32_t* x, const int32_t* ids, int32_t* y,
                      cudaStream_t stream);

/// y [count, depth]: `on` at indices, `off` elsewhere, words of 1 or 4 bytes.
void launchOneHot(int bytes, int64_t count, int64_t depth, uint32_t on, uint32_t off, const int32_t* indices, void* y,
                  cudaStream_t stream);

}  // namespace metastate::cuda::tfjs
