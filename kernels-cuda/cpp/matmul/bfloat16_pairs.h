// Included by hot_code.h and path_avx512_bf16.cpp only, in an unnamed namespace.
//
// Products of bfloat16 operands with float32 sums: two steps along the depth in one slot, which AVX-512 BF16 multiplies and adds
// in one instruction. Elsewhere both halves of a slot become floats again, so that the same code runs, slowly, on any CPU.

struct Bfloat16Slots {
  static constexpr int64_t depth = 2;
#if defined(__AVX512BF16__)
  static constexpr int64_t tileRows = 12;
  static METASTATE_INLINE Vector multiplyAdd(Vector sum, Vector x, Vector y) {
    return (Vector)_mm512_dpbf16_ps((__m512)sum, (__m512bh)x, (__m512bh)y);
  }
  static METASTATE_INLINE Vector link(Vector x, Vector factor, Vector addend) { return multiplyAdd(x, factor, addend); }
#else
  // Beside the sums the halves of a factor and of two vectors of b are in registers.
  static constexpr int64_t tileRows = registers == 16 ? 4 : 8;
  static METASTATE_INLINE Vector even(Vector x) { return reinterpret_cast<Vector>(reinterpret_cast<IntVector>(x) << 16); }
  static METASTATE_INLINE Vector odd(Vector x) { return reinterpret_cast<Vector>(reinterpret_cast<IntVector>(x) & ~0xffff); }
  static METASTATE_INLINE Vector multiplyAdd(Vector sum, Vector x, Vector y) {
    return (sum + odd(x) * odd(y)) + even(x) * even(y);
  }
#endif
};

/// As pack() does, rounded and in pairs; what is missing from the last pair is 0.
template <int64_t panel>
void packPairs(const float* from, int64_t stride, int64_t step, int64_t count, int64_t depth, float* to) {
  constexpr int64_t together = 32;
  const int64_t slots = (depth + 1) / 2;
  const auto packPart = [&](int64_t first, int64_t begin) {
    const int64_t high = count - first < panel ? count - first : panel;
    const int64_t deep = depth - begin < together ? depth - begin : together;
    alignas(64) float floats[together * panel];
    pack<panel>(from + first * stride + begin * step, stride, step, high, deep, floats);
    if (deep % 2 != 0) memset(floats + deep * panel, 0, panel * sizeof(float));
    float* pairs = to + first * slots + begin / 2 * panel;
    for (const float* even = floats; even < floats + deep * panel; even += 2 * panel, pairs += panel) {
      if constexpr (panel % lanes == 0) {
        for (int64_t r = 0; r < panel; r += lanes) store(pairs + r, bfloat16Pairs(load(even + r), load(even + panel + r)));
      } else {
        for (int64_t r = 0; r < panel; r += 4) store4(pairs + r, bfloat16Pairs(load4(even + r), load4(even + panel + r)));
      }
    }
  };
  // Whole runs of the operand's rows are read, however they lie.
  if (step == 1) {
    for (int64_t first = 0; first < count; first += panel) {
      for (int64_t begin = 0; begin < depth; begin += together) packPart(first, begin);
    }
  } else {
    for (int64_t begin = 0; begin < depth; begin += together) {
      for (int64_t first = 0; first < count; first += panel) packPart(first, begin);
    }
  }
}
