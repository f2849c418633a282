#include "tfjs/movement.cuh"

#include <stdexcept>

namespace metastate::cuda::tfjs {
namespace {

template <typename Word>
void copyWords(const Axes<2>& axes, const void* x, int64_t xOffset, void* y, int64_t yOffset, cudaStream_t stream) {
  const int64_t count = axes.size();
  launch(copyKernel<Word>, gridFor(count), blockFor(count), 0, stream, static_cast<uint32_t>(count),
         Places<2>(axes), static_cast<const Word*>(x) + xOffset, static_cast<Word*>(y) + yOffset);
}

/// The axes in pieces of 16 bytes, when all runs begin and end at one on both sides; false when they do not.
bool inPieces(int bytes, Axes<2>& axes, const void* x, int64_t& xOffset, const void* y, int64_t& yOffset) {
  const int words = 16 / bytes, last = axes.count - 1;
  const auto whole = [&](int64_t value) { return value % words == 0; };
  if (last < 0 || !whole(axes.lengths[last]) || !whole(xOffset) || !whole(yOffset)) return false;
  if (reinterpret_cast<uintptr_t>(x) % 16 != 0 || reinterpret_cast<uintptr_t>(y) % 16 != 0) return false;
  for (int operand = 0; operand < 2; ++operand) {
    if (axes.strides[operand][last] != 1) return false;
    for (int axis = 0; axis < last; ++axis) {
      if (!whole(axes.strides[operand][axis])) return false;
    }
  }
  axes.lengths[last] /= words;
  xOffset /= words;
  yOffset /= words;
  for (int operand = 0; operand < 2; ++operand) {
    for (int axis = 0; axis < last; ++axis) axes.strides[operand][axis] /= words;
  }
  return true;
}

template <typename Word>
void transposeWords(const Axes<2>& axes, int across, const void* x, void* y, cudaStream_t stream) {
  const int last = axes.count - 1;
  Axes<2> others;
  for (int axis = 0; axis < last; ++axis) {
    if (axis == across) continue;
    others.lengths[others.count] = axes.lengths[axis];
    for (int operand = 0; operand < 2; ++operand) others.strides[operand][others.count] = axes.strides[operand][axis];
    ++others.count;
  }
  const uint32_t width = static_cast<uint32_t>(axes.lengths[across]), height = static_cast<uint32_t>(axes.lengths[last]);
  const Divider tilesAcross((width + transposeTile - 1) / transposeTile);
  const Divider tilesDown((height + transposeTile - 1) / transposeTile);
  const int64_t tiles = others.size() * tilesAcross.divisor * tilesDown.divisor;
  const TransposeShape shape{Places<2>(others), width,       height,   axes.strides[0][last], axes.strides[1][across],
                             tilesAcross,       tilesDown};
  launch(transposeKernel<Word>, dim3(static_cast<unsigned>(std::min(tiles, 4 * mostBlocks))),
         dim3(transposeTile, transposeRows), 0, stream, static_cast<uint32_t>(tiles), shape,
         static_cast<const Word*>(x), static_cast<Word*>(y));
}

template <typename Word>
void padWords(const PadShape& shape, const void* x, uint32_t value, void* y, cudaStream_t stream) {
  const int64_t count = shape.axes.size();
  Padding<Word> padding{Places<1>(shape.axes), {}, {}, static_cast<Word>(value)};
  std::copy(shape.before, shape.before + shape.axes.count, padding.before);
  std::copy(shape.within, shape.within + shape.axes.count, padding.within);
  launch(padKernel<Word>, gridFor(count), blockFor(count), 0, stream, static_cast<uint32_t>(count),
         padding, static_cast<const Word*>(x), static_cast<Word*>(y));
}

template <typename Word>
void fillWords(int64_t count, uint32_t value, void* y, cudaStream_t stream) {
  Word* words = static_cast<Word*>(y);
  const int64_t fours = inFours(words) ? count / 4 : 0;
  const int64_t work = std::max(fours, count - 4 * fours);
  launch(fillKernel<Word>, gridFor(work), blockFor(work), 0, stream, static_cast<uint32_t>(count),
         static_cast<uint32_t>(fours), static_cast<Word>(value), words);
}

template <typename T>
void range(int64_t count, double start, double step, T* y, cudaStream_t stream) {
  if (count == 0) return;
  launch(rangeKernel<T>, gridFor(count), blockFor(count), 0, stream, static_cast<uint32_t>(count), start,
         step, y);
}

}  // namespace

void launchCopy(int bytes, const Axes<2>& axes, const void* x, int64_t xOffset, void* y, int64_t yOffset,
                cudaStream_t stream) {
  if (axes.size() == 0) return;
  Axes<2> pieces = axes;
  if (inPieces(bytes, pieces, x, xOffset, y, yOffset)) return copyWords<uint4>(pieces, x, xOffset, y, yOffset, stream);
  if (bytes == 1) return copyWords<uint8_t>(axes, x, xOffset, y, yOffset, stream);
  copyWords<uint32_t>(axes, x, xOffset, y, yOffset, stream);
}

void launchTranspose(int bytes, const Axes<2>& axes, const void* x, void* y, cudaStream_t stream) {
  if (axes.size() == 0) return;
  int across = -1;
  for (int axis = 0; axis < axes.count; ++axis) {
    if (axes.strides[0][axis] == 1) across = axis;
  }
  if (across < 0 || across == axes.count - 1) return launchCopy(bytes, axes, x, 0, y, 0, stream);
  if (bytes == 1) return transposeWords<uint8_t>(axes, across, x, y, stream);
  transposeWords<uint32_t>(axes, across, x, y, stream);
}

void launchPad(int bytes, const PadShape& shape, const void* x, uint32_t value, void* y, cudaStream_t stream) {
  if (shape.axes.size() == 0) return;
  if (bytes == 1) return padWords<uint8_t>(shape, x, value, y, stream);
  padWords<uint32_t>(shape, x, value, y, stream);
}

void launchFill(int bytes, int64_t count, uint32_t value, void* y, cudaStream_t stream) {
  if (count == 0) return;
  if (bytes == 1) return fillWords<uint8_t>(count, value, y, stream);
  fillWords<uint32_t>(count, value, y, stream);
}

void launchRange(int64_t count, double start, double step, float* y, cudaStream_t stream) {
  range(count, start, step, y, stream);
}

void launchRange(int64_t count, double start, double step, int32_t* y, cudaStream_t stream) {
  range(count, start, step, y, stream);
}

}  // namespace metastate::cuda::tfjs
