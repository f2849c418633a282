// The recurrence of RWKV-7 (and of Meta-State's M), for every batch entry and head, over time:
//
//   sa_t = S_{t-1} a_t
//   S_t  = S_{t-1} diag(w_t) + sa_t b_t^T + v_t k_t^T        y_t = S_t r_t
//
// r, w, k, v, a, b, y are [B, T, H, N]; a state is [N, N], rows value channels, columns key channels. w is the decay
// itself, a factor in (0, 1].
//
// This header is what the hot code of one instruction set offers. Who calls it is wkv7.cpp, which shares the work out.
#pragma once

#include <stdint.h>

namespace metastate {

struct Wkv7Shape {
  int64_t batch, time, heads, headSize;
  /// Steps from one checkpoint to the next; 0 for none.
  int64_t interval;
};

/// Checkpoints of a head. (Static: each instruction set must have its own copy; see hot_code.h.)
static inline int64_t checkpointCount(const Wkv7Shape& shape) {
  return shape.interval == 0 ? 0 : (shape.time + shape.interval - 1) / shape.interval;
}

/// r, w, k, v, a, b [B, T, H, N]; state [B, H, N, N].
struct Wkv7Inputs {
  const float *r, *w, *k, *v, *a, *b, *state;
};

/// y [B, T, H, N]; finalState [B, H, N, N], or null when it is not wanted; checkpoints [B, H, ceil(T / interval), N, N], the states before steps 0,
/// interval, 2 interval, ..., or null when interval is 0.
struct Wkv7Outputs {
  float *y, *finalState, *checkpoints;
};

/// dFinalState null stands for zeros.
struct Wkv7GradInputs {
  const float *r, *w, *k, *v, *a, *b, *checkpoints, *dy, *dFinalState;
};

/// Where the gradients go that are sums over the rows of a head.
struct Wkv7ColumnGradients {
  float *dr, *dw, *dk, *da, *db;
  /// Floats from one batch entry, head and step to the next.
  int64_t entryStride, headStride, stride;
  /// Whether dw, dk, da and db are added to, because another recurrence has the same operands. dr is written.
  bool add = false;
};

/// Where the gradients go of which each row has its own; dv [B, T, H, N], dState [B, H, N, N].
struct Wkv7RowGradients {
  float *dv, *dState;
};

/// Heads count batch entries and heads together: b * H + h. `scratch` may be at any address of a float.
struct Wkv7Kernels {
  /// Rows that one call of forwardRows takes at once, for this head size: a share of the work is best a multiple.
  int64_t (*forwardBlock)(int64_t headSize);
  /// Floats of scratch that forwardRows needs for so many rows of so many heads.
  int64_t (*forwardScratch)(int64_t headSize, int64_t heads, int64_t rows);
  /// All steps of rows [firstRow, firstRow + rows) of heads [firstHead, firstHead + heads).
  void (*forwardRows)(const Wkv7Shape&, const Wkv7Inputs&, const Wkv7Outputs&, int64_t firstHead, int64_t heads,
                      int64_t firstRow, int64_t rows, float* scratch);

  int64_t (*backwardBlock)(int64_t headSize);
  int64_t (*backwardScratch)(const Wkv7Shape&, int64_t heads, int64_t rows);
  /// All steps of these rows: their row gradients, and their share of the column gradients, which are written, not added.
  void (*backwardRows)(const Wkv7Shape&, const Wkv7GradInputs&, const Wkv7RowGradients&, const Wkv7ColumnGradients&,
                       int64_t firstHead, int64_t heads, int64_t firstRow, int64_t rows, float* scratch);
};

}  // namespace metastate
