// tfjs's own kernels for JavaScript, on float32 tensors that are whole in memory.

#include <napi.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "node/bindings.h"
#include "node/call.h"
#include "node/engine.h"
#include "ops/runs.h"

namespace metastate {
namespace {

template <typename Work>
Napi::Value run(Call& call, Work work) {
  Engine::instance().use(work);
  return call.env().Undefined();
}

int numbered(Call& call, const char* name, int64_t count) {
  const int64_t number = call.size(name, 0);
  if (number >= count) {
    throw Napi::RangeError::New(call.env(), std::string("there is no ") + name + " " + std::to_string(number));
  }
  return static_cast<int>(number);
}

/// unary(function, x, y, first, second)
Napi::Value unary(const Napi::CallbackInfo& info) {
  Call call(info);
  const int function = numbered(call, "function", static_cast<int64_t>(Unary::count));
  int64_t length;
  const float* x = call.anyFloats("x", length);
  float* y = call.floats("y", length);
  const float first = static_cast<float>(call.number("first")), second = static_cast<float>(call.number("second"));
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    Runs(length, 1).each(pool, [&](int64_t from, int64_t to, int64_t) {
      if (from < to) path.tensors.unary(function, to - from, x + from, y + from, first, second);
    });
  });
}

/// Throws unless every place that the axes reach lies within `length`.
void requireWithin(Call& call, const char* name, const std::vector<int64_t>& axes, const std::vector<int64_t>& strides,
                   int64_t offset, int64_t length) {
  if (axes.size() != strides.size()) throw Napi::RangeError::New(call.env(), "an axis has no stride");
  int64_t last = offset;
  for (size_t axis = 0; axis < axes.size(); ++axis) {
    int64_t reach;
    if (axes[axis] == 0) return;
    if (__builtin_mul_overflow(axes[axis] - 1, strides[axis], &reach) || __builtin_add_overflow(last, reach, &last)) {
      throw Napi::RangeError::New(call.env(), "the sizes given are too large");
    }
  }
  if (last >= length) {
    throw Napi::RangeError::New(call.env(), std::string(name) + " has " + std::to_string(length) +
                                                " values; the axes given reach place " + std::to_string(last));
  }
}

int64_t sizeOf(Call& call, const std::vector<int64_t>& axes) {
  int64_t total = 1;
  for (const int64_t length : axes) total = product(call.env(), {total, length});
  return total;
}

/// The place in an operand of entry `index` of the axes before the last `inner`.
int64_t placeOf(int64_t index, const std::vector<int64_t>& axes, const std::vector<int64_t>& strides, size_t inner) {
  int64_t place = 0;
  for (size_t axis = axes.size() - inner; axis-- > 0;) {
    place += index % axes[axis] * strides[axis];
    index /= axes[axis];
  }
  return place;
}

/// binary(function, axes, aStrides, bStrides, a, b, y): a stride is 0 where an operand is broadcast; the last ones 0 or 1.
Napi::Value binary(const Napi::CallbackInfo& info) {
  Call call(info);
  const int function = numbered(call, "function", static_cast<int64_t>(Binary::count));
  const std::vector<int64_t> axes = call.sizes("axes"), aStrides = call.sizes("aStrides"),
                             bStrides = call.sizes("bStrides");
  int64_t aLength, bLength;
  const float* a = call.anyFloats("a", aLength);
  const float* b = call.anyFloats("b", bLength);
  const int64_t length = sizeOf(call, axes);
  float* y = call.floats("y", length);
  requireWithin(call, "a", axes, aStrides, 0, aLength);
  requireWithin(call, "b", axes, bStrides, 0, bLength);
  if (axes.empty() || aStrides.back() > 1 || bStrides.back() > 1) {
    throw Napi::RangeError::New(info.Env(), "the last axis must have strides of 0 or 1");
  }
  if (length == 0) return info.Env().Undefined();
  const int64_t inner = axes.back();
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    if (axes.size() == 1) {
      Runs(length, 1).each(pool, [&](int64_t from, int64_t to, int64_t) {
        path.tensors.binary(function, to - from, a + from * aStrides[0], aStrides[0], b + from * bStrides[0],
                            bStrides[0], y + from);
      });
      return;
    }
    Runs(length / inner, inner).each(pool, [&](int64_t from, int64_t to, int64_t) {
      for (int64_t row = from; row < to; ++row) {
        path.tensors.binary(function, inner, a + placeOf(row, axes, aStrides, 1), aStrides.back(),
                            b + placeOf(row, axes, bStrides, 1), bStrides.back(), y + row * inner);
      }
    });
  });
}

