// RWKV-4's weighted average (arXiv 2305.13048), a thread a channel: for each token
//
//   y_t = (A + e^(u + k_t) v_t) / (B + e^(u + k_t)),  A <- e^w A + e^(k_t) v_t,  B <- e^w B + e^(k_t)
//
// with A = a e^p, B = b e^p and p the largest exponent so far. Backwards the states again, kept, then back through them;
// p_t = max(p + w, k_t), kept = e^(p + w - p_t), added = e^(k_t - p_t), and with adjoints da, db, dp of the state
//
//   dfaded = kept (da a + db b)    dkey = added (da v + db)    dp - dfaded - dkey goes to the larger of the two

#include "ops/column_sums.cuh"
#include "ops/wkv4.h"

namespace metastate::cuda {
namespace {

struct State {
  float a, b, p;
};

__device__ __forceinline__ State stepped(const State& s, float w, float key, float value) {
  const float faded = s.p + w, next = faded < key ? key : faded;
  const float kept = expf(faded - next), added = expf(key - next);
  return {kept * s.a + added * value, kept * s.b + added, next};
}

__global__ void wkv4Kernel(Wkv4 o, float* y, float* numerator, float* denominator, float* exponent) {
  const int64_t channel = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (channel >= static_cast<int64_t>(o.batch) * o.width) return;
  const int64_t row = channel / o.width, c = channel % o.width;
  const float w = o.w[c], u = o.u[c];
  State s{o.numerator[channel], o.denominator[channel], o.exponent[channel]};
  int64_t at = row * o.time * o.width + c;
  for (int t = 0; t < o.time; ++t, at += o.width) {
    const float key = o.k[at], value = o.v[at];
    // Of the two factors e^(x - max) one is always 1.
    const float ahead = key + u - s.p;
    const float old = ahead > 0 ? expf(-ahead) : 1, fresh = ahead > 0 ? 1 : expf(ahead);
    y[at] = (old * s.a + fresh * value) / (old * s.b + fresh);
    s = stepped(s, w, key, value);
  }
  numerator[channel] = s.a;
  denominator[channel] = s.b;
  exponent[channel] = s.p;
}

/// `states` [B, T, C]; `dw` and `du` [B, C].
__global__ void wkv4GradKernel(Wkv4 o, Wkv4Grad g, State* states, float* dw, float* du) {
  const int64_t channel = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (channel >= static_cast<int64_t>(o.batch) * o.width) return;
  const int64_t row = channel / o.width, c = channel % o.width;
  const float w = o.w[c], u = o.u[c];
  State s{o.numerator[channel], o.denominator[channel], o.exponent[channel]};
  int64_t at = row * o.time * o.width + c;
  for (int t = 0; t < o.time; ++t, at += o.width) {
    states[at] = s;
    s = stepped(s, w, o.k[at], o.v[at]);
  }
  float da = g.dNumerator[channel], db = g.dDenominator[channel], dp = g.dExponent[channel];
  float ofDecay = 0, ofBonus = 0;
  for (int t = o.time - 1; t >= 0; --t) {
    at -= o.width;
    const State before = states[at];
    const float key = o.k[at], value = o.v[at], d = g.dy[at];
    const float faded = before.p + w, next = faded < key ? key : faded;
    const float kept = expf(faded - next), added = expf(key - next);
    float dfaded = kept * (da * before.a + db * before.b), dkey = added * (da * value + db);
    const float rest = dp - dfaded - dkey;
    if (faded >= key) {
      dfaded += rest;
    } else {
      dkey += rest;
    }
    const float ahead = key + u - before.p;
    const float old = ahead > 0 ? expf(-ahead) : 1, fresh = ahead > 0 ? 1 : expf(ahead);
    const float bottom = old * before.b + fresh, dn = d / bottom;
    const float dd = -dn * (old * before.a + fresh * value) / bottom;
    const float dnow = fresh * (dn * value + dd);
    ofDecay += dfaded;
    ofBonus += dnow;
    g.dk[at] = dkey + dnow;
    g.dv[at] = da * added + dn * fresh;
    dp = dfaded + old * (dn * before.a + dd * before.b);
    da = da * kept + dn * old;
    db = db * kept + dd * old;
  }
  g.dnumerator[channel] = da;
  g.ddenominator[channel] = db;
  g.dexponent[channel] = dp;
  dw[channel] = ofDecay;
  du[channel] = ofBonus;
}

/// Few channels and many tokens: small blocks, so that more of the GPU works.
constexpr int channelsOfBlock = 64;

}  // namespace

void wkv4(cudaStream_t stream, const Wkv4& o, float* y, float* numerator, float* denominator, float* exponent) {
  const int64_t channels = static_cast<int64_t>(o.batch) * o.width;
  launch(wkv4Kernel, dim3(blocksFor(channels, channelsOfBlock)), dim3(channelsOfBlock), 0, stream, o, y, numerator,
         denominator, exponent);
}

int64_t wkv4GradScratch(const Wkv4& o) {
  return static_cast<int64_t>(o.batch) * o.width * (3 * static_cast<int64_t>(o.time) + 2);
}

void wkv4Grad(cudaStream_t stream, const Wkv4& o, const Wkv4Grad& g, float* scratch) {
  const int64_t channels = static_cast<int64_t>(o.batch) * o.width;
  float* const sums = scratch + 3 * channels * o.time;
  launch(wkv4GradKernel, dim3(blocksFor(channels, channelsOfBlock)), dim3(channelsOfBlock), 0, stream, o, g,
         reinterpret_cast<State*>(scratch), sums, sums + channels);
  addRunsOf<2>(stream, sums, o.batch, o.width, ColumnOutputs<2>{{g.dw, g.du}});
}

}  // namespace metastate::cuda
