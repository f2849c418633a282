// What moves values without computing. Elements are words of 1 or 4 bytes: float32 and int32 move alike.
#pragma once

#include <cstdint>

#include "runtime/api.h"
#include "tfjs/axes.h"

namespace metastate::cuda::tfjs {

/// y[yOffset + Σ iₐ strides[1][a]] = x[xOffset + Σ iₐ strides[0][a]] for all i within the axes.
void launchCopy(int bytes, const Axes<2>& axes, const void* x, int64_t xOffset, void* y, int64_t yOffset,
                cudaStream_t stream);

/// The same where y is whole and adjacent, of `axes` with the strides of x (strides[0]) and of y (strides[1]), by tiles
/// that are turned in shared memory: where the last axis of y is not the one along which x is adjacent.
void launchTranspose(int bytes, const Axes<2>& axes, const void* x, void* y, cudaStream_t stream);

/// y over axes (strides[0] those of x): x where every index less `before` lies within `within`, else the value of the
/// lowest `bytes` of `value`.
struct PadShape {
  Axes<1> axes;
  int32_t before[maxAxes], within[maxAxes];
};
void launchPad(int bytes, const PadShape& shape, const void* x, uint32_t value, void* y, cudaStream_t stream);

/// y[i] = the lowest `bytes` of `value`.
void launchFill(int bytes, int64_t count, uint32_t value, void* y, cudaStream_t stream);

/// y[i] = start + i step, in float64 rounded to y's type.
void launchRange(int64_t count, double start, double step, float* y, cudaStream_t stream);
void launchRange(int64_t count, double start, double step, int32_t* y, cudaStream_t stream);

}  // namespace metastate::cuda::tfjs
