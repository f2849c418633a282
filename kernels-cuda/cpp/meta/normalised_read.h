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

/// Up to four steps of one head: where they lie in [B, T, H, N], and the head's gains in [H, N].
struct FewSteps {
  int64_t count, first, stride, gain;

  /// Where a step lies; of the last when there are fewer.
  int64_t at(int64_t u) const { return first + (u < count ? u : count - 1) * stride; }
};

/// visit(head, FewSteps) for steps [first, last) of each of these heads.
template <typename Visit>
inline void eachFewSteps(const MetaShape& shape, int64_t firstHead, int64_t heads, int64_t first, int64_t last,
                         Visit visit) {
  const Wkv7Shape& states = shape.states;
  const int64_t stride = states.heads * states.headSize;
  for (int64_t head = firstHead; head < firstHead + heads; ++head) {
    const int64_t begin = firstStep(states, head), gain = head % states.heads * states.headSize;
    for (int64_t t = first; t < last; t += 4) {
      visit(head, FewSteps{last - t < 4 ? last - t : 4, begin + t * stride, stride, gain});
    }
  }
}

/// The same for all steps, a tile of each head in turn: neighbours lie side by side.
template <typename Visit>
inline void eachFewSteps(const MetaShape& shape, int64_t firstHead, int64_t heads, Visit visit) {
  const int64_t time = shape.states.time;
  for (int64_t first = 0; first < time; first += forwardTile) {
    eachFewSteps(shape, firstHead, heads, first, first + forwardTile < time ? first + forwardTile : time, visit);
  }
}

/// Whether steps are normalised four at a time: heads are whole registers.
inline bool normalisedByFour(int64_t size) { return size >= fewElements && size % lanes == 0; }

/// Mean and 1 / sqrt(variance + epsilon) of four steps: they share the sums across lanes, and none waits for the root and
/// the division of the one before.
struct FourMoments {
  float mean[4], inverse[4];

  METASTATE_INLINE FourMoments(const float* read, const FewSteps& steps, int64_t size, float epsilon) {
    const float scale = 1.0f / static_cast<float>(size);
    Vector sum[4] = {}, squares[4] = {};
    for (int64_t j = 0; j < size; j += lanes) {
      for (int u = 0; u < 4; ++u) sum[u] += load(read + steps.at(u) + j);
    }
    const Vector4 means = sums(sum[0], sum[1], sum[2], sum[3]) * Vector4{scale, scale, scale, scale};
    store4(mean, means);
    for (int64_t j = 0; j < size; j += lanes) {
      for (int u = 0; u < 4; ++u) {
        const Vector centred = load(read + steps.at(u) + j) - broadcast(mean[u]);
        squares[u] += centred * centred;
      }
    }
    store4(inverse, sums(squares[0], squares[1], squares[2], squares[3]) * Vector4{scale, scale, scale, scale});
    for (int u = 0; u < 4; ++u) inverse[u] = 1.0f / __builtin_sqrtf(inverse[u] + epsilon);
  }

  Vector normal(int u, Vector read) const { return (read - broadcast(mean[u])) * broadcast(inverse[u]); }
};

/// put(step's place, j, access, GN(read) there) for these steps, at each register of a head or the part of one that there is.
/// `row` is scratch of N floats. A read is taken before what is put at its place.
template <typename Put>
METASTATE_INLINE void eachNormal(const MetaShape& shape, const FewSteps& steps, const float* read, float* row, Put put) {
  const int64_t size = shape.states.headSize;
  if (normalisedByFour(size)) {
    const FourMoments moments(read, steps, size, shape.epsilon);
    for (int64_t j = 0; j < size; j += lanes) {
      for (int i = 0; i < steps.count; ++i) put(steps.at(i), j, Whole{}, moments.normal(i, load(read + steps.at(i) + j)));
    }
    return;
  }
  for (int64_t i = 0; i < steps.count; ++i) {
    normaliseRead(read + steps.at(i), size, shape.epsilon, row);
    eachVector(size, [&](int64_t j, auto access) { put(steps.at(i), j, access, access.load(row + j)); });
  }
}

inline void writeSteps(const MetaShape& shape, const FewSteps& steps, const float* gains, const float* u, const float* x,
                       float* added, float* m, float* row) {
  const float* const gain = gains + steps.gain;
  eachNormal(shape, steps, u, row, [&](int64_t at, int64_t j, auto access, Vector normal) {
    const Vector seen = normal * access.load(gain + j);
    if (added != nullptr) access.store(added + at + j, seen);
    access.store(m + at + j, access.load(x + at + j) + seen);
  });
}

