// Included by hot_code.h only, in an unnamed namespace.
//
// Decay w = exp(-e^(-1/2) s) with s = sigmoid(x + bias); biased sigmoid; interpolation start + (end - start) gate; squared
// ReLU. All element by element; biases repeat along the rows.

constexpr float decayStrength = 0.6065306597126334f;  // e^(-1/2)

void decay(int64_t width, int64_t from, int64_t to, const float* x, const float* bias, float* w, float* sigmoids) {
  for (int64_t row = from; row < to; ++row) {
    eachVector(width, [&](int64_t c, auto at) {
      const Vector s = sigmoid(at.load(x + row * width + c) + at.load(bias + c));
      at.store(sigmoids + row * width + c, s);
      at.store(w + row * width + c, exponential(s * broadcast(-decayStrength)));
    });
  }
}

void decayGrad(int64_t width, int64_t from, int64_t to, const float* w, const float* sigmoids, const float* dy,
               float* dx, float* dbias) {
  for (int64_t row = from; row < to; ++row) {
    eachVector(width, [&](int64_t c, auto at) {
      const int64_t i = row * width + c;
      const Vector s = at.load(sigmoids + i);
      const Vector d = at.load(dy + i) * at.load(w + i) * (s * (broadcast(1) - s)) * broadcast(-decayStrength);
      at.store(dx + i, d);
      at.store(dbias + c, at.load(dbias + c) + d);
    });
  }
}

void biasedSigmoid(int64_t width, int64_t from, int64_t to, const float* x, const float* bias, float* y) {
  for (int64_t row = from; row < to; ++row) {
    eachVector(width, [&](int64_t c, auto at) {
      at.store(y + row * width + c, sigmoid(at.load(x + row * width + c) + at.load(bias + c)));
    });
  }
}

void biasedSigmoidGrad(int64_t width, int64_t from, int64_t to, const float* y, const float* dy, float* dx,
                       float* dbias) {
  for (int64_t row = from; row < to; ++row) {
    eachVector(width, [&](int64_t c, auto at) {
      const int64_t i = row * width + c;
      const Vector s = at.load(y + i);
      const Vector d = at.load(dy + i) * (s * (broadcast(1) - s));
      at.store(dx + i, d);
      at.store(dbias + c, at.load(dbias + c) + d);
    });
  }
}

void interpolate(int64_t from, int64_t to, const float* start, const float* end, const float* gate, float* y) {
  eachVector(to - from, [&](int64_t j, auto at) {
    const int64_t i = from + j;
    const Vector x = at.load(start + i);
    at.store(y + i, x + (at.load(end + i) - x) * at.load(gate + i));
  });
}

void interpolateGrad(int64_t from, int64_t to, const float* start, const float* end, const float* gate, const float* dy,
                     float* dstart, float* dend, float* dgate) {
  eachVector(to - from, [&](int64_t j, auto at) {
    const int64_t i = from + j;
    const Vector d = at.load(dy + i), share = d * at.load(gate + i);
    at.store(dend + i, share);
    at.store(dstart + i, d - share);
    at.store(dgate + i, d * (at.load(end + i) - at.load(start + i)));
  });
}

void squaredRelu(int64_t from, int64_t to, const float* x, float* y) {
  eachVector(to - from, [&](int64_t j, auto at) {
    const Vector positive = relu(at.load(x + from + j));
    at.store(y + from + j, positive * positive);
  });
}

void squaredReluGrad(int64_t from, int64_t to, const float* x, const float* dy, float* dx) {
  eachVector(to - from, [&](int64_t j, auto at) {
    const Vector positive = relu(at.load(x + from + j));
    at.store(dx + from + j, (positive + positive) * at.load(dy + from + j));
  });
}
