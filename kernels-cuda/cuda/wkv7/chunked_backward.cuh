// Wkv7 backward by chunks of sixteen steps. With G the adjoint of the state after a chunk, the equations of chunk.cuh give
// the adjoints of SA behind T, and of the state and the values before:
//
//   X = T^T (Arb^T dY + b' G^T)      dV = Ark^T dY + Aak^T X + k' G^T      G <- G diag(W_16) + dY^T r' + X^T a'
//
// which is the scan of the forward pass (chunk_scan.cuh) from the last chunk to the first, with
//
//   p = T^T b'      u = T^T (Arb^T dY)      q = k' + Aak^T p      z = Ark^T dY + Aak^T u
//
// When the scan has kept G of every chunk (and the forward pass S), the other gradients are local to a chunk, for all chunks
// at once (chunkGradients). Of the operands with their decays,
//
//   dr' = dY S    da' = X S    db' = SA G    dk' = V G
//   dArb = dY SA^T    dArk = dY V^T    dAab = X SA^T    dAak = X V^T      (what lies after a step is none of its own)
//
// and of the operands, with E_s = W_16/W_s,
//
//   da_t = W_{t-1} da'_t + H_{t-1} sum_s (dAab_ts b_s/H_s + dAak_ts k_s/H_s)        dr_t likewise, with W_t, H_t, Arb, Ark
//   db_s = E_s db'_s + sum_t (dAab_ts a_t H_{t-1} + dArb_ts r_t H_t) / H_s          dk_s likewise, with Aak, Ark
//
// A decay w_u is in every product of decays that spans u. With the gradients at hand the sum over all of them is
//
//   w_u dw_u = sum_{t > u} a_t da_t + sum_{t >= u} r_t dr_t - sum_{s >= u} (b_s db_s + k_s dk_s)
//            + sum_s E_s (b_s db'_s + k_s dk'_s) + W_16 sum_i S_i G_i
//
// whose terms cancel where a product does not span u: dw has a rounding error of these sums, divided by w_u. At the decays of
// RWKV-7 that is less than twice; of decays near 0 the recurrent form gives dw better.
#pragma once

#include "wkv7/chunk_scan.cuh"

