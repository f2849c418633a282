// What the bindings of tfjs's kernels share: axes of a result, how far an operand moves along each, and how work is run.
#pragma once

#include <napi.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "node/call.h"
#include "node/engine.h"

namespace metastate {

/// Runs work(pool, path) while no other call does.
template <typename Work>
Napi::Value run(Call& call, Work work) {
  Engine::instance().use(work);
  return call.env().Undefined();
}

/// The number of one of `count` functions.
inline int numbered(Call& call, const char* name, int64_t count) {
  const int64_t number = call.size(name, 0);
  if (number >= count) {
    throw Napi::RangeError::New(call.env(), std::string("there is no ") + name + " " + std::to_string(number));
  }
  return static_cast<int>(number);
}

/// More than tfjs's six, since an axis that is repeated counts as two.
constexpr size_t mostAxes = 16;

/// The lengths of a result's axes, and how far each operand moves along them. They come as one Int32Array: the lengths, then each
/// operand's strides. To read a list number by number would take longer than a small op.
template <size_t operands>
struct Axes {
  std::vector<int64_t> lengths;
  std::array<std::vector<int64_t>, operands> strides;

  explicit Axes(Call& call) {
    int64_t given;
    const int32_t* values = call.anyIntegers("axes", given);
    const int64_t count = given / static_cast<int64_t>(1 + operands);
    if (count < 1 || count > static_cast<int64_t>(mostAxes) || given % static_cast<int64_t>(1 + operands) != 0) {
      throw Napi::RangeError::New(call.env(), "axes must hold the lengths of 1 to 16 axes, and each operand's strides");
    }
    lengths.assign(values, values + count);
    if (*std::min_element(values, values + count) < 0) {
      throw Napi::RangeError::New(call.env(), "an axis must have a length from 0 to 2147483647");
    }
    for (std::vector<int64_t>& of : strides) {
      values += count;
      of.assign(values, values + count);
    }
  }
};

/// Throws unless every place that the axes reach lies within `length`. Strides may be negative.
inline void requireWithin(Call& call, const char* name, const std::vector<int64_t>& axes,
                          const std::vector<int64_t>& strides, int64_t offset, int64_t length) {
  int64_t first = offset, last = offset;
  for (size_t axis = 0; axis < axes.size(); ++axis) {
    int64_t reach;
    if (axes[axis] == 0) return;
    int64_t& end = strides[axis] < 0 ? first : last;
    if (__builtin_mul_overflow(axes[axis] - 1, strides[axis], &reach) || __builtin_add_overflow(end, reach, &end)) {
      throw Napi::RangeError::New(call.env(), "the sizes given are too large");
    }
  }
  if (first < 0 || last >= length) {
    throw Napi::RangeError::New(call.env(), std::string(name) + " has " + std::to_string(length) +
                                                " values; the axes given reach place " +
                                                std::to_string(first < 0 ? first : last));
  }
}

inline int64_t sizeOf(Call& call, const std::vector<int64_t>& axes) {
  int64_t total = 1;
  for (const int64_t length : axes) total = product(call.env(), {total, length});
  return total;
}

/// The place in an operand of entry `index` of the axes before the last `inner`.
inline int64_t placeOf(int64_t index, const std::vector<int64_t>& axes, const std::vector<int64_t>& strides,
                       size_t inner) {
  int64_t place = 0;
  for (size_t axis = axes.size() - inner; axis-- > 0;) {
    place += index % axes[axis] * strides[axis];
    index /= axes[axis];
  }
  return place;
}

/// The places in an operand of one entry after the other, of the axes before the last: no division for each.
class Places {
 public:
  /// The first is that of entry `index`.
  Places(const std::vector<int64_t>& axes, const std::vector<int64_t>& strides, int64_t index)
      : axes_(axes), strides_(strides), place_(placeOf(index, axes, strides, 1)) {
    for (size_t axis = axes.size() - 1; axis-- > 0;) {
      at_[axis] = index % axes[axis];
      index /= axes[axis];
    }
  }

  int64_t operator*() const { return place_; }

  void operator++() {
    for (size_t axis = axes_.size() - 1; axis-- > 0;) {
      place_ += strides_[axis];
      if (++at_[axis] < axes_[axis]) return;
      place_ -= strides_[axis] * axes_[axis];
      at_[axis] = 0;
    }
  }

 private:
  const std::vector<int64_t>& axes_;
  const std::vector<int64_t>& strides_;
  std::array<int64_t, mostAxes> at_;
  int64_t place_;
};

}  // namespace metastate
