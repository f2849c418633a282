// Included by hot_code.h and path_avx512_bf16.cpp only, in an unnamed namespace.
//
// Floats to bfloat16, the upper half of a float: to the nearest, of two as near to the even one; NaN stays NaN.

typedef uint16_t Halves __attribute__((vector_size(2 * METASTATE_LANES)));

#if defined(__AVX512BF16__)
/// The bits of each.
METASTATE_INLINE Halves bfloat16Halves(Vector x) { return (Halves)_mm512_cvtneps_pbh((__m512)x); }

/// In each lane two bfloat16 side by side: that of `even` in the lower half, that of `odd` in the upper one.
METASTATE_INLINE Vector bfloat16Pairs(Vector even, Vector odd) {
  const __m512i apart = (__m512i)_mm512_cvtne2ps_pbh((__m512)odd, (__m512)even);
  const __m512i places = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5,
                                          20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return (Vector)_mm512_permutexvar_epi16(places, apart);
}
#else
/// The bits of each in the upper half of its lane; the lower half is 0.
METASTATE_INLINE IntVector bfloat16Bits(Vector x) {
  const IntVector notANumber = x != x;
  const IntVector bits = reinterpret_cast<IntVector>(x) & ~notANumber;
  const IntVector rounded = bits + 0x7fff + ((bits >> 16) & 1);
  return (rounded & ~0xffff) | (notANumber & 0x7fc00000);
}

/// The bits of each.
METASTATE_INLINE Halves bfloat16Halves(Vector x) { return __builtin_convertvector(bfloat16Bits(x) >> 16, Halves); }

/// In each lane two bfloat16 side by side: that of `even` in the lower half, that of `odd` in the upper one.
METASTATE_INLINE Vector bfloat16Pairs(Vector even, Vector odd) {
  return reinterpret_cast<Vector>(((bfloat16Bits(even) >> 16) & 0xffff) | bfloat16Bits(odd));
}
#endif

inline void storeHalves(uint16_t* to, Halves values, Whole) { memcpy(to, &values, sizeof values); }
inline void storeHalves(uint16_t* to, Halves values, Part part) {
  memcpy(to, &values, static_cast<size_t>(part.count) * sizeof(uint16_t));
}

/// Bfloat16 values.
inline void toBfloat16(int64_t from, int64_t to, const float* x, uint16_t* y) {
  eachVector(to - from, [&](int64_t i, auto at) { storeHalves(y + from + i, bfloat16Halves(at.load(x + from + i)), at); });
}
