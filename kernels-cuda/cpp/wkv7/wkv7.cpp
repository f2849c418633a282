#include "wkv7/wkv7.h"

#include <algorithm>

#include "simd/aligned_buffer.h"
#include "simd/flush_denormals.h"
#include "wkv7/head_groups.h"

namespace metastate {
namespace {

int64_t divideUp(int64_t x, int64_t by) { return (x + by - 1) / by; }

/// Below about 20 microseconds of one core's work, waking other threads costs more than they do.
constexpr double worthThreads = 5e5;  // floating point operations
/// Less where threads add what others have written: each cache line comes from another core.
constexpr int64_t worthThreadsToAdd = 10000;  // floats

/// How the rows of a head are shared out: `shares` shares of `rows` rows, the last perhaps fewer.
struct Sharing {
  int64_t shares, rows;
};

/// As few shares as leave at most a sixth of the threads' time unused: each share reads the head's operands again, and
/// in the backward pass has column sums of its own to be added up.
Sharing shareRows(int64_t heads, int64_t headSize, int64_t block, int threads) {
  const int64_t most = divideUp(headSize, block);
  int64_t best = 1;
  double bestUse = 0;
  for (int64_t shares = 1; shares <= most; ++shares) {
    const int64_t rows = divideUp(most, shares) * block;
    const int64_t tasks = heads * divideUp(headSize, rows);
    const double rounds = static_cast<double>(divideUp(tasks, threads));
    // Time if each row takes one unit: the longest thread's rows against the average.
    const double use = static_cast<double>(heads * headSize) / (rounds * static_cast<double>(rows * threads));
    if (use > bestUse + 1e-9) {
      bestUse = use;
      best = shares;
    }
    if (use >= 5.0 / 6) break;
  }
  const int64_t rows = divideUp(most, best) * block;
  return {divideUp(headSize, rows), rows};
}

/// Heads go in groups where their rows are not shared out, else one by one.
HeadGroups groupsOf(int64_t heads, int64_t headSize, const Sharing& sharing, int threads) {
  return HeadGroups(heads, headSize * headSize, sharing.shares == 1 ? threads : heads);
}

/// One scratch buffer for each thread of a loop, on cache lines of its own.
class Scratch {
 public:
  Scratch(int threads, int64_t floats)
      : stride_(divideUp(floats, 16) * 16), buffer_(static_cast<size_t>(stride_ * threads)) {}
  float* of(int slot) const { return buffer_.data() + stride_ * slot; }

 private:
  int64_t stride_;
  AlignedBuffer buffer_;
};

void loop(ThreadPool& pool, bool threaded, int64_t count, const ThreadPool::Task& task) {
  if (threaded) {
    pool.run(count, task);
  } else {
    for (int64_t index = 0; index < count; ++index) task(index, 0);
  }
}

}  // namespace

void wkv7Forward(ThreadPool& pool, const SimdPath& path, const Wkv7Shape& shape, const Wkv7Inputs& in,
                 const Wkv7Outputs& out) {
  const int64_t heads = shape.batch * shape.heads, n = shape.headSize;
  // A single step waits for the states to come and go: it takes a core as long as so many operations.
  const double ofElement = shape.time == 1 ? 16 : 9;
  const double operations = ofElement * static_cast<double>(heads * shape.time) * static_cast<double>(n * n);
  const bool threaded = pool.threads() > 1 && operations >= worthThreads;
  const int threads = threaded ? pool.threads() : 1;
  // Half a block is a share too when whole blocks would leave threads idle: fewer rows then share a broadcast.
  int64_t block = path.wkv7.forwardBlock(n);
  while (block > path.lanes && heads * divideUp(n, block) < threads) block /= 2;
  const Sharing sharing = shareRows(heads, n, block, threads);
  const HeadGroups groups = groupsOf(heads, n, sharing, threads);
  const Scratch scratch(threads, path.wkv7.forwardScratch(n, groups.largest(), sharing.rows));

  loop(pool, threaded, groups.count() * sharing.shares, [&](int64_t index, int slot) {
    const FlushDenormals flush;
    const int64_t group = index / sharing.shares, first = (index % sharing.shares) * sharing.rows;
    path.wkv7.forwardRows(shape, in, out, groups.first(group), groups.size(group), first,
                          std::min(sharing.rows, n - first), scratch.of(slot));
  });
}

void wkv7Backward(ThreadPool& pool, const SimdPath& path, const Wkv7Shape& shape, const Wkv7GradInputs& in,
                  const Wkv7RowGradients& rows, const Wkv7ColumnGradients& columns) {
  const int64_t heads = shape.batch * shape.heads, n = shape.headSize;
  const double operations = 26.0 * static_cast<double>(heads * shape.time) * static_cast<double>(n * n);
  const bool threaded = pool.threads() > 1 && operations >= worthThreads;
  const int threads = threaded ? pool.threads() : 1;
  const Sharing sharing = shareRows(heads, n, path.wkv7.backwardBlock(n), threads);
  const HeadGroups groups = groupsOf(heads, n, sharing, threads);
  const Scratch scratch(threads, path.wkv7.backwardScratch(shape, groups.largest(), sharing.rows));

  // The first share of a head writes its column sums where they belong; the others beside, [share - 1, head, 5, T, N].
  const int64_t sumsOfOne = shape.time * n, sumsOfHead = 5 * sumsOfOne, sumsOfShare = heads * sumsOfHead;
  const AlignedBuffer partial(static_cast<size_t>((sharing.shares - 1) * sumsOfShare));
  const auto columnsOf = [&](int64_t share) {
    if (share == 0) return columns;
    float* const dr = partial.data() + (share - 1) * sumsOfShare;
    float *const dw = dr + sumsOfOne, *const dk = dw + sumsOfOne, *const da = dk + sumsOfOne, *const db = da + sumsOfOne;
    return Wkv7ColumnGradients{dr, dw, dk, da, db, shape.heads * sumsOfHead, sumsOfHead, n};
  };

  loop(pool, threaded, groups.count() * sharing.shares, [&](int64_t index, int slot) {
    const FlushDenormals flush;
    const int64_t group = index / sharing.shares, share = index % sharing.shares, first = share * sharing.rows;
    path.wkv7.backwardRows(shape, in, rows, columnsOf(share), groups.first(group), groups.size(group), first,
                           std::min(sharing.rows, n - first), scratch.of(slot));
  });

  if (sharing.shares == 1) return;
  const int64_t parts = threads;  // of time
  loop(pool, threaded && (sharing.shares - 1) * sumsOfShare >= worthThreadsToAdd, heads * 5 * parts,
       [&](int64_t index, int) {
         const int64_t head = index / (5 * parts), which = index / parts % 5, part = index % parts;
         const int64_t first = shape.time * part / parts, last = shape.time * (part + 1) / parts;
         float* const all[] = {columns.dr, columns.dw, columns.dk, columns.da, columns.db};
         float* const to = all[which] + head / shape.heads * columns.entryStride + head % shape.heads * columns.headStride;
         for (int64_t share = 1; share < sharing.shares; ++share) {
           const float* sums = partial.data() + (share - 1) * sumsOfShare + head * sumsOfHead + which * sumsOfOne;
           if (columns.stride == n) {
             path.ops.addTo((last - first) * n, sums + first * n, to + first * n);
             continue;
           }
           for (int64_t t = first; t < last; ++t) path.ops.addTo(n, sums + t * n, to + t * columns.stride);
         }
       });
}

}  // namespace metastate
