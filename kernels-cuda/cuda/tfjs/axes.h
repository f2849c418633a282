// Shapes as the launch functions of tfjs's kernels take them: axes of a result, outermost first, and how far each operand
// moves along each. A stride of 0 repeats the operand, a negative one runs through it backwards.
#pragma once

#include <cstdint>

namespace metastate::cuda::tfjs {

/// tfjs has tensors of up to six axes; a tiled one has two for each.
constexpr int maxAxes = 12;

/// Axes with the strides of `operands` tensors along them, in elements.
template <int operands>
struct Axes {
  int count = 0;
  int32_t lengths[maxAxes];
  int32_t strides[operands][maxAxes];

  int64_t size() const {
    int64_t total = 1;
    for (int axis = 0; axis < count; ++axis) total *= lengths[axis];
    return total;
  }
};

/// The types of tensors that kernels take, numbered as in src/cuda/kernels/device-tensors.ts.
enum class ElementType : int { float32 = 0, int32 = 1, boolean = 2 };

}  // namespace metastate::cuda::tfjs
