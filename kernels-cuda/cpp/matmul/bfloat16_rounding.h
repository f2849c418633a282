// Included by hot_code.h only, in an unnamed namespace.
//
// Floats to bfloat16, the upper half of a float: to the nearest, of two as near to the even one; NaN stays NaN.

inline IntVector bfloat16Bits(Vector x) {
  const IntVector notANumber = x != x;
  const IntVector bits = reinterpret_cast<IntVector>(x) & ~notANumber;
  const IntVector rounded = bits + 0x7fff + ((bits >> 16) & 1);
  return (rounded & ~0xffff) | (notANumber & 0x7fc00000);
}

/// Bfloat16 values.
void toBfloat16(int64_t from, int64_t to, const float* x, uint16_t* y) {
  eachVector(to - from, [&](int64_t i, auto at) {
    const IntVector bits = bfloat16Bits(at.load(x + from + i));
    const int64_t count = to - from - i < lanes ? to - from - i : lanes;
    for (int64_t lane = 0; lane < count; ++lane) {
      y[from + i + lane] = static_cast<uint16_t>(static_cast<uint32_t>(bits[lane]) >> 16);
    }
  });
}

/// The same values, as floats.
void roundToBfloat16(int64_t from, int64_t to, const float* x, float* y) {
  eachVector(to - from, [&](int64_t i, auto at) {
    at.store(y + from + i, reinterpret_cast<Vector>(bfloat16Bits(at.load(x + from + i))));
  });
}
