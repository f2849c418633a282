// tfjs's own kernels that compute, on tensors that are whole in memory.

#include <napi.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "node/axes.h"
#include "node/bindings.h"
#include "ops/runs.h"

namespace metastate {
namespace {

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

/// Two operands along the axes of a result: strides of 0 where one is broadcast, 0 or 1 along the last axis.
struct Broadcasting : Axes<2> {
  using Axes::Axes;

  /// Throws unless both operands reach as far as the axes do.
  void require(Call& call, int64_t aLength, int64_t bLength) const {
    requireWithin(call, "a", lengths, strides[0], 0, aLength);
    requireWithin(call, "b", lengths, strides[1], 0, bLength);
    for (const std::vector<int64_t>& of : strides) {
      if (of.back() == 0 || of.back() == 1) continue;
      throw Napi::RangeError::New(call.env(), "the last axis must have strides of 0 or 1");
    }
  }

  /// join(rows, length, a, aRow, aStep, b, bRow, bStep, y) for rows of adjacent results, as many as lie evenly apart: a call for each
  /// would take longer than a short row.
  template <typename Cell, typename Result, typename Join>
  void each(ThreadPool& pool, int64_t length, const Cell* a, const Cell* b, Result* y, Join join) const {
    const std::vector<int64_t>&aStrides = strides[0], &bStrides = strides[1];
    const int64_t inner = lengths.back(), aStep = aStrides.back(), bStep = bStrides.back();
    if (length == 0) return;
    if (lengths.size() == 1) {
      Runs(length, 1).each(pool, [&](int64_t from, int64_t to, int64_t) {
        join(1, to - from, a + from * aStep, 0, aStep, b + from * bStep, 0, bStep, y + from);
      });
      return;
    }
    const size_t last = lengths.size() - 2;
    const int64_t side = lengths[last], aRow = aStrides[last], bRow = bStrides[last];
    Runs(length / inner, inner).each(pool, [&](int64_t from, int64_t to, int64_t) {
      for (int64_t row = from; row < to;) {
        const int64_t rows = std::min(to - row, side - row % side);
        const int64_t aPlace = placeOf(row, lengths, aStrides, 1), bPlace = placeOf(row, lengths, bStrides, 1);
        join(rows, inner, a + aPlace, aRow, aStep, b + bPlace, bRow, bStep, y + row * inner);
        row += rows;
      }
    });
  }
};

/// Arithmetic of two tensors of one type: kernel(function, axes, a, b, y), functions as Function has them.
template <typename Cell, typename Function, auto kernel>
Napi::Value arithmetic(const Napi::CallbackInfo& info) {
  Call call(info);
  const int function = numbered(call, "function", static_cast<int64_t>(Function::count));
  const Broadcasting broadcasting(call);
  int64_t aLength, bLength;
  const Cell* a = call.any<Cell>("a", aLength);
  const Cell* b = call.any<Cell>("b", bLength);
  const int64_t length = sizeOf(call, broadcasting.lengths);
  Cell* y = call.exactly<Cell>("y", length);
  broadcasting.require(call, aLength, bLength);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    broadcasting.each(pool, length, a, b, y, [&](auto... rows) { (path.tensors.*kernel)(function, rows...); });
  });
}

/// binaryFlat(function, a, b, y): a and b have as many values as y, or one each.
Napi::Value binaryFlat(const Napi::CallbackInfo& info) {
  Call call(info);
  const int function = numbered(call, "function", static_cast<int64_t>(Binary::count));
  int64_t aLength, bLength, length;
  const float* a = call.anyFloats("a", aLength);
  const float* b = call.anyFloats("b", bLength);
  float* y = call.anyFloats("y", length);
  if ((aLength != length && aLength != 1) || (bLength != length && bLength != 1)) {
    throw Napi::RangeError::New(info.Env(), "a has " + std::to_string(aLength) + " values, b " +
                                                std::to_string(bLength) + ": they must have one, or the " +
                                                std::to_string(length) + " of y");
  }
  const int64_t aStep = aLength == length ? 1 : 0, bStep = bLength == length ? 1 : 0;
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    Runs(length, 1).each(pool, [&](int64_t from, int64_t to, int64_t) {
      if (from >= to) return;
      path.tensors.binary(function, 1, to - from, a + from * aStep, 0, aStep, b + from * bStep, 0, bStep, y + from);
    });
  });
}

/// compare(function, axes, a, b, y): a and b of one type, y of 0 and 1.
Napi::Value compare(const Napi::CallbackInfo& info) {
  Call call(info);
  const int function = numbered(call, "function", static_cast<int64_t>(Comparison::count));
  const Broadcasting broadcasting(call);
  const Cells a = call.anyCells("a"), b = call.anyCells("b");
  if (a.type != b.type) throw Napi::TypeError::New(info.Env(), "a and b must be of one type");
  const int64_t length = sizeOf(call, broadcasting.lengths);
  uint8_t* y = call.truths("y", length);
  broadcasting.require(call, a.length, b.length);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    const auto each = [&](auto* type, Compare compareCells) {
      using Cell = std::remove_pointer_t<decltype(type)>;
      broadcasting.each(pool, length, a.as<const Cell>(), b.as<const Cell>(), y,
                        [&](auto... rows) { compareCells(function, rows...); });
    };
    if (a.type == napi_float32_array) {
      each(static_cast<float*>(nullptr), path.tensors.compareFloats);
    } else if (a.type == napi_int32_array) {
      each(static_cast<int32_t*>(nullptr), path.tensors.compareIntegers);
    } else {
      each(static_cast<uint8_t*>(nullptr), path.tensors.compareTruths);
    }
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

/// extremumPlaces(most, outer, length, inner, x, places): where x [outer, length, inner] is largest, or smallest.
Napi::Value extremumPlaces(const Napi::CallbackInfo& info) {
  Call call(info);
  const bool most = call.flag("most");
  const int64_t outer = call.size("outer"), length = call.size("length"), inner = call.size("inner");
  const float* x = call.floats("x", product(info.Env(), {outer, length, inner}));
  int32_t* places = call.integers("places", outer * inner);
  return run(call, [&](ThreadPool& pool, const SimdPath& path) {
    const AlignedBuffer best(static_cast<size_t>(inner > 1 ? outer * inner : 0));
    Runs(outer, length * inner).each(pool, [&](int64_t from, int64_t to, int64_t) {
      for (int64_t o = from; o < to; ++o) {
        const float* values = x + o * length * inner;
        if (inner == 1) {
          places[o] = path.tensors.extremumPlace(most, length, values);
        } else {
          path.tensors.extremumPlaces(most, length, inner, values, best.data() + o * inner, places + o * inner);
        }
      }
    });
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
  define<arithmetic<float, Binary, &TensorKernels::binary>>(exports, "binary");
  define<binaryFlat>(exports, "binaryFlat");
  define<arithmetic<int32_t, IntegerBinary, &TensorKernels::integerBinary>>(exports, "integerBinary");
  define<compare>(exports, "compare");
  define<reduce>(exports, "reduce");
  define<extremumPlaces>(exports, "extremumPlaces");
  define<softmax>(exports, "softmax");
  define<segmentSum>(exports, "segmentSum");
  define<oneHot>(exports, "oneHot");
  define<cumsum>(exports, "cumsum");
  define<topK>(exports, "topK");
}

}  // namespace metastate
