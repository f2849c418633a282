// tfjs's kernels that move values and never look at them: of float32, int32 and bool tensors alike.

#include <napi.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "node/axes.h"
#include "node/bindings.h"
#include "ops/runs.h"

namespace metastate {
namespace {

/// work(type): `type` is a pointer to cells as wide as those given. Floats and integers move alike, as four bytes each.
template <typename Work>
void ofWidth(const Cells& cells, Work work) {
  if (cells.bytes() == 1) {
    work(static_cast<uint8_t*>(nullptr));
  } else {
    work(static_cast<float*>(nullptr));
  }
}

/// `length` cells of x, `stride` apart, to adjacent places.
template <typename Cell>
void copyRow(const Cell* x, int64_t stride, int64_t length, Cell* y) {
  if (stride == 1) {
    std::memcpy(y, x, static_cast<size_t>(length) * sizeof(Cell));
  } else if (stride == 0) {
    std::fill_n(y, length, *x);
  } else {
    for (int64_t j = 0; j < length; ++j) y[j] = x[j * stride];
  }
}

/// Where some axis but the last is adjacent in x, its plane with the last axis is a matrix to transpose.
void transposePlanes(ThreadPool& pool, const SimdPath& path, const std::vector<int64_t>& axes,
                     const std::vector<int64_t>& strides, size_t adjacent, int64_t length, const float* x, float* y) {
  std::vector<int64_t> others, xStrides, yStrides;
  const int64_t inner = axes.back();
  int64_t yStride = length, adjacentStride = 1;
  for (size_t axis = 0; axis + 1 < axes.size(); ++axis) {
    yStride /= axes[axis];
    if (axis == adjacent) {
      adjacentStride = yStride;
      continue;
    }
    others.push_back(axes[axis]);
    xStrides.push_back(strides[axis]);
    yStrides.push_back(yStride);
  }
  const int64_t high = axes[adjacent], planes = length / (high * inner);
  // Blocks of the last axis, so that one large matrix is shared out too.
  constexpr int64_t block = 64;
  const int64_t blocks = (inner + block - 1) / block;
  Runs(planes * blocks, std::min(inner, block) * high).each(pool, [&](int64_t from, int64_t to, int64_t) {
    for (int64_t index = from; index < to; ++index) {
      const int64_t plane = index / blocks, first = index % blocks * block;
      const float* source = x + placeOf(plane, others, xStrides, 0) + first * strides.back();
      float* target = y + placeOf(plane, others, yStrides, 0) + first;
      for (int64_t j = 0; j < high; j += block) {
        path.tensors.transpose(source + j, strides.back(), std::min(block, inner - first), std::min(block, high - j),
                               target + j * adjacentStride, adjacentStride);
      }
    }
  });
}

/// copyStrided(axes, offset, x, y): y[i, j, ...] = x[offset + i strides[0] + j strides[1] + ...].
Napi::Value copyStrided(const Napi::CallbackInfo& info) {
  Call call(info);
  const Axes<1> along(call);
  const std::vector<int64_t>&axes = along.lengths, &strides = along.strides[0];
  const int64_t offset = call.size("offset", 0);
  const Cells x = call.anyCells("x");
  const int64_t length = sizeOf(call, axes);
  const Cells y = call.cells("y", x, length);
  requireWithin(call, "x", axes, strides, offset, x.length);
  if (length == 0) return info.Env().Undefined();
  const int64_t inner = axes.back();
  size_t adjacent = axes.size();
  for (size_t axis = 0; axis + 1 < axes.size(); ++axis) {
    if (strides[axis] == 1 && axes[axis] > 1) adjacent = axis;
  }
  const bool transposes = strides.back() != 1 && strides.back() != 0 && inner > 1 && adjacent < axes.size();
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    if (transposes && x.bytes() == 4) {
      transposePlanes(pool, path, axes, strides, adjacent, length, x.as<float>() + offset, y.as<float>());
      return;
    }
    ofWidth(x, [&](auto* type) {
      using Cell = std::remove_pointer_t<decltype(type)>;
      const Cell* source = x.as<Cell>() + offset;
      Cell* target = y.as<Cell>();
      Runs(length / inner, inner).each(pool, [&](int64_t from, int64_t to, int64_t) {
        if (from >= to) return;
        Places place(axes, strides, from);
        for (int64_t row = from; row < to; ++row, ++place) {
          copyRow(source + *place, strides.back(), inner, target + row * inner);
        }
      });
    });
  });
}

/// pad(axes, offset, value, x, y): y is `value` but for y[offset + i strides[0] + ...] = x[i, ...].
Napi::Value pad(const Napi::CallbackInfo& info) {
  Call call(info);
  const Axes<1> along(call);
  const std::vector<int64_t>&axes = along.lengths, &strides = along.strides[0];
  const int64_t offset = call.size("offset", 0);
  const double value = call.number("value");
  const Cells x = call.anyCells("x");
  const int64_t length = sizeOf(call, axes);
  if (x.length != length) throw Napi::RangeError::New(info.Env(), "x must have as many values as the axes tell");
  const Cells y = call.anyCells("y");
  if (y.type != x.type) throw Napi::TypeError::New(info.Env(), "y must be of the type of x");
  requireWithin(call, "y", axes, strides, offset, y.length);
  if (y.type != napi_float32_array && !(value >= -2147483648.0 && value < 2147483648.0)) {
    throw Napi::RangeError::New(info.Env(), "value must be an integer of 32 bits");
  }
  const int64_t inner = axes.back();
  return run(call, [&](ThreadPool& pool, const SimdPath&) {
    const Runs cells(y.length, 1);
    cells.each(pool, [&](int64_t from, int64_t to, int64_t) {
      if (y.type == napi_float32_array) {
        std::fill(y.as<float>() + from, y.as<float>() + to, static_cast<float>(value));
      } else if (y.type == napi_int32_array) {
        std::fill(y.as<int32_t>() + from, y.as<int32_t>() + to, static_cast<int32_t>(value));
      } else {
        std::fill(y.as<uint8_t>() + from, y.as<uint8_t>() + to, static_cast<uint8_t>(static_cast<int32_t>(value)));
      }
    });
    if (length == 0) return;
    ofWidth(x, [&](auto* type) {
      using Cell = std::remove_pointer_t<decltype(type)>;
      Runs(length / inner, inner).each(pool, [&](int64_t from, int64_t to, int64_t) {
        if (from >= to) return;
        Places place(axes, strides, from);
        for (int64_t row = from; row < to; ++row, ++place) {
          const Cell* source = x.as<Cell>() + row * inner;
          Cell* target = y.as<Cell>() + offset + *place;
          for (int64_t j = 0; j < inner; ++j) target[j * strides.back()] = source[j];
        }
      });
    });
  });
}

