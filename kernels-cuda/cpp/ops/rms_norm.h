// Included by hot_code.h only, in an unnamed namespace.
//
// y = x i weight with i = 1 / sqrt(mean(x^2) + epsilon) over each row. Backwards, with dn = dy weight and n = x i:
// dx = (dn - n mean(dn n)) i.

inline float inverseRoot(const float* x, int64_t width, float epsilon) {
  Vector squares = broadcast(0);
  eachVector(width, [&](int64_t c, auto at) {
    const Vector value = at.load(x + c);
    squares += value * value;
  });
  return 1.0f / __builtin_sqrtf(sumOf(squares) / static_cast<float>(width) + epsilon);
}

void rmsNorm(int64_t width, float epsilon, int64_t from, int64_t to, const float* x, const float* weight, float* y) {
  for (int64_t row = from; row < to; ++row) {
    const float* values = x + row * width;
    const Vector inverse = broadcast(inverseRoot(values, width, epsilon));
    eachVector(width, [&](int64_t c, auto at) {
      at.store(y + row * width + c, at.load(values + c) * inverse * at.load(weight + c));
    });
  }
}

/// `dweight` [width] is this run's own and is added to.
void rmsNormGrad(int64_t width, float epsilon, int64_t from, int64_t to, const float* x, const float* weight,
                 const float* dy, float* dx, float* dweight) {
  for (int64_t row = from; row < to; ++row) {
    const float *values = x + row * width, *adjoint = dy + row * width;
    const float inverse = inverseRoot(values, width, epsilon);
    Vector product = broadcast(0);
    eachVector(width, [&](int64_t c, auto at) {
      const Vector n = at.load(values + c) * broadcast(inverse), d = at.load(adjoint + c);
      at.store(dweight + c, at.load(dweight + c) + d * n);
      product += d * at.load(weight + c) * n;
    });
    const Vector slope = broadcast(sumOf(product) / static_cast<float>(width));
    eachVector(width, [&](int64_t c, auto at) {
      const Vector n = at.load(values + c) * broadcast(inverse);
      const Vector dn = at.load(adjoint + c) * at.load(weight + c);
      at.store(dx + row * width + c, (dn - n * slope) * broadcast(inverse));
    });
  }
}
