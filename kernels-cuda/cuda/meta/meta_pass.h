// The pass of the Meta-State layer on the GPU: for every batch entry and head, S and M side by side under one transition,
//
//   S_t = S_{t-1} T_t + v_t k_t^T        T_t = diag(w_t) + a_t b_t^T
//   u_t = S_t q_t                        m_t = x_t + readGain * GN(u_t)
//   M_t = M_{t-1} T_t + m_t k_t^T        o_t = M_t r_t
//   added_t = readGain * GN(u_t) + memoryGain * GN(o_t)
//
// GN normalises a head's values to mean 0 and variance 1, `epsilon` added to the variance. r, w, k, v, a, b, x, q, u, o,
// added are [B, T, H, N]; the gains [H N]; states [B, H, N, N]. All are float32 in device memory, at addresses that 16
// divides. N is 16, 32, 64 or 128.
#pragma once

#include "wkv7/wkv7.h"

namespace metastate::cuda {

/// Of GN. Heads of fewer channels than N have zeros after them: in r, k, v, a, b, x, q, the gains and the states; w is 1 there.
/// They are left out of means, and give zeros.
struct HeadNorm {
  float epsilon;
  int channels;
  float share;  ///< 1 / channels

  HeadNorm(float epsilon, int channels)
      : epsilon(epsilon), channels(channels), share(1.0f / static_cast<float>(channels)) {}
};

struct MetaPassInputs {
  const float *r, *w, *k, *v, *a, *b, *x, *q, *readGain, *memoryGain, *wkv, *meta;
};

/// u, o and the checkpoints (as those of Wkv7) are written only when the shape has an interval, and may be null otherwise.
struct MetaPassOutputs {
  float *added, *metaAfter, *u, *o, *wkvCheckpoints, *metaCheckpoints;
};

struct MetaPassGradInputs {
  const float *r, *w, *k, *v, *a, *b, *x, *q, *readGain, *memoryGain;
  const float *u, *o, *wkvCheckpoints, *metaCheckpoints, *dAdded, *dMetaAfter;
};

/// Each shaped as what it is the gradient of. Every float is written.
struct MetaPassGradients {
  float *dr, *dw, *dk, *dv, *da, *db, *dx, *dq, *dReadGain, *dMemoryGain, *dWkv, *dMeta;
};

/// Launches the pass: one kernel.
void metaPass(const Wkv7Shape& shape, const HeadNorm& norm, const MetaPassInputs& in, const MetaPassOutputs& out,
              cudaStream_t stream);

/// Floats of scratch that the way back needs.
size_t metaPassGradScratch(const Wkv7Shape& shape);

/// Launches the way back: one kernel, and a small one that adds the gains' gradients up over the batch. The order of every
/// sum is fixed by the shape: the same call gives the same bits.
void metaPassGrad(const Wkv7Shape& shape, const HeadNorm& norm, const MetaPassGradInputs& in, const MetaPassGradients& out,
                  float* scratch, cudaStream_t stream);

}  // namespace metastate::cuda
