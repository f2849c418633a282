#include "matmul/matmul.h"

#include <algorithm>

#include "matmul/blas.h"
#include "simd/aligned_buffer.h"

namespace metastate {
namespace {

/// Below this many multiply-adds a second thread costs more than it does.
constexpr int64_t leastForThreads = 1 << 17;
/// Below this the library's own preparation costs more than its kernel gains.
constexpr int64_t leastForBlas = 1 << 15;

struct Grid {
  int64_t rows, columns;  ///< how many parts
};

/// Parts of about the same size for `threads` threads, as square as can be: a part of r x c reads r + c rows of operands.
Grid divide(int64_t m, int64_t n, int64_t parts) {
  Grid best{1, 1};
  double cheapest = 1e300;
  for (int64_t rows = 1; rows <= parts; ++rows) {
    if (parts % rows != 0) continue;
    const int64_t columns = parts / rows;
    const double cost = static_cast<double>((m + rows - 1) / rows) + static_cast<double>((n + columns - 1) / columns);
    if (cost < cheapest) {
      cheapest = cost;
      best = {rows, columns};
    }
  }
  return best;
}

/// A part's length that whole registers and tiles fit.
int64_t share(int64_t length, int64_t parts, int64_t multiple) {
  const int64_t each = (length + parts - 1) / parts;
  return (each + multiple - 1) / multiple * multiple;
}

}  // namespace

void matMul(ThreadPool& pool, const SimdPath& path, const MatMul& o) {
  const int64_t batch = static_cast<int64_t>(o.aPlaces.size());
  const int64_t work = o.m * o.n * o.k;
  const int64_t lda = o.transposeA ? o.m : o.k, ldb = o.transposeB ? o.k : o.n;
  const bool alone = work * batch < leastForThreads || pool.threads() == 1;
  // One part for each thread: a batch is shared out by its matrices as far as these go.
  const int64_t threads = pool.threads();
  const int64_t parts = alone || batch >= 4 * threads ? 1 : std::max<int64_t>(1, threads);
  const Grid grid = o.m == 1 ? Grid{1, parts} : divide(o.m, o.n, parts);
  const int64_t high = share(o.m, grid.rows, 12), wide = share(o.n, grid.columns, 32);
  const int64_t rowParts = (o.m + high - 1) / high, columnParts = (o.n + wide - 1) / wide;
  const int64_t each = rowParts * columnParts;
  const bool blas = Blas::there() && o.m > 1 && work >= leastForBlas;

  const auto operands = [&](int64_t index) {
    const int64_t g = index / each, part = index % each;
    const int64_t i = part / columnParts * high, j = part % columnParts * wide;
    return ProductOperands{std::min(high, o.m - i),
                           std::min(wide, o.n - j),
                           o.k,
                           o.a + o.aPlaces[static_cast<size_t>(g)] + (o.transposeA ? i : i * lda),
                           o.transposeA ? 1 : lda,
                           o.transposeA ? lda : 1,
                           o.b + o.bPlaces[static_cast<size_t>(g)] + (o.transposeB ? j * ldb : j),
                           o.transposeB ? 1 : ldb,
                           o.transposeB ? ldb : 1,
                           o.c + (g * o.m + i) * o.n + j,
                           o.n};
  };
  const int64_t tasks = batch * each;
  const auto run = [&](const ThreadPool::Task& task) {
    if (alone) {
      for (int64_t index = 0; index < tasks; ++index) task(index, 0);
    } else {
      pool.run(tasks, task);
    }
  };
  if (o.m == 1) {
    run([&](int64_t index, int) { path.matMul.rowProduct(operands(index)); });
  } else if (blas) {
    run([&](int64_t index, int) {
      const ProductOperands p = operands(index);
      Blas::product(o.transposeA, o.transposeB, p.rows, p.columns, p.depth, p.a, lda, p.b, ldb, p.c, p.cRow);
    });
  } else {
    const int64_t floats = path.matMul.scratch(high, wide, o.k);
    const int64_t stride = (floats + 15) / 16 * 16;
    const AlignedBuffer scratch(static_cast<size_t>(stride * (alone ? 1 : threads)));
    run([&](int64_t index, int slot) { path.matMul.product(operands(index), scratch.data() + slot * stride); });
  }
}

}  // namespace metastate
