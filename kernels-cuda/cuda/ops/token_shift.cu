// Token shift: y_i = x_t + mix_i (x_{t-1} - x_t) for several mixes of the same input. Backwards, with s_t the sum over i
// of dy_i,t mix_i: dx_t = sum_i dy_i,t - s_t + s_{t+1}, dmix_i = sum_t dy_i,t (x_{t-1} - x_t).

#include "ops/column_sums.cuh"
#include "ops/ops.h"

namespace metastate::cuda {
namespace {

template <int V>
__device__ __forceinline__ Floats<V> tokenBefore(const TokenShift& o, int row, int channel) {
  const bool first = row % o.time == 0;
  return load<V>(first ? o.previous + static_cast<int64_t>(row / o.time) * o.width + channel
                       : o.x + static_cast<int64_t>(row - 1) * o.width + channel);
}

template <int count>
struct Shift {
  TokenShift o;
  ColumnOutputs<count> y;

  template <int V>
  __device__ void at(int row, int channel) const {
    const int64_t here = static_cast<int64_t>(row) * o.width + channel;
    const Floats<V> x = load<V>(o.x + here), before = tokenBefore<V>(o, row, channel);
    for (int m = 0; m < count; ++m) {
      const Floats<V> mix = load<V>(o.mixes[m] + channel);
      Floats<V> y;
      for (int i = 0; i < V; ++i) y.at[i] = x.at[i] + mix.at[i] * (before.at[i] - x.at[i]);
      store<V>(this->y.at[m] + here, y);
    }
  }
};

template <int count>
struct ShiftGrad {
  TokenShift o;
  const float* dys[count];
  float *dx, *dprevious;

  template <int V>
  __device__ void at(int row, int channel, Floats<V> (&dmixes)[count]) const {
    const int64_t here = static_cast<int64_t>(row) * o.width + channel;
    const bool first = row % o.time == 0, last = row % o.time == o.time - 1;
    const Floats<V> x = load<V>(o.x + here), before = tokenBefore<V>(o, row, channel);
    Floats<V> total{}, shifted{}, next{};
    for (int m = 0; m < count; ++m) {
      const Floats<V> d = load<V>(dys[m] + here), mix = load<V>(o.mixes[m] + channel);
      Floats<V> after{};
      if (!last) after = load<V>(dys[m] + here + o.width);
      for (int i = 0; i < V; ++i) {
        total.at[i] += d.at[i];
        shifted.at[i] += d.at[i] * mix.at[i];
        next.at[i] += after.at[i] * mix.at[i];
        dmixes[m].at[i] += d.at[i] * (before.at[i] - x.at[i]);
      }
    }
    if (first) store<V>(dprevious + static_cast<int64_t>(row / o.time) * o.width + channel, shifted);
    for (int i = 0; i < V; ++i) total.at[i] += next.at[i] - shifted.at[i];
    store<V>(dx + here, total);
  }
};

template <int count>
ColumnOutputs<count> outputsOf(float* const* pointers) {
  ColumnOutputs<count> outputs;
  std::copy(pointers, pointers + count, outputs.at);
  return outputs;
}

template <int count>
void shiftGrad(cudaStream_t stream, const TokenShift& o, int rows, const float* const* dys, float* dx, float* dprevious,
               float* const* dmixes, float* scratch) {
  ShiftGrad<count> visit{o, {}, dx, dprevious};
  std::copy(dys, dys + count, visit.dys);
  launchColumns<count>(stream, rows, o.width, visit, outputsOf<count>(dmixes), scratch);
}

}  // namespace

void tokenShift(cudaStream_t stream, const TokenShift& o, int rows, float* const* y) {
  if (o.count == 1) {
    launchRows(stream, rows, o.width, Shift<1>{o, outputsOf<1>(y)});
  } else {
    launchRows(stream, rows, o.width, Shift<6>{o, outputsOf<6>(y)});
  }
}

int64_t tokenShiftGradScratch(const TokenShift& o, int rows) { return columnScratch(rows, o.width, o.count); }

void tokenShiftGrad(cudaStream_t stream, const TokenShift& o, int rows, const float* const* dys, float* dx,
                    float* dprevious, float* const* dmixes, float* scratch) {
  if (o.count == 1) {
    shiftGrad<1>(stream, o, rows, dys, dx, dprevious, dmixes, scratch);
  } else {
    shiftGrad<6>(stream, o, rows, dys, dx, dprevious, dmixes, scratch);
  }
}

}  // namespace metastate::cuda
