// Wkv7 forward and backward over all heads, shared out over the threads of a pool.
#pragma once

#include "simd/paths.h"
#include "threads/thread_pool.h"
#include "wkv7/wkv7_kernels.h"

namespace metastate {

/// Writes every float of the outputs. Sizes are the caller's to check. Throws std::bad_alloc when there is no memory
/// for scratch.
void wkv7Forward(ThreadPool& pool, const SimdPath& path, const Wkv7Shape& shape, const Wkv7Inputs& in,
                 const Wkv7Outputs& out);

/// The same, of the gradients; shape.interval is at least 1.
void wkv7Backward(ThreadPool& pool, const SimdPath& path, const Wkv7Shape& shape, const Wkv7GradInputs& in,
                  const Wkv7RowGradients& rows, const Wkv7ColumnGradients& columns);

}  // namespace metastate
