// The Meta-State pass, for every batch entry and head, over time, with T_t = diag(w_t) + a_t b_t^T:
//
//   S_t = S_{t-1} T_t + v_t k_t^T        u_t = S_t q_t        m_t = x_t + readGain GN(u_t)
//   M_t = M_{t-1} T_t + m_t k_t^T        o_t = M_t r_t        added_t = readGain GN(u_t) + memoryGain GN(o_t)
//
// r, w, k, v, a, b, x, q, added are [B, T, H, N]; a state is [N, N]; gains are [H, N]; GN normalises a head's N values.
//
// This header is what the hot code of one instruction set offers. Who calls it is meta_pass.cpp, which shares the work out.
#pragma once

#include "wkv7/wkv7_kernels.h"

namespace metastate {

struct MetaShape {
  Wkv7Shape states;  ///< of both recurrences
  float epsilon;     ///< added to variances
};

struct MetaInputs {
  const float *r, *w, *k, *v, *a, *b, *x, *q, *readGain, *memoryGain, *wkv, *meta;
};

/// u and o may be the same array when they are not wanted; the checkpoints are null when the interval is 0.
struct MetaOutputs {
  float *added, *metaAfter, *u, *o, *wkvCheckpoints, *metaCheckpoints;
};

/// Heads [firstHead, firstHead + heads) count batch entries and heads together.
struct MetaKernels {
  /// Floats of scratch that forwardHeads needs.
  int64_t (*forwardScratch)(int64_t headSize, int64_t heads);
  /// All of these heads. Where there are few the parts below share them out.
  void (*forwardHeads)(const MetaShape&, const MetaInputs&, const MetaOutputs&, int64_t firstHead, int64_t heads,
                       float* scratch);

  // The parts between the recurrences, for all steps of these heads.

  /// added = readGain GN(u), m = x + added. m may be where u is. added may be null.
  void (*write)(const MetaShape&, const float* gain, const float* u, const float* x, int64_t firstHead, int64_t heads,
                float* added, float* m);
  /// added += memoryGain GN(o).
  void (*remember)(const MetaShape&, const float* gain, const float* o, int64_t firstHead, int64_t heads, float* added);
  /// The gradient of gain GN(read) for dy + also (which may be null): dread is written, and dgain [N] of each head,
  /// dgainStride floats from one to the next.
  void (*readGrad)(const MetaShape&, const float* gain, const float* read, const float* dy, const float* also,
                   int64_t firstHead, int64_t heads, float* dread, float* dgain, int64_t dgainStride);
};

}  // namespace metastate
