// Included by hot_code.h only, in an unnamed namespace.
//
// AdamW (arXiv 1711.05101) of a run of elements, and small sums.

void adamW(const AdamW& o, int64_t from, int64_t to) {
  eachVector(to - from, [&](int64_t j, auto at) {
    const int64_t i = from + j;
    const Vector g = at.load(o.gradient + i) * broadcast(o.scale);
    const Vector m = at.load(o.moment1 + i) * broadcast(o.beta1) + g * broadcast(1 - o.beta1);
    const Vector s = at.load(o.moment2 + i) * broadcast(o.beta2) + g * g * broadcast(1 - o.beta2);
    at.store(o.nextMoment1 + i, m);
    at.store(o.nextMoment2 + i, s);
    const Vector deviation = squareRoot(s * broadcast(o.correction)) + broadcast(o.epsilon);
    at.store(o.nextParameter + i, at.load(o.parameter + i) * broadcast(o.kept) - broadcast(o.rate) * m / deviation);
  });
}

void scale(int64_t from, int64_t to, const float* x, float factor, float* y) {
  eachVector(to - from, [&](int64_t j, auto at) { at.store(y + from + j, at.load(x + from + j) * broadcast(factor)); });
}

void addTo(int64_t length, const float* x, float* sum) {
  eachVector(length, [&](int64_t j, auto at) { at.store(sum + j, at.load(sum + j) + at.load(x + j)); });
}

double sumOfSquares(int64_t from, int64_t to, const float* x) {
  // In float32 for as many as rounding hardly shows in, in float64 beyond. Four sums side by side, as one would wait for each addition.
  constexpr int64_t run = 1024, part = run / 4;
  double total = 0;
  int64_t first = from;
  for (; first + run <= to; first += run) {
    Vector s0 = broadcast(0), s1 = s0, s2 = s0, s3 = s0;
    for (int64_t j = first; j < first + part; j += lanes) {
      const Vector a = load(x + j), b = load(x + j + part), c = load(x + j + 2 * part), d = load(x + j + 3 * part);
      s0 += a * a;
      s1 += b * b;
      s2 += c * c;
      s3 += d * d;
    }
    total += static_cast<double>(sumOf((s0 + s1) + (s2 + s3)));
  }
  Vector sum = broadcast(0);
  eachVector(to - first, [&](int64_t j, auto at) {
    const Vector value = at.load(x + first + j);
    sum += value * value;
  });
  return total + static_cast<double>(sumOf(sum));
}

void transposeMatrix(const float* x, int64_t rows, int64_t columns, int64_t from, int64_t to, float* y) {
  // In blocks whose lines fit the nearest cache on both sides.
  constexpr int64_t block = 64;
  for (int64_t i = from; i < to; i += block) {
    const int64_t high = to - i < block ? to - i : block;
    for (int64_t j = 0; j < columns; j += block) {
      const int64_t wide = columns - j < block ? columns - j : block;
      transpose(x + i * columns + j, columns, high, wide, y + j * rows + i, rows);
    }
  }
}

void addBias(int64_t columns, int64_t from, int64_t to, const float* bias, int activation, float alpha, float* c) {
  const Vector zero = broadcast(0);
  for (int64_t row = from; row < to; ++row) {
    eachVector(columns, [&](int64_t j, auto at) {
      float* place = c + row * columns + j;
      Vector x = at.load(place);
      if (bias) x += at.load(bias + j);
      switch (static_cast<Activation>(activation)) {
        case Activation::none: break;
        case Activation::relu: x = relu(x); break;
        case Activation::relu6: x = smaller(relu(x), broadcast(6)); break;
        case Activation::elu: x = exponentialLinear(x); break;
        case Activation::leakyRelu: x = select(x < zero, x * broadcast(alpha), x); break;
        case Activation::sigmoid: x = sigmoid(x); break;
      }
      at.store(place, x);
    });
  }
}
