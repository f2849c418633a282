#include "tfjs/reduce.h"

#include <algorithm>
#include <stdexcept>

#include "tfjs/reduce.cuh"

namespace metastate::cuda::tfjs {
namespace {

/// Rows up to this length go to one warp each.
constexpr int64_t shortRow = 512;
/// Blocks that fill a large GPU: below it, results are cut into parts of at least `leastPart` terms.
constexpr int64_t wantedBlocks = 512;
constexpr int64_t leastPart = 2048;
constexpr int64_t mostParts = 256;

int64_t tilesOf(const ReductionShape& shape) { return (shape.inner + 31) / 32; }

/// How many terms of a result go to one block: a multiple of 4, so that parts begin where fours do.
int64_t partLength(const ReductionShape& shape) {
  if (shape.inner == 1 && shape.length <= shortRow) return shape.length;
  const int64_t blocks = shape.outer * (shape.inner == 1 ? 1 : tilesOf(shape));
  // A block reads 32 columns at once: a part of fewer rows has as many values.
  const int64_t least = shape.inner == 1 ? leastPart : leastPart / 32;
  const int64_t parts = std::max<int64_t>(
      1, std::min({wantedBlocks / std::max<int64_t>(1, blocks), shape.length / least, mostParts}));
  return (shape.length + parts - 1) / parts / 4 * 4 + 4;
}

int64_t partsOf(const ReductionShape& shape) {
  const int64_t length = partLength(shape);
  return (shape.length + length - 1) / length;
}

/// A grid with a warp for each of `count` results.
dim3 warpBlocks(int64_t count) {
  return dim3(static_cast<unsigned>(std::min<int64_t>(mostBlocks, (count + reduceWarps - 1) / reduceWarps)));
}
dim3 warpThreads(int64_t count) { return dim3(static_cast<unsigned>(std::min<int64_t>(reduceThreads, 32 * count))); }

template <typename R>
void reduce(R reducer, const ReductionShape& shape, const void* x, void* y, void* scratch, cudaStream_t stream) {
  const auto* values = static_cast<const typename R::Value*>(x);
  auto* results = static_cast<typename R::Result*>(y);
  const uint32_t length = static_cast<uint32_t>(shape.length);
  if (shape.inner == 1 && shape.length <= shortRow) {
    launch(reduceShortRowsKernel<R>, warpBlocks(shape.outer), warpThreads(shape.outer), 0, stream, reducer,
           static_cast<uint32_t>(shape.outer), length, values, results);
    return;
  }
  const unsigned parts = static_cast<unsigned>(partsOf(shape));
  const uint32_t part = static_cast<uint32_t>(partLength(shape));
  const Reduced<R> to{results, static_cast<typename R::State*>(scratch)};
  if (shape.inner == 1) {
    const bool fours = length % 4 == 0 && inFours(values);
    launch(reduceLongRowsKernel<R>, dim3(static_cast<unsigned>(shape.outer), parts), dim3(reduceThreads), 0, stream,
           reducer, length, part, fours, values, to);
  } else {
    const unsigned tiles = static_cast<unsigned>(tilesOf(shape));
    launch(reduceColumnsKernel<R>, dim3(static_cast<unsigned>(shape.outer) * tiles, parts), dim3(32, reduceWarps), 0,
           stream, reducer, length, static_cast<uint32_t>(shape.inner), tiles, part, values, to);
  }
  if (parts == 1) return;
  const int64_t count = shape.outer * shape.inner;
  launch(joinPartsKernel<R>, warpBlocks(count), warpThreads(count), 0, stream, reducer,
         static_cast<uint32_t>(count), static_cast<uint32_t>(parts), to.states, results);
}

template <typename T>
void reduceNumbers(Reduction reduction, const ReductionShape& shape, const void* x, void* y, float scale, void* scratch,
                   cudaStream_t stream) {
  const auto run = [&](auto reducer) { reduce(reducer, shape, x, y, scratch, stream); };
  switch (reduction) {
    case Reduction::sum: return run(SumOf<T>{scale});
    case Reduction::prod: return run(ProductOf<T>{});
    case Reduction::max: return run(MaxOf<T>{});
    case Reduction::min: return run(MinOf<T>{});
    case Reduction::argMax: return run(PlaceOf<T, 1>{});
    case Reduction::argMin: return run(PlaceOf<T, -1>{});
    default: throw std::logic_error("no such reduction of numbers");
  }
}

}  // namespace

bool reduces(Reduction reduction, ElementType type) {
  const bool logical = reduction == Reduction::any || reduction == Reduction::all;
  return logical == (type == ElementType::boolean);
}

size_t reduceScratch(const ReductionShape& shape) {
  const int64_t parts = partsOf(shape);
  return parts == 1 ? 0 : static_cast<size_t>(shape.outer * shape.inner * parts) * sizeof(Placed<float>);
}

void launchReduce(Reduction reduction, ElementType type, const ReductionShape& shape, const void* x, void* y, float scale,
                  void* scratch, cudaStream_t stream) {
  if (reduction == Reduction::any) return reduce(AnyOf{}, shape, x, y, scratch, stream);
  if (reduction == Reduction::all) return reduce(AllOf{}, shape, x, y, scratch, stream);
  if (type == ElementType::float32) return reduceNumbers<float>(reduction, shape, x, y, scale, scratch, stream);
  return reduceNumbers<int32_t>(reduction, shape, x, y, scale, scratch, stream);
}

}  // namespace metastate::cuda::tfjs
