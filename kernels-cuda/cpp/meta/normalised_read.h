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

/// Where a head's first step lies in [B, T, H, N], and from one step to the next.
struct HeadSteps {
  int64_t first, stride, gain;

  HeadSteps(const MetaShape& shape, int64_t head)
      : first((head / shape.states.heads * shape.states.time * shape.states.heads + head % shape.states.heads) *
              shape.states.headSize),
        stride(shape.states.heads * shape.states.headSize),
        gain(head % shape.states.heads * shape.states.headSize) {}
};

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

void metaWrite(const MetaShape& shape, const float* gain, const float* u, const float* x, int64_t head, float* added,
               float* m, float* row) {
  const HeadSteps steps(shape, head);
  for (int64_t t = 0; t < shape.states.time; ++t) {
    const int64_t at = steps.first + t * steps.stride;
    writeStep(shape.states.headSize, shape.epsilon, gain + steps.gain, u + at, x + at,
              added == nullptr ? nullptr : added + at, m + at, row);
  }
}

void metaRemember(const MetaShape& shape, const float* gain, const float* o, int64_t head, float* added, float* row) {
  const HeadSteps steps(shape, head);
  for (int64_t t = 0; t < shape.states.time; ++t) {
    const int64_t at = steps.first + t * steps.stride;
    rememberStep(shape.states.headSize, shape.epsilon, gain + steps.gain, o + at, added + at, row);
  }
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

void metaReadGrad(const MetaShape& shape, const float* allGains, const float* read, const float* dy, const float* also,
                  int64_t head, float* dread, float* dgain, float* n) {
  const HeadSteps steps(shape, head);
  const int64_t size = shape.states.headSize;
  const float* gain = allGains + steps.gain;
  memset(dgain, 0, static_cast<size_t>(size) * sizeof(float));
  for (int64_t t = 0; t < shape.states.time; ++t) {
    const int64_t step = steps.first + t * steps.stride;
    const float* second = also == nullptr ? nullptr : also + step;
    if (size < fewElements) {
      readGradOfFew(size, shape.epsilon, gain, read + step, dy + step, second, dread + step, dgain);
      continue;
    }
    const float inverse = normaliseRead(read + step, size, shape.epsilon, n);
    Vector sum = broadcast(0), along = sum;
    eachVector(size, [&](int64_t j, auto at) {
      Vector d = at.load(dy + step + j);
      if (second != nullptr) d += at.load(second + j);
      const Vector normal = at.load(n + j), dn = d * at.load(gain + j);
      at.store(dgain + j, at.load(dgain + j) + d * normal);
      at.store(dread + step + j, dn);
      sum += dn;
      along += dn * normal;
    });
    const Vector mean = broadcast(sumOf(sum) / static_cast<float>(size));
    const Vector slope = broadcast(sumOf(along) / static_cast<float>(size));
    eachVector(size, [&](int64_t j, auto at) {
      const Vector dn = at.load(dread + step + j);
      at.store(dread + step + j, (dn - mean - at.load(n + j) * slope) * broadcast(inverse));
    });
  }
}