/// reduce(function, outer, length, inner, x, y, scale): x [outer, length, inner] over its middle axis, times scale.
Napi::Value reduce(const Napi::CallbackInfo& info) {
  Call call(info);
  const int function = numbered(call, "function", static_cast<int64_t>(Reduction::count));
  const int64_t outer = call.size("outer"), length = call.size("length"), inner = call.size("inner");
  const float* x = call.floats("x", product(info.Env(), {outer, length, inner}));
  float* y = call.floats("y", outer * inner);
  const float scale = static_cast<float>(call.number("scale"));
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    // Runs of the reduced axis, each with a result of its own, so that one long sum is shared out too.
    const Runs runs(length, inner);
    const Runs outers(outer * runs.count, std::max<int64_t>(1, length / runs.count) * inner);
    const AlignedBuffer parts(static_cast<size_t>(runs.count > 1 ? outer * runs.count * inner : 0));
    outers.each(pool, [&](int64_t first, int64_t last, int64_t) {
      for (int64_t part = first; part < last; ++part) {
        const int64_t o = part / runs.count, run = part % runs.count;
        const int64_t from = run * runs.length, to = std::min(length, from + runs.length);
        float* target = runs.count > 1 ? parts.data() + part * inner : y + o * inner;
        const float* rows = x + o * length * inner;
        if (inner == 1) {
          *target = path.tensors.reduceRun(function, to - from, rows + from);
        } else {
          std::copy_n(rows + from * inner, inner, target);
          for (int64_t row = from + 1; row < to; ++row) path.tensors.reduceRows(function, inner, rows + row * inner, target);
        }
      }
    });
    if (runs.count > 1) {
      for (int64_t o = 0; o < outer; ++o) {
        const float* of = parts.data() + o * runs.count * inner;
        std::copy_n(of, inner, y + o * inner);
        for (int64_t part = 1; part < runs.count; ++part) {
          path.tensors.reduceRows(function, inner, of + part * inner, y + o * inner);
        }
      }
    }
    if (scale != 1) path.ops.scale(0, outer * inner, y, scale, y);
  });
}

/// softmax(rows, width, x, y)
Napi::Value softmax(const Napi::CallbackInfo& info) {
  Call call(info);
  const int64_t rows = call.size("rows"), width = call.size("width"), length = product(info.Env(), {rows, width});
  const float* x = call.floats("x", length);
  float* y = call.floats("y", length);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    Runs(rows, 4 * width).each(pool, [&](int64_t from, int64_t to, int64_t) {
      path.tensors.softmax(width, from, to, x, y);
    });
  });
}

/// copyStrided(axes, strides, offset, x, y): y[i, j, ...] = x[offset + i strides[0] + j strides[1] + ...].
Napi::Value copyStrided(const Napi::CallbackInfo& info) {
  Call call(info);
  const std::vector<int64_t> axes = call.sizes("axes"), strides = call.sizes("strides");
  const int64_t offset = call.size("offset", 0);
  int64_t xLength;
  const float* x = call.anyFloats("x", xLength);
  const int64_t length = sizeOf(call, axes);
  float* y = call.floats("y", length);
  requireWithin(call, "x", axes, strides, offset, xLength);
  if (axes.empty()) throw Napi::RangeError::New(info.Env(), "there must be an axis");
  if (length == 0) return info.Env().Undefined();
  x += offset;
  const int64_t inner = axes.back();
  // Where some other axis is adjacent in x, its plane with the last axis is a matrix to transpose.
  size_t adjacent = axes.size();
  for (size_t axis = 0; axis + 1 < axes.size(); ++axis) {
    if (strides[axis] == 1 && axes[axis] > 1) adjacent = axis;
  }
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    if (strides.back() != 1 && inner > 1 && adjacent < axes.size()) {
      std::vector<int64_t> others, xStrides, yStrides;
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
      return;
    }
    Runs(length / inner, inner).each(pool, [&](int64_t from, int64_t to, int64_t) {
      for (int64_t row = from; row < to; ++row) {
        const float* source = x + placeOf(row, axes, strides, 1);
        float* target = y + row * inner;
        if (strides.back() == 1) {
          std::copy_n(source, inner, target);
        } else {
          for (int64_t j = 0; j < inner; ++j) target[j] = source[j * strides.back()];
        }
      }
    });
  });
}