namespace metastate::cuda {

template <int N>
struct ChunkAdjointFactorsShared {
  static constexpr int stride = chunkStride<N>;
  ChunkSteps<N> steps;
  /// b' and k'; b' becomes p.
  float b[chunkSteps][stride], k[chunkSteps][stride];
  /// dY; then Arb^T dY, then u.
  float dy[chunkSteps][stride];
};

/// One block for each chunk of each head.
template <int N>
__global__ void __launch_bounds__(N / tileSize * 32, 1)
    chunkAdjointFactors(Wkv7Shape shape, int chunks, Wkv7GradInputs in, float* scratch) {
  using Shared = ChunkAdjointFactorsShared<N>;
  using Factors = ChunkFactors<N>;
  constexpr int warps = N / tileSize, stride = Shared::stride, threads = warps * 32;
  DYNAMIC_SHARED(float, memory);
  Shared& shared = *reinterpret_cast<Shared*>(memory);
  ChunkSteps<N>& steps = shared.steps;
  const int tid = static_cast<int>(threadIdx.x);
  const ChunkPlace<N> place(shape, chunks, static_cast<int>(blockIdx.x));
  float* const factors = scratch + static_cast<size_t>(blockIdx.x) * Factors::floats;

  readRows<N>(in.dy + place.at, place.stride, place.steps, shared.dy, threads);
  for (int j = tid; j < N; j += threads) {
    const ChunkColumn column(in.w, in.a, in.r, in.b, in.k, place.at + j, place.stride, place.steps);
    // In the scan a' stands where b' does forward, and r' where k' does.
    factors[Factors::decay + j] = column.fromStart(factors + Factors::b + j, factors + Factors::k + j, N);
    column.toEnd(&shared.b[0][j], &shared.k[0][j], stride);
    steps.put(column, j);
  }
  __syncthreads();
  steps.solve(warps);

  // From here on each warp has sixteen columns, and needs nothing of the others.
  const int column = tid / 32 * tileSize;
  float* const b = &shared.b[0][column];
  float* const dy = &shared.dy[0][column];
  TileSum sum, z;
  sum.clear();
  addSteps<Lying::byColumns>(sum, steps.inverse[0], tileStride, b, stride);
  __syncwarp();
  sum.write(b, stride);
  sum.write(factors + Factors::p + column, N);
  __syncwarp();
  sum.read(&shared.k[0][column], stride);
  addSteps<Lying::byColumns>(sum, steps.ak(), pairStride, b, stride);
  sum.write(factors + Factors::q + column, N);
  z.clear();
  addSteps<Lying::byColumns>(z, steps.rk(), pairStride, dy, stride);
  sum.clear();
  addSteps<Lying::byColumns>(sum, steps.rb(), pairStride, dy, stride);
  __syncwarp();
  sum.write(dy, stride);
  __syncwarp();
  sum.clear();
  addSteps<Lying::byColumns>(sum, steps.inverse[0], tileStride, dy, stride);
  __syncwarp();
  sum.write(dy, stride);
  sum.write(factors + Factors::u + column, N);
  __syncwarp();
  addSteps<Lying::byColumns>(z, steps.ak(), pairStride, dy, stride);
  z.write(factors + Factors::z + column, N);
}

template <int N>
struct ChunkGradientsShared {
  static constexpr int stride = chunkStride<N>;
  /// Its products become their adjoints; then left and right become the sums with them.
  ChunkSteps<N> steps;
  /// a' and b', and what becomes of them: da' and db'.
  float a[chunkSteps][stride], b[chunkSteps][stride];
  /// Rows of a state are the columns here. v becomes dk', dy becomes dr'.
  float v[chunkSteps][stride], dy[chunkSteps][stride], sa[chunkSteps][stride], x[chunkSteps][stride];
};

/// Column j of the gradients, from the sums in shared memory.
template <int N>
__device__ __forceinline__ void finishColumn(const ChunkGradientsShared<N>& shared, const Wkv7GradInputs& in,
                                             const Wkv7Gradients& out, const ChunkPlace<N>& place, const float* state,
                                             const float* adjoint, int j) {
  const size_t at = place.at + j, stride = place.stride;
  float overRows = 0;
#pragma unroll 4
  for (int i = 0; i < N; ++i) overRows += state[i * N + j] * adjoint[i * N + j];

  float w[chunkSteps], h[chunkSteps + 1];
  readColumn(in.w + at, stride, place.steps, w, 1);
  factorsFromMiddle(w, h);
  // What a step's a gives to the decays before the step, and its r to those up to it; then all that is for its decay and
  // not for every decay of the chunk.
  float before[chunkSteps], upTo[chunkSteps];
  float factor = 1;
  {
    float a[chunkSteps], r[chunkSteps];
    readColumn(in.a + at, stride, place.steps, a);
    readColumn(in.r + at, stride, place.steps, r);
#pragma unroll
    for (int t = 0; t < chunkSteps; ++t) {
      const float da = factor * shared.a[t][j] + h[t] * shared.steps.left[t][j];
      factor *= w[t];
      const float dr = factor * shared.dy[t][j] + h[t + 1] * shared.steps.left[chunkSteps + t][j];
      before[t] = a[t] * da;
      upTo[t] = r[t] * dr;
      if (t < place.steps) {
        out.da[at + t * stride] = da;
        out.dr[at + t * stride] = dr;
      }
    }
  }
  float spanningAll = factor * overRows, after = 0;
  factor = 1;
  float b[chunkSteps], k[chunkSteps];
  readColumn(in.b + at, stride, place.steps, b);
  readColumn(in.k + at, stride, place.steps, k);
#pragma unroll
  for (int s = chunkSteps - 1; s >= 0; --s) {
    const float inverse = 1 / h[s + 1];
    const float dbToEnd = factor * shared.b[s][j], dkToEnd = factor * shared.v[s][j];
    const float db = dbToEnd + inverse * shared.steps.right[s][j];
    const float dk = dkToEnd + inverse * shared.steps.right[chunkSteps + s][j];
    factor *= w[s];
    spanningAll += b[s] * dbToEnd + k[s] * dkToEnd;
    after += upTo[s] - (b[s] * db + k[s] * dk);
    upTo[s] = after;
    after += before[s];
    if (s < place.steps) {
      out.db[at + s * stride] = db;
      out.dk[at + s * stride] = dk;
    }
  }
#pragma unroll
  for (int u = 0; u < chunkSteps; ++u) {
    if (u < place.steps) out.dw[at + u * stride] = (upTo[u] + spanningAll) / w[u];
  }
}

/// One block for each chunk of each head; `adjoints` [B, H, chunks, N, N] holds G after each chunk. A multiprocessor
/// is to have twelve warps of it: without that bound nvcc takes all registers a thread may have, spills, and eight are left.
template <int N>
__global__ void __launch_bounds__(N / tileSize * 32, 384 / (N / tileSize * 32))
    chunkGradients(Wkv7Shape shape, int chunks, Wkv7GradInputs in, Wkv7Gradients out, const float* adjoints) {
  using Shared = ChunkGradientsShared<N>;
  constexpr int warps = N / tileSize, stride = Shared::stride, threads = warps * 32;
  DYNAMIC_SHARED(float, memory);
  Shared& shared = *reinterpret_cast<Shared*>(memory);
  ChunkSteps<N>& steps = shared.steps;
  const int tid = static_cast<int>(threadIdx.x), warp = tid / 32;
  const ChunkPlace<N> place(shape, chunks, static_cast<int>(blockIdx.x));
  const float* const state = in.checkpoints + static_cast<size_t>(blockIdx.x) * N * N;
  const float* const adjoint = adjoints + static_cast<size_t>(blockIdx.x) * N * N;

  readRows<N>(in.v + place.at, place.stride, place.steps, shared.v, threads);
  readRows<N>(in.dy + place.at, place.stride, place.steps, shared.dy, threads);
  for (int j = tid; j < N; j += threads) {
    const ChunkColumn column(in.w, in.a, in.r, in.b, in.k, place.at + j, place.stride, place.steps);
    column.fromStart(&shared.a[0][j], nullptr, stride);
    column.toEnd(&shared.b[0][j], nullptr, stride);
    steps.put(column, j);
  }
  __syncthreads();
  steps.solve(warps);

  // SA and X, sixteen columns (rows of the states) for each warp.
  const int mine = warp * tileSize;
  TileSum sum;
  float* const sa = &shared.sa[0][mine];
  float* const x = &shared.x[0][mine];
  sum.clear();
  sum.addProduct<Lying::byRows, Lying::byColumns>(shared.a[0], stride, state + mine * N, N, N);
  addSteps(sum, steps.ak(), pairStride, &shared.v[0][mine], stride);
  sum.write(sa, stride);
  __syncwarp();
  sum.clear();
  addSteps(sum, steps.inverse[0], tileStride, sa, stride);
  __syncwarp();
  sum.write(sa, stride);
  sum.clear();
  sum.addProduct<Lying::byRows, Lying::byColumns>(shared.b[0], stride, adjoint + mine * N, N, N);
  addSteps<Lying::byColumns>(sum, steps.rb(), pairStride, &shared.dy[0][mine], stride);
  sum.write(x, stride);
  __syncwarp();
  sum.clear();
  addSteps<Lying::byColumns>(sum, steps.inverse[0], tileStride, x, stride);
  __syncwarp();
  sum.write(x, stride);
  __syncthreads();

  // Adjoints of the four products, in their place, and of the operands with their decays, sixteen columns for each warp.
  for (int i = warp; i < 4; i += warps) {
    const int row = i / 2 * tileSize;
    sum.clear();
    sum.addProduct<Lying::byRows, Lying::byColumns>(i / 2 == 0 ? shared.x[0] : shared.dy[0], stride,
                                                    i % 2 == 0 ? shared.sa[0] : shared.v[0], stride, N);
    sum.write(&steps.products[row][i % 2 * tileStride], pairStride);
  }
  TileSum dr, da, db, dk;
  dr.clear();
  dr.addProduct<Lying::byRows, Lying::byRows>(shared.dy[0], stride, state + mine, N, N);
  da.clear();
  da.addProduct<Lying::byRows, Lying::byRows>(shared.x[0], stride, state + mine, N, N);
  db.clear();
  db.addProduct<Lying::byRows, Lying::byRows>(shared.sa[0], stride, adjoint + mine, N, N);
  dk.clear();
  dk.addProduct<Lying::byRows, Lying::byRows>(shared.v[0], stride, adjoint + mine, N, N);
  __syncthreads();
  dr.write(&shared.dy[0][mine], stride);
  da.write(&shared.a[0][mine], stride);
  db.write(&shared.b[0][mine], stride);
  dk.write(&shared.v[0][mine], stride);
  ChunkSteps<N>::maskLater(steps.products, threads);
  __syncthreads();

  // The sums with them; a warp needs and writes over only its own columns of left and right.
  float *const ofA = &steps.left[0][mine], *const ofR = &steps.left[chunkSteps][mine];
  float *const ofB = &steps.right[0][mine], *const ofK = &steps.right[chunkSteps][mine];
  da.clear();
  addSteps(da, steps.ab(), pairStride, ofB, stride);
  addSteps(da, steps.ak(), pairStride, ofK, stride);
  dr.clear();
  addSteps(dr, steps.rb(), pairStride, ofB, stride);
  addSteps(dr, steps.rk(), pairStride, ofK, stride);
  db.clear();
  addSteps<Lying::byColumns>(db, steps.ab(), pairStride, ofA, stride);
  addSteps<Lying::byColumns>(db, steps.rb(), pairStride, ofR, stride);
  dk.clear();
  addSteps<Lying::byColumns>(dk, steps.ak(), pairStride, ofA, stride);
  addSteps<Lying::byColumns>(dk, steps.rk(), pairStride, ofR, stride);
  __syncwarp();
  da.write(ofA, stride);
  dr.write(ofR, stride);
  db.write(ofB, stride);
  dk.write(ofK, stride);
  __syncthreads();
  for (int j = tid; j < N; j += threads) finishColumn<N>(shared, in, out, place, state, adjoint, j);
}

}  // namespace metastate::cuda
