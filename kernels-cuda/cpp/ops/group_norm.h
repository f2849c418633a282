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

/// Groups of fewer elements are computed in float64: with two elements dx is what little is left when everything cancels.
constexpr int64_t fewElements = 16;

inline void momentsOfFew(const float* x, int64_t size, float epsilon, double& mean, double& inverse) {
  double sum = 0, squares = 0;
  for (int64_t j = 0; j < size; ++j) sum += static_cast<double>(x[j]);
  mean = sum / static_cast<double>(size);
  for (int64_t j = 0; j < size; ++j) squares += (static_cast<double>(x[j]) - mean) * (static_cast<double>(x[j]) - mean);
  inverse = 1 / __builtin_sqrt(squares / static_cast<double>(size) + static_cast<double>(epsilon));
}

void fewGrad(const GroupNorm& o, int64_t start, int64_t first, int64_t size, const float* dy, float* dx, float* dweight,
             float* dbias) {
  double mean, inverse, sum = 0, along = 0;
  momentsOfFew(o.x + start, size, o.epsilon, mean, inverse);
  for (int64_t j = 0; j < size; ++j) {
    const double n = (static_cast<double>(o.x[start + j]) - mean) * inverse, d = static_cast<double>(dy[start + j]);
    const double dn = d * static_cast<double>(o.weight[first + j]);
    dweight[first + j] += static_cast<float>(d * n);
    dbias[first + j] += static_cast<float>(d);
    sum += dn / static_cast<double>(size);
    along += dn * n / static_cast<double>(size);
  }
  for (int64_t j = 0; j < size; ++j) {
    const double n = (static_cast<double>(o.x[start + j]) - mean) * inverse;
    const double dn = static_cast<double>(dy[start + j]) * static_cast<double>(o.weight[first + j]);
    dx[start + j] = static_cast<float>((dn - sum - n * along) * inverse);
  }
}

void groupNorm(const GroupNorm& o, int64_t from, int64_t to, const float* bias, float* y) {
  const int64_t size = o.width / o.groups;
  for (int64_t row = from; row < to; ++row) {
    for (int64_t first = 0; first < o.width; first += size) {
      const int64_t start = row * o.width + first;
      if (size < fewElements) {
        double mean, inverse;
        momentsOfFew(o.x + start, size, o.epsilon, mean, inverse);
        for (int64_t j = 0; j < size; ++j) {
          const double n = (static_cast<double>(o.x[start + j]) - mean) * inverse;
          y[start + j] = static_cast<float>(n * static_cast<double>(o.weight[first + j]) +
                                            static_cast<double>(bias[first + j]));
        }
        continue;
      }
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
      if (size < fewElements) {
        fewGrad(o, start, first, size, dy, dx, dweight, dbias);
        continue;
      }
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
