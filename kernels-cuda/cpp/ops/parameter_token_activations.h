// Included by hot_code.h only, in an unnamed namespace.
//
// Activations of feed-forward layers and of parameter tokens:
//
//   SwiGlu        gate sigmoid(gate) x
//   L2Gelu        z P(z) with z = scale x / |x|             (TokenFormer's)
//   GeluL2        scale g / |g| with g = x P(x)             (the same norm after it)
//   GroupWeights  2 sigmoid(x) where fewer than topK of the row exceed x, else 0
//
// P is the normal distribution's probability below x, p its density; lengths |.| are over a row.

/// P(x): a Chebyshev fit to ln(erfc(z) e^(z^2) / t), t = 1 / (1 + z / 2) (Press et al., Numerical Recipes, 6.2), relative
/// error below 1.2e-7 before rounding, in the far left tail too.
inline Vector normalProbability(Vector x) {
  const Vector z = absolute(x) * broadcast(0.70710678118654752f);
  const Vector t = broadcast(1) / (broadcast(1) + broadcast(0.5f) * z);
  Vector fit = broadcast(0.17087277f);
  fit = fit * t + broadcast(-0.82215223f);
  fit = fit * t + broadcast(1.48851587f);
  fit = fit * t + broadcast(-1.13520398f);
  fit = fit * t + broadcast(0.27886807f);
  fit = fit * t + broadcast(-0.18628806f);
  fit = fit * t + broadcast(0.09678418f);
  fit = fit * t + broadcast(0.37409196f);
  fit = fit * t + broadcast(1.00002368f);
  fit = fit * t + broadcast(-1.26551223f);
  const Vector tail = broadcast(0.5f) * t * exponential(fit - z * z);
  return select(x < broadcast(0), tail, broadcast(1) - tail);
}

/// p(x).
inline Vector normalDensity(Vector x) {
  return exponential(broadcast(-0.5f) * x * x) * broadcast(0.39894228040143268f);
}

void swiGlu(int64_t from, int64_t to, const float* gate, const float* x, float* y) {
  eachVector(to - from, [&](int64_t i, auto at) {
    const Vector g = at.load(gate + from + i);
    at.store(y + from + i, g * sigmoid(g) * at.load(x + from + i));
  });
}

void swiGluGrad(int64_t from, int64_t to, const float* gate, const float* x, const float* dy, float* dgate, float* dx) {
  eachVector(to - from, [&](int64_t i, auto at) {
    const Vector g = at.load(gate + from + i), s = sigmoid(g), d = at.load(dy + from + i) * s;
    at.store(dx + from + i, d * g);
    at.store(dgate + from + i, d * at.load(x + from + i) * (broadcast(1) + g * (broadcast(1) - s)));
  });
}

/// Added to sums of squares, so that a row of zeros stays one.
constexpr float leastSquareL2Gelu = 1e-12f, leastSquareGeluL2 = 1e-6f;

/// scale / sqrt(sum of squares + least).
inline float lengthFactor(const float* x, int64_t width, float scale) {
  Vector squares = broadcast(0);
  eachVector(width, [&](int64_t i, auto at) {
    const Vector value = at.load(x + i);
    squares += value * value;
  });
  return scale / __builtin_sqrtf(sumOf(squares) + leastSquareL2Gelu);
}

void l2Gelu(int64_t width, float scale, int64_t from, int64_t to, const float* x, float* y) {
  for (int64_t row = from; row < to; ++row) {
    const Vector factor = broadcast(lengthFactor(x + row * width, width, scale));
    eachVector(width, [&](int64_t i, auto at) {
      const Vector z = at.load(x + row * width + i) * factor;
      at.store(y + row * width + i, z * normalProbability(z));
    });
  }
}

void l2GeluGrad(int64_t width, float scale, int64_t from, int64_t to, const float* x, const float* dy, float* dx) {
  for (int64_t row = from; row < to; ++row) {
    const float* values = x + row * width;
    float* out = dx + row * width;
    const Vector factor = broadcast(lengthFactor(values, width, scale));
    Vector product = broadcast(0);
    eachVector(width, [&](int64_t i, auto at) {
      const Vector z = at.load(values + i) * factor;
      const Vector dz = at.load(dy + row * width + i) * (normalProbability(z) + z * normalDensity(z));
      at.store(out + i, dz);
      product += dz * z;
    });
    const Vector along = broadcast(sumOf(product) / (scale * scale)) * factor;
    eachVector(width, [&](int64_t i, auto at) {
      at.store(out + i, factor * (at.load(out + i) - at.load(values + i) * along));
    });
  }
}

void geluL2(int64_t width, float scale, int64_t from, int64_t to, const float* x, float* y) {
  for (int64_t row = from; row < to; ++row) {
    float* out = y + row * width;
    Vector squares = broadcast(0);
    eachVector(width, [&](int64_t i, auto at) {
      const Vector value = at.load(x + row * width + i), gelu = value * normalProbability(value);
      at.store(out + i, gelu);
      squares += at.keep(gelu, 0) * gelu;
    });
    const Vector factor = broadcast(scale / __builtin_sqrtf(sumOf(squares) + leastSquareGeluL2));
    eachVector(width, [&](int64_t i, auto at) { at.store(out + i, at.load(out + i) * factor); });
  }
}

void geluL2Grad(int64_t width, float scale, int64_t from, int64_t to, const float* x, const float* dy, float* dx) {
  for (int64_t row = from; row < to; ++row) {
    const float *values = x + row * width, *adjoint = dy + row * width;
    Vector squares = broadcast(0), product = squares;
    // The probabilities wait in dx for the second pass.
    eachVector(width, [&](int64_t i, auto at) {
      const Vector value = at.load(values + i), probability = normalProbability(value), gelu = value * probability;
      at.store(dx + row * width + i, probability);
      squares += gelu * gelu;
      product += gelu * at.load(adjoint + i);
    });
    const float square = sumOf(squares) + leastSquareGeluL2;
    const Vector factor = broadcast(scale / __builtin_sqrtf(square)), along = broadcast(sumOf(product) / square);
    eachVector(width, [&](int64_t i, auto at) {
      const Vector value = at.load(values + i), probability = at.load(dx + row * width + i);
      const Vector dgelu = factor * (at.load(adjoint + i) - value * probability * along);
      at.store(dx + row * width + i, dgelu * (probability + value * normalDensity(value)));
    });
  }
}

void groupWeights(int64_t groups, int64_t topK, int64_t from, int64_t to, const float* x, float* y) {
  for (int64_t row = from; row < to; ++row) {
    const float* logits = x + row * groups;
    eachVector(groups, [&](int64_t i, auto at) {
      at.store(y + row * groups + i, broadcast(2) * sigmoid(at.load(logits + i)));
    });
    for (int64_t i = 0; topK < groups && i < groups; ++i) {
      int64_t larger = 0;
      for (int64_t j = 0; j < groups; ++j) larger += logits[j] > logits[i] ? 1 : 0;
      if (larger >= topK) y[row * groups + i] = 0;
    }
  }
}
