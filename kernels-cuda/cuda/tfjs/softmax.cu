#include "tfjs/softmax.h"

#include "tfjs/softmax.cuh"

namespace metastate::cuda::tfjs {

void launchSoftmax(int64_t rows, int64_t width, const float* x, float* y, cudaStream_t stream) {
  constexpr int64_t shortRow = 512;
  if (width > shortRow) {
    launch(softmaxLongRowsKernel, dim3(static_cast<unsigned>(rows)), dim3(softmaxThreads), 0, stream,
           static_cast<uint32_t>(width), x, y);
    return;
  }
  const int64_t blocks = std::min<int64_t>(mostBlocks, (rows + softmaxWarps - 1) / softmaxWarps);
  const unsigned threads = static_cast<unsigned>(std::min<int64_t>(softmaxThreads, 32 * rows));
  launch(softmaxShortRowsKernel, dim3(static_cast<unsigned>(blocks)), dim3(threads), 0, stream,
         static_cast<uint32_t>(rows), static_cast<uint32_t>(width), x, y);
}

}  // namespace metastate::cuda::tfjs
