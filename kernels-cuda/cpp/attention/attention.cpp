// Queries go in blocks of 64 rows, whose scores against all keys that they see stay in a near cache; both products of a
// block are matrix products. Nothing of T x S is kept: the gradient finds the weights again from the logarithms of their
// sums (as FlashAttention does, arXiv 2205.14135).
#include "attention/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "matmul/chosen_product.h"
#include "simd/aligned_buffer.h"

namespace metastate {
namespace {

constexpr int64_t blockRows = 64;
/// Below this many multiply-adds a second thread costs more than it does.
constexpr int64_t leastForThreads = 1 << 17;

int64_t roundUp16(int64_t floats) { return (floats + 15) / 16 * 16; }

/// A product on the calling thread; `scratch` is as `productFloats` says.
void multiply(const SimdPath& path, const ProductOperands& o, float* scratch) {
  ChosenProduct(path.matMul, o).alone(path.matMul, o, scratch);
}

/// One head of one batch entry: its first row of keys that counts, and how many follow.
struct Head {
  int64_t stride, queryAt, keyAt, keys, firstSeen;  ///< the first query sees firstSeen keys

  Head(const Attention& o, int64_t index) : stride(o.heads * o.size) {
    const int64_t b = index / o.heads, h = index % o.heads, start = o.starts[b];
    queryAt = b * o.time * stride + h * o.size;
    keyAt = (b * o.keys + start) * stride + h * o.size;
    keys = o.keys - start;
    firstSeen = keys - o.time + 1;
  }
};

/// Scratch for the products of any block.
int64_t productFloats(const SimdPath& path, const Attention& o) {
  const int64_t rows = std::min(blockRows, o.time);
  const auto floats = [&](int64_t high, int64_t wide, int64_t deep) {
    return ProductBlocks::mostFloats(path.matMul, high, wide, deep);
  };
  return roundUp16(std::max({floats(rows, o.keys, o.size), floats(rows, o.size, o.keys), floats(o.keys, o.size, rows)}));
}

template <typename Task>
void share(ThreadPool& pool, const Attention& o, int64_t count, Task task) {
  if (o.batch * o.heads * o.time * o.keys * o.size >= leastForThreads) {
    pool.run(count, task);
  } else {
    for (int64_t index = 0; index < count; ++index) task(index, 0);
  }
}

/// A block's rows of weights or scores against `width` keys.
ProductOperands scoresOf(const Attention& o, const Head& head, int64_t rows, int64_t width, const float* left,
                         const float* right, float* to) {
  return {rows, width, o.size, left, head.stride, 1, right + head.keyAt, 1, head.stride, to, width};
}

}  // namespace

void attention(ThreadPool& pool, const SimdPath& path, const Attention& o, float* y, float* logSums) {
  const int64_t blocks = (o.time + blockRows - 1) / blockRows, most = std::min(blockRows, o.time);
  const int64_t products = productFloats(path, o), scores = roundUp16(most * o.keys);
  const int64_t stride = products + scores + 2 * roundUp16(most);
  const AlignedBuffer scratch(static_cast<size_t>(stride * pool.threads()));
  const float scale = 1 / std::sqrt(static_cast<float>(o.size));
  share(pool, o, o.batch * o.heads * blocks, [&](int64_t index, int slot) {
    const int64_t which = index / blocks, h = which % o.heads, b = which / o.heads;
    const Head head(o, which);
    // The longest blocks, which see the most keys, go first.
    const int64_t first = (blocks - 1 - index % blocks) * blockRows, rows = std::min(blockRows, o.time - first);
    const ScoreBlock block{rows, head.firstSeen + first + rows - 1, head.firstSeen + first, scale};
    float* const own = scratch.data() + slot * stride;
    float* const weights = own + products;
    float *const totals = weights + scores, *const logs = totals + roundUp16(most);
    const int64_t at = head.queryAt + first * head.stride;
    multiply(path, scoresOf(o, head, rows, block.width, o.q + at, o.k, weights), own);
    path.attention.weights(block, weights, totals, logs);
    multiply(path,
             {rows, o.size, block.width, weights, block.width, 1, o.v + head.keyAt, head.stride, 1, y + at, head.stride},
             own);
    for (int64_t i = 0; i < rows; ++i) {
      float* row = y + at + i * head.stride;
      path.ops.scale(0, o.size, row, 1 / totals[i], row);
      logSums[(b * o.time + first + i) * o.heads + h] = logs[i];
    }
  });
}

void attentionGrad(ThreadPool& pool, const SimdPath& path, const Attention& o, const float* y, const float* logSums,
                   const float* dy, float* dq, float* dk, float* dv) {
  const int64_t most = std::min(blockRows, o.time);
  const int64_t products = productFloats(path, o), scores = roundUp16(most * o.keys), part = roundUp16(o.keys * o.size);
  const int64_t stride = products + 2 * scores + 3 * part + 2 * roundUp16(most);
  const AlignedBuffer scratch(static_cast<size_t>(stride * pool.threads()));
  const float scale = 1 / std::sqrt(static_cast<float>(o.size));
  // A head a task: the gradients of its keys are sums over all of its queries, added block by block in their order.
  share(pool, o, o.batch * o.heads, [&](int64_t index, int slot) {
    const Head head(o, index);
    const int64_t b = index / o.heads, h = index % o.heads;
    float* const own = scratch.data() + slot * stride;
    float *const weights = own + products, *const dscores = weights + scores;
    float *const dkeys = dscores + scores, *const dvalues = dkeys + part, *const fresh = dvalues + part;
    float *const inner = fresh + part, *const logs = inner + roundUp16(most);
    const size_t bytes = static_cast<size_t>(head.keys * o.size) * sizeof(float);
    std::memset(dkeys, 0, bytes);
    std::memset(dvalues, 0, bytes);
    for (int64_t first = 0; first < o.time; first += blockRows) {
      const int64_t rows = std::min(blockRows, o.time - first), at = head.queryAt + first * head.stride;
      const ScoreBlock block{rows, head.firstSeen + first + rows - 1, head.firstSeen + first, scale};
      for (int64_t i = 0; i < rows; ++i) {
        logs[i] = logSums[(b * o.time + first + i) * o.heads + h];
        inner[i] = path.attention.dot(o.size, dy + at + i * head.stride, y + at + i * head.stride);
      }
      multiply(path, scoresOf(o, head, rows, block.width, o.q + at, o.k, weights), own);
      path.attention.weightsAgain(block, logs, weights);
      multiply(path, scoresOf(o, head, rows, block.width, dy + at, o.v, dscores), own);
      path.attention.scoresGrad(block, weights, inner, dscores);
      multiply(path,
               {rows, o.size, block.width, dscores, block.width, 1, o.k + head.keyAt, head.stride, 1, dq + at,
                head.stride},
               own);
      const auto addTransposed = [&](const float* left, const float* right, float* sum) {
        multiply(path, {block.width, o.size, rows, left, 1, block.width, right + at, head.stride, 1, fresh, o.size},
                 own);
        path.ops.addTo(block.width * o.size, fresh, sum);
      };
      addTransposed(dscores, o.q, dkeys);
      addTransposed(weights, dy, dvalues);
    }
    // Padding before a row's start has no part in anything.
    const int64_t all = b * o.keys * head.stride + h * o.size, padding = o.keys - head.keys;
    for (int64_t j = 0; j < o.keys; ++j) {
      float *const keyTo = dk + all + j * head.stride, *const valueTo = dv + all + j * head.stride;
      for (int64_t i = 0; i < o.size; ++i) {
        keyTo[i] = j < padding ? 0 : dkeys[(j - padding) * o.size + i];
        valueTo[i] = j < padding ? 0 : dvalues[(j - padding) * o.size + i];
      }
    }
  });
}

}  // namespace metastate
