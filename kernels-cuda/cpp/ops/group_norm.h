// Included by hot_code.h only, in an unnamed namespace.
//
// y = n weight + bias with n = (x - mean) / sqrt(variance + epsilon) over each group of a row. Backwards, with
// dn = dy weight: dx = (dn - mean(dn) - n mean(dn n)) / sqrt(variance + epsilon).

struct Moments {
  float mean, inverse;
};

/// The mean first and then the variance about it: their difference in one pass would lose what float32 has.
inline Moments momentsOf(const float* x, int64_t size, float epsilon) {
  Vector sum = broadcast(0);
  eachVector(size, [&](int64_t j, auto at) { sum += at.load(x + j); });
  const float mean = sumOf(sum) / static_cast<float>(size);
  Vector squares = broadcast(0);
  eachVector(size, [&](int64_t j, auto at) {
    const Vector centred = at.keep(at.load(x + j) - broadcast(mean), 0);
    squares += centred * centred;
  });
  const float variance = sumOf(squares) / static_cast<float>(size);
  return {mean, 1.0f / __builtin_sqrtf(variance + epsilon)};
}

void groupNorm(const GroupNorm& o, int64_t from, int64_t to, const float* bias, float* y) {
  const int64_t size = o.width / o.groups;
  for (int64_t row = from; row < to; ++row) {
    for (int64_t first = 0; first < o.width; first += size) {
      const int64_t start = row * o.width + first;
      const Moments m = momentsOf(o.x + start, size, o.epsilon);
      eachVector(size, [&](int64_t j, auto at) {
        const Vector n = (at.load(o.x + start + j) - broadcast(m.mean)) * broadcast(m.inverse);
        at.store(y + start + j, n * at.load(o.weight + first + j) + at.load(bias + first + j));
      });
    }
  }
}

/// `dweight` and `dbias` [width] are this run's own and are added to.
void groupNormGrad(const GroupNorm& o, int64_t from, int64_t to, const float* dy, float* dx, float* dweight,
                   float* dbias) {
  const int64_t size = o.width / o.groups;
  for (int64_t row = from; row < to; ++row) {
    for (int64_t first = 0; first < o.width; first += size) {
      const int64_t start = row * o.width + first;
      const Moments m = momentsOf(o.x + start, size, o.epsilon);
      Vector sum = broadcast(0), along = sum;
      eachVector(size, [&](int64_t j, auto at) {
        const Vector n = (at.load(o.x + start + j) - broadcast(m.mean)) * broadcast(m.inverse);
        const Vector d = at.load(dy + start + j), dn = d * at.load(o.weight + first + j);
        at.store(dweight + first + j, at.load(dweight + first + j) + d * n);
        at.store(dbias + first + j, at.load(dbias + first + j) + d);
        sum += dn;
        along += dn * n;
      });
      const Vector mean = broadcast(sumOf(sum) / static_cast<float>(size));
      const Vector slope = broadcast(sumOf(along) / static_cast<float>(size));
      eachVector(size, [&](int64_t j, auto at) {
        const Vector n = (at.load(o.x + start + j) - broadcast(m.mean)) * broadcast(m.inverse);
        const Vector dn = at.load(dy + start + j) * at.load(o.weight + first + j);
        at.store(dx + start + j, (dn - mean - n * slope) * broadcast(m.inverse));
      });
    }
  }
}
