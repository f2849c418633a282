#include "platform_tests/platform_tests.cuh"
#include "platform_tests/platform_tests.h"

namespace metastate::cuda {

void runPlatformTest(PlatformTest test, int blocks, const float* x, float* y, cudaStream_t stream) {
  const auto run = [&](auto kernel, size_t sharedBytes = 0) {
    launch(kernel, blocks, platformThreads, sharedBytes, stream, x, y);
  };
  switch (test) {
    case PlatformTest::reverse: return run(reverseKernel<true>);
    case PlatformTest::reverseUnguarded: return run(reverseKernel<false>);
    case PlatformTest::warpSum: return run(warpSumKernel);
    case PlatformTest::warpScan: return run(warpScanKernel);
    case PlatformTest::votes: return run(votesKernel);
    case PlatformTest::largeShared:
      // More and then less: another thread may be about to launch what was allowed.
      run(largeSharedKernel, 80 * 1024);
      return run(largeSharedKernel, 64 * 1024);
    case PlatformTest::atomics: return run(atomicsKernel);
    case PlatformTest::bfloat16: return run(bfloat16Kernel);
    case PlatformTest::divergentBarrier:
      launch(divergentBarrierKernel, blocks, platformThreads, 0, stream, x, y);
      return;
    case PlatformTest::divergentShuffle:
      launch(divergentShuffleKernel, blocks, platformThreads, 0, stream, x, y);
      return;
    case PlatformTest::earlyEnd: return run(earlyEndKernel);
    case PlatformTest::unwritten: return run(unwrittenKernel);
    case PlatformTest::exchange: return run(exchangeKernel<true>);
    case PlatformTest::exchangeByShuffle: return run(exchangeKernel<false>);
    case PlatformTest::blocksMeet: return run(blocksMeetKernel);
    case PlatformTest::unwrittenShared: return run(unwrittenSharedKernel);
    case PlatformTest::tile: return run(tileKernel<true>);
    case PlatformTest::tileUnguarded: return run(tileKernel<false>);
    case PlatformTest::copy: return run(copyKernel<true>);
    case PlatformTest::copyUnawaited: return run(copyKernel<false>);
    case PlatformTest::illegalAddress:
      launch(illegalAddressKernel, blocks, platformThreads, 0, stream, x, reinterpret_cast<float*>(256));
      return;
    case PlatformTest::misalignedVector: return run(misalignedVectorKernel);
    case PlatformTest::misalignedTile: return run(misalignedTileKernel);
    case PlatformTest::misalignedCopy: return run(misalignedCopyKernel);
    case PlatformTest::count: return;
  }
}

}  // namespace metastate::cuda
