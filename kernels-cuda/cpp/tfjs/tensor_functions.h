// Included by hot_code.h only, in an unnamed namespace.
//
// Functions of single elements, and reductions; NaN goes through all of them, as in JavaScript.

template <typename Function>
inline void mapRun(int64_t length, const float* x, float* y, Function function) {
  eachVector(length, [&](int64_t i, auto at) { at.store(y + i, function(at.load(x + i))); });
}

void unary(int function, int64_t length, const float* x, float* y, float first, float second) {
  const Vector zero = broadcast(0), one = broadcast(1), low = broadcast(first), high = broadcast(second);
  switch (static_cast<Unary>(function)) {
    case Unary::exp: return mapRun(length, x, y, [](Vector v) { return exponential(v); });
    case Unary::log: return mapRun(length, x, y, [](Vector v) { return naturalLogarithm(v); });
    case Unary::sigmoid: return mapRun(length, x, y, [](Vector v) { return sigmoid(v); });
    case Unary::tanh: return mapRun(length, x, y, [](Vector v) { return hyperbolicTangent(v); });
    case Unary::relu: return mapRun(length, x, y, [](Vector v) { return relu(v); });
    case Unary::relu6: return mapRun(length, x, y, [](Vector v) { return smaller(relu(v), broadcast(6)); });
    case Unary::leakyRelu: return mapRun(length, x, y, [=](Vector v) { return select(v < zero, v * low, v); });
    case Unary::elu: return mapRun(length, x, y, [](Vector v) { return exponentialLinear(v); });
    case Unary::neg: return mapRun(length, x, y, [](Vector v) { return -v; });
    case Unary::abs: return mapRun(length, x, y, [](Vector v) { return absolute(v); });
    case Unary::square: return mapRun(length, x, y, [](Vector v) { return v * v; });
    case Unary::sqrt: return mapRun(length, x, y, [](Vector v) { return squareRoot(v); });
    case Unary::rsqrt: return mapRun(length, x, y, [=](Vector v) { return one / squareRoot(v); });
    case Unary::reciprocal: return mapRun(length, x, y, [=](Vector v) { return one / v; });
    case Unary::clip: return mapRun(length, x, y, [=](Vector v) { return smaller(larger(v, low), high); });
    case Unary::count: return;
  }
}

template <typename Function>
inline void joinRun(int64_t length, const float* a, int64_t aStep, const float* b, int64_t bStep, float* y,
                    Function function) {
  if (aStep == 0) {
    const Vector left = broadcast(*a);
    if (bStep == 0) {
      const Vector both = function(left, broadcast(*b));
      eachVector(length, [&](int64_t i, auto at) { at.store(y + i, both); });
    } else {
      eachVector(length, [&](int64_t i, auto at) { at.store(y + i, function(left, at.load(b + i))); });
    }
  } else if (bStep == 0) {
    const Vector right = broadcast(*b);
    eachVector(length, [&](int64_t i, auto at) { at.store(y + i, function(at.load(a + i), right)); });
  } else {
    eachVector(length, [&](int64_t i, auto at) { at.store(y + i, function(at.load(a + i), at.load(b + i))); });
  }
}

void binary(int function, int64_t rows, int64_t length, const float* a, int64_t aRow, int64_t aStep, const float* b,
            int64_t bRow, int64_t bStep, float* y) {
  const auto run = [&](auto op) {
    for (int64_t row = 0; row < rows; ++row) {
      joinRun(length, a + row * aRow, aStep, b + row * bRow, bStep, y + row * length, op);
    }
  };
  switch (static_cast<Binary>(function)) {
    case Binary::add: return run([](Vector u, Vector v) { return u + v; });
    case Binary::sub: return run([](Vector u, Vector v) { return u - v; });
    case Binary::multiply: return run([](Vector u, Vector v) { return u * v; });
    case Binary::divide: return run([](Vector u, Vector v) { return u / v; });
    case Binary::maximum: return run([](Vector u, Vector v) { return larger(u, v); });
    case Binary::minimum: return run([](Vector u, Vector v) { return smaller(u, v); });
    case Binary::squaredDifference: return run([](Vector u, Vector v) { return (u - v) * (u - v); });
    case Binary::count: return;
  }
}

float reduceRun(int function, int64_t length, const float* x) {
  if (static_cast<Reduction>(function) == Reduction::sum) {
    // In float32 for as many as rounding hardly shows in, in float64 beyond.
    constexpr int64_t run = 1024;
    double total = 0;
    for (int64_t first = 0; first < length; first += run) {
      const int64_t count = length - first < run ? length - first : run;
      Vector sum = broadcast(0);
      eachVector(count, [&](int64_t i, auto at) { sum += at.load(x + first + i); });
      total += static_cast<double>(sumOf(sum));
    }
    return static_cast<float>(total);
  }
  const bool most = static_cast<Reduction>(function) == Reduction::max;
  Vector best = broadcast(x[0]);
  eachVector(length, [&](int64_t i, auto at) {
    const Vector value = at.keep(at.load(x + i), x[0]);
    best = most ? larger(value, best) : smaller(value, best);
  });
  return most ? largestOf(best) : -largestOf(-best);
}

void reduceRows(int function, int64_t length, const float* x, float* y) {
  switch (static_cast<Reduction>(function)) {
    case Reduction::sum: return binary(static_cast<int>(Binary::add), 1, length, x, 0, 1, y, 0, 1, y);
    case Reduction::max: return binary(static_cast<int>(Binary::maximum), 1, length, x, 0, 1, y, 0, 1, y);
    case Reduction::min: return binary(static_cast<int>(Binary::minimum), 1, length, x, 0, 1, y, 0, 1, y);
    case Reduction::count: return;
  }
}

void softmax(int64_t width, int64_t from, int64_t to, const float* x, float* y) {
  for (int64_t row = from; row < to; ++row) {
    const float* logits = x + row * width;
    float* p = y + row * width;
    const Vector largest = broadcast(reduceRun(static_cast<int>(Reduction::max), width, logits));
    Vector sum = broadcast(0);
    eachVector(width, [&](int64_t j, auto at) {
      const Vector e = exponential(at.load(logits + j) - largest);
      at.store(p + j, e);
      sum += at.keep(e, 0);
    });
    const Vector inverse = broadcast(1.0f / sumOf(sum));
    eachVector(width, [&](int64_t j, auto at) { at.store(p + j, at.load(p + j) * inverse); });
  }
}
