// Kernels that show what platform.h promises, in both builds. x and y are float32 [blocks * 64].
#pragma once

#include <cstdint>

#include "runtime/api.h"

namespace metastate::cuda {

/// In the order of `platformTests` in src/cuda/platform.test.ts.
enum class PlatformTest : int {
  reverse,             // each block's values in reverse, through shared memory
  reverseUnguarded,    // the same without the barrier: wrong
  warpSum,             // each value replaced by the sum of its warp
  warpScan,            // sums of the values up to each, within its warp
  votes,               // how many lanes of the warp are positive; a lane that has ended is not counted
  largeShared,         // sums over the block, in 64 KiB of dynamic shared memory
  atomics,             // y[0] is the sum of all, y[1] the number of threads
  bfloat16,            // rounded to bfloat16
  divergentBarrier,    // half of the block does not come to a barrier while the other half waits at another
  divergentShuffle,    // lanes of a warp in two shuffles
  earlyEnd,            // a barrier after some threads have ended: allowed
  unwritten,           // writes every other value
  exchange,            // each value that of the lane beside it, through shared memory
  exchangeByShuffle,   // the same with a shuffle in place of __syncwarp(): a race
  blocksMeet,          // every block writes the same values: a race
  unwrittenShared,     // reads shared memory that nobody wrote
  tile,                // 16 by 16 of each block's first values, all lanes together, written back by each
  tileUnguarded,       // the same without __syncwarp(): a race
  copy,                // through shared memory, by copies that go on meanwhile
  copyUnawaited,       // the same without waiting: not there yet
  illegalAddress,      // ends the GPU for the process
  misalignedVector,    // four floats from the second on
  misalignedTile,      // a tile from the fifth float on
  misalignedCopy,      // 16 bytes from the second float on
  count
};

void runPlatformTest(PlatformTest test, int blocks, const float* x, float* y, cudaStream_t stream);

}  // namespace metastate::cuda
