#include "tfjs/indexing.cuh"

namespace metastate::cuda::tfjs {
namespace {

template <typename Word>
void gatherWords(const GatherShape& s, int64_t width, const void* x, const int32_t* indices, void* y,
                 cudaStream_t stream) {
  const int64_t total = s.batch * s.outer * s.count * width;
  const auto divider = [](int64_t by) { return Divider(static_cast<uint32_t>(by)); };
  launch(gatherKernel<Word>, gridFor(total), blockFor(total), 0, stream, static_cast<uint32_t>(total),
         divider(width), divider(s.count), divider(s.outer), static_cast<uint32_t>(s.rows), static_cast<const Word*>(x),
         indices, static_cast<Word*>(y));
}

template <typename T>
void segmentSum(int64_t count, int64_t width, int64_t segments, const T* x, const int32_t* ids, T* y,
                cudaStream_t stream) {
  if (width == 0 || segments == 0) return;
  unsigned columns = 32;
  while (columns < width && columns < mostSegmentColumns) columns *= 2;
  const int64_t own = segmentCells / columns, across = (width + columns - 1) / columns;
  launch(segmentSumKernel<T>, dim3(static_cast<unsigned>((segments + own - 1) / own * across)), dim3(columns), 0, stream,
         static_cast<uint32_t>(count), static_cast<uint32_t>(width), static_cast<uint32_t>(segments), x, ids, y);
}

template <typename Word>
void oneHotWords(int64_t total, int64_t depth, uint32_t on, uint32_t off, const int32_t* indices, void* y,
                 cudaStream_t stream) {
  launch(oneHotKernel<Word>, gridFor(total), blockFor(total), 0, stream, static_cast<uint32_t>(total),
         Divider(static_cast<uint32_t>(depth)), static_cast<Word>(on), static_cast<Word>(off), indices,
         static_cast<Word*>(y));
}

}  // namespace

void launchGather(int bytes, const GatherShape& shape, const void* x, const int32_t* indices, void* y,
                  cudaStream_t stream) {
  if (shape.batch * shape.outer * shape.count * shape.width == 0) return;
  const bool aligned = (reinterpret_cast<uintptr_t>(x) | reinterpret_cast<uintptr_t>(y)) % 16 == 0;
  if (bytes == 1) return gatherWords<uint8_t>(shape, shape.width, x, indices, y, stream);
  if (aligned && shape.width % 4 == 0) return gatherWords<uint4>(shape, shape.width / 4, x, indices, y, stream);
  gatherWords<uint32_t>(shape, shape.width, x, indices, y, stream);
}

void launchRowNumbers(int64_t count, const Axes<1>& axes, const int32_t* indices, int32_t* rows, cudaStream_t stream) {
  if (count == 0) return;
  launch(rowNumbersKernel, gridFor(count), blockFor(count), 0, stream, static_cast<uint32_t>(count),
         Places<1>(axes), indices, rows);
}

void launchSegmentSum(int64_t count, int64_t width, int64_t segments, const float* x, const int32_t* ids, float* y,
                      cudaStream_t stream) {
  segmentSum(count, width, segments, x, ids, y, stream);
}

void launchSegmentSum(int64_t count, int64_t width, int64_t segments, const int32_t* x, const int32_t* ids, int32_t* y,
                      cudaStream_t stream) {
  segmentSum(count, width, segments, x, ids, y, stream);
}

void launchOneHot(int bytes, int64_t count, int64_t depth, uint32_t on, uint32_t off, const int32_t* indices, void* y,
                  cudaStream_t stream) {
  if (count * depth == 0) return;
  if (bytes == 1) return oneHotWords<uint8_t>(count * depth, depth, on, off, indices, y, stream);
  oneHotWords<uint32_t>(count * depth, depth, on, off, indices, y, stream);
}

}  // namespace metastate::cuda::tfjs
