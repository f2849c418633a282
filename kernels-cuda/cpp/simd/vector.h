// Included by hot_code.h and path_avx512_bf16.cpp only, in an unnamed namespace.
//
// Vectors of METASTATE_LANES floats, in the compilers' own vector types (GCC and Clang): one source for every
// instruction set, and `a * b + c` becomes one fused instruction where there is one.

constexpr int lanes = METASTATE_LANES;
constexpr int registers = METASTATE_REGISTERS;

typedef float Vector __attribute__((vector_size(4 * METASTATE_LANES)));
typedef float Vector4 __attribute__((vector_size(16)));
// The same, at any address of a float.
typedef float VectorAnywhere __attribute__((vector_size(4 * METASTATE_LANES), aligned(4), may_alias));
typedef float Vector4Anywhere __attribute__((vector_size(16), aligned(4), may_alias));

// What takes or gives registers of a hot loop: a call would put them all through memory, and compilers stop inlining what
// many call.
#define METASTATE_ALWAYS_INLINE __attribute__((always_inline))
#define METASTATE_INLINE inline METASTATE_ALWAYS_INLINE

typedef int32_t IntVector __attribute__((vector_size(4 * METASTATE_LANES)));

inline Vector load(const float* from) { return *reinterpret_cast<const VectorAnywhere*>(from); }
inline void store(float* to, Vector value) { *reinterpret_cast<VectorAnywhere*>(to) = value; }
inline Vector4 load4(const float* from) { return *reinterpret_cast<const Vector4Anywhere*>(from); }
inline void store4(float* to, Vector4 value) { *reinterpret_cast<Vector4Anywhere*>(to) = value; }

inline Vector broadcast(float x) {
#if METASTATE_LANES == 4
  return Vector{x, x, x, x};
#elif METASTATE_LANES == 8
  return Vector{x, x, x, x, x, x, x, x};
#elif METASTATE_LANES == 16
  return Vector{x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
#endif
}

// Has a vector in a register at this point, so that the compiler neither stores it nor works across such points.
#if defined(METASTATE_EMULATE_AVX512)
#define METASTATE_KEEP_IN_REGISTER(x) asm volatile("" : "+m"(x))
#elif defined(__AVX512F__)
#define METASTATE_KEEP_IN_REGISTER(x) asm volatile("" : "+v"(x))  // all 32: "x" are the first 16
#elif defined(__x86_64__)
#define METASTATE_KEEP_IN_REGISTER(x) asm volatile("" : "+x"(x))
#elif defined(__aarch64__)
#define METASTATE_KEEP_IN_REGISTER(x) asm volatile("" : "+w"(x))
#else
#define METASTATE_KEEP_IN_REGISTER(x) asm volatile("" : "+m"(x))
#endif

#if defined(__clang__) || __GNUC__ >= 12
#define METASTATE_SHUFFLE4(x, y, ...) __builtin_shufflevector(x, y, __VA_ARGS__)
#define METASTATE_SHUFFLE8(x, y, ...) __builtin_shufflevector(x, y, __VA_ARGS__)
#else
typedef int Indices4 __attribute__((vector_size(16)));
typedef int Indices8 __attribute__((vector_size(32)));
#define METASTATE_SHUFFLE4(x, y, ...) __builtin_shuffle(x, y, Indices4{__VA_ARGS__})
#define METASTATE_SHUFFLE8(x, y, ...) __builtin_shuffle(x, y, Indices8{__VA_ARGS__})
#endif

#if METASTATE_LANES > 4
typedef float Vector8 __attribute__((vector_size(32)));

/// Eight partial sums of the lanes.
inline Vector8 fold8(Vector x) {
#if METASTATE_LANES == 8
  return x;
#else
  Vector8 halves[2];
  memcpy(halves, &x, sizeof x);
  return halves[0] + halves[1];
#endif
}

inline Vector4 fold4(Vector8 x) {
  Vector4 halves[2];
  memcpy(halves, &x, sizeof x);
  return halves[0] + halves[1];
}
#endif

/// Four partial sums of the lanes.
inline Vector4 fold(Vector x) {
#if METASTATE_LANES == 4
  return x;
#else
  return fold4(fold8(x));
#endif
}

/// The sums over the lanes of four vectors.
METASTATE_INLINE Vector4 sums(Vector a, Vector b, Vector c, Vector d) {
  const Vector4 x = fold(a), y = fold(b), z = fold(c), u = fold(d);
  const Vector4 xy = METASTATE_SHUFFLE4(x, y, 0, 4, 1, 5) + METASTATE_SHUFFLE4(x, y, 2, 6, 3, 7);
  const Vector4 zu = METASTATE_SHUFFLE4(z, u, 0, 4, 1, 5) + METASTATE_SHUFFLE4(z, u, 2, 6, 3, 7);
  return METASTATE_SHUFFLE4(xy, zu, 0, 1, 4, 5) + METASTATE_SHUFFLE4(xy, zu, 2, 3, 6, 7);
}

/// The sums over the lanes of eight vectors, four and four: fewer shuffles than twice four.
METASTATE_INLINE void sums(const Vector (&x)[8], Vector4& first, Vector4& second) {
#if METASTATE_LANES == 4
  first = sums(x[0], x[1], x[2], x[3]);
  second = sums(x[4], x[5], x[6], x[7]);
#else
  Vector8 pairs[4], fours[2];
  for (int i = 0; i < 4; ++i) {
    const Vector8 a = fold8(x[2 * i]), b = fold8(x[2 * i + 1]);
    pairs[i] = METASTATE_SHUFFLE8(a, b, 0, 8, 1, 9, 4, 12, 5, 13) + METASTATE_SHUFFLE8(a, b, 2, 10, 3, 11, 6, 14, 7, 15);
  }
  for (int i = 0; i < 2; ++i) {
    const Vector8 a = pairs[2 * i], b = pairs[2 * i + 1];
    fours[i] = METASTATE_SHUFFLE8(a, b, 0, 1, 8, 9, 4, 5, 12, 13) + METASTATE_SHUFFLE8(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
  }
  first = fold4(fours[0]);
  second = fold4(fours[1]);
#endif
}

/// Copies a 4 x 4 block, transposed; strides in floats.
inline void transpose4(const float* from, int64_t fromStride, float* to, int64_t toStride) {
  const Vector4 a = load4(from), b = load4(from + fromStride);
  const Vector4 c = load4(from + 2 * fromStride), d = load4(from + 3 * fromStride);
  const Vector4 ac0 = METASTATE_SHUFFLE4(a, c, 0, 4, 1, 5), ac1 = METASTATE_SHUFFLE4(a, c, 2, 6, 3, 7);
  const Vector4 bd0 = METASTATE_SHUFFLE4(b, d, 0, 4, 1, 5), bd1 = METASTATE_SHUFFLE4(b, d, 2, 6, 3, 7);
  store4(to, METASTATE_SHUFFLE4(ac0, bd0, 0, 4, 1, 5));
  store4(to + toStride, METASTATE_SHUFFLE4(ac0, bd0, 2, 6, 3, 7));
  store4(to + 2 * toStride, METASTATE_SHUFFLE4(ac1, bd1, 0, 4, 1, 5));
  store4(to + 3 * toStride, METASTATE_SHUFFLE4(ac1, bd1, 2, 6, 3, 7));
}

/// Copies `rows` x `columns` from `from` to its transpose in `to`; strides in floats.
inline void transpose(const float* from, int64_t fromStride, int64_t rows, int64_t columns, float* to,
                      int64_t toStride) {
  const int64_t wholeRows = rows & ~int64_t{3}, wholeColumns = columns & ~int64_t{3};
  for (int64_t i = 0; i < wholeRows; i += 4) {
    for (int64_t j = 0; j < wholeColumns; j += 4) {
      transpose4(from + i * fromStride + j, fromStride, to + j * toStride + i, toStride);
    }
  }
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = i < wholeRows ? wholeColumns : 0; j < columns; ++j) to[j * toStride + i] = from[i * fromStride + j];
  }
}

