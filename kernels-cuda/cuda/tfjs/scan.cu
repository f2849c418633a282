#include "tfjs/scan.h"

#include <stdexcept>

#include "tfjs/scan.cuh"

namespace metastate::cuda::tfjs {
namespace {

template <typename S>
void run(S scan, const ScanShape& s, const typename S::Value* x, typename S::Value* y, cudaStream_t stream) {
  const uint32_t length = static_cast<uint32_t>(s.length);
  if (s.inner == 1) {
    launch(scanRowsKernel<S>, dim3(static_cast<unsigned>(s.outer)), dim3(blockFor(s.length, scanThreads)), 0, stream,
           scan, length, s.exclusive, s.reverse, x, y);
    return;
  }
  const int64_t columns = s.outer * s.inner;
  launch(scanColumnsKernel<S>, gridFor(columns), blockFor(columns), 0, stream, scan,
         static_cast<uint32_t>(columns), length, Divider(static_cast<uint32_t>(s.inner)), s.exclusive, s.reverse, x, y);
}

template <typename T>
void choose(Scan scan, const ScanShape& shape, const T* x, T* y, cudaStream_t stream) {
  if (scan == Scan::sum) return run(RunningSum<T>{}, shape, x, y, stream);
  run(RunningProduct<T>{}, shape, x, y, stream);
}

}  // namespace

void launchScan(Scan scan, const ScanShape& shape, const float* x, float* y, cudaStream_t stream) {
  choose(scan, shape, x, y, stream);
}

void launchScan(Scan scan, const ScanShape& shape, const int32_t* x, int32_t* y, cudaStream_t stream) {
  choose(scan, shape, x, y, stream);
}

}  // namespace metastate::cuda::tfjs
