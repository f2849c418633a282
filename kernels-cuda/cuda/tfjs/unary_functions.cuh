// tfjs's functions of one element, as its `cpu` backend defines them: NaN goes through, a step at NaN is NaN.
#pragma once

#include <cstdint>

#include "platform.h"
#include "tfjs/to_int32.cuh"

namespace metastate::cuda::tfjs {

#define METASTATE_UNARY(Name, expression) \
  struct Name {                           \
    __device__ float operator()(float x) const { return expression; } \
  }

METASTATE_UNARY(Abs, fabsf(x));
METASTATE_UNARY(Acos, acosf(x));
METASTATE_UNARY(Acosh, acoshf(x));
METASTATE_UNARY(Asin, asinf(x));
METASTATE_UNARY(Asinh, asinhf(x));
METASTATE_UNARY(Atan, atanf(x));
METASTATE_UNARY(Atanh, atanhf(x));
METASTATE_UNARY(Ceil, ceilf(x));
METASTATE_UNARY(Cos, cosf(x));
METASTATE_UNARY(Cosh, coshf(x));
METASTATE_UNARY(Elu, x >= 0 ? x : expm1f(x));
METASTATE_UNARY(Erf, erff(x));
METASTATE_UNARY(Exp, expf(x));
METASTATE_UNARY(Expm1, expm1f(x));
METASTATE_UNARY(Floor, floorf(x));
METASTATE_UNARY(Log, logf(x));
METASTATE_UNARY(Log1p, log1pf(x));
METASTATE_UNARY(Neg, -x);
METASTATE_UNARY(Reciprocal, 1.0f / x);
METASTATE_UNARY(Relu, x <= 0 ? 0.0f : x);
METASTATE_UNARY(Relu6, x <= 0 ? 0.0f : x > 6 ? 6.0f : x);
METASTATE_UNARY(Round, rintf(x));
METASTATE_UNARY(Rsqrt, 1.0f / sqrtf(x));
METASTATE_UNARY(Selu, x >= 0 ? 1.0507009873554805f * x : 1.7580993408473766f * expm1f(x));
METASTATE_UNARY(Sigmoid, 1.0f / (1.0f + expf(-x)));
METASTATE_UNARY(Sign, x > 0 ? 1.0f : x < 0 ? -1.0f : 0.0f);
METASTATE_UNARY(Sin, sinf(x));
METASTATE_UNARY(Sinh, sinhf(x));
// log(1 + e^x), without the overflow of e^x.
METASTATE_UNARY(Softplus, x > 20 ? x : log1pf(expf(x)));
METASTATE_UNARY(Sqrt, sqrtf(x));
METASTATE_UNARY(Square, x * x);
// In float64: beside a pole a rounding of tanf is large, as tfjs counts it.
METASTATE_UNARY(Tan, static_cast<float>(tan(static_cast<double>(x))));
METASTATE_UNARY(Tanh, tanhf(x));

#undef METASTATE_UNARY

struct LeakyRelu {
  float alpha;
  __device__ float operator()(float x) const { return x < 0 ? alpha * x : x; }
};

struct Step {
  float alpha;
  __device__ float operator()(float x) const { return x > 0 ? 1.0f : x <= 0 ? alpha : x; }
};

struct Clip {
  float low, high;
  __device__ float operator()(float x) const { return x < low ? low : x > high ? high : x; }
};

// Integers wrap as JavaScript's int32 arrays do.
struct IntegerAbs {
  __device__ int32_t operator()(int32_t x) const { return x < 0 ? static_cast<int32_t>(0u - static_cast<uint32_t>(x)) : x; }
};
struct IntegerNeg {
  __device__ int32_t operator()(int32_t x) const { return static_cast<int32_t>(0u - static_cast<uint32_t>(x)); }
};
struct IntegerSquare {
  __device__ int32_t operator()(int32_t x) const {
    return static_cast<int32_t>(static_cast<uint32_t>(x) * static_cast<uint32_t>(x));
  }
};
struct IntegerSign {
  __device__ int32_t operator()(int32_t x) const { return (x > 0) - (x < 0); }
};
struct IntegerClip {
  int32_t low, high;
  __device__ int32_t operator()(int32_t x) const { return x < low ? low : x > high ? high : x; }
};

// Questions: their answers are bool.
struct IsNan {
  __device__ uint8_t operator()(float x) const { return x != x; }
};
struct IsInf {
  __device__ uint8_t operator()(float x) const { return fabsf(x) > 3.402823466e38f; }
};
struct IsFinite {
  __device__ uint8_t operator()(float x) const { return fabsf(x) <= 3.402823466e38f; }
};
struct LogicalNot {
  __device__ uint8_t operator()(uint8_t x) const { return x == 0; }
};

// Casts.
struct FloatToInteger {
  __device__ int32_t operator()(float x) const { return toInt32(x); }
};
struct IntegerToFloat {
  __device__ float operator()(int32_t x) const { return static_cast<float>(x); }
};
struct FloatToBoolean {
  __device__ uint8_t operator()(float x) const { return x != 0; }
};
struct IntegerToBoolean {
  __device__ uint8_t operator()(int32_t x) const { return x != 0; }
};
struct BooleanToFloat {
  __device__ float operator()(uint8_t x) const { return x; }
};
struct BooleanToInteger {
  __device__ int32_t operator()(uint8_t x) const { return x; }
};

}  // namespace metastate::cuda::tfjs