/// concat(outer, inputs, widths, y): y [outer, sum of widths] of inputs [outer, width].
Napi::Value concat(const Napi::CallbackInfo& info) {
  Call call(info);
  const int64_t outer = call.size("outer");
  std::vector<int64_t> lengths;
  const std::vector<float*> inputs = call.listOfAnyFloats("inputs", lengths);
  const std::vector<int64_t> widths = call.sizes("widths");
  if (widths.size() != inputs.size()) throw Napi::RangeError::New(info.Env(), "each input needs a width");
  int64_t wide = 0;
  for (size_t i = 0; i < widths.size(); ++i) {
    if (lengths[i] != product(info.Env(), {outer, widths[i]})) {
      throw Napi::RangeError::New(info.Env(), "input " + std::to_string(i) + " has " + std::to_string(lengths[i]) +
                                                  " values; the shape given wants " +
                                                  std::to_string(outer * widths[i]));
    }
    wide += widths[i];
  }
  float* y = call.floats("y", product(info.Env(), {outer, wide}));
  return run(call, [&](ThreadPool& pool, const SimdPath&) {
    Runs(outer, wide).each(pool, [&](int64_t from, int64_t to, int64_t) {
      for (int64_t row = from; row < to; ++row) {
        float* target = y + row * wide;
        for (size_t i = 0; i < widths.size(); ++i) {
          std::copy_n(inputs[i] + row * widths[i], widths[i], target);
          target += widths[i];
        }
      }
    });
  });
}

/// gather(outer, rows, width, x, indices, y): y [outer, count, width] of x [outer, rows, width].
Napi::Value gather(const Napi::CallbackInfo& info) {
  Call call(info);
  const int64_t outer = call.size("outer"), rows = call.size("rows"), width = call.size("width");
  const float* x = call.floats("x", product(info.Env(), {outer, rows, width}));
  int64_t count;
  const int32_t* indices = call.anyIntegers("indices", count);
  float* y = call.floats("y", product(info.Env(), {outer, count, width}));
  for (int64_t i = 0; i < count; ++i) {
    if (indices[i] < 0 || indices[i] >= rows) {
      throw Napi::RangeError::New(info.Env(), "GatherV2: the index value " + std::to_string(indices[i]) +
                                                  " is not in [0, " + std::to_string(rows - 1) + "]");
    }
  }
  return run(call, [&](ThreadPool& pool, const SimdPath&) {
    Runs(outer * count, width).each(pool, [&](int64_t from, int64_t to, int64_t) {
      for (int64_t i = from; i < to; ++i) {
        std::copy_n(x + (i / count * rows + indices[i % count]) * width, width, y + i * width);
      }
    });
  });
}

/// segmentSum(count, width, segments, x, ids, y): y [segments, width]; ids that are no segment are left out.
Napi::Value segmentSum(const Napi::CallbackInfo& info) {
  Call call(info);
  const int64_t count = call.size("count"), width = call.size("width"), segments = call.size("segments");
  const float* x = call.floats("x", product(info.Env(), {count, width}));
  const int32_t* ids = call.integers("ids", count);
  const int64_t length = product(info.Env(), {segments, width});
  float* y = call.floats("y", length);
  return run(call, [&](ThreadPool&, const SimdPath& path) {
    std::fill_n(y, length, 0.0f);
    for (int64_t i = 0; i < count; ++i) {
      if (ids[i] >= 0 && ids[i] < segments) path.ops.addTo(width, x + i * width, y + ids[i] * width);
    }
  });
}

