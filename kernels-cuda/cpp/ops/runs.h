// Rows shared out in runs. How many runs there are depends on the shape alone, never on the threads: sums over rows are
// then the same bits on every machine of an instruction set.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "simd/aligned_buffer.h"
#include "simd/paths.h"
#include "threads/thread_pool.h"

namespace metastate {

/// Runs of about this many elements: some tens of microseconds.
constexpr int64_t runElements = 1 << 14;
/// Below this a second thread costs more than it does.
constexpr int64_t leastElementsForThreads = 1 << 16;
constexpr int64_t mostRuns = 256;

struct Runs {
  int64_t rows, count, length;  ///< rows in all, runs, rows of a run

  Runs(int64_t rows, int64_t width) : rows(rows) {
    const int64_t elements = rows * std::max<int64_t>(1, width);
    count = std::max<int64_t>(1, std::min({rows, mostRuns, (elements + runElements - 1) / runElements}));
    length = (rows + count - 1) / count;
    count = std::max<int64_t>(1, (rows + length - 1) / std::max<int64_t>(1, length));
    threaded = elements >= leastElementsForThreads;
  }
  bool threaded;

  /// body(from, to, run) for each run.
  template <typename Body>
  void each(ThreadPool& pool, Body body) const {
    const auto one = [&](int64_t run, int) { body(run * length, std::min(rows, (run + 1) * length), run); };
    if (threaded) {
      pool.run(count, one);
    } else {
      for (int64_t run = 0; run < count; ++run) one(run, 0);
    }
  }
};

/// Sums over rows: each run adds to `floats` of its own, which are added up in their order.
class PartialSums {
 public:
  PartialSums(const Runs& runs, int64_t floats)
      : runs_(runs.count), stride_((floats + 15) / 16 * 16), buffer_(static_cast<size_t>(runs_ * stride_)) {
    std::fill(buffer_.data(), buffer_.data() + runs_ * stride_, 0.0f);
  }

  float* of(int64_t run) const { return buffer_.data() + run * stride_; }

  /// Writes the sums of `length` floats from place `from` on.
  void total(const SimdPath& path, int64_t from, int64_t length, float* to) const {
    std::copy(of(0) + from, of(0) + from + length, to);
    for (int64_t run = 1; run < runs_; ++run) path.ops.addTo(length, of(run) + from, to);
  }

 private:
  int64_t runs_, stride_;
  AlignedBuffer buffer_;
};

}  // namespace metastate
