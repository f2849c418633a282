// Included by hot_code.h only, in an unnamed namespace.
//
// Per head: unit = k kk / |k kk|; key = k (1 + (rate - 1) ka), alpha = -unit, beta = unit rate. Backwards, with
// du = rate dbeta - dalpha: the gradient of k kk is (du - unit (unit . du)) / |k kk|.

/// Below this length a key counts as this long, so that zero stays zero.
constexpr float shortestKey = 1e-12f;

inline float inverseKeyLength(const float* k, const float* kk, int64_t size) {
  Vector squares = broadcast(0);
  eachVector(size, [&](int64_t j, auto at) {
    const Vector scaled = at.load(k + j) * at.load(kk + j);
    squares += scaled * scaled;
  });
  const float length = __builtin_sqrtf(sumOf(squares));
  return 1.0f / (length > shortestKey ? length : shortestKey);
}

void keyPreparation(const KeyPreparation& o, int64_t from, int64_t to, float* key, float* alpha, float* beta) {
  const int64_t size = o.width / o.heads;
  for (int64_t row = from; row < to; ++row) {
    for (int64_t first = 0; first < o.width; first += size) {
      const int64_t start = row * o.width + first;
      const Vector inverse = broadcast(inverseKeyLength(o.k + start, o.kk + first, size));
      eachVector(size, [&](int64_t j, auto at) {
        const Vector k = at.load(o.k + start + j), rate = at.load(o.rate + start + j);
        const Vector unit = k * at.load(o.kk + first + j) * inverse;
        at.store(key + start + j, k * (broadcast(1) + (rate - broadcast(1)) * at.load(o.ka + first + j)));
        at.store(alpha + start + j, -unit);
        at.store(beta + start + j, unit * rate);
      });
    }
  }
}

/// Heads of fewer channels are worked in double: du - unit (unit . du) cancels there, with one channel to zero.
constexpr int64_t fewChannels = 16;

/// One head's gradients, in double.
inline void keyPreparationGradOfFew(const KeyPreparation& o, int64_t start, int64_t first, int64_t size,
                                    const float* dkey, const float* dalpha, const float* dbeta, float* dk,
                                    float* drate, float* dkk, float* dka) {
  double squares = 0, along = 0;
  for (int64_t j = 0; j < size; ++j) {
    const double scaled = static_cast<double>(o.k[start + j]) * static_cast<double>(o.kk[first + j]);
    squares += scaled * scaled;
  }
  const double length = __builtin_sqrt(squares), shortest = static_cast<double>(shortestKey);
  const double inverse = 1 / (length > shortest ? length : shortest);
  const auto du = [&](int64_t j) {
    return static_cast<double>(o.rate[start + j]) * static_cast<double>(dbeta[start + j]) -
           static_cast<double>(dalpha[start + j]);
  };
  for (int64_t j = 0; j < size; ++j) {
    along += static_cast<double>(o.k[start + j]) * static_cast<double>(o.kk[first + j]) * inverse * du(j);
  }
  for (int64_t j = 0; j < size; ++j) {
    const double k = static_cast<double>(o.k[start + j]), kk = static_cast<double>(o.kk[first + j]);
    const double ka = static_cast<double>(o.ka[first + j]), d = static_cast<double>(dkey[start + j]);
    const double lacking = static_cast<double>(o.rate[start + j]) - 1, unit = k * kk * inverse;
    const double dscaled = (du(j) - unit * along) * inverse;
    dk[start + j] = static_cast<float>(dscaled * kk + d * (1 + lacking * ka));
    drate[start + j] = static_cast<float>(unit * static_cast<double>(dbeta[start + j]) + k * ka * d);
    dkk[first + j] += static_cast<float>(dscaled * k);
    dka[first + j] += static_cast<float>(d * k * lacking);
  }
}

/// `dkk` and `dka` [width] are this run's own and are added to.
void keyPreparationGrad(const KeyPreparation& o, int64_t from, int64_t to, const float* dkey, const float* dalpha,
                        const float* dbeta, float* dk, float* drate, float* dkk, float* dka) {
  const int64_t size = o.width / o.heads;
  for (int64_t row = from; row < to; ++row) {
    for (int64_t first = 0; first < o.width; first += size) {
      const int64_t start = row * o.width + first;
      if (size < fewChannels) {
        keyPreparationGradOfFew(o, start, first, size, dkey, dalpha, dbeta, dk, drate, dkk, dka);
        continue;
      }
      const Vector inverse = broadcast(inverseKeyLength(o.k + start, o.kk + first, size));
      Vector sum = broadcast(0);
      eachVector(size, [&](int64_t j, auto at) {
        const Vector unit = at.load(o.k + start + j) * at.load(o.kk + first + j) * inverse;
        sum += unit * (at.load(o.rate + start + j) * at.load(dbeta + start + j) - at.load(dalpha + start + j));
      });
      const Vector along = broadcast(sumOf(sum));
      eachVector(size, [&](int64_t j, auto at) {
        const Vector k = at.load(o.k + start + j), kk = at.load(o.kk + first + j), ka = at.load(o.ka + first + j);
        const Vector rate = at.load(o.rate + start + j), lacking = rate - broadcast(1);
        const Vector db = at.load(dbeta + start + j), d = at.load(dkey + start + j);
        const Vector unit = k * kk * inverse;
        const Vector dscaled = (rate * db - at.load(dalpha + start + j) - unit * along) * inverse;
        at.store(dk + start + j, dscaled * kk + d * (broadcast(1) + lacking * ka));
        at.store(drate + start + j, unit * db + k * ka * d);
        at.store(dkk + first + j, at.load(dkk + first + j) + dscaled * k);
        at.store(dka + first + j, at.load(dka + first + j) + d * k * lacking);
      });
    }
  }
}