/// oneHot(depth, on, off, indices, y)
Napi::Value oneHot(const Napi::CallbackInfo& info) {
  Call call(info);
  const int64_t depth = call.size("depth");
  const float on = static_cast<float>(call.number("on")), off = static_cast<float>(call.number("off"));
  int64_t count;
  const int32_t* indices = call.anyIntegers("indices", count);
  float* y = call.floats("y", product(info.Env(), {count, depth}));
  std::fill_n(y, count * depth, off);
  for (int64_t i = 0; i < count; ++i) {
    if (indices[i] >= 0 && indices[i] < depth) y[i * depth + indices[i]] = on;
  }
  return info.Env().Undefined();
}

/// cumsum(rows, width, exclusive, reverse, x, y), along each row; running sums in float64.
Napi::Value cumsum(const Napi::CallbackInfo& info) {
  Call call(info);
  const int64_t rows = call.size("rows"), width = call.size("width"), length = product(info.Env(), {rows, width});
  const bool exclusive = call.flag("exclusive"), reverse = call.flag("reverse");
  const float* x = call.floats("x", length);
  float* y = call.floats("y", length);
  return run(call, [&](ThreadPool& pool, const SimdPath&) {
    Runs(rows, width).each(pool, [&](int64_t from, int64_t to, int64_t) {
      for (int64_t row = from; row < to; ++row) {
        double sum = 0;
        for (int64_t j = 0; j < width; ++j) {
          const int64_t i = row * width + (reverse ? width - 1 - j : j);
          const double value = static_cast<double>(x[i]);
          if (exclusive) y[i] = static_cast<float>(sum);
          sum += value;
          if (!exclusive) y[i] = static_cast<float>(sum);
        }
      }
    });
  });
}

/// topK(rows, width, k, x, values, indices): the k largest of each row, largest first; of equal ones the earlier first.
Napi::Value topK(const Napi::CallbackInfo& info) {
  Call call(info);
  const int64_t rows = call.size("rows"), width = call.size("width"), k = call.size("k");
  if (k > width) throw Napi::RangeError::New(info.Env(), "k is " + std::to_string(k) + ", of " + std::to_string(width));
  const float* x = call.floats("x", product(info.Env(), {rows, width}));
  float* values = call.floats("values", rows * k);
  int32_t* indices = call.integers("indices", rows * k);
  return run(call, [&](ThreadPool& pool, const SimdPath&) {
    Runs(rows, 8 * width).each(pool, [&](int64_t from, int64_t to, int64_t) {
      std::vector<int32_t> order(static_cast<size_t>(width));
      for (int64_t row = from; row < to; ++row) {
        const float* of = x + row * width;
        std::iota(order.begin(), order.end(), 0);
        // NaN counts as smallest: an order that is none would be undefined behaviour.
        const auto key = [&](int32_t i) { return std::isnan(of[i]) ? -INFINITY : of[i]; };
        std::partial_sort(order.begin(), order.begin() + k, order.end(), [&](int32_t i, int32_t j) {
          const float u = key(i), v = key(j);
          return u > v || (u == v && i < j);
        });
        for (int64_t i = 0; i < k; ++i) {
          indices[row * k + i] = order[static_cast<size_t>(i)];
          values[row * k + i] = of[order[static_cast<size_t>(i)]];
        }
      }
    });
  });
}

}  // namespace

void defineTensors(Napi::Object& exports) {
  define<unary>(exports, "unary");
  define<binary>(exports, "binary");
  define<reduce>(exports, "reduce");
  define<softmax>(exports, "softmax");
  define<copyStrided>(exports, "copyStrided");
  define<concat>(exports, "concat");
  define<gather>(exports, "gather");
  define<segmentSum>(exports, "segmentSum");
  define<oneHot>(exports, "oneHot");
  define<cumsum>(exports, "cumsum");
  define<topK>(exports, "topK");
}

}  // namespace metastate
