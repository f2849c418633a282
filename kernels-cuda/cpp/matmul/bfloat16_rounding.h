// Included by hot_code.h and path_avx512_bf16.cpp only, in an unnamed namespace.
//
// Floats to bfloat16, the upper half of a float: to the nearest, of two as near to the even one; NaN stays NaN.

/// The bits of each, in the upper half of its lane; the lower half is 0.
template <typename Floats>
METASTATE_INLINE auto bfloat16Bits(Floats x) {
  const auto notANumber = x != x;
  using Integers = __typeof__(x != x);
  const Integers bits = reinterpret_cast<Integers>(x) & ~notANumber;
  const Integers rounded = bits + 0x7fff + ((bits >> 16) & 1);
  return (rounded & ~0xffff) | (notANumber & 0x7fc00000);
}

/// In each lane two bfloat16 side by side: that of `even` in the lower half, that of `odd` in the upper one.
template <typename Floats>
METASTATE_INLINE Floats bfloat16Pairs(Floats even, Floats odd) {
  return reinterpret_cast<Floats>(((bfloat16Bits(even) >> 16) & 0xffff) | bfloat16Bits(odd));
}

#if defined(__AVX512BF16__)
METASTATE_INLINE Vector bfloat16Pairs(Vector even, Vector odd) {
  const __m512i apart = (__m512i)_mm512_cvtne2ps_pbh((__m512)odd, (__m512)even);
  const __m512i places = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5,
                                          20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return (Vector)_mm512_permutexvar_epi16(places, apart);
}

METASTATE_INLINE Vector4 bfloat16Pairs(Vector4 even, Vector4 odd) {
  const __m128i apart = (__m128i)_mm_cvtne2ps_pbh((__m128)odd, (__m128)even);
  return (Vector4)_mm_unpacklo_epi16(apart, _mm_unpackhi_epi64(apart, apart));
}
#endif

/// Bfloat16 values.
inline void toBfloat16(int64_t from, int64_t to, const float* x, uint16_t* y) {
  typedef uint16_t Halves __attribute__((vector_size(2 * METASTATE_LANES)));
  eachVector(to - from, [&](int64_t i, auto at) {
    const Halves halves = __builtin_convertvector(bfloat16Bits(at.load(x + from + i)) >> 16, Halves);
    const int64_t left = to - from - i;
    memcpy(y + from + i, &halves, static_cast<size_t>(left < lanes ? left : lanes) * sizeof(uint16_t));
  });
}
