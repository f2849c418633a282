// Included by hot_code.h only, in an unnamed namespace.
//
// The parts of the Meta-State pass between its two recurrences: reads of a state normalised, added, and backwards. Of a
// head's N values GN(x) = (x - mean) / sqrt(variance + epsilon), and with dn = dy gain
// dx = (dn - mean(dn) - n mean(dn n)) / sqrt(variance + epsilon).

/// GN of a head's read in `n`; gives 1 / sqrt(variance + epsilon).
inline float normaliseRead(const float* read, int64_t size, float epsilon, float* n) {
  if (size < fewElements) {
    double mean, inverse;
    momentsOfFew(read, size, epsilon, mean, inverse);
    for (int64_t j = 0; j < size; ++j) n[j] = static_cast<float>((static_cast<double>(read[j]) - mean) * inverse);
    return static_cast<float>(inverse);
  }
  const Moments m = momentsOf(read, size, epsilon);
  eachVector(size, [&](int64_t j, auto at) {
    at.store(n + j, (at.load(read + j) - broadcast(m.mean)) * broadcast(m.inverse));
  });
  return m.inverse;
}

/// visit(head, place in [B, T, H, N], place in [H, N]) for steps [first, last) of each of these heads.
template <typename Visit>
inline void eachStep(const MetaShape& shape, int64_t firstHead, int64_t heads, int64_t first, int64_t last,
                     Visit visit) {
  const Wkv7Shape& states = shape.states;
  const int64_t stride = states.heads * states.headSize;
  for (int64_t head = firstHead; head < firstHead + heads; ++head) {
    const int64_t begin = firstStep(states, head), gain = head % states.heads * states.headSize;
    for (int64_t t = first; t < last; ++t) visit(head, begin + t * stride, gain);
  }
}

/// The same for all steps, a tile of each head in turn: neighbours lie side by side.
template <typename Visit>
inline void eachStep(const MetaShape& shape, int64_t firstHead, int64_t heads, Visit visit) {
  const int64_t time = shape.states.time;
  for (int64_t first = 0; first < time; first += forwardTile) {
    eachStep(shape, firstHead, heads, first, first + forwardTile < time ? first + forwardTile : time, visit);
  }
}

inline void writeStep(int64_t size, float epsilon, const float* gain, const float* u, const float* x, float* added,
                      float* m, float* n) {
  normaliseRead(u, size, epsilon, n);
  eachVector(size, [&](int64_t j, auto at) {
    const Vector seen = at.load(n + j) * at.load(gain + j);
    if (added != nullptr) at.store(added + j, seen);
    at.store(m + j, at.load(x + j) + seen);
  });
}

inline void rememberStep(int64_t size, float epsilon, const float* gain, const float* o, float* added, float* n) {
  normaliseRead(o, size, epsilon, n);
  eachVector(size, [&](int64_t j, auto at) {
    at.store(added + j, at.load(added + j) + at.load(n + j) * at.load(gain + j));
  });
}

void metaWrite(const MetaShape& shape, const float* gain, const float* u, const float* x, int64_t firstHead,
               int64_t heads, float* added, float* m, float* row) {
  eachStep(shape, firstHead, heads, [&](int64_t, int64_t at, int64_t gainAt) {
    writeStep(shape.states.headSize, shape.epsilon, gain + gainAt, u + at, x + at,
              added == nullptr ? nullptr : added + at, m + at, row);
  });
}

void metaRemember(const MetaShape& shape, const float* gain, const float* o, int64_t firstHead, int64_t heads,
                  float* added, float* row) {
  eachStep(shape, firstHead, heads, [&](int64_t, int64_t at, int64_t gainAt) {
    rememberStep(shape.states.headSize, shape.epsilon, gain + gainAt, o + at, added + at, row);
  });
}

/// One step in float64, for heads of few values: what is left there when everything cancels is small.
inline void readGradOfFew(int64_t size, float epsilon, const float* gain, const float* read, const float* dy,
                          const float* also, float* dread, float* dgain) {
  double mean, inverse, sum = 0, along = 0;
  momentsOfFew(read, size, epsilon, mean, inverse);
  const auto normal = [&](int64_t j) { return (static_cast<double>(read[j]) - mean) * inverse; };
  const auto adjoint = [&](int64_t j) {
    return static_cast<double>(dy[j]) + (also == nullptr ? 0 : static_cast<double>(also[j]));
  };
  for (int64_t j = 0; j < size; ++j) {
    const double d = adjoint(j), dn = d * static_cast<double>(gain[j]);
    dgain[j] += static_cast<float>(d * normal(j));
    sum += dn / static_cast<double>(size);
    along += dn * normal(j) / static_cast<double>(size);
  }
  for (int64_t j = 0; j < size; ++j) {
    const double dn = adjoint(j) * static_cast<double>(gain[j]);
    dread[j] = static_cast<float>((dn - sum - normal(j) * along) * inverse);
  }
}

/// One step's share of metaReadGrad; dgain is added to.
inline void readGradStep(int64_t size, float epsilon, const float* gain, const float* read, const float* dy,
                         const float* also, float* dread, float* dgain, float* n) {
  if (size < fewElements) return readGradOfFew(size, epsilon, gain, read, dy, also, dread, dgain);
  const float inverse = normaliseRead(read, size, epsilon, n);
  Vector sum = broadcast(0), along = sum;
  eachVector(size, [&](int64_t j, auto at) {
    Vector d = at.load(dy + j);
    if (also != nullptr) d += at.load(also + j);
    const Vector normal = at.load(n + j), dn = d * at.load(gain + j);
    at.store(dgain + j, at.load(dgain + j) + d * normal);
    at.store(dread + j, dn);
    sum += dn;
    along += dn * normal;
  });
  const Vector mean = broadcast(sumOf(sum) / static_cast<float>(size));
  const Vector slope = broadcast(sumOf(along) / static_cast<float>(size));
  eachVector(size, [&](int64_t j, auto at) {
    const Vector dn = at.load(dread + j);
    at.store(dread + j, (dn - mean - at.load(n + j) * slope) * broadcast(inverse));
  });
}

void metaReadGrad(const MetaShape& shape, const float* gain, const float* read, const float* dy, const float* also,
                  int64_t firstHead, int64_t heads, float* dread, float* dgain, int64_t dgainStride, float* row) {
  const int64_t size = shape.states.headSize;
  for (int64_t i = 0; i < heads; ++i) memset(dgain + i * dgainStride, 0, static_cast<size_t>(size) * sizeof(float));
  eachStep(shape, firstHead, heads, [&](int64_t head, int64_t at, int64_t gainAt) {
    readGradStep(size, shape.epsilon, gain + gainAt, read + at, dy + at, also == nullptr ? nullptr : also + at,
                 dread + at, dgain + (head - firstHead) * dgainStride, row);
  });
}
