// The CPU as an op has it.
#pragma once

#include "ops/runs.h"

namespace metastate {

struct Cpu {
  ThreadPool& pool;
  const SimdPath& path;

  /// body(from, to) for rows of about `width` elements of work, shared out over the threads.
  template <typename Body>
  void each(int64_t rows, int64_t width, Body body) const {
    Runs(rows, width).each(pool, [&](int64_t from, int64_t to, int64_t) { body(from, to); });
  }

  /// The same with `floats` of each run's own to add to: body(from, to, sums). Returns what has their totals.
  template <typename Body>
  PartialSums eachWithSums(int64_t rows, int64_t width, int64_t floats, Body body) const {
    const Runs runs(rows, width);
    PartialSums sums(runs, floats);
    runs.each(pool, [&](int64_t from, int64_t to, int64_t run) { body(from, to, sums.of(run)); });
    return sums;
  }
};

}  // namespace metastate
