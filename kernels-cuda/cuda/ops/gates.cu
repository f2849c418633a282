// Element by element, biases repeated along the rows: decay w = exp(-e^(-1/2) s) with s = sigmoid(x + bias); biased sigmoid;
// interpolation start + (end - start) gate; squared ReLU; SwiGLU gate sigmoid(gate) x.

#include "ops/column_sums.cuh"
#include "ops/ops.h"
#include "ops/scalars.cuh"

namespace metastate::cuda {
namespace {

struct DecayOf {
  int width;
  const float *x, *bias;
  float *w, *sigmoids;

  template <int V>
  __device__ void at(int row, int channel) const {
    const int64_t here = static_cast<int64_t>(row) * width + channel;
    const Floats<V> x = load<V>(this->x + here), bias = load<V>(this->bias + channel);
    Floats<V> s, w;
    for (int i = 0; i < V; ++i) {
      s.at[i] = sigmoid(x.at[i] + bias.at[i]);
      w.at[i] = expf(s.at[i] * -decayStrength);
    }
    store<V>(sigmoids + here, s);
    store<V>(this->w + here, w);
  }
};

struct DecayGradOf {
  int width;
  const float *w, *sigmoids, *dy;
  float* dx;

  template <int V>
  __device__ void at(int row, int channel, Floats<V> (&dbias)[1]) const {
    const int64_t here = static_cast<int64_t>(row) * width + channel;
    const Floats<V> w = load<V>(this->w + here), s = load<V>(sigmoids + here), dy = load<V>(this->dy + here);
    Floats<V> dx;
    for (int i = 0; i < V; ++i) {
      dx.at[i] = dy.at[i] * w.at[i] * (s.at[i] * (1 - s.at[i])) * -decayStrength;
      dbias[0].at[i] += dx.at[i];
    }
    store<V>(this->dx + here, dx);
  }
};

struct BiasedSigmoidOf {
  int width;
  const float *x, *bias;
  float* y;

  template <int V>
  __device__ void at(int row, int channel) const {
    const int64_t here = static_cast<int64_t>(row) * width + channel;
    Floats<V> x = load<V>(this->x + here);
    const Floats<V> bias = load<V>(this->bias + channel);
    for (int i = 0; i < V; ++i) x.at[i] = sigmoid(x.at[i] + bias.at[i]);
    store<V>(y + here, x);
  }
};

struct BiasedSigmoidGradOf {
  int width;
  const float *y, *dy;
  float* dx;

  template <int V>
  __device__ void at(int row, int channel, Floats<V> (&dbias)[1]) const {
    const int64_t here = static_cast<int64_t>(row) * width + channel;
    const Floats<V> s = load<V>(y + here);
    Floats<V> d = load<V>(dy + here);
    for (int i = 0; i < V; ++i) {
      d.at[i] *= s.at[i] * (1 - s.at[i]);
      dbias[0].at[i] += d.at[i];
    }
    store<V>(dx + here, d);
  }
};

struct InterpolateOf {
  const float *start, *end, *gate;
  float* y;

  template <int V>
  __device__ void at(int64_t place) const {
    Floats<V> x = load<V>(start + place);
    const Floats<V> end = load<V>(this->end + place), gate = load<V>(this->gate + place);
    for (int i = 0; i < V; ++i) x.at[i] += (end.at[i] - x.at[i]) * gate.at[i];
    store<V>(y + place, x);
  }
};

struct InterpolateGradOf {
  const float *start, *end, *gate, *dy;
  float *dstart, *dend, *dgate;

  template <int V>
  __device__ void at(int64_t place) const {
    const Floats<V> start = load<V>(this->start + place), end = load<V>(this->end + place);
    const Floats<V> gate = load<V>(this->gate + place), dy = load<V>(this->dy + place);
    Floats<V> from, to, share;
    for (int i = 0; i < V; ++i) {
      to.at[i] = dy.at[i] * gate.at[i];
      from.at[i] = dy.at[i] - to.at[i];
      share.at[i] = dy.at[i] * (end.at[i] - start.at[i]);
    }
    store<V>(dstart + place, from);
    store<V>(dend + place, to);
    store<V>(dgate + place, share);
  }
};

struct SquaredReluOf {
  const float* x;
  float* y;

