// Copies from global to shared memory that go on while the threads compute (Ampere and newer). The emulator makes them as late
// as a GPU may, and spoils what is there as early.
#pragma once

#include "platform.h"

#ifndef METASTATE_CUDA_EMULATED
#include <cuda_pipeline_primitives.h>
#endif

namespace metastate::cuda {

/// Begins to copy 16 bytes; both addresses are multiples of 16.
__device__ __forceinline__ void copyLater16(float* shared, const float* global) {
#ifdef METASTATE_CUDA_EMULATED
  emulator::copyLater(shared, global, 4);
#else
  __pipeline_memcpy_async(shared, global, 16);
#endif
}

/// Ends a batch of this thread's copies.
__device__ __forceinline__ void endOfCopies() {
#ifdef METASTATE_CUDA_EMULATED
  emulator::endOfCopies();
#else
  __pipeline_commit();
#endif
}

/// Waits until this thread's copies have arrived; other threads see them after the next barrier.
__device__ __forceinline__ void waitForCopies() {
#ifdef METASTATE_CUDA_EMULATED
  emulator::waitForCopies();
#else
  __pipeline_wait_prior(0);
#endif
}

}  // namespace metastate::cuda
