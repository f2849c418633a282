// Included by hot_code.h and path_avx512_bf16.cpp only, in an unnamed namespace.
//
// Loops over floats in vectors with a last part, and functions of vectors. Polynomials after the Cephes library (Moshier),
// whose single precision errors are below 2 units in the last place.

/// A whole vector of memory.
struct Whole {
  Vector load(const float* from) const { return *reinterpret_cast<const VectorAnywhere*>(from); }
  void store(float* to, Vector value) const { *reinterpret_cast<VectorAnywhere*>(to) = value; }
  Vector keep(Vector value, float) const { return value; }
};

/// The first `count` lanes of a vector; loads give 0 in the others.
struct Part {
  int64_t count;
#if defined(METASTATE_MASKS)
  __mmask16 there() const { return static_cast<__mmask16>((1u << count) - 1); }
  Vector load(const float* from) const { return reinterpret_cast<Vector>(_mm512_maskz_loadu_ps(there(), from)); }
  void store(float* to, Vector value) const { _mm512_mask_storeu_ps(to, there(), reinterpret_cast<__m512>(value)); }
  /// The lanes that are there, `other` in the rest.
  Vector keep(Vector value, float other) const {
    return reinterpret_cast<Vector>(
        _mm512_mask_mov_ps(_mm512_set1_ps(other), there(), reinterpret_cast<__m512>(value)));
  }
#else
  Vector load(const float* from) const {
    Vector value = broadcast(0);
    memcpy(&value, from, static_cast<size_t>(count) * sizeof(float));
    return value;
  }
  void store(float* to, Vector value) const { memcpy(to, &value, static_cast<size_t>(count) * sizeof(float)); }
  /// The lanes that are there, `other` in the rest.
  Vector keep(Vector value, float other) const {
    Vector result = broadcast(other);
    memcpy(&result, &value, static_cast<size_t>(count) * sizeof(float));
    return result;
  }
#endif
};

/// body(i, access) for i = 0, lanes, 2 lanes, ...: `access` loads and stores the vector at i, or the part that is left.
template <typename Body>
inline void eachVector(int64_t length, Body body) {
  const int64_t whole = length / lanes * lanes;
  for (int64_t i = 0; i < whole; i += lanes) body(i, Whole{});
  if (whole < length) body(whole, Part{length - whole});
}

inline float sumOf(Vector x) {
  const Vector4 quarter = fold(x);
  return (quarter[0] + quarter[1]) + (quarter[2] + quarter[3]);
}

inline Vector select(IntVector condition, Vector yes, Vector no) {
  return reinterpret_cast<Vector>((condition & reinterpret_cast<IntVector>(yes)) |
                                  (~condition & reinterpret_cast<IntVector>(no)));
}

/// The larger of each pair; NaN when either is.
inline Vector larger(Vector a, Vector b) { return select((a > b) | (a != a), a, b); }
inline Vector smaller(Vector a, Vector b) { return select((a < b) | (a != a), a, b); }

inline float largestOf(Vector x) {
  float result = x[0];
  for (int i = 1; i < lanes; ++i) result = x[i] > result || x[i] != x[i] ? x[i] : result;
  return result;
}

inline Vector absolute(Vector x) {
  const IntVector sign = reinterpret_cast<IntVector>(broadcast(-0.0f));
  return reinterpret_cast<Vector>(reinterpret_cast<IntVector>(x) & ~sign);
}

inline Vector relu(Vector x) { return select((x > broadcast(0)) | (x != x), x, broadcast(0)); }

/// 2^n for whole n in [-126, 127].
inline Vector powerOfTwo(IntVector n) { return reinterpret_cast<Vector>((n + 127) << 23); }

/// (e^r - 1 - r) / r^2 for r of at most ln(2) / 2.
inline Vector exponentialSeries(Vector r) {
  Vector p = broadcast(1.9875691500e-4f);
  p = p * r + broadcast(1.3981999507e-3f);
  p = p * r + broadcast(8.3334519073e-3f);
  p = p * r + broadcast(4.1665795894e-2f);
  p = p * r + broadcast(1.6666665459e-1f);
  return p * r + broadcast(5.0000001201e-1f);
}

