// Causal attention of T queries that stand at the end of S keys: with s_tj = q_t . k_j / sqrt(N) for the keys j from the row's
// start to S - T + t,
//
//   y_t = sum_j softmax_j(s_tj) v_j
//
// in tiles of queries and keys, the softmax's largest value and sum carried along as in FlashAttention (arXiv 2205.14135);
// what is kept of them is the logarithm of each sum. Backwards, with p the weights from those logarithms,
//
//   dv_j = sum_t p_tj dy_t    ds_tj = p_tj (dy_t . v_j - dy_t . y_t)    dq_t = sum_j ds_tj k_j / sqrt(N)
//
// and dk_j likewise: dq by tiles of queries, dk and dv by tiles of keys, each written by one block. Nothing is added
// atomically.

#include "ops/attention.h"
#include "ops/rows.cuh"

namespace metastate::cuda {
namespace {

/// Threads stand as 16 × 16; a thread has every 16th row and every 16th column of a tile.
constexpr int side = 16;

/// A tile's rows of `size` channels in shared memory, one more so that a column's rows lie in different banks.
template <int size>
constexpr int stride = size + 1;

struct Place {
  int batch, head, tile;  ///< of this block
  int x, y;               ///< of this thread

  __device__ Place(const Attention& o, int tiles)
      : batch(static_cast<int>(blockIdx.x) / tiles / o.heads),
        head(static_cast<int>(blockIdx.x) / tiles % o.heads),
        tile(static_cast<int>(blockIdx.x) % tiles),
        x(static_cast<int>(threadIdx.x) % side),
        y(static_cast<int>(threadIdx.x) / side) {}

