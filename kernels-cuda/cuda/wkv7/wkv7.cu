#include "wkv7/wkv7.h"

#include "platform.h"
#include "wkv7/chunked_backward.cuh"
#include "wkv7/chunked_forward.cuh"
#include "wkv7/head_size.h"
#include "wkv7/recurrent_backward.cuh"
#include "wkv7/recurrent_forward.cuh"

namespace metastate::cuda {
namespace {

template <int N>
void singleStep(const Wkv7Shape& shape, const Wkv7Inputs& in, const Wkv7Outputs& out, cudaStream_t stream) {
  const int64_t warps = static_cast<int64_t>(shape.batch) * shape.heads * StateRows<N>::warpsPerHead;
  launch(wkv7SingleStep<N>, dim3(blocksFor(warps, 4)), dim3(128), 0, stream, shape, in, out);
}

template <int N, int warps>
void recurrentForwardOfWarps(const Wkv7Shape& shape, const Wkv7Inputs& in, const Wkv7Outputs& out,
                             cudaStream_t stream) {
  constexpr int shares = StateRows<N>::warpsPerHead / warps;
  const unsigned blocks = static_cast<unsigned>(shape.batch * shape.heads * shares);
  launch((wkv7RecurrentForward<N, warps>), dim3(blocks), dim3(warps * 32), 0, stream, shape, checkpointCount(shape), in,
         out);
}

template <int N>
void recurrentForward(const Wkv7Shape& shape, const Wkv7Inputs& in, const Wkv7Outputs& out, int multiprocessors,
                      cudaStream_t stream) {
  // Warps of a head need nothing of each other. Together in a block they share the copies of the operands; apart they
  // spread over more multiprocessors.
  constexpr int whole = StateRows<N>::warpsPerHead, together = whole < 4 ? whole : 4;
  if (shape.batch * shape.heads * whole >= 2 * together * multiprocessors) {
    recurrentForwardOfWarps<N, together>(shape, in, out, stream);
  } else {
    recurrentForwardOfWarps<N, 1>(shape, in, out, stream);
  }
}

template <int N>
void chunkedForward(const Wkv7Shape& shape, const Wkv7Inputs& in, const Wkv7Outputs& out, float* scratch,
                    cudaStream_t stream) {
  const int chunks = chunkCount(shape);
  const unsigned heads = static_cast<unsigned>(shape.batch * shape.heads);
  const dim3 threads(N / tileSize * 32);
  launch(chunkFactors<N>, dim3(heads * static_cast<unsigned>(chunks)), threads, sizeof(ChunkFactorsShared<N>), stream,
         shape, chunks, in, scratch);
  const ChunkScan scan = {in.state, in.v, out.y, out.finalState, shape.interval == 0 ? nullptr : out.checkpoints};
  launch((chunkScan<N, false>), dim3(heads, N / tileSize), threads, sizeof(ChunkScanShared<N>), stream, shape, chunks,
         scan, scratch);
}

template <int N>
void chunkedBackward(const Wkv7Shape& shape, const Wkv7GradInputs& in, const Wkv7Gradients& out, float* scratch,
                     cudaStream_t stream) {
  const int chunks = chunkCount(shape);
  const unsigned heads = static_cast<unsigned>(shape.batch * shape.heads);
  const dim3 threads(N / tileSize * 32), all(heads * static_cast<unsigned>(chunks));
  float* const adjoints = scratch;
  float* const factors = scratch + static_cast<size_t>(all.x) * N * N;
  launch(chunkAdjointFactors<N>, all, threads, sizeof(ChunkAdjointFactorsShared<N>), stream, shape, chunks, in, factors);
  const ChunkScan scan = {in.dFinalState, in.dy, out.dv, out.dState, adjoints};
  launch((chunkScan<N, true>), dim3(heads, N / tileSize), threads, sizeof(ChunkScanShared<N>), stream, shape, chunks,
         scan, factors);
  launch(chunkGradients<N>, all, threads, sizeof(ChunkGradientsShared<N>), stream, shape, chunks, in, out, adjoints);
}

/// Warps of one block's slab on the way back.
template <int N>
constexpr int backwardWarps = N == 16 ? 1 : 4;

/// Shares of a head on the way back: as many as give every multiprocessor two blocks. More would only add sums.
template <int N>
int backwardShares(const Wkv7Shape& shape, int multiprocessors) {
  const int most = BackSweep<N, backwardWarps<N>>::slabs, heads = shape.batch * shape.heads;
  int shares = 1;
  while (shares < most && shares * heads < 2 * multiprocessors) shares *= 2;
  return shares;
}

size_t stepFloats(const Wkv7Shape& shape) {
  return static_cast<size_t>(shape.batch) * shape.time * shape.heads * shape.headSize;
}

}  // namespace

bool wkv7CanChunk(const Wkv7Shape& shape) { return shape.interval == 0 || shape.interval == chunkSteps; }

Wkv7Form wkv7Form(const Wkv7Shape& shape, int multiprocessors) {
  // The recurrent form waits for each step's sums, the chunked one for each sixteenth step's, with about twice the work. With
  // eight warps on every multiprocessor the waits are hidden, and the work decides.
  const int warps = shape.batch * shape.heads * (shape.headSize / tileSize);
  const bool isLong = shape.time >= 4 * chunkSteps, isIdle = warps < 8 * multiprocessors;
  return wkv7CanChunk(shape) && isLong && isIdle ? Wkv7Form::chunked : Wkv7Form::recurrent;
}

size_t wkv7ForwardScratch(const Wkv7Shape& shape, Wkv7Form form) {
  if (form == Wkv7Form::recurrent) return 0;
  return withHeadSize(shape.headSize, [&](auto size) {
    const size_t chunks = static_cast<size_t>(shape.batch) * shape.heads * chunkCount(shape);
    return chunks * ChunkFactors<decltype(size)::value>::floats;
  });
}

void wkv7Forward(const Wkv7Shape& shape, const Wkv7Inputs& in, const Wkv7Outputs& out, Wkv7Form form, float* scratch,
                 int multiprocessors, cudaStream_t stream) {
  withHeadSize(shape.headSize, [&](auto size) {
    constexpr int N = decltype(size)::value;
    if (form == Wkv7Form::chunked) {
      chunkedForward<N>(shape, in, out, scratch, stream);
    } else if (shape.time == 1) {
      singleStep<N>(shape, in, out, stream);
    } else {
      recurrentForward<N>(shape, in, out, multiprocessors, stream);
    }
  });
}

size_t wkv7BackwardScratch(const Wkv7Shape& shape, Wkv7Form form, int multiprocessors) {
  return withHeadSize(shape.headSize, [&](auto size) {
    constexpr int N = decltype(size)::value;
    if (form == Wkv7Form::chunked) {
      const size_t chunks = static_cast<size_t>(shape.batch) * shape.heads * chunkCount(shape);
      return chunks * (N * N + ChunkFactors<N>::floats);
    }
    const int shares = backwardShares<N>(shape, multiprocessors);
    return static_cast<size_t>(shares - 1) * columnGradients * stepFloats(shape);
  });
}

void wkv7Backward(const Wkv7Shape& shape, const Wkv7GradInputs& in, const Wkv7Gradients& out, Wkv7Form form,
                  float* scratch, int multiprocessors, cudaStream_t stream) {
  withHeadSize(shape.headSize, [&](auto size) {
    constexpr int N = decltype(size)::value, warps = backwardWarps<N>;
    if (form == Wkv7Form::chunked) return chunkedBackward<N>(shape, in, out, scratch, stream);
    const int shares = backwardShares<N>(shape, multiprocessors);
    const dim3 grid(static_cast<unsigned>(shape.batch * shape.heads), static_cast<unsigned>(shares));
    launch((wkv7RecurrentBackward<N, warps>), grid, dim3(warps * 32), sizeof(typename BackSweep<N, warps>::Shared),
           stream, shape, checkpointCount(shape), in, out, scratch);
    if (shares > 1) {
      const size_t all = stepFloats(shape);
      launch(addShares, dim3(blocksFor(static_cast<int64_t>(all), 256)), dim3(256), 0, stream, out, scratch, shares - 1,
             all);
    }
  });
}

}  // namespace metastate::cuda