  template <int V>
  __device__ void at(int64_t place) const {
    Floats<V> x = load<V>(this->x + place);
    for (int i = 0; i < V; ++i) {
      // Compared, not fmaxf, which would make 0 of NaN.
      const float positive = x.at[i] < 0 ? 0 : x.at[i];
      x.at[i] = positive * positive;
    }
    store<V>(y + place, x);
  }
};

struct SquaredReluGradOf {
  const float *x, *dy;
  float* dx;

  template <int V>
  __device__ void at(int64_t place) const {
    const Floats<V> x = load<V>(this->x + place);
    Floats<V> d = load<V>(dy + place);
    for (int i = 0; i < V; ++i) {
      const float positive = x.at[i] < 0 ? 0 : x.at[i];
      d.at[i] *= positive + positive;
    }
    store<V>(dx + place, d);
  }
};

struct SwiGluOf {
  const float *gate, *x;
  float* y;

  template <int V>
  __device__ void at(int64_t place) const {
    const Floats<V> gate = load<V>(this->gate + place);
    Floats<V> x = load<V>(this->x + place);
    for (int i = 0; i < V; ++i) x.at[i] *= gate.at[i] * sigmoid(gate.at[i]);
    store<V>(y + place, x);
  }
};

/// d (g sigmoid(g)) / dg = s (1 + g (1 - s)) with s = sigmoid(g).
struct SwiGluGradOf {
  const float *gate, *x, *dy;
  float *dgate, *dx;

  template <int V>
  __device__ void at(int64_t place) const {
    const Floats<V> gate = load<V>(this->gate + place), x = load<V>(this->x + place), dy = load<V>(this->dy + place);
    Floats<V> slope, through;
    for (int i = 0; i < V; ++i) {
      const float s = sigmoid(gate.at[i]), d = dy.at[i] * s;
      through.at[i] = d * gate.at[i];
      slope.at[i] = d * x.at[i] * (1 + gate.at[i] * (1 - s));
    }
    store<V>(dgate + place, slope);
    store<V>(dx + place, through);
  }
};

}  // namespace

void decay(cudaStream_t stream, int rows, int width, const float* x, const float* bias, float* w, float* sigmoids) {
  launchRows(stream, rows, width, DecayOf{width, x, bias, w, sigmoids});
}

int64_t biasGradScratch(int rows, int width) { return columnScratch(rows, width, 1); }

void decayGrad(cudaStream_t stream, int rows, int width, const float* w, const float* sigmoids, const float* dy,
               float* dx, float* dbias, float* scratch) {
  launchColumns<1>(stream, rows, width, DecayGradOf{width, w, sigmoids, dy, dx}, ColumnOutputs<1>{{dbias}}, scratch);
}

void biasedSigmoid(cudaStream_t stream, int rows, int width, const float* x, const float* bias, float* y) {
  launchRows(stream, rows, width, BiasedSigmoidOf{width, x, bias, y});
}

void biasedSigmoidGrad(cudaStream_t stream, int rows, int width, const float* y, const float* dy, float* dx,
                       float* dbias, float* scratch) {
  launchColumns<1>(stream, rows, width, BiasedSigmoidGradOf{width, y, dy, dx}, ColumnOutputs<1>{{dbias}}, scratch);
}

void interpolate(cudaStream_t stream, int64_t length, const float* start, const float* end, const float* gate,
                 float* y) {
  launchElements(stream, length, InterpolateOf{start, end, gate, y});
}

void interpolateGrad(cudaStream_t stream, int64_t length, const float* start, const float* end, const float* gate,
                     const float* dy, float* dstart, float* dend, float* dgate) {
  launchElements(stream, length, InterpolateGradOf{start, end, gate, dy, dstart, dend, dgate});
}

void squaredRelu(cudaStream_t stream, int64_t length, const float* x, float* y) {
  launchElements(stream, length, SquaredReluOf{x, y});
}

void squaredReluGrad(cudaStream_t stream, int64_t length, const float* x, const float* dy, float* dx) {
  launchElements(stream, length, SquaredReluGradOf{x, dy, dx});
}

void swiGlu(cudaStream_t stream, int64_t length, const float* gate, const float* x, float* y) {
  launchElements(stream, length, SwiGluOf{gate, x, y});
}

void swiGluGrad(cudaStream_t stream, int64_t length, const float* gate, const float* x, const float* dy, float* dgate,
                float* dx) {
  launchElements(stream, length, SwiGluGradOf{gate, x, dy, dgate, dx});
}

}  // namespace metastate::cuda
