#include "matmul/matmul.h"

#include <algorithm>

#include "matmul/blas.h"
#include "matmul/onednn.h"
#include "simd/aligned_buffer.h"

namespace metastate {
namespace {

/// Below this many multiply-adds a second thread costs more than it does.
constexpr int64_t leastForThreads = 1 << 17;
/// Below this, rounding the operands and calling oneDNN costs more than its kernel gains.
constexpr int64_t leastForBfloat16 = 1 << 18;
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

/// Calls convert(from, to) for runs of `count` elements on all threads.
template <typename Convert>
void convertAll(ThreadPool& pool, int64_t count, Convert convert) {
  constexpr int64_t run = 1 << 15;
  pool.run((count + run - 1) / run, [&](int64_t index, int) { convert(index * run, std::min(count, (index + 1) * run)); });
}

/// Each matrix rounded, and multiplied. Neighbours in a batch that share an operand share its rounding.
void roundedMatMul(ThreadPool& pool, const SimdPath& path, const MatMul& o) {
  const bool native = o.precision == ProductPrecision::bfloat16;
  const int64_t sizes[] = {o.m * o.k, o.k * o.n};
  const auto floats = [&](int64_t size) { return static_cast<size_t>(native ? (size + 1) / 2 : size); };
  const AlignedBuffer rounded[] = {AlignedBuffer(floats(sizes[0])), AlignedBuffer(floats(sizes[1]))};
  int64_t there[] = {-1, -1};
  for (size_t g = 0; g < o.aPlaces.size(); ++g) {
    const int64_t places[] = {o.aPlaces[g], o.bPlaces[g]};
    const float* from[] = {o.a + places[0], o.b + places[1]};
    for (int which = 0; which < 2; ++which) {
      if (there[which] == places[which]) continue;
      there[which] = places[which];
      float* to = rounded[which].data();
      convertAll(pool, sizes[which], [&](int64_t first, int64_t last) {
        if (native) {
          path.matMul.toBfloat16(first, last, from[which], reinterpret_cast<uint16_t*>(to));
        } else {
          path.matMul.roundToBfloat16(first, last, from[which], to);
        }
      });
    }
    float* c = o.c + static_cast<int64_t>(g) * o.m * o.n;
    if (native) {
      OneDnn::product(pool.threads(), OneDnn::Type::bfloat16, o.transposeA, o.transposeB, o.m, o.n, o.k,
                      rounded[0].data(), rounded[1].data(), c);
    } else {
      matMul(pool, path, {o.m, o.n, o.k, o.transposeA, o.transposeB, {0}, {0}, rounded[0].data(), rounded[1].data(), c});
    }
  }
}

}  // namespace

void matMul(ThreadPool& pool, const SimdPath& path, const MatMul& o) {
  if (o.precision != ProductPrecision::float32 && o.m > 1 && o.m * o.n * o.k >= leastForBfloat16) {
    return roundedMatMul(pool, path, o);
  }
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
