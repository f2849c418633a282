// What tfjs's own kernels ask of each instruction set.
#pragma once

#include <cstdint>

#include "tfjs/comparison_names.h"

namespace metastate {

/// Numbers of the functions, as in src/kernels/elementwise.ts.
enum class Unary : int {
  exp, log, sigmoid, tanh, relu, relu6, leakyRelu, elu, neg, abs, square, sqrt, rsqrt, reciprocal, clip, count
};
enum class Binary : int { add, sub, multiply, divide, maximum, minimum, squaredDifference, count };
enum class Reduction : int { sum, max, min, count };
/// Of int32 tensors; overflow wraps.
enum class IntegerBinary : int { add, sub, multiply, maximum, minimum, count };

/// Rows of results, 0 or 1; rows and steps as in `TensorKernels::binary`, counted in cells.
using Compare = void (*)(int function, int64_t rows, int64_t length, const void* a, int64_t aRow, int64_t aStep,
                         const void* b, int64_t bRow, int64_t bStep, uint8_t* y);

struct TensorKernels {
  void (*unary)(int function, int64_t length, const float* x, float* y, float first, float second);
  /// Rows of adjacent results, one after the other; an operand's rows are aRow apart, its step along one is 1, or 0 when one value
  /// serves all of it.
  void (*binary)(int function, int64_t rows, int64_t length, const float* a, int64_t aRow, int64_t aStep, const float* b,
                 int64_t bRow, int64_t bStep, float* y);
  /// One value from adjacent ones.
  float (*reduceRun)(int function, int64_t length, const float* x);
  /// y = function(y, x) element by element; a sum is added, an extremum kept.
  void (*reduceRows)(int function, int64_t length, const float* x, float* y);
  void (*softmax)(int64_t width, int64_t from, int64_t to, const float* x, float* y);
  /// Copies `rows` x `columns` of `from` into the transpose `to`; strides in floats.
  void (*transpose)(const float* from, int64_t fromStride, int64_t rows, int64_t columns, float* to, int64_t toStride);
  Compare compareFloats, compareIntegers, compareTruths;
  void (*integerBinary)(int function, int64_t rows, int64_t length, const int32_t* a, int64_t aRow, int64_t aStep,
                        const int32_t* b, int64_t bRow, int64_t bStep, int32_t* y);
  /// Where the first of the largest (else of the smallest) values is.
  int32_t (*extremumPlace)(bool most, int64_t length, const float* x);
  /// The same for each of `width` adjacent columns; `best` is scratch for a row.
  void (*extremumPlaces)(bool most, int64_t length, int64_t width, const float* x, float* best, int32_t* places);
};

}  // namespace metastate