/// concat(outer, inputs, y): y [outer, sum of widths] of inputs [outer, width], each of its own width.
Napi::Value concat(const Napi::CallbackInfo& info) {
  Call call(info);
  const int64_t outer = call.size("outer");
  const std::vector<Cells> inputs = call.listOfAnyCells("inputs");
  std::vector<int64_t> widths;
  for (const Cells& input : inputs) {
    if (input.length % outer != 0) {
      throw Napi::RangeError::New(info.Env(), "an input has " + std::to_string(input.length) + " values, which are not " +
                                                  std::to_string(outer) + " rows");
    }
    widths.push_back(input.length / outer);
  }
  const int64_t wide = std::accumulate(widths.begin(), widths.end(), int64_t{0});
  const Cells y = call.cells("y", inputs.front(), product(info.Env(), {outer, wide}));
  return run(call, [&](ThreadPool& pool, const SimdPath&) {
    ofWidth(y, [&](auto* type) {
      using Cell = std::remove_pointer_t<decltype(type)>;
      Runs(outer, wide).each(pool, [&](int64_t from, int64_t to, int64_t) {
        for (int64_t row = from; row < to; ++row) {
          Cell* target = y.as<Cell>() + row * wide;
          for (size_t i = 0; i < inputs.size(); ++i) {
            target = std::copy_n(inputs[i].as<Cell>() + row * widths[i], widths[i], target);
          }
        }
      });
    });
  });
}

/// gather(outer, rows, width, x, indices, y): y [outer, count, width] of x [outer, rows, width].
Napi::Value gather(const Napi::CallbackInfo& info) {
  Call call(info);
  const int64_t outer = call.size("outer"), rows = call.size("rows"), width = call.size("width");
  const Cells x = call.anyCells("x");
  if (x.length != product(info.Env(), {outer, rows, width})) {
    throw Napi::RangeError::New(info.Env(), "x has " + std::to_string(x.length) + " values; the shape given wants " +
                                                std::to_string(outer * rows * width));
  }
  int64_t count;
  const int32_t* indices = call.anyIntegers("indices", count);
  const Cells y = call.cells("y", x, product(info.Env(), {outer, count, width}));
  for (int64_t i = 0; i < count; ++i) {
    if (indices[i] < 0 || indices[i] >= rows) {
      throw Napi::RangeError::New(info.Env(), "GatherV2: the index value " + std::to_string(indices[i]) +
                                                  " is not in [0, " + std::to_string(rows - 1) + "]");
    }
  }
  return run(call, [&](ThreadPool& pool, const SimdPath&) {
    ofWidth(x, [&](auto* type) {
      using Cell = std::remove_pointer_t<decltype(type)>;
      Runs(outer * count, width).each(pool, [&](int64_t from, int64_t to, int64_t) {
        for (int64_t i = from; i < to; ++i) {
          std::copy_n(x.as<Cell>() + (i / count * rows + indices[i % count]) * width, width, y.as<Cell>() + i * width);
        }
      });
    });
  });
}

/// select(condition, t, e, y): t where the condition is 1, e elsewhere.
Napi::Value select(const Napi::CallbackInfo& info) {
  Call call(info);
  const Cells condition = call.anyCells("condition");
  if (condition.bytes() != 1) throw Napi::TypeError::New(info.Env(), "condition must be a Uint8Array");
  const int64_t length = condition.length;
  const Cells t = call.anyCells("t");
  const Cells e = call.cells("e", t, length), y = call.cells("y", t, length);
  if (t.length != length) throw Napi::RangeError::New(info.Env(), "t must have as many values as the condition");
  return run(call, [&](ThreadPool& pool, const SimdPath&) {
    const uint8_t* chosen = condition.as<uint8_t>();
    const auto choose = [&](auto* type) {
      using Cell = std::remove_pointer_t<decltype(type)>;
      const Cell *yes = t.as<Cell>(), *no = e.as<Cell>();
      Cell* to = y.as<Cell>();
      Runs(length, 1).each(pool, [&](int64_t from, int64_t end, int64_t) {
        for (int64_t i = from; i < end; ++i) to[i] = chosen[i] == 1 ? yes[i] : no[i];
      });
    };
    if (t.bytes() == 1) {
      choose(static_cast<uint8_t*>(nullptr));
    } else {
      choose(static_cast<uint32_t*>(nullptr));
    }
  });
}

}  // namespace

void defineMovement(Napi::Object& exports) {
  define<copyStrided>(exports, "copyStrided");
  define<pad>(exports, "pad");
  define<concat>(exports, "concat");
  define<gather>(exports, "gather");
  define<select>(exports, "select");
}

}  // namespace metastate
