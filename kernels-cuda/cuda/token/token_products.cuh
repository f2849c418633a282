// The products of one token of each text with several matrices, in one launch.
//
// Such a product waits for memory, which brings each weight once: so what counts is that all of it is asked for at
// once and by whole sectors. A block has a few outputs of one matrix: the same number of bytes in either layout. Of a
// matrix [out, in] a warp has two rows and goes along them; where there are too few rows to keep the GPU busy,
// several warps share one. Of a matrix [in, out] the block has a strip of neighbouring columns, and its threads share
// the rows out. The sums of warps are added in their order. Up to eight texts share a weight that was read; more of
// them are groups, in blocks side by side.
//
// The vector is in shared memory, a piece of it where it is long. It may be the residual stream, which each block
// then normalises and shifts for itself: a few rows out of the cache, and one launch less to wait for.
#pragma once

#include "ops/scalars.cuh"
#include "token/shifted_stream.cuh"
#include "wkv7/lanes.cuh"

namespace metastate::cuda {

constexpr int tokenThreads = blockThreads;
constexpr int tokenWarps = tokenThreads / warpThreads;
constexpr int mostTokenMatrices = 7;
/// Rows of a matrix [out, in] that a warp has.
constexpr int rowsOfWarp = 2;
/// The most outputs of a block.
constexpr int mostTokenOutputs = 32;

/// What becomes of a sum, with the bias b, `base` and `other` at its place: e is the decay's strength, s =
/// sigmoid(sum + b).
enum class AfterProduct {
  none,
  tanh,
  sigmoid,
  squaredRelu,
  add,            ///< base + sum
  decay,          ///< exp(-e s)
  biasedSigmoid,  ///< s
  interpolate,    ///< base + (other - base) s
};

struct TokenMatrix {
  const float* x;       ///< [rows, in]; null for the shifted stream
  const float* mix;     ///< of the stream's shift
  const float* weight;  ///< [out, in], or [in, out]
  bool outIn;
  int in, out;
  float* y;  ///< [rows, out]
  AfterProduct after;
  const float *bias, *base, *other;