template <int number>
struct Constant {
  static constexpr int value = number;
};

/// body(from), body(from + step), ... below `end`, each with a constant.
template <int end, int step = 1, int from = 0, typename Body>
METASTATE_INLINE void unrolled(Body body) {
  if constexpr (from < end) {
    body(from);
    unrolled<end, step, from + step>(body);
  }
}

/// `count` vectors that lie one after the other and are worked on over and over: where they lie. `at` counts floats.
template <int count, bool held>
struct Vectors {
  float* place;
  METASTATE_INLINE explicit Vectors(float* at) : place(at) {}
  METASTATE_INLINE Vector get(int64_t at) const { return load(place + at); }
  METASTATE_INLINE void put(int64_t at, Vector x) const { store(place + at, x); }
  METASTATE_INLINE void settle() const {}
  /// body(0), body(step), ... below `end`.
  template <int end, int step = 1, typename Body>
  static METASTATE_INLINE void each(Body body) {
    for (int64_t i = 0; i < end; i += step) body(i);
  }
};

/// The same held in registers: in their place once they are settled, and `at` has to be a constant.
template <int count>
struct Vectors<count, true> {
  float* place;
  Vector held[count];
  METASTATE_INLINE explicit Vectors(float* at) : place(at) {
    unrolled<count>([&](int i) METASTATE_ALWAYS_INLINE { held[i] = load(place + i * lanes); });
  }
  METASTATE_INLINE Vector get(int64_t at) const { return held[at / lanes]; }
  METASTATE_INLINE void put(int64_t at, Vector x) { held[at / lanes] = x; }
  METASTATE_INLINE void settle() const {
    unrolled<count>([&](int i) METASTATE_ALWAYS_INLINE { store(place + i * lanes, held[i]); });
  }
  template <int end, int step = 1, typename Body>
  static METASTATE_INLINE void each(Body body) {
    unrolled<end, step>(body);
  }
};

/// Whether so many vectors can be held and leave registers enough to work with; 0 is a number that is not known.
constexpr bool canBeHeld(int count) { return count > 0 && 2 * count <= registers; }

inline int64_t roundUp(int64_t x, int64_t multiple) { return (x + multiple - 1) / multiple * multiple; }

inline float* alignedTo64(float* p) {
  return reinterpret_cast<float*>((reinterpret_cast<uintptr_t>(p) + 63) & ~uintptr_t{63});
}
