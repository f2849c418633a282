#include "matmul/matmul.h"

#include <algorithm>
#include <memory>

#include "matmul/blas.h"
#include "matmul/blocked_product.h"
#include "matmul/chosen_product.h"
#include "matmul/onednn.h"
#include "memory/large_memory.h"
#include "simd/aligned_buffer.h"

namespace metastate {
namespace {

/// Below this many multiply-adds a second thread costs more than it does.
constexpr int64_t leastForThreads = 1 << 17;
constexpr int64_t leastForThreadsOfVector = 1 << 15;
/// Weights that a task of a product with one row reads at least, and of how many tasks a thread has its share: enough that
/// none waits long for the last, few enough that each reads a long run of memory.
constexpr int64_t weightsOfTask = 1 << 14;
constexpr int64_t rowTasksOfThread = 6;
/// Below this, rounding the operands costs more than it gains.
constexpr int64_t leastForBfloat16 = 1 << 18;

/// Room for packed blocks, kept from one product to the next: fresh memory would be slower, and so would small pages, whose
/// addresses a product of panels all over the blocks looks up again and again.
float* packingSpace(int64_t floats) {
  constexpr size_t largePage = size_t{2} << 20;
  static thread_local std::unique_ptr<LargeMemory> space;
  static thread_local size_t there = 0;
  const size_t wanted = static_cast<size_t>(floats) * sizeof(float);
  if (there < wanted) {
    space.reset();
    there = 0;  // until there is room: where there is none, the next product finds nothing and asks again
    const size_t bytes = (wanted + largePage - 1) / largePage * largePage;
    space = std::make_unique<LargeMemory>(bytes);
    there = bytes;
  }
  return space ? space->data() : nullptr;
}

/// By the library, the longer side of c in one part for each thread.
void sharedBlasProduct(ThreadPool& pool, const ProductOperands& whole) {
  const bool byRows = whole.rows > whole.columns;
  const int64_t length = byRows ? whole.rows : whole.columns, threads = pool.threads();
  const int64_t each = ((length + threads - 1) / threads + 31) / 32 * 32;
  pool.run((length + each - 1) / each, [&](int64_t index, int) {
    const int64_t from = index * each, count = std::min(each, length - from);
    ProductOperands part = whole;
    (byRows ? part.rows : part.columns) = count;
    if (byRows) {
      part.a += from * part.aRow;
      part.c += from * part.cRow;
    } else {
      part.b += from * part.bColumn;
      part.c += from;
    }
    Blas::product(part);
  });
}

/// Calls convert(from, to) for runs of `count` elements on all threads.
template <typename Convert>
void convertAll(ThreadPool& pool, int64_t count, Convert convert) {
  constexpr int64_t run = 1 << 15;
  pool.run((count + run - 1) / run, [&](int64_t index, int) { convert(index * run, std::min(count, (index + 1) * run)); });
}

/// Each matrix rounded, and multiplied by oneDNN. Neighbours in a batch that share an operand share its rounding.
void oneDnnMatMul(ThreadPool& pool, const SimdPath& path, const MatMul& o) {
  const int64_t sizes[] = {o.m * o.k, o.k * o.n};
  const auto floats = [](int64_t size) { return static_cast<size_t>((size + 1) / 2); };
  const AlignedBuffer rounded[] = {AlignedBuffer(floats(sizes[0])), AlignedBuffer(floats(sizes[1]))};
  int64_t there[] = {-1, -1};
  for (size_t g = 0; g < o.aPlaces.size(); ++g) {
    const int64_t places[] = {o.aPlaces[g], o.bPlaces[g]};
    const float* from[] = {o.a + places[0], o.b + places[1]};
    for (int which = 0; which < 2; ++which) {
      if (there[which] == places[which]) continue;
      there[which] = places[which];
      auto* to = reinterpret_cast<uint16_t*>(rounded[which].data());
      convertAll(pool, sizes[which], [&](int64_t first, int64_t last) { path.toBfloat16(first, last, from[which], to); });
    }
    OneDnn::product(pool.threads(), OneDnn::Type::bfloat16, o.transposeA, o.transposeB, o.m, o.n, o.k, rounded[0].data(),
                    rounded[1].data(), o.c + static_cast<int64_t>(g) * o.m * o.n);
  }
}

}  // namespace

void matMul(ThreadPool& pool, const SimdPath& path, const MatMul& o) {
  const int64_t batch = static_cast<int64_t>(o.aPlaces.size());
  const int64_t work = o.m * o.n * o.k;
  const bool rounds = o.precision != ProductPrecision::float32 && o.m > 1 && o.n > 1 && work >= leastForBfloat16;
  if (rounds && o.precision == ProductPrecision::bfloat16ByOneDnn) return oneDnnMatMul(pool, path, o);
  const MatMulKernels& kernels = rounds ? bfloat16Kernels(path) : path.matMul;
  const int64_t lda = o.transposeA ? o.m : o.k, ldb = o.transposeB ? o.k : o.n;
  const auto operands = [&](int64_t g) {
    ProductOperands p{o.m,
                      o.n,
                      o.k,
                      o.a + o.aPlaces[static_cast<size_t>(g)],
                      o.transposeA ? 1 : lda,
                      o.transposeA ? lda : 1,
                      o.b + o.bPlaces[static_cast<size_t>(g)],
                      o.transposeB ? 1 : ldb,
                      o.transposeB ? ldb : 1,
                      o.c + g * o.m * o.n,
                      o.n};
    // One column is one row of the transposed product: c lies in memory alike.
    if (o.n == 1) p = {1, o.m, o.k, p.b, p.bColumn, p.bRow, p.a, p.aColumn, p.aRow, p.c, o.m};
    return p;
  };
  const int64_t threads = pool.threads();
  const ChosenProduct chosen(kernels, operands(0), threads);
  const auto alone = [&](int64_t g, float* scratch) { chosen.alone(kernels, operands(g), scratch); };
  using By = ChosenProduct::By;
  const int64_t floats = chosen.floats();
  if (threads == 1 || work * batch < (chosen.by() == By::row ? leastForThreadsOfVector : leastForThreads)) {
    for (int64_t g = 0; g < batch; ++g) alone(g, packingSpace(floats));
  } else if (batch >= 4 * threads || (batch > 1 && work < leastForThreads)) {
    float* scratch = packingSpace(floats * threads);
    pool.run(batch, [&](int64_t g, int slot) { alone(g, scratch + slot * floats); });
  } else {
    for (int64_t g = 0; g < batch; ++g) {
      switch (chosen.by()) {
        case By::row: rowProducts(pool, path, {operands(g)}); break;
        case By::library: sharedBlasProduct(pool, operands(g)); break;
        case By::blocks:
          blockedProduct(pool, kernels, operands(g), chosen.blocks(),
                         packingSpace(chosen.blocks().floats(threads)));
      }
    }
  }
}

void rowProducts(ThreadPool& pool, const SimdPath& path, const std::vector<ProductOperands>& products) {
  int64_t weights = 0;
  for (const ProductOperands& o : products) weights += o.columns * o.depth;
  if (pool.threads() == 1 || weights < leastForThreadsOfVector) {
    for (const ProductOperands& o : products) path.matMul.rowProduct(o);
    return;
  }
  const int64_t each = std::max(weightsOfTask, weights / (rowTasksOfThread * pool.threads()));
  std::vector<ProductOperands> parts;
  for (const ProductOperands& o : products) {
    // Whole cache lines of c: which columns go together changes no bit of any.
    const int64_t wide = (std::max<int64_t>(1, each / o.depth) + 15) / 16 * 16;
    for (int64_t j = 0; j < o.columns; j += wide) {
      ProductOperands part = o;
      part.columns = std::min(wide, o.columns - j);
      part.b += j * o.bColumn;
      part.c += j;
      parts.push_back(part);
    }
  }
  pool.run(static_cast<int64_t>(parts.size()),
           [&](int64_t index, int) { path.matMul.rowProduct(parts[static_cast<size_t>(index)]); });
}

}  // namespace metastate
