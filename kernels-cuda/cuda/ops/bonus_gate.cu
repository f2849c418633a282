// y = (x + (sum_j r_j k_j rk_j) v) gate, the sum over each head's channels. Backwards a team finds each head's sum and its
// gradient, and then one pass over the elements makes the rest.

#include "ops/column_sums.cuh"
#include "ops/ops.h"

namespace metastate::cuda {
namespace {

/// A head's bonus, and the gradient of it.
struct Bonus {
  float value, gradient;
};

template <int team, int V>
__device__ __forceinline__ float bonusOf(const BonusGate& o, int64_t start, int first, int size) {
  float sum = 0;
  for (int j = static_cast<int>(threadIdx.x) % team * V; j < size; j += team * V) {
    const Floats<V> r = load<V>(o.r + start + j), k = load<V>(o.k + start + j), rk = load<V>(o.rk + first + j);
    for (int i = 0; i < V; ++i) sum += r.at[i] * k.at[i] * rk.at[i];
  }
  return teamSum<team>(sum);
}

template <int team, int V>
__global__ void bonusGateKernel(BonusGate o, int64_t heads, float* y) {
  const int64_t mine = teamGroup<team>(), head = mine < heads ? mine : heads - 1;
  const int size = o.width / o.heads;
  const int64_t start = head * size;
  const float bonus = bonusOf<team, V>(o, start, static_cast<int>(head % o.heads) * size, size);
  if (mine >= heads) return;
  for (int j = static_cast<int>(threadIdx.x) % team * V; j < size; j += team * V) {
    Floats<V> x = load<V>(o.x + start + j);
    const Floats<V> v = load<V>(o.v + start + j), gate = load<V>(o.gate + start + j);
    for (int i = 0; i < V; ++i) x.at[i] = (x.at[i] + bonus * v.at[i]) * gate.at[i];
    store<V>(y + start + j, x);
  }
}

template <int team, int V>
__global__ void bonuses(BonusGate o, int64_t heads, const float* dy, Bonus* result) {
  const int64_t mine = teamGroup<team>(), head = mine < heads ? mine : heads - 1;
  const int size = o.width / o.heads;
  const int64_t start = head * size;
  const float value = bonusOf<team, V>(o, start, static_cast<int>(head % o.heads) * size, size);
  float sum = 0;
  for (int j = static_cast<int>(threadIdx.x) % team * V; j < size; j += team * V) {
    const Floats<V> d = load<V>(dy + start + j), gate = load<V>(o.gate + start + j), v = load<V>(o.v + start + j);
    for (int i = 0; i < V; ++i) sum += d.at[i] * gate.at[i] * v.at[i];
  }
  const float gradient = teamSum<team>(sum);
  if (mine < heads && threadIdx.x % team == 0) result[head] = {value, gradient};
}

struct BonusGateGradOf {
  BonusGate o;
  const float* dy;
  float *dx, *dr, *dk, *dv, *dgate;
  const Bonus* bonuses;

  template <int V>
  __device__ void at(int row, int channel, Floats<V> (&drk)[1]) const {
    const int64_t here = static_cast<int64_t>(row) * o.width + channel;
    const int size = o.width / o.heads;
    const Floats<V> x = load<V>(o.x + here), r = load<V>(o.r + here), k = load<V>(o.k + here), v = load<V>(o.v + here);
    const Floats<V> gate = load<V>(o.gate + here), rk = load<V>(o.rk + channel), d = load<V>(dy + here);
    Floats<V> gated, ofGate, ofV, ofR, ofK;
    for (int i = 0; i < V; ++i) {
      const Bonus bonus = bonuses[static_cast<int64_t>(row) * o.heads + (channel + i) / size];
      const float scaled = bonus.gradient * rk.at[i];
      gated.at[i] = d.at[i] * gate.at[i];
      ofGate.at[i] = d.at[i] * (x.at[i] + bonus.value * v.at[i]);
      ofV.at[i] = gated.at[i] * bonus.value;
      ofR.at[i] = scaled * k.at[i];
      ofK.at[i] = scaled * r.at[i];
      drk[0].at[i] += bonus.gradient * r.at[i] * k.at[i];
    }
    store<V>(dx + here, gated);
    store<V>(dgate + here, ofGate);
    store<V>(dv + here, ofV);
    store<V>(dr + here, ofR);
    store<V>(dk + here, ofK);
  }
};

}  // namespace

void bonusGate(cudaStream_t stream, const BonusGate& o, int rows, float* y) {
  const int64_t heads = static_cast<int64_t>(rows) * o.heads;
  withTeams(o.width / o.heads, [&](auto teamType, auto vector) {
    constexpr int team = decltype(teamType)::value, V = decltype(vector)::value;
    launch(bonusGateKernel<team, V>, teamBlocks<team>(heads), dim3(blockThreads), 0, stream, o, heads, y);
  });
}

int64_t bonusGateGradScratch(const BonusGate& o, int rows) {
  return columnScratch(rows, o.width, 1) + static_cast<int64_t>(2) * rows * o.heads;
}

void bonusGateGrad(cudaStream_t stream, const BonusGate& o, int rows, const float* dy, float* dx, float* dr, float* dk,
                   float* dv, float* dgate, float* drk, float* scratch) {
  const int64_t heads = static_cast<int64_t>(rows) * o.heads;
  auto* const found = reinterpret_cast<Bonus*>(scratch + columnScratch(rows, o.width, 1));
  withTeams(o.width / o.heads, [&](auto teamType, auto vector) {
    constexpr int team = decltype(teamType)::value, V = decltype(vector)::value;
    launch(bonuses<team, V>, teamBlocks<team>(heads), dim3(blockThreads), 0, stream, o, heads, dy, found);
  });
  launchColumns<1>(stream, rows, o.width, BonusGateGradOf{o, dy, dx, dr, dk, dv, dgate, found},
                   ColumnOutputs<1>{{drk}}, scratch);
}

}  // namespace metastate::cuda
