// Calls of tfjs's kernels: types, axes, and tensors that axes reach into. Axes come as one Int32Array: their lengths, then
// the strides of each operand. Every place that they reach is checked to lie within its tensor.
#pragma once

#include <limits>

#include "node/bindings.h"
#include "tfjs/axes.h"

namespace metastate::cuda {

using tfjs::Axes;
using tfjs::ElementType;
using tfjs::maxAxes;

inline size_t bytesOf(ElementType type) { return type == ElementType::boolean ? 1 : 4; }

class TensorCall : public DeviceCall {
 public:
  using DeviceCall::DeviceCall;

  /// A number of an enumeration.
  template <typename Enumeration>
  Enumeration chosen(const char* name) {
    const int64_t number = size(name, 0);
    if (number >= static_cast<int64_t>(Enumeration::count)) {
      throw Napi::RangeError::New(env(), std::string("there is no ") + name + " " + std::to_string(number));
    }
    return static_cast<Enumeration>(number);
  }

  ElementType type(const char* name = "type") {
    const int64_t number = size(name, 0);
    if (number > 2) throw Napi::RangeError::New(env(), "a type is 0 (float32), 1 (int32) or 2 (bool)");
    return static_cast<ElementType>(number);
  }

  int bytes() {
    const int64_t number = size("bytes");
    if (number != 1 && number != 4) throw Napi::RangeError::New(env(), "bytes must be 1 or 4");
    return static_cast<int>(number);
  }

  template <int operands>
  Axes<operands> axes(const char* name = "axes") {
    int64_t length = 0;
    const int32_t* given = anyIntegers(name, length);
    Axes<operands> result;
    if (length % (1 + operands) != 0 || length > (1 + operands) * maxAxes) {
      throw Napi::RangeError::New(env(), std::string(name) + " must hold up to " + std::to_string(maxAxes) +
                                             " lengths and as many strides for each of " + std::to_string(operands));
    }
    result.count = static_cast<int>(length / (1 + operands));
    int64_t total = 1;
    for (int axis = 0; axis < result.count; ++axis) {
      result.lengths[axis] = given[axis];
      if (given[axis] < 0 || __builtin_mul_overflow(total, given[axis], &total) || total > mostElements) {
        throw Napi::RangeError::New(env(), std::string(name) + ": a kernel takes up to 2147483647 values");
      }
      for (int operand = 0; operand < operands; ++operand) {
        result.strides[operand][axis] = given[(1 + operand) * result.count + axis];
      }
    }
    return result;
  }

  /// A tensor of elements of `bytes`, of which `axes` reach places from `offset` on.
  template <int operands>
  void* reached(const char* name, size_t bytes, const Axes<operands>& axes, int operand, int64_t offset = 0) {
    size_t there = 0;
    void* address = anyTensor(name, there);
    int64_t low = offset, high = offset;
    for (int axis = 0; axis < axes.count; ++axis) {
      if (axes.lengths[axis] == 0) return address;
      const int64_t reach = static_cast<int64_t>(axes.lengths[axis] - 1) * axes.strides[operand][axis];
      (reach < 0 ? low : high) += reach;
    }
    const int64_t length = static_cast<int64_t>(there / bytes);
    if (low < 0 || high >= length) {
      throw Napi::RangeError::New(env(), std::string(name) + " has " + std::to_string(length) +
                                             " values; the axes given reach from " + std::to_string(low) + " to " +
                                             std::to_string(high));
    }
    return address;
  }

  /// A tensor of exactly `length` elements of `bytes`.
  void* words(const char* name, size_t bytes, int64_t length) {
    return bytes == 1 ? static_cast<void*>(flags(name, length)) : static_cast<void*>(ints(name, length));
  }

  /// The product of sizes, within what a kernel takes.
  int64_t total(std::initializer_list<int64_t> sizes) {
    const int64_t result = product(sizes);
    if (result > mostElements) throw Napi::RangeError::New(env(), "a kernel takes up to 2147483647 values");
    return result;
  }

 private:
  static constexpr int64_t mostElements = std::numeric_limits<int32_t>::max();
};

}  // namespace metastate::cuda