  /// Where the channels of a token begin in a tensor of `time` tokens a row.
  __device__ int64_t at(const Attention& o, int time, int token) const {
    return ((static_cast<int64_t>(batch) * time + token) * o.heads + head) * o.size;
  }
};

/// Copies `rows` tokens from `first` on to shared memory, times `factor`; zeros beyond the end and beyond the head's size.
template <int size>
__device__ __forceinline__ void loadTile(float* tile, const Attention& o, const Place& place, const float* from, int time,
                                         int first, int rows, float factor) {
  for (int i = static_cast<int>(threadIdx.x); i < rows * size; i += blockThreads) {
    const int row = i / size, channel = i % size;
    const bool isThere = first + row < time && channel < o.size;
    tile[row * stride<size> + channel] = isThere ? from[place.at(o, time, first + row) + channel] * factor : 0;
  }
}

/// products[r][c] = row y + 16 r of `a` times row x + 16 c of `b`.
template <int size, int each>
__device__ __forceinline__ void products(const float* a, const float* b, const Place& place,
                                         float (&products)[each][each]) {
  for (int r = 0; r < each; ++r) {
    for (int c = 0; c < each; ++c) products[r][c] = 0;
  }
  for (int n = 0; n < size; ++n) {
    float ofA[each], ofB[each];
    for (int r = 0; r < each; ++r) ofA[r] = a[(place.y + side * r) * stride<size> + n];
    for (int c = 0; c < each; ++c) ofB[c] = b[(place.x + side * c) * stride<size> + n];
    for (int r = 0; r < each; ++r) {
      for (int c = 0; c < each; ++c) products[r][c] += ofA[r] * ofB[c];
    }
  }
}

/// Over the 16 threads of a row, each of which gets the result.
template <typename Join>
__device__ __forceinline__ float acrossRow(float value, Join join) {
  for (int apart = side / 2; apart > 0; apart /= 2) value = join(value, __shfl_xor_sync(0xffffffffu, value, apart));
  return value;
}

struct Sum {
  __device__ float operator()(float a, float b) const { return a + b; }
};
struct Larger {
  __device__ float operator()(float a, float b) const { return a < b ? b : a; }
};

/// Whether the query at `query` sees the key at `key`.
__device__ __forceinline__ bool isSeen(const Attention& o, int start, int query, int key) {
  return query < o.time && key >= start && key <= o.keys - o.time + query;
}

/// One more than the last key that a query of the tile sees.
__device__ __forceinline__ int keysSeen(const Attention& o, int firstQuery, int rows) {
  const int last = firstQuery + rows < o.time ? firstQuery + rows : o.time;
  return o.keys - o.time + last;
}

template <int size, int tile>
__global__ void __launch_bounds__(blockThreads) attentionKernel(Attention o, float* y, float* logSums) {
  constexpr int each = tile / side, columns = size / side;
  DYNAMIC_SHARED(float, shared);
  float* const q = shared;
  float* const k = q + tile * stride<size>;
  float* const v = k + tile * stride<size>;
  float* const weights = v + tile * stride<size>;
  const Place place(o, (o.time + tile - 1) / tile);
  const int firstQuery = place.tile * tile, start = o.starts[place.batch];
  loadTile<size>(q, o, place, o.q, o.time, firstQuery, tile, o.scale);

  float result[each][columns] = {}, largest[each], sum[each];
  for (int r = 0; r < each; ++r) {
    largest[r] = -INFINITY;
    sum[r] = 0;
  }
  const int end = keysSeen(o, firstQuery, tile);
  for (int firstKey = start / tile * tile; firstKey < end; firstKey += tile) {
    __syncthreads();
    loadTile<size>(k, o, place, o.k, o.keys, firstKey, tile, 1);
    loadTile<size>(v, o, place, o.v, o.keys, firstKey, tile, 1);
    __syncthreads();
    float scores[each][each];
    products<size, each>(q, k, place, scores);
    for (int r = 0; r < each; ++r) {
      float most = -INFINITY;
      for (int c = 0; c < each; ++c) {
        const bool seen = isSeen(o, start, firstQuery + place.y + side * r, firstKey + place.x + side * c);
        if (!seen) scores[r][c] = -INFINITY;
        most = Larger()(most, scores[r][c]);
      }
      most = Larger()(largest[r], acrossRow(most, Larger()));
      // A row that has seen no key yet has nothing to scale.
      const float kept = most == largest[r] ? 1 : expf(largest[r] - most);
      float added = 0;
      for (int c = 0; c < each; ++c) {
        const float weight = scores[r][c] == -INFINITY ? 0 : expf(scores[r][c] - most);
        weights[(place.y + side * r) * stride<tile> + place.x + side * c] = weight;
        added += weight;
      }
      sum[r] = sum[r] * kept + acrossRow(added, Sum());
      largest[r] = most;
      for (int c = 0; c < columns; ++c) result[r][c] *= kept;
    }
    __syncthreads();
    for (int j = 0; j < tile; ++j) {
      for (int r = 0; r < each; ++r) {
        const float weight = weights[(place.y + side * r) * stride<tile> + j];
        for (int c = 0; c < columns; ++c) result[r][c] += weight * v[j * stride<size> + place.x + side * c];
      }
    }
  }
  for (int r = 0; r < each; ++r) {
    const int query = firstQuery + place.y + side * r;
    if (query >= o.time) continue;
    const int64_t at = place.at(o, o.time, query);
    for (int c = 0; c < columns; ++c) {
      const int channel = place.x + side * c;
      if (channel < o.size) y[at + channel] = result[r][c] / sum[r];
    }
    if (place.x == 0) logSums[at / o.size] = largest[r] + logf(sum[r]);
  }
}

/// The weights and the scores' gradients of one tile of queries and one of keys. Rows' logarithms and dy . y come from global
/// memory: they are few.
template <int size, int tile>
__device__ __forceinline__ void tileGradients(const Attention& o, const AttentionGrad& g, const Place& place, int start,
                                              int firstQuery, int firstKey, const float* q, const float* dy,
                                              const float* k, const float* v, float (&weights)[tile / side][tile / side],
                                              float (&scores)[tile / side][tile / side]) {
  constexpr int each = tile / side;
  products<size, each>(q, k, place, weights);
  products<size, each>(dy, v, place, scores);
  for (int r = 0; r < each; ++r) {
    const int query = firstQuery + place.y + side * r;
    const bool isThere = query < o.time;
    const int64_t at = place.at(o, o.time, isThere ? query : o.time - 1);
    float inner = 0;
    for (int n = place.x; n < o.size; n += side) inner += g.dy[at + n] * g.y[at + n];
    inner = acrossRow(inner, Sum());
    const float logSum = g.logSums[at / o.size];
    for (int c = 0; c < each; ++c) {
      const bool seen = isSeen(o, start, query, firstKey + place.x + side * c);
      weights[r][c] = seen ? expf(weights[r][c] - logSum) : 0;
      scores[r][c] = weights[r][c] * (scores[r][c] - inner);
    }
  }
}

template <int size, int tile>
__global__ void __launch_bounds__(blockThreads) attentionOfQueries(Attention o, AttentionGrad g) {
  constexpr int each = tile / side, columns = size / side;
  DYNAMIC_SHARED(float, shared);
  float* const q = shared;
  float* const dy = q + tile * stride<size>;
  float* const k = dy + tile * stride<size>;
  float* const v = k + tile * stride<size>;
  float* const gradients = v + tile * stride<size>;
  const Place place(o, (o.time + tile - 1) / tile);
  const int firstQuery = place.tile * tile, start = o.starts[place.batch];
  loadTile<size>(q, o, place, o.q, o.time, firstQuery, tile, o.scale);
  loadTile<size>(dy, o, place, g.dy, o.time, firstQuery, tile, 1);
  float dq[each][columns] = {};
  const int end = keysSeen(o, firstQuery, tile);
  for (int firstKey = start / tile * tile; firstKey < end; firstKey += tile) {
    __syncthreads();
    loadTile<size>(k, o, place, o.k, o.keys, firstKey, tile, 1);
    loadTile<size>(v, o, place, o.v, o.keys, firstKey, tile, 1);
    __syncthreads();
    float weights[each][each], scores[each][each];
    tileGradients<size, tile>(o, g, place, start, firstQuery, firstKey, q, dy, k, v, weights, scores);
    for (int r = 0; r < each; ++r) {
      for (int c = 0; c < each; ++c) {
        gradients[(place.y + side * r) * stride<tile> + place.x + side * c] = scores[r][c];
      }
    }
    __syncthreads();
    for (int j = 0; j < tile; ++j) {
      for (int r = 0; r < each; ++r) {
        const float gradient = gradients[(place.y + side * r) * stride<tile> + j];
        for (int c = 0; c < columns; ++c) dq[r][c] += gradient * k[j * stride<size> + place.x + side * c];
      }
    }
  }
  for (int r = 0; r < each; ++r) {
    const int query = firstQuery + place.y + side * r;
    for (int c = 0; c < columns; ++c) {
      const int channel = place.x + side * c;
      if (query < o.time && channel < o.size) g.dq[place.at(o, o.time, query) + channel] = dq[r][c] * o.scale;
    }
  }
}

template <int size, int tile>
__global__ void __launch_bounds__(blockThreads) attentionOfKeys(Attention o, AttentionGrad g) {
  constexpr int each = tile / side, columns = size / side;
  DYNAMIC_SHARED(float, shared);
  float* const q = shared;
  float* const dy = q + tile * stride<size>;
  float* const k = dy + tile * stride<size>;
  float* const v = k + tile * stride<size>;
  float* const ofWeights = v + tile * stride<size>;
  float* const ofScores = ofWeights + tile * stride<tile>;
  const Place place(o, (o.keys + tile - 1) / tile);
  const int firstKey = place.tile * tile, start = o.starts[place.batch];
  loadTile<size>(k, o, place, o.k, o.keys, firstKey, tile, 1);
  loadTile<size>(v, o, place, o.v, o.keys, firstKey, tile, 1);
  float dk[each][columns] = {}, dv[each][columns] = {};
  // The first query that sees the tile's first key.
  const int first = firstKey - (o.keys - o.time);
  for (int firstQuery = first > 0 ? first / tile * tile : 0; firstQuery < o.time; firstQuery += tile) {
    __syncthreads();
    loadTile<size>(q, o, place, o.q, o.time, firstQuery, tile, o.scale);
    loadTile<size>(dy, o, place, g.dy, o.time, firstQuery, tile, 1);
    __syncthreads();
    float weights[each][each], scores[each][each];
    tileGradients<size, tile>(o, g, place, start, firstQuery, firstKey, q, dy, k, v, weights, scores);
    for (int r = 0; r < each; ++r) {
      for (int c = 0; c < each; ++c) {
        const int at = (place.y + side * r) * stride<tile> + place.x + side * c;
        ofWeights[at] = weights[r][c];
        ofScores[at] = scores[r][c];
      }
    }
    __syncthreads();
    for (int t = 0; t < tile; ++t) {
      for (int r = 0; r < each; ++r) {
        const float weight = ofWeights[t * stride<tile> + place.y + side * r];
        const float score = ofScores[t * stride<tile> + place.y + side * r];
        for (int c = 0; c < columns; ++c) {
          dv[r][c] += weight * dy[t * stride<size> + place.x + side * c];
          dk[r][c] += score * q[t * stride<size> + place.x + side * c];  // q has the scale in it
        }
      }
    }
  }
  for (int r = 0; r < each; ++r) {
    const int key = firstKey + place.y + side * r;
    for (int c = 0; c < columns; ++c) {
      const int channel = place.x + side * c;
      if (key >= o.keys || channel >= o.size) continue;
      g.dk[place.at(o, o.keys, key) + channel] = dk[r][c];
      g.dv[place.at(o, o.keys, key) + channel] = dv[r][c];
    }
  }
}

/// body(size, tile) as types: the head size that this one fits, and the tile whose shared memory every GPU has.
template <typename Body>
void withHeads(int size, Body body) {
  if (size <= 32) {
    body(std::integral_constant<int, 32>{}, std::integral_constant<int, 32>{});
  } else if (size <= 64) {
    body(std::integral_constant<int, 64>{}, std::integral_constant<int, 32>{});
  } else if (size <= 128) {
    body(std::integral_constant<int, 128>{}, std::integral_constant<int, 32>{});
  } else {
    body(std::integral_constant<int, 256>{}, std::integral_constant<int, 16>{});
  }
}

dim3 tilesOf(const Attention& o, int tokens, int tile) {
  return dim3(static_cast<unsigned int>(static_cast<int64_t>(o.batch) * o.heads * blocksFor(tokens, tile)));
}

}  // namespace

void attention(cudaStream_t stream, const Attention& o, float* y, float* logSums) {
  withHeads(o.size, [&](auto sizeType, auto tileType) {
    constexpr int size = decltype(sizeType)::value, tile = decltype(tileType)::value;
    constexpr size_t shared = (3 * tile * stride<size> + tile * stride<tile>) * sizeof(float);
    launch(attentionKernel<size, tile>, tilesOf(o, o.time, tile), dim3(blockThreads), shared, stream, o, y, logSums);
  });
}

void attentionGrad(cudaStream_t stream, const Attention& o, const AttentionGrad& g) {
  withHeads(o.size, [&](auto sizeType, auto tileType) {
    constexpr int size = decltype(sizeType)::value, tile = decltype(tileType)::value;
    constexpr size_t tiles = 4 * tile * stride<size>, square = tile * stride<tile>;
    launch(attentionOfQueries<size, tile>, tilesOf(o, o.time, tile), dim3(blockThreads),
           (tiles + square) * sizeof(float), stream, o, g);
    launch(attentionOfKeys<size, tile>, tilesOf(o, o.keys, tile), dim3(blockThreads),
           (tiles + 2 * square) * sizeof(float), stream, o, g);
  });
}

}  // namespace metastate::cuda
