// Included by hot_code.h only, in an unnamed namespace.
//
// The parts of the Meta-State pass between its two recurrences: reads of a state normalised, added, and backwards. Of a
// head's N values GN(x) = (x - mean) / sqrt(variance + epsilon), and with dn = dy gain
// dx = (dn - mean(dn) - n mean(dn n)) / sqrt(variance + epsilon).

/// Steps that are normalised at once. They share the sums across lanes, and none waits for the root and the division of
/// another.
constexpr int fewSteps = registers >= 32 ? 8 : 4;

/// Up to that many steps of one head: where they lie in [B, T, H, N], and the head's gains in [H, N].
struct FewSteps {
  int64_t count, gain;
  int64_t at[fewSteps];  // of the last for those that are not there

  METASTATE_INLINE FewSteps(int64_t count, int64_t first, int64_t stride, int64_t gain) : count(count), gain(gain) {
    for (int64_t u = 0; u < fewSteps; ++u) at[u] = first + (u < count ? u : count - 1) * stride;
  }
};

/// visit(head, FewSteps) for steps [first, last) of each of these heads.
template <typename Visit>
inline void eachFewSteps(const MetaShape& shape, int64_t firstHead, int64_t heads, int64_t first, int64_t last,
                         Visit visit) {
  const Wkv7Shape& states = shape.states;
  const int64_t stride = states.heads * states.headSize;
  for (int64_t head = firstHead; head < firstHead + heads; ++head) {
    const int64_t begin = firstStep(states, head), gain = head % states.heads * states.headSize;
    for (int64_t t = first; t < last; t += fewSteps) {
      visit(head, FewSteps(last - t < fewSteps ? last - t : fewSteps, begin + t * stride, stride, gain));
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

/// The sums over the lanes of a few vectors, times a factor.
METASTATE_INLINE void scaledSums(const Vector (&x)[4], float factor, float* to) {
  store4(to, sums(x[0], x[1], x[2], x[3]) * Vector4{factor, factor, factor, factor});
}

METASTATE_INLINE void scaledSums(const Vector (&x)[8], float factor, float* to) {
  const Vector4 factors{factor, factor, factor, factor};
  Vector4 first, second;
  sums(x, first, second);
  store4(to, first * factors);
  store4(to + 4, second * factors);
}

/// Mean and 1 / sqrt(variance + epsilon) of a few steps.
struct MomentsOfSteps {
  float mean[fewSteps], inverse[fewSteps];

  METASTATE_INLINE MomentsOfSteps(const float* read, const FewSteps& steps, int64_t size, float epsilon) {
    const float scale = 1.0f / static_cast<float>(size);
    Vector sum[fewSteps] = {}, squares[fewSteps] = {};
    eachVector(size, [&](int64_t j, auto access) METASTATE_ALWAYS_INLINE {
      for (int u = 0; u < fewSteps; ++u) sum[u] += access.load(read + steps.at[u] + j);
    });
    scaledSums(sum, scale, mean);
    eachVector(size, [&](int64_t j, auto access) METASTATE_ALWAYS_INLINE {
      for (int u = 0; u < fewSteps; ++u) {
        const Vector centred = access.keep(access.load(read + steps.at[u] + j) - broadcast(mean[u]), 0);
        squares[u] += centred * centred;
      }
    });
    scaledSums(squares, scale, inverse);
    for (int u = 0; u < fewSteps; ++u) inverse[u] = 1.0f / __builtin_sqrtf(inverse[u] + epsilon);
  }

  Vector normal(int u, Vector read) const { return (read - broadcast(mean[u])) * broadcast(inverse[u]); }
};

/// put(step's place, j, access, GN(read) there) for these steps, at each register of a head or the part of one that there is.
/// A read is taken before what is put at its place.
template <int Size, typename Put>
METASTATE_INLINE void eachNormal(const MetaShape& shape, const FewSteps& steps, const float* read, Put put) {
  const int64_t size = Size != 0 ? Size : shape.states.headSize;
  if (size >= fewElements) {
    const MomentsOfSteps moments(read, steps, size, shape.epsilon);
    eachVector(size, [&](int64_t j, auto access) METASTATE_ALWAYS_INLINE {
      for (int64_t i = 0; i < steps.count; ++i) {
        const int64_t at = steps.at[i];
        put(at, j, access, moments.normal(static_cast<int>(i), access.load(read + at + j)));
      }
    });
    return;
  }
  for (int64_t i = 0; i < steps.count; ++i) {
    const int64_t at = steps.at[i];
    double mean, inverse;
    momentsOfFew(read + at, size, shape.epsilon, mean, inverse);
    float normal[fewElements];
    for (int64_t j = 0; j < size; ++j) {
      normal[j] = static_cast<float>((static_cast<double>(read[at + j]) - mean) * inverse);
    }
    eachVector(size, [&](int64_t j, auto access) { put(at, j, access, access.load(normal + j)); });
  }
}

template <int Size>
inline void writeSteps(const MetaShape& shape, const FewSteps& steps, const float* gains, const float* u, const float* x,
                       float* added, float* m) {
  const float* const gain = gains + steps.gain;
  eachNormal<Size>(shape, steps, u, [&](int64_t at, int64_t j, auto access, Vector normal) {
    const Vector seen = normal * access.load(gain + j);
    if (added != nullptr) access.store(added + at + j, seen);
    access.store(m + at + j, access.load(x + at + j) + seen);
  });
}

template <int Size>
inline void rememberSteps(const MetaShape& shape, const FewSteps& steps, const float* gains, const float* o,
                          float* added) {
  const float* const gain = gains + steps.gain;
  eachNormal<Size>(shape, steps, o, [&](int64_t at, int64_t j, auto access, Vector normal) {
    float* const to = added + at + j;
    access.store(to, access.load(to) + normal * access.load(gain + j));
  });
}

void metaWrite(const MetaShape& shape, const float* gain, const float* u, const float* x, int64_t firstHead,
               int64_t heads, float* added, float* m) {
  withHeadSize(shape.states.headSize, [&](auto size) {
    eachFewSteps(shape, firstHead, heads, [&](int64_t, const FewSteps& steps) {
      writeSteps<decltype(size)::value>(shape, steps, gain, u, x, added, m);
    });
  });
}

void metaRemember(const MetaShape& shape, const float* gain, const float* o, int64_t firstHead, int64_t heads,
                  float* added) {
  withHeadSize(shape.states.headSize, [&](auto size) {
    eachFewSteps(shape, firstHead, heads, [&](int64_t, const FewSteps& steps) {
      rememberSteps<decltype(size)::value>(shape, steps, gain, o, added);
    });
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

/// A few steps of a head that is not of few values; dgain is added to.
template <int Size>
inline void readGradOfSteps(int64_t runtimeSize, float epsilon, const FewSteps& steps, const float* gain,
                            const float* read, const float* dy, const float* also, float* dread, float* dgain) {
  const int64_t size = Size != 0 ? Size : runtimeSize;
  const MomentsOfSteps moments(read, steps, size, epsilon);
  Vector sum[fewSteps] = {}, along[fewSteps] = {};
  eachVector(size, [&](int64_t j, auto access) METASTATE_ALWAYS_INLINE {
    const Vector gainHere = access.load(gain + j);
    Vector dgainHere = access.load(dgain + j);
    for (int u = 0; u < steps.count; ++u) {
      const int64_t at = steps.at[u] + j;
      Vector d = access.load(dy + at);
      if (also != nullptr) d += access.load(also + at);
      const Vector normal = moments.normal(u, access.load(read + at)), dn = d * gainHere;
      dgainHere += d * normal;
      access.store(dread + at, dn);
      sum[u] += dn;
      along[u] += dn * normal;
    }
    access.store(dgain + j, dgainHere);
  });
  const float scale = 1.0f / static_cast<float>(size);
  float means[fewSteps], slopes[fewSteps];
  scaledSums(sum, scale, means);
  scaledSums(along, scale, slopes);
  for (int u = 0; u < steps.count; ++u) {
    const Vector mean = broadcast(means[u]), slope = broadcast(slopes[u]);
    eachVector(size, [&](int64_t j, auto access) METASTATE_ALWAYS_INLINE {
      const int64_t at = steps.at[u] + j;
      const Vector normal = moments.normal(u, access.load(read + at));
      access.store(dread + at, (access.load(dread + at) - mean - normal * slope) * broadcast(moments.inverse[u]));
    });
  }
}

void metaReadGrad(const MetaShape& shape, const float* gains, const float* read, const float* dy, const float* also,
                  int64_t firstHead, int64_t heads, float* dread, float* dgain, int64_t dgainStride) {
  const int64_t size = shape.states.headSize;
  for (int64_t i = 0; i < heads; ++i) memset(dgain + i * dgainStride, 0, static_cast<size_t>(size) * sizeof(float));
  withHeadSize(size, [&](auto known) {
    eachFewSteps(shape, firstHead, heads, [&](int64_t head, const FewSteps& steps) {
      float* const dgainOfHead = dgain + (head - firstHead) * dgainStride;
      const float* const gain = gains + steps.gain;
      if (size >= fewElements) {
        return readGradOfSteps<decltype(known)::value>(size, shape.epsilon, steps, gain, read, dy, also, dread,
                                                       dgainOfHead);
      }
      for (int64_t u = 0; u < steps.count; ++u) {
        const int64_t at = steps.at[u];
        readGradOfFew(size, shape.epsilon, gain, read + at, dy + at, also == nullptr ? nullptr : also + at, dread + at,
                      dgainOfHead);
      }
    });
  });
}