inline void rememberSteps(const MetaShape& shape, const FewSteps& steps, const float* gains, const float* o,
                          float* added, float* row) {
  const float* const gain = gains + steps.gain;
  eachNormal(shape, steps, o, row, [&](int64_t at, int64_t j, auto access, Vector normal) {
    float* const to = added + at + j;
    access.store(to, access.load(to) + normal * access.load(gain + j));
  });
}

void metaWrite(const MetaShape& shape, const float* gain, const float* u, const float* x, int64_t firstHead,
               int64_t heads, float* added, float* m, float* row) {
  eachFewSteps(shape, firstHead, heads, [&](int64_t, const FewSteps& steps) {
    writeSteps(shape, steps, gain, u, x, added, m, row);
  });
}

void metaRemember(const MetaShape& shape, const float* gain, const float* o, int64_t firstHead, int64_t heads,
                  float* added, float* row) {
  eachFewSteps(shape, firstHead, heads, [&](int64_t, const FewSteps& steps) {
    rememberSteps(shape, steps, gain, o, added, row);
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

/// One step's share of metaReadGrad, where it is not for readGradOfFew; dgain is added to.
inline void readGradStep(int64_t size, float epsilon, const float* gain, const float* read, const float* dy,
                         const float* also, float* dread, float* dgain, float* n) {
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

/// The same of up to four steps of a head of whole registers.
inline void readGradByFour(int64_t size, float epsilon, const FewSteps& steps, const float* gain, const float* read,
                           const float* dy, const float* also, float* dread, float* dgain) {
  const FourMoments moments(read, steps, size, epsilon);
  Vector sum[8] = {};  // of dn, of dn n
  for (int64_t j = 0; j < size; j += lanes) {
    const Vector gainHere = load(gain + j);
    Vector dgainHere = load(dgain + j);
    for (int u = 0; u < steps.count; ++u) {
      const int64_t at = steps.at(u) + j;
      Vector d = load(dy + at);
      if (also != nullptr) d += load(also + at);
      const Vector normal = moments.normal(u, load(read + at)), dn = d * gainHere;
      dgainHere += d * normal;
      store(dread + at, dn);
      sum[u] += dn;
      sum[4 + u] += dn * normal;
    }
    store(dgain + j, dgainHere);
  }
  Vector4 means, slopes;
  sums(sum, means, slopes);
  const float scale = 1.0f / static_cast<float>(size);
  for (int u = 0; u < steps.count; ++u) {
    const Vector mean = broadcast(means[u] * scale), slope = broadcast(slopes[u] * scale);
    for (int64_t j = 0; j < size; j += lanes) {
      const int64_t at = steps.at(u) + j;
      const Vector normal = moments.normal(u, load(read + at));
      store(dread + at, (load(dread + at) - mean - normal * slope) * broadcast(moments.inverse[u]));
    }
  }
}

void metaReadGrad(const MetaShape& shape, const float* gains, const float* read, const float* dy, const float* also,
                  int64_t firstHead, int64_t heads, float* dread, float* dgain, int64_t dgainStride, float* row) {
  const int64_t size = shape.states.headSize;
  for (int64_t i = 0; i < heads; ++i) memset(dgain + i * dgainStride, 0, static_cast<size_t>(size) * sizeof(float));
  eachFewSteps(shape, firstHead, heads, [&](int64_t head, const FewSteps& steps) {
    float* const dgainOfHead = dgain + (head - firstHead) * dgainStride;
    const float* const gain = gains + steps.gain;
    if (normalisedByFour(size)) {
      return readGradByFour(size, shape.epsilon, steps, gain, read, dy, also, dread, dgainOfHead);
    }
    for (int64_t u = 0; u < steps.count; ++u) {
      const int64_t at = steps.at(u);
      const float* const second = also == nullptr ? nullptr : also + at;
      if (size < fewElements) {
        readGradOfFew(size, shape.epsilon, gain, read + at, dy + at, second, dread + at, dgainOfHead);
      } else {
        readGradStep(size, shape.epsilon, gain, read + at, dy + at, second, dread + at, dgainOfHead, row);
      }
    }
  });
}
