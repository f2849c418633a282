// Included by hot_code.h only, in an unnamed namespace.
//
// Comparisons and arithmetic of whole numbers, in loops that compilers make vectors of; and where a row is largest.

template <typename Cell, typename Result, typename Function>
inline void joinCells(int64_t rows, int64_t length, const Cell* a, int64_t aRow, int64_t aStep, const Cell* b,
                      int64_t bRow, int64_t bStep, Result* y, Function function) {
  for (; rows > 0; --rows, a += aRow, b += bRow, y += length) {
    if (aStep == 0) {
      const Cell left = *a;
      for (int64_t i = 0; i < length; ++i) y[i] = static_cast<Result>(function(left, b[i * bStep]));
    } else if (bStep == 0) {
      const Cell right = *b;
      for (int64_t i = 0; i < length; ++i) y[i] = static_cast<Result>(function(a[i], right));
    } else {
      for (int64_t i = 0; i < length; ++i) y[i] = static_cast<Result>(function(a[i], b[i]));
    }
  }
}

/// NaN is unequal to everything and neither above nor below, as in JavaScript.
template <typename Cell>
inline void compareCells(int function, int64_t rows, int64_t length, const void* aCells, int64_t aRow, int64_t aStep,
                         const void* bCells, int64_t bRow, int64_t bStep, uint8_t* y) {
  const Cell *a = static_cast<const Cell*>(aCells), *b = static_cast<const Cell*>(bCells);
  const auto run = [&](auto op) { joinCells(rows, length, a, aRow, aStep, b, bRow, bStep, y, op); };
  switch (static_cast<Comparison>(function)) {
    case Comparison::equal: return run([](Cell u, Cell v) { return u == v; });
    case Comparison::notEqual: return run([](Cell u, Cell v) { return u != v; });
    case Comparison::greater: return run([](Cell u, Cell v) { return u > v; });
    case Comparison::greaterEqual: return run([](Cell u, Cell v) { return u >= v; });
    case Comparison::less: return run([](Cell u, Cell v) { return u < v; });
    case Comparison::lessEqual: return run([](Cell u, Cell v) { return u <= v; });
    case Comparison::logicalAnd: return run([](Cell u, Cell v) { return (u != 0) & (v != 0); });
    case Comparison::logicalOr: return run([](Cell u, Cell v) { return (u != 0) | (v != 0); });
    case Comparison::count: return;
  }
}

void compareFloats(int function, int64_t rows, int64_t length, const void* a, int64_t aRow, int64_t aStep, const void* b,
                   int64_t bRow, int64_t bStep, uint8_t* y) {
  compareCells<float>(function, rows, length, a, aRow, aStep, b, bRow, bStep, y);
}

void compareIntegers(int function, int64_t rows, int64_t length, const void* a, int64_t aRow, int64_t aStep, const void* b,
                     int64_t bRow, int64_t bStep, uint8_t* y) {
  compareCells<int32_t>(function, rows, length, a, aRow, aStep, b, bRow, bStep, y);
}

void compareTruths(int function, int64_t rows, int64_t length, const void* a, int64_t aRow, int64_t aStep, const void* b,
                   int64_t bRow, int64_t bStep, uint8_t* y) {
  compareCells<uint8_t>(function, rows, length, a, aRow, aStep, b, bRow, bStep, y);
}

void integerBinary(int function, int64_t rows, int64_t length, const int32_t* a, int64_t aRow, int64_t aStep,
                   const int32_t* b, int64_t bRow, int64_t bStep, int32_t* y) {
  const auto run = [&](auto op) { joinCells(rows, length, a, aRow, aStep, b, bRow, bStep, y, op); };
  const auto bits = [](int32_t x) { return static_cast<uint32_t>(x); };
  switch (static_cast<IntegerBinary>(function)) {
    case IntegerBinary::add: return run([=](int32_t u, int32_t v) { return bits(u) + bits(v); });
    case IntegerBinary::sub: return run([=](int32_t u, int32_t v) { return bits(u) - bits(v); });
    // JavaScript multiplies in float64 and keeps the lowest 32 bits of that.
    case IntegerBinary::multiply:
      return run([](int32_t u, int32_t v) {
        return static_cast<int64_t>(static_cast<double>(u) * static_cast<double>(v));
      });
    case IntegerBinary::maximum: return run([](int32_t u, int32_t v) { return u > v ? u : v; });
    case IntegerBinary::minimum: return run([](int32_t u, int32_t v) { return u < v ? u : v; });
    case IntegerBinary::count: return;
  }
}

/// As tfjs finds it: the first of the largest (of the smallest) of `length` values, 0 when the first is NaN; other NaNs lose.
int32_t extremumPlace(bool most, int64_t length, const float* x) {
  if (x[0] != x[0]) return 0;
  const Vector first = broadcast(x[0]);
  Vector best = first;
  eachVector(length, [&](int64_t i, auto at) {
    const Vector value = at.keep(at.load(x + i), x[0]);
    best = most ? select(value > best, value, best) : select(value < best, value, best);
  });
  const float extremum = most ? largestOf(best) : -largestOf(-best);
  for (int64_t i = 0; i < length; ++i) {
    if (x[i] == extremum) return static_cast<int32_t>(i);
  }
  return 0;
}

/// The same for `width` adjacent columns of `length` rows; `best` has room for a row.
void extremumPlaces(bool most, int64_t length, int64_t width, const float* x, float* best, int32_t* places) {
  for (int64_t j = 0; j < width; ++j) {
    best[j] = x[j];
    places[j] = 0;
  }
  for (int64_t row = 1; row < length; ++row) {
    const float* values = x + row * width;
    const int32_t here = static_cast<int32_t>(row);
    for (int64_t j = 0; j < width; ++j) {
      const bool better = most ? values[j] > best[j] : values[j] < best[j];
      best[j] = better ? values[j] : best[j];
      places[j] = better ? here : places[j];
    }
  }
}
