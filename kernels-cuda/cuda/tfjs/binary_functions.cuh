// tfjs's functions of two elements, as its `cpu` backend defines them.
#pragma once

#include <cstdint>

#include "platform.h"
#include "tfjs/to_int32.cuh"

namespace metastate::cuda::tfjs {

#define METASTATE_BINARY(Name, R, T, expression) \
  struct Name {                                  \
    using Value = T;                             \
    using Result = R;                            \
    __device__ R operator()(T a, T b) const { return expression; } \
  }

METASTATE_BINARY(AddFloats, float, float, a + b);
METASTATE_BINARY(SubFloats, float, float, a - b);
METASTATE_BINARY(MultiplyFloats, float, float, a * b);
METASTATE_BINARY(DivideFloats, float, float, a / b);
// JavaScript's Math.max and Math.min: NaN when either is.
METASTATE_BINARY(MaximumFloats, float, float, a > b || a != a ? a : b);
METASTATE_BINARY(MinimumFloats, float, float, a < b || a != a ? a : b);
METASTATE_BINARY(SquaredDifferenceFloats, float, float, (a - b) * (a - b));
METASTATE_BINARY(PowFloats, float, float, powf(a, b));
METASTATE_BINARY(Atan2Floats, float, float, atan2f(a, b));
METASTATE_BINARY(PreluFloats, float, float, a < 0 ? b * a : a);
/// The gradient dy of an elu whose result is y.
METASTATE_BINARY(EluGradFloats, float, float, b >= 0 ? a : a * (b + 1.0f));

/// A remainder with the sign of the divisor.
struct ModFloats {
  using Value = float;
  using Result = float;
  __device__ float operator()(float a, float b) const {
    const float remainder = fmodf(a, b);
    return (a < 0 && b < 0) || (a >= 0 && b >= 0) ? remainder : fmodf(remainder + b, b);
  }
};

/// tfjs makes integers of it.
struct FloorDivideFloats {
  using Value = float;
  using Result = int32_t;
  __device__ int32_t operator()(float a, float b) const { return toInt32(floorf(a / b)); }
};

// Integers wrap.
__device__ __forceinline__ int32_t wrapped(uint32_t bits) { return static_cast<int32_t>(bits); }
__device__ __forceinline__ uint32_t bits(int32_t value) { return static_cast<uint32_t>(value); }

METASTATE_BINARY(AddIntegers, int32_t, int32_t, wrapped(bits(a) + bits(b)));
METASTATE_BINARY(SubIntegers, int32_t, int32_t, wrapped(bits(a) - bits(b)));
METASTATE_BINARY(MultiplyIntegers, int32_t, int32_t, wrapped(bits(a) * bits(b)));
METASTATE_BINARY(MaximumIntegers, int32_t, int32_t, a > b ? a : b);
METASTATE_BINARY(MinimumIntegers, int32_t, int32_t, a < b ? a : b);
METASTATE_BINARY(SquaredDifferenceIntegers, int32_t, int32_t, wrapped((bits(a) - bits(b)) * (bits(a) - bits(b))));
METASTATE_BINARY(BitwiseAndIntegers, int32_t, int32_t, a & b);

/// Towards minus infinity; 0 of a division by 0.
struct FloorDivideIntegers {
  using Value = int32_t;
  using Result = int32_t;
  __device__ int32_t operator()(int32_t a, int32_t b) const {
    if (b == 0) return 0;
    if (b == -1) return wrapped(0u - bits(a));
    const int32_t quotient = a / b;
    return quotient - (a % b != 0 && (a < 0) != (b < 0));
  }
};

/// With the sign of the divisor; 0 of a division by 0.
struct ModIntegers {
  using Value = int32_t;
  using Result = int32_t;
  __device__ int32_t operator()(int32_t a, int32_t b) const {
    if (b == 0 || b == -1) return 0;
    const int32_t remainder = a % b;
    return remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder;
  }
};

/// Cut off towards zero where the exponent is negative.
struct PowIntegers {
  using Value = int32_t;
  using Result = int32_t;
  __device__ int32_t operator()(int32_t a, int32_t b) const {
    if (b < 0) return a == 1 ? 1 : a == -1 ? (b % 2 == 0 ? 1 : -1) : 0;
    uint32_t result = 1, power = bits(a);
    for (uint32_t left = bits(b); left != 0; left >>= 1) {
      if (left & 1) result *= power;
      power *= power;
    }
    return wrapped(result);
  }
};

// Comparisons, of any type.
#define METASTATE_COMPARISON(Name, expression) \
  template <typename T>                        \
  struct Name {                                \
    using Value = T;                           \
    using Result = uint8_t;                    \
    __device__ uint8_t operator()(T a, T b) const { return expression; } \
  }

METASTATE_COMPARISON(Equal, a == b);
METASTATE_COMPARISON(NotEqual, a != b);
METASTATE_COMPARISON(Greater, a > b);
METASTATE_COMPARISON(GreaterEqual, a >= b);
METASTATE_COMPARISON(Less, a < b);
METASTATE_COMPARISON(LessEqual, a <= b);
METASTATE_COMPARISON(LogicalAnd, a != 0 && b != 0);
METASTATE_COMPARISON(LogicalOr, a != 0 || b != 0);

#undef METASTATE_BINARY
#undef METASTATE_COMPARISON

}  // namespace metastate::cuda::tfjs
