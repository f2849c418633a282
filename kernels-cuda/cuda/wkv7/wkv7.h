// Wkv7 on the GPU: the recurrence of RWKV-7 (and of Meta-State's M) for every batch entry and head,
//
//   sa_t = S_{t-1} a_t
//   S_t  = S_{t-1} diag(w_t) + sa_t b_t^T + v_t k_t^T        y_t = S_t r_t
//
// r, w, k, v, a, b, y are [B, T, H, N]; a state is [N, N], rows value channels, columns key channels; w is the decay
// itself, a factor in (0, 1]. All are float32 in device memory, at addresses that 16 divides. N is 16, 32, 64 or 128.
//
// Which form runs, and why, is told in README.md of this folder.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/api.h"

namespace metastate::cuda {

struct Wkv7Shape {
  int batch, time, heads, headSize;
  /// Steps from one checkpoint to the next; 0 for none (forward only).
  int interval;
};

/// Whether the kernels exist for this head size.
inline bool wkv7HeadSize(int headSize) {
  return headSize == 16 || headSize == 32 || headSize == 64 || headSize == 128;
}

/// Checkpoints of a head.
inline int checkpointCount(const Wkv7Shape& shape) {
  return shape.interval == 0 ? 0 : (shape.time - 1) / shape.interval + 1;
}

/// r, w, k, v, a, b [B, T, H, N]; state [B, H, N, N].
struct Wkv7Inputs {
  const float *r, *w, *k, *v, *a, *b, *state;
};

/// y [B, T, H, N]; finalState [B, H, N, N]; checkpoints [B, H, ceil(T / interval), N, N], the states before steps 0,
/// interval, 2 interval, ..., or null when interval is 0. None may overlap an input.
struct Wkv7Outputs {
  float *y, *finalState, *checkpoints;
};

/// As above; checkpoints as the forward pass wrote them.
struct Wkv7GradInputs {
  const float *r, *w, *k, *v, *a, *b, *checkpoints, *dy, *dFinalState;
};

/// dr, dw, dk, dv, da, db [B, T, H, N]; dState [B, H, N, N]. Every float is written.
struct Wkv7Gradients {
  float *dr, *dw, *dk, *dv, *da, *db, *dState;
};

/// How a pass is computed.
enum class Wkv7Form {
  /// Step by step; a single step has a kernel of its own.
  recurrent,
  /// Chunks of 16 steps by matrix products on tensor cores.
  chunked
};

/// Whether the chunked form can do it: its chunks are sixteen steps, and so must checkpoints be, if there are any.
bool wkv7CanChunk(const Wkv7Shape& shape);

/// The form that is quicker for this shape, either way, on a GPU of so many multiprocessors.
Wkv7Form wkv7Form(const Wkv7Shape& shape, int multiprocessors);

/// Floats of scratch that a forward pass in this form needs (0 for the recurrent one).
size_t wkv7ForwardScratch(const Wkv7Shape& shape, Wkv7Form form);

/// Launches the forward pass. `multiprocessors` decides how finely heads are cut; it does not change the results' bits.
void wkv7Forward(const Wkv7Shape& shape, const Wkv7Inputs& in, const Wkv7Outputs& out, Wkv7Form form, float* scratch,
                 int multiprocessors, cudaStream_t stream);

/// Floats of scratch that the backward pass needs in this form.
size_t wkv7BackwardScratch(const Wkv7Shape& shape, Wkv7Form form, int multiprocessors);

/// Launches the backward pass; shape.interval is at least 1. The order of every sum is fixed by the shape and
/// `multiprocessors`: the same call gives the same bits.
void wkv7Backward(const Wkv7Shape& shape, const Wkv7GradInputs& in, const Wkv7Gradients& out, Wkv7Form form,
                  float* scratch, int multiprocessors, cudaStream_t stream);

}  // namespace metastate::cuda