  int outputs;     ///< of a block
  int firstBlock;  ///< in the launch, divided by the groups of texts
};

struct TokenProducts {
  TokenMatrix matrices[mostTokenMatrices];
  int count;
  int rows;   ///< texts
  int parts;  ///< warps that share rows of a matrix [out, in]
  int chunk;  ///< how much of a vector is in shared memory, a multiple of four
  ShiftedStream stream;
};

__device__ __forceinline__ float finished(const TokenMatrix& m, float sum, int64_t at, int column) {
  switch (m.after) {
    case AfterProduct::tanh: return tanhf(sum);
    case AfterProduct::sigmoid: return sigmoid(sum);
    case AfterProduct::squaredRelu: return sum <= 0 ? 0.0f : sum * sum;
    case AfterProduct::add: return m.base[at] + sum;
    case AfterProduct::decay: return expf(sigmoid(sum + m.bias[column]) * -decayStrength);
    case AfterProduct::biasedSigmoid: return sigmoid(sum + m.bias[column]);
    case AfterProduct::interpolate: {
      const float base = m.base[at];
      return base + (m.other[at] - base) * sigmoid(sum + m.bias[column]);
    }
    default: return sum;
  }
}

/// Columns [begin, begin + length) of `rows` rows from `firstRow` on into x; the others of x are zeros.
template <int V, int G>
__device__ __forceinline__ void fillChunk(const TokenProducts& o, const TokenMatrix& m, const Moments* moments,
                                          int64_t firstRow, int rows, int begin, int length, bool writes, float* x) {
  const int vectors = length / V;
#pragma unroll G > 2 ? 2 : 1
  for (int i = static_cast<int>(threadIdx.x); i < G * vectors; i += tokenThreads) {
    const int g = i / vectors, j = i % vectors * V;
    Floats<V> here{};
    if (g < rows && m.x) {
      here = load<V>(m.x + (firstRow + g) * m.in + begin + j);
    } else if (g < rows) {
      Floats<V> normalised;
      here = shiftedAt<V>(o.stream, m.mix, firstRow + g, begin + j, moments[g], normalised);
      if (writes) store<V>(o.stream.normalised + (firstRow + g) * m.in + begin + j, normalised);
    }
    store<V>(x + g * o.chunk + j, here);
  }
}

/// Adds what columns [begin, begin + length) give to this warp's rows of a matrix [out, in], from `first` on.
template <int V, int G>
__device__ __forceinline__ void addAlongRows(const TokenProducts& o, const TokenMatrix& m, int first, int begin,
                                             int length, const float* x, float* sums) {
  const int warp = static_cast<int>(threadIdx.x) / warpThreads, lane = static_cast<int>(threadIdx.x) % warpThreads;
  const float* rows[rowsOfWarp];
#pragma unroll
  for (int i = 0; i < rowsOfWarp; ++i) {
    const int row = first + i < m.out ? first + i : m.out - 1;  // past the end: summed up, and not stored
    rows[i] = m.weight + static_cast<int64_t>(row) * m.in + begin;
  }
#pragma unroll G > 2 ? 2 : 4
  for (int j = (warp % o.parts * warpThreads + lane) * V; j < length; j += o.parts * warpThreads * V) {
    Floats<V> weights[rowsOfWarp];
#pragma unroll
    for (int i = 0; i < rowsOfWarp; ++i) weights[i] = load<V>(rows[i] + j);
#pragma unroll
    for (int g = 0; g < G; ++g) {
      const Floats<V> here = load<V>(x + g * o.chunk + j);
#pragma unroll
      for (int i = 0; i < rowsOfWarp; ++i) {
#pragma unroll
        for (int e = 0; e < V; ++e) sums[i * G + g] = fmaf(weights[i].at[e], here.at[e], sums[i * G + g]);
      }
    }
  }
}

/// Adds what rows [begin, begin + length) give to V columns of a matrix [in, out]. Lanes along the rows are
/// neighbours: `down` of a warp.
template <int V, int G>
__device__ __forceinline__ void addDownColumns(const TokenProducts& o, const TokenMatrix& m, int column, int down,
                                               int begin, int length, const float* x, float* sums) {
  const int warp = static_cast<int>(threadIdx.x) / warpThreads, lane = static_cast<int>(threadIdx.x) % warpThreads;
  if (column >= m.out) return;
  const float* const weight = m.weight + static_cast<int64_t>(begin) * m.out + column;
#pragma unroll G > 2 ? 2 : 4
  for (int row = warp * down + lane % down; row < length; row += tokenWarps * down) {
    const Floats<V> weights = load<V>(weight + static_cast<int64_t>(row) * m.out);
#pragma unroll
    for (int g = 0; g < G; ++g) {
      const float here = x[g * o.chunk + row];
#pragma unroll
      for (int e = 0; e < V; ++e) sums[e * G + g] = fmaf(weights.at[e], here, sums[e * G + g]);
    }
  }
}

/// The sums of this block's outputs, `table` [warps that share an output][outputs][G].
template <int V, int G>
__device__ __forceinline__ void sumOutputs(const TokenProducts& o, const TokenMatrix& m, int first, int64_t firstRow,
                                           int rows, bool writes, const Moments* moments, float* x, float* table) {
  const int warp = static_cast<int>(threadIdx.x) / warpThreads, lane = static_cast<int>(threadIdx.x) % warpThreads;
  const int mine = warp / o.parts * rowsOfWarp;         // of a matrix [out, in]
  const int across = m.outputs / V;                     // of a matrix [in, out]: vectors of the strip
  const int down = m.outIn ? 1 : warpThreads / across;  // lanes that share one
  const int column = m.outIn ? 0 : lane / down * V;
  constexpr int held = (rowsOfWarp > V ? rowsOfWarp : V) * G;
  float sums[held] = {};
  for (int begin = 0; begin < m.in; begin += o.chunk) {
    const int length = m.in - begin < o.chunk ? m.in - begin : o.chunk;
    if (begin > 0) __syncthreads();  // the piece before has been read
    if (m.in % 4 == 0) {
      fillChunk<4, G>(o, m, moments, firstRow, rows, begin, length, writes, x);
    } else {
      fillChunk<1, G>(o, m, moments, firstRow, rows, begin, length, writes, x);
    }
    __syncthreads();
    if (m.outIn) {
      addAlongRows<V, G>(o, m, first + mine, begin, length, x, sums);
    } else {
      addDownColumns<V, G>(o, m, first + column, down, begin, length, x, sums);
    }
  }
  if (m.outIn) {
    constexpr int apart = warpThreads / (rowsOfWarp * G);
    const float sum = scatteredSum<rowsOfWarp * G, warpThreads>(sums, lane);
    if (lane % apart == 0) table[(warp % o.parts * m.outputs + mine) * G + lane / apart] = sum;
  } else {
#pragma unroll
    for (int i = 0; i < V * G; ++i) {
      for (int distance = down / 2; distance > 0; distance /= 2) {
        sums[i] += __shfl_xor_sync(wholeWarp, sums[i], distance);
      }
      if (lane % down == 0) table[(warp * m.outputs + column) * G + i] = sums[i];
    }
  }
  __syncthreads();
}

/// A block for each run of outputs of a matrix and each group of G texts, groups side by side: they read the same
/// weights.
template <int G>
__global__ void __launch_bounds__(tokenThreads, 2) tokenProducts(TokenProducts o) {
  DYNAMIC_SHARED(float, x);  // [G][chunk]
  __shared__ float table[tokenWarps * mostTokenOutputs * G];
  __shared__ float partial[2 * tokenWarps];
  __shared__ Moments moments[G];

  const int thread = static_cast<int>(threadIdx.x), warp = thread / warpThreads;
  const int groups = (o.rows + G - 1) / G, block = static_cast<int>(blockIdx.x) / groups;
  const int64_t firstRow = static_cast<int64_t>(blockIdx.x) % groups * G;
  const int rows = o.rows - firstRow < G ? static_cast<int>(o.rows - firstRow) : G;
  int which = 0;
  while (which + 1 < o.count && block >= o.matrices[which + 1].firstBlock) ++which;
  const TokenMatrix& m = o.matrices[which];
  const int first = (block - m.firstBlock) * m.outputs;
  const int outputs = m.out - first < m.outputs ? m.out - first : m.outputs;

  if (m.outIn) {
    prefetchAll(m.weight + static_cast<int64_t>(first) * m.in, static_cast<int64_t>(outputs) * m.in);
  } else {
    for (int row = thread; row < m.in; row += tokenThreads) {
      prefetch(m.weight + static_cast<int64_t>(row) * m.out + first);
    }
  }
  if (!m.x) {
    constexpr int parts = tokenWarps / G;
    const int mine = warp / parts < rows ? warp / parts : rows - 1;
    const float* const row = o.stream.stream + (firstRow + mine) * m.in;
    const Moments ofRow = m.in % 4 == 0 ? momentsOfRow<4>(row, m.in, o.stream.epsilon, parts, partial)
                                        : momentsOfRow<1>(row, m.in, o.stream.epsilon, parts, partial);
    if (thread % (parts * warpThreads) == 0) moments[warp / parts] = ofRow;
    __syncthreads();
  }
  const bool writes = !m.x && block == 0;
  if ((m.outIn ? m.in : m.out) % 4 == 0) {
    sumOutputs<4, G>(o, m, first, firstRow, rows, writes, moments, x, table);
  } else {
    sumOutputs<1, G>(o, m, first, firstRow, rows, writes, moments, x, table);
  }

  const int shares = m.outIn ? o.parts : tokenWarps;
  for (int i = thread; i < outputs * rows; i += tokenThreads) {
    const int g = i / outputs, output = i % outputs;
    float sum = 0;
    for (int share = 0; share < shares; ++share) sum += table[(share * m.outputs + output) * G + g];
    const int64_t at = (firstRow + g) * m.out + first + output;
    m.y[at] = finished(m, sum, at, first + output);
  }
}

}  // namespace metastate::cuda
