// From the number of an element of a result to its places in the operands: divisions by lengths that are known at launch,
// done as multiplications.
#pragma once

#include <cstdint>

#include "platform.h"
#include "tfjs/axes.h"

namespace metastate::cuda::tfjs {

/// Division of n < 2^31 by a fixed divisor (Granlund and Montgomery, "Division by invariant integers using multiplication").
struct Divider {
  uint32_t divisor = 1, magic = 1, shift = 0;

  Divider() = default;

  explicit Divider(uint32_t by) : divisor(by) {
    while ((uint64_t{1} << shift) < by) ++shift;
    magic = static_cast<uint32_t>((uint64_t{1} << 32) * ((uint64_t{1} << shift) - by) / by + 1);
  }

  __host__ __device__ uint32_t quotient(uint32_t n) const {
    return (static_cast<uint32_t>((static_cast<uint64_t>(n) * magic) >> 32) + n) >> shift;
  }
};

/// Axes made ready for the device.
template <int operands>
struct Places {
  int count;
  Divider lengths[maxAxes];
  int32_t strides[operands][maxAxes];

  explicit Places(const Axes<operands>& axes) : count(axes.count) {
    for (int axis = 0; axis < count; ++axis) {
      lengths[axis] = Divider(static_cast<uint32_t>(axes.lengths[axis]));
      for (int operand = 0; operand < operands; ++operand) strides[operand][axis] = axes.strides[operand][axis];
    }
  }

  /// The places of element `index` of the result.
  __device__ void find(uint32_t index, int64_t (&place)[operands]) const {
    for (int operand = 0; operand < operands; ++operand) place[operand] = 0;
    for (int axis = count - 1; axis >= 0; --axis) {
      const uint32_t outer = lengths[axis].quotient(index);
      const uint32_t at = index - outer * lengths[axis].divisor;
      for (int operand = 0; operand < operands; ++operand) {
        place[operand] += static_cast<int64_t>(at) * strides[operand][axis];
      }
      index = outer;
    }
  }
};

}  // namespace metastate::cuda::tfjs