inline Vector exponential(Vector x) {
  // Beyond these the result is 0 or infinite whatever x is; NaN fails both comparisons and stays.
  x = select(x < broadcast(-104), broadcast(-104), x);
  x = select(x > broadcast(89), broadcast(89), x);
  const Vector round = broadcast(12582912.0f);  // 1.5 * 2^23: adding it leaves no bits for a fraction
  const Vector shifted = x * broadcast(1.44269504f) + round;
  const IntVector n = reinterpret_cast<IntVector>(shifted) - reinterpret_cast<IntVector>(round);
  const Vector whole = shifted - round;
  Vector r = x - whole * broadcast(0.693359375f);
  r = r - whole * broadcast(-2.12194440e-4f);
  const Vector p = exponentialSeries(r) * (r * r) + r + broadcast(1);
  // In two steps, so that 2^128 overflows and 2^-140 becomes a denormal.
  const IntVector half = n >> 1;
  return p * powerOfTwo(half) * powerOfTwo(n - half);
}

/// x, and below 0 e^x - 1, near 0 without the difference, which would leave nothing of a small x.
inline Vector exponentialLinear(Vector x) {
  const Vector below = select(x > broadcast(-0.34f), exponentialSeries(x) * (x * x) + x, exponential(x) - broadcast(1));
  return select(x < broadcast(0), below, x);
}

inline Vector sigmoid(Vector x) { return broadcast(1) / (broadcast(1) + exponential(-x)); }

inline Vector hyperbolicTangent(Vector x) {
  const Vector size = absolute(x);
  const Vector square = x * x;
  Vector p = broadcast(-5.70498872745e-3f);
  p = p * square + broadcast(2.06390887954e-2f);
  p = p * square + broadcast(-5.37397155531e-2f);
  p = p * square + broadcast(1.33314422036e-1f);
  p = p * square + broadcast(-3.33332819422e-1f);
  const Vector small = p * square * x + x;
  const Vector large = broadcast(1) - broadcast(2) / (exponential(size + size) + broadcast(1));
  return select(size < broadcast(0.625f), small, select(x < broadcast(0), -large, large));
}

inline Vector naturalLogarithm(Vector x) {
  const IntVector tiny = x < broadcast(1.17549435e-38f);
  Vector value = select(tiny, x * broadcast(8388608.0f), x);  // denormals become normal
  IntVector bits = reinterpret_cast<IntVector>(value);
  IntVector n = ((bits >> 23) & 255) - 126;
  Vector m = reinterpret_cast<Vector>((bits & 0x007fffff) | 0x3f000000);  // in [1/2, 1)
  const IntVector low = m < broadcast(0.707106781f);
  n = n + low;  // true is -1
  m = select(low, m + m, m) - broadcast(1);
  const Vector exponent = __builtin_convertvector(n, Vector) + select(tiny, broadcast(-23), broadcast(0));
  const Vector square = m * m;
  Vector p = broadcast(7.0376836292e-2f);
  p = p * m + broadcast(-1.1514610310e-1f);
  p = p * m + broadcast(1.1676998740e-1f);
  p = p * m + broadcast(-1.2420140846e-1f);
  p = p * m + broadcast(1.4249322787e-1f);
  p = p * m + broadcast(-1.6668057665e-1f);
  p = p * m + broadcast(2.0000714765e-1f);
  p = p * m + broadcast(-2.4999993993e-1f);
  p = p * m + broadcast(3.3333331174e-1f);
  Vector y = p * m * square + exponent * broadcast(-2.12194440e-4f) - broadcast(0.5f) * square;
  y = m + y + exponent * broadcast(0.693359375f);
  const Vector infinity = broadcast(__builtin_inff());
  y = select(x == broadcast(0), -infinity, y);
  y = select(x == infinity, infinity, y);
  return select((x < broadcast(0)) | (x != x), broadcast(__builtin_nanf("")), y);
}

inline Vector squareRoot(Vector x) {
  float values[lanes];
  memcpy(values, &x, sizeof x);
  for (int i = 0; i < lanes; ++i) values[i] = __builtin_sqrtf(values[i]);  // one instruction, all compilers see
  memcpy(&x, values, sizeof x);
  return x;
}
