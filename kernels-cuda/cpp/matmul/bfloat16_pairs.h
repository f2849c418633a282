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

/// Slots that hold so many steps along the depth.
constexpr int64_t pairsOf(int64_t depth) { return (depth + 1) / 2; }

/// A row whose values are adjacent along the depth: rounded, they lie in pairs already.
inline void roundRow(const float* from, int64_t depth, float* to) {
  toBfloat16(0, depth, from, reinterpret_cast<uint16_t*>(to));
  if (depth % 2 != 0) memset(reinterpret_cast<uint16_t*>(to) + depth, 0, sizeof(uint16_t));
}

/// A step of `panel` values and the one after it, adjacent across the depth, side by side.
template <int64_t panel>
inline void joinSteps(const float* even, const float* odd, float* to) {
  if constexpr (panel % lanes == 0) {
    for (int64_t r = 0; r < panel; r += lanes) store(to + r, bfloat16Pairs(load(even + r), load(odd + r)));
  } else {
    static_assert(panel < lanes);
    const Part part{panel};
    part.store(to, bfloat16Pairs(part.load(even), part.load(odd)));
  }
}

/// As pack() does, rounded and in pairs; what is missing from the last pair is 0. Runs of the operand's rows are read that fill
/// whole cache lines, and such lines of the panels are written.
template <int64_t panel>
void packPairs(const float* from, int64_t stride, int64_t step, int64_t count, int64_t depth, float* to) {
  const int64_t slots = pairsOf(depth);
  if (step == 1) {
    constexpr int64_t together = 32;
    alignas(64) float rows[panel * pairsOf(together)] = {};
    for (int64_t first = 0; first < count; first += panel, to += panel * slots) {
      const int64_t high = count - first < panel ? count - first : panel;
      if (high < panel) memset(rows, 0, sizeof rows);
      for (int64_t begin = 0; begin < depth; begin += together) {
        const int64_t deep = depth - begin < together ? depth - begin : together;
        for (int64_t r = 0; r < high; ++r) {
          roundRow(from + (first + r) * stride + begin, deep, rows + r * pairsOf(together));
        }
        transpose(rows, pairsOf(together), panel, pairsOf(deep), to + begin / 2 * panel, panel);
      }
    }
    return;
  }
  constexpr int64_t together = 8;
  const float nothing[panel] = {};
  for (int64_t begin = 0; begin < depth; begin += together) {
    const int64_t end = depth - begin < together ? depth : begin + together;
    for (int64_t first = 0; first < count; first += panel) {
      const int64_t high = count - first;
      for (int64_t p = begin; p < end; p += 2) {
        const float* even = from + first + p * step;
        const float* odd = p + 1 < depth ? even + step : nothing;
        float* pairs = to + first * slots + p / 2 * panel;
        if (high >= panel) {
          joinSteps<panel>(even, odd, pairs);
        } else {
          float steps[2][panel] = {};
          memcpy(steps[0], even, static_cast<size_t>(high) * sizeof(float));
          memcpy(steps[1], odd, static_cast<size_t>(high) * sizeof(float));
          joinSteps<panel>(steps[0], steps[1], pairs);
        }
      }
    }
  }
}

/// Rows of a: in panels where they are adjacent across the depth; where they are so along it they stay rows.
template <int64_t panel>
void packRowPairs(const float* from, int64_t stride, int64_t step, int64_t count, int64_t depth, float* to) {
  if (step != 1) return packPairs<panel>(from, stride, step, count, depth, to);
  for (int64_t r = 0; r < count; ++r) roundRow(from + r * stride, depth, to + r * pairsOf(depth));
}

template <int64_t panel>
RowPanels packedRowPairs(const float* packed, int64_t step, int64_t slots) {
  if (step != 1) return packedRows<panel>(packed, step, slots);
  return {packed, panel * slots, slots, 1};
}
