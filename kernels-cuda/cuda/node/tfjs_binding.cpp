// tfjs's kernels for JavaScript.
#include <cmath>
#include <limits>

#include "node/tensor_call.h"
#include "runtime/scratch.h"
#include "tfjs/binary.h"
#include "tfjs/indexing.h"
#include "tfjs/movement.h"
#include "tfjs/reduce.h"
#include "tfjs/scan.h"
#include "tfjs/softmax.h"
#include "tfjs/top_k.h"
#include "tfjs/unary.h"

namespace metastate::cuda {
namespace {

using namespace tfjs;

/// unary(function, count, x, y, first, second)
Napi::Value unary(const Napi::CallbackInfo& info) {
  TensorCall call(info);
  const Unary function = call.chosen<Unary>("function");
  const int64_t count = call.size("count", 0);
  const float* x = call.floats("x", count);
  float* y = call.floats("y", count);
  const float first = static_cast<float>(call.number("first")), second = static_cast<float>(call.number("second"));
  launchUnary(function, count, x, y, first, second, call.stream());
  return info.Env().Undefined();
}

int32_t clamped(double value) {
  if (value != value) return 0;
  constexpr double least = std::numeric_limits<int32_t>::min(), most = std::numeric_limits<int32_t>::max();
  return static_cast<int32_t>(value < least ? least : value > most ? most : value);
}

/// integerUnary(function, count, x, y, first, second)
Napi::Value integerUnary(const Napi::CallbackInfo& info) {
  TensorCall call(info);
  const IntegerUnary function = call.chosen<IntegerUnary>("function");
  const int64_t count = call.size("count", 0);
  const int32_t* x = call.ints("x", count);
  int32_t* y = call.ints("y", count);
  const int32_t first = clamped(call.number("first")), second = clamped(call.number("second"));
  launchIntegerUnary(function, count, x, y, first, second, call.stream());
  return info.Env().Undefined();
}

/// question(question, count, x, y)
Napi::Value question(const Napi::CallbackInfo& info) {
  TensorCall call(info);
  const Question asked = call.chosen<Question>("question");
  const int64_t count = call.size("count", 0);
  const float* x = call.floats("x", count);
  uint8_t* y = call.flags("y", count);
  launchQuestion(asked, count, x, y, call.stream());
  return info.Env().Undefined();
}

/// logicalNot(count, x, y)
Napi::Value logicalNot(const Napi::CallbackInfo& info) {
  TensorCall call(info);
  const int64_t count = call.size("count", 0);
  const uint8_t* x = call.flags("x", count);
  uint8_t* y = call.flags("y", count);
  launchLogicalNot(count, x, y, call.stream());
  return info.Env().Undefined();
}

/// cast(from, to, count, x, y): two different types
Napi::Value cast(const Napi::CallbackInfo& info) {
  TensorCall call(info);
  const ElementType from = call.type("from"), to = call.type("to");
  const int64_t count = call.size("count", 0);
  const void* x = call.words("x", bytesOf(from), count);
  void* y = call.words("y", bytesOf(to), count);
  const auto typed = [&](auto* source) {
    using Source = std::remove_cv_t<std::remove_pointer_t<decltype(source)>>;
    const auto into = [&](auto* target) {
      using Target = std::remove_pointer_t<decltype(target)>;
      if constexpr (std::is_same_v<Source, Target>) {
        throw Napi::RangeError::New(info.Env(), "cast: the types are equal");
      } else {
        launchCast(source, target, count, call.stream());
      }
    };
    if (to == ElementType::float32) return into(static_cast<float*>(y));
    if (to == ElementType::int32) return into(static_cast<int32_t*>(y));
    return into(static_cast<uint8_t*>(y));
  };
  if (from == ElementType::float32) {
    typed(static_cast<const float*>(x));
  } else if (from == ElementType::int32) {
    typed(static_cast<const int32_t*>(x));
  } else {
    typed(static_cast<const uint8_t*>(x));
  }
  return info.Env().Undefined();
}

/// binary(function, axes, a, b, y)
Napi::Value binary(const Napi::CallbackInfo& info) {
  TensorCall call(info);
  const Binary function = call.chosen<Binary>("function");
  const Axes<2> axes = call.axes<2>();
  const auto* a = static_cast<const float*>(call.reached("a", 4, axes, 0));
  const auto* b = static_cast<const float*>(call.reached("b", 4, axes, 1));
  launchBinary(function, axes, a, b, call.floats("y", axes.size()), call.stream());
  return info.Env().Undefined();
}

/// floorDivide(axes, a, b, y): float32 to int32
Napi::Value floorDivide(const Napi::CallbackInfo& info) {
  TensorCall call(info);
  const Axes<2> axes = call.axes<2>();
  const auto* a = static_cast<const float*>(call.reached("a", 4, axes, 0));
  const auto* b = static_cast<const float*>(call.reached("b", 4, axes, 1));
  launchFloorDivide(axes, a, b, call.ints("y", axes.size()), call.stream());
  return info.Env().Undefined();
}

/// integerBinary(function, axes, a, b, y)
Napi::Value integerBinary(const Napi::CallbackInfo& info) {
  TensorCall call(info);
  const IntegerBinary function = call.chosen<IntegerBinary>("function");
  const Axes<2> axes = call.axes<2>();
  const auto* a = static_cast<const int32_t*>(call.reached("a", 4, axes, 0));
  const auto* b = static_cast<const int32_t*>(call.reached("b", 4, axes, 1));
  launchIntegerBinary(function, axes, a, b, call.ints("y", axes.size()), call.stream());
  return info.Env().Undefined();
}

/// comparison(function, type, axes, a, b, y)
Napi::Value comparison(const Napi::CallbackInfo& info) {
  TensorCall call(info);
  const Comparison function = call.chosen<Comparison>("function");
  const ElementType type = call.type();
  const Axes<2> axes = call.axes<2>();
  const void* a = call.reached("a", bytesOf(type), axes, 0);
  const void* b = call.reached("b", bytesOf(type), axes, 1);
  launchComparison(function, type, axes, a, b, call.flags("y", axes.size()), call.stream());
  return info.Env().Undefined();
}

/// select(count, bytes, condition, a, b, y)
Napi::Value select(const Napi::CallbackInfo& info) {
  TensorCall call(info);
  const int64_t count = call.size("count", 0);
  const int bytes = call.bytes();
  const uint8_t* condition = call.flags("condition", count);
  const void* a = call.words("a", bytes, count);
  const void* b = call.words("b", bytes, count);
  launchSelect(count, bytes, condition, a, b, call.words("y", bytes, count), call.stream());
  return info.Env().Undefined();
}

/// addN(type, count, terms, y)
Napi::Value addN(const Napi::CallbackInfo& info) {
  TensorCall call(info);
  const ElementType type = call.type();
  const int64_t count = call.size("count", 0);
  std::vector<int64_t> lengths;
  const std::vector<float*> terms = call.listOfAnyFloats("terms", lengths);
  if (type == ElementType::boolean || terms.empty() || terms.size() > mostTerms) {
    throw Napi::RangeError::New(info.Env(), "addN takes 1 to " + std::to_string(mostTerms) + " terms, float32 or int32");
  }
  for (const int64_t length : lengths) {
    if (length != count) throw Napi::RangeError::New(info.Env(), "terms must all have count values");
  }
  const int number = static_cast<int>(terms.size());
  if (type == ElementType::float32) {
    launchAddN(number, terms.data(), count, call.floats("y", count), call.stream());
  } else {
    const std::vector<const int32_t*> integers(reinterpret_cast<const int32_t* const*>(terms.data()),
                                               reinterpret_cast<const int32_t* const*>(terms.data()) + number);
    launchAddN(number, integers.data(), count, call.ints("y", count), call.stream());
  }
  return info.Env().Undefined();
}

/// reduce(reduction, type, outer, length, inner, x, y, scale)
Napi::Value reduce(const Napi::CallbackInfo& info) {
  TensorCall call(info);
  const Reduction reduction = call.chosen<Reduction>("reduction");
  const ElementType type = call.type();
  ReductionShape shape;
  shape.outer = call.size("outer");
  shape.length = call.size("length");
  shape.inner = call.size("inner");
  if (!reduces(reduction, type)) throw Napi::RangeError::New(info.Env(), "this reduction does not take this type");
  const void* x = call.words("x", bytesOf(type), call.total({shape.outer, shape.length, shape.inner}));
  void* y = call.words("y", bytesOf(type), shape.outer * shape.inner);
  const float scale = static_cast<float>(call.number("scale"));
  const Scratch scratch = Scratch::ofBytes(call.device(), reduceScratch(shape));
  launchReduce(reduction, type, shape, x, y, scale, scratch.memory(), call.stream());
  return info.Env().Undefined();
}

/// softmax(rows, width, x, y)
Napi::Value softmax(const Napi::CallbackInfo& info) {
  TensorCall call(info);
  const int64_t rows = call.size("rows"), width = call.size("width"), count = call.total({rows, width});
  const float* x = call.floats("x", count);
  launchSoftmax(rows, width, x, call.floats("y", count), call.stream());
  return info.Env().Undefined();
}

/// scan(scan, type, outer, length, inner, exclusive, reverse, x, y)
Napi::Value scan(const Napi::CallbackInfo& info) {
  TensorCall call(info);
  const Scan kind = call.chosen<Scan>("scan");
  const ElementType type = call.type();
  ScanShape shape;
  shape.outer = call.size("outer");
  shape.length = call.size("length");
  shape.inner = call.size("inner");
  shape.exclusive = call.flag("exclusive");
  shape.reverse = call.flag("reverse");
  const int64_t count = call.total({shape.outer, shape.length, shape.inner});
  if (type == ElementType::float32) {
    const float* x = call.floats("x", count);
    launchScan(kind, shape, x, call.floats("y", count), call.stream());
  } else if (type == ElementType::int32) {
    const int32_t* x = call.ints("x", count);
    launchScan(kind, shape, x, call.ints("y", count), call.stream());
  } else {
    throw Napi::RangeError::New(info.Env(), "scan takes float32 or int32");
  }
  return info.Env().Undefined();
}

/// topK(type, rows, width, k, x, values, indices)
Napi::Value topK(const Napi::CallbackInfo& info) {
  TensorCall call(info);
  const ElementType type = call.type();
  const int64_t rows = call.size("rows"), width = call.size("width"), k = call.size("k");
  if (type == ElementType::boolean || k > width || k > mostTopK) {
    throw Napi::RangeError::New(info.Env(), "topK takes float32 or int32, and k up to the width and " +
                                                std::to_string(mostTopK));
  }
  const int64_t count = call.total({rows, width});
  if (type == ElementType::float32) {
    const float* x = call.floats("x", count);
    float* values = call.floats("values", rows * k);
    launchTopK(rows, width, k, x, values, call.ints("indices", rows * k), call.stream());
  } else {
    const int32_t* x = call.ints("x", count);
    int32_t* values = call.ints("values", rows * k);
    launchTopK(rows, width, k, x, values, call.ints("indices", rows * k), call.stream());
  }
  return info.Env().Undefined();
}

/// copyAxes(bytes, axes, xOffset, yOffset, x, y): strides of x, of y
Napi::Value copyAxes(const Napi::CallbackInfo& info) {
  TensorCall call(info);
  const int bytes = call.bytes();
  const Axes<2> axes = call.axes<2>();
  const int64_t xOffset = call.size("xOffset", 0), yOffset = call.size("yOffset", 0);
  const void* x = call.reached("x", bytes, axes, 0, xOffset);
  void* y = call.reached("y", bytes, axes, 1, yOffset);
  launchCopy(bytes, axes, x, xOffset, y, yOffset, call.stream());
  return info.Env().Undefined();
}

/// transpose(bytes, axes, x, y): strides of x, of y
Napi::Value transpose(const Napi::CallbackInfo& info) {
  TensorCall call(info);
  const int bytes = call.bytes();
  const Axes<2> axes = call.axes<2>();
  const void* x = call.reached("x", bytes, axes, 0);
  launchTranspose(bytes, axes, x, call.reached("y", bytes, axes, 1), call.stream());
  return info.Env().Undefined();
}

/// As device code has it (tfjs/to_int32.cuh).
int32_t toInt32(double value) {
  if (!std::isfinite(value)) return 0;
  return static_cast<int32_t>(static_cast<uint32_t>(static_cast<int64_t>(std::fmod(value, 4294967296.0))));
}

/// The word that a number is in a tensor of a type.
uint32_t wordOf(ElementType type, double value) {
  if (type == ElementType::boolean) return value != 0;
  if (type == ElementType::int32) return static_cast<uint32_t>(toInt32(value));
  const float number = static_cast<float>(value);
  uint32_t word;
  static_assert(sizeof word == sizeof number, "float32");
  std::memcpy(&word, &number, sizeof word);
  return word;
}

/// pad(type, axes, before, x, value, y): axes of y with the strides of x; before: places before x, then its lengths
Napi::Value pad(const Napi::CallbackInfo& info) {
  TensorCall call(info);
  const ElementType type = call.type();
  PadShape shape{call.axes<1>(), {}, {}};
  int64_t length = 0;
  const int32_t* bounds = call.anyIntegers("before", length);
  if (length != 2 * shape.axes.count) throw Napi::RangeError::New(info.Env(), "before must have two values an axis");
  Axes<1> within = shape.axes;
  for (int axis = 0; axis < shape.axes.count; ++axis) {
    shape.before[axis] = bounds[axis];
    shape.within[axis] = within.lengths[axis] = bounds[shape.axes.count + axis];
    if (bounds[axis] < 0 || within.lengths[axis] < 0) throw Napi::RangeError::New(info.Env(), "before must not be negative");
  }
  const int bytes = static_cast<int>(bytesOf(type));
  const void* x = call.reached("x", bytes, within, 0);
  const uint32_t value = wordOf(type, call.number("value"));
  launchPad(bytes, shape, x, value, call.words("y", bytes, shape.axes.size()), call.stream());
  return info.Env().Undefined();
}

/// fill(type, count, value, y)
Napi::Value fill(const Napi::CallbackInfo& info) {
  TensorCall call(info);
  const ElementType type = call.type();
  const int64_t count = call.size("count", 0);
  const uint32_t value = wordOf(type, call.number("value"));
  const int bytes = static_cast<int>(bytesOf(type));
  launchFill(bytes, count, value, call.words("y", bytes, count), call.stream());
  return info.Env().Undefined();
}

/// range(type, count, start, step, y)
Napi::Value range(const Napi::CallbackInfo& info) {
  TensorCall call(info);
  const ElementType type = call.type();
  const int64_t count = call.size("count", 0);
  const double start = call.number("start"), step = call.number("step");
  if (type == ElementType::float32) {
    launchRange(count, start, step, call.floats("y", count), call.stream());
  } else {
    launchRange(count, start, step, call.ints("y", count), call.stream());
  }
  return info.Env().Undefined();
}

/// gather(bytes, batch, outer, rows, count, width, x, indices, y)
Napi::Value gather(const Napi::CallbackInfo& info) {
  TensorCall call(info);
  const int bytes = call.bytes();
  GatherShape shape;
  shape.batch = call.size("batch");
  shape.outer = call.size("outer");
  shape.rows = call.size("rows");
  shape.count = call.size("count");
  shape.width = call.size("width");
  const void* x = call.words("x", bytes, call.total({shape.batch, shape.outer, shape.rows, shape.width}));
  const int32_t* indices = call.ints("indices", call.total({shape.batch, shape.count}));
  void* y = call.words("y", bytes, call.total({shape.batch, shape.outer, shape.count, shape.width}));
  launchGather(bytes, shape, x, indices, y, call.stream());
  return info.Env().Undefined();
}

/// rowNumbers(count, axes, indices, rows)
Napi::Value rowNumbers(const Napi::CallbackInfo& info) {
  TensorCall call(info);
  const int64_t count = call.size("count", 0);
  const Axes<1> axes = call.axes<1>();
  const int32_t* indices = call.ints("indices", call.total({count, axes.count}));
  launchRowNumbers(count, axes, indices, call.ints("rows", count), call.stream());
  return info.Env().Undefined();
}

/// segmentSum(type, count, width, segments, x, ids, y)
Napi::Value segmentSum(const Napi::CallbackInfo& info) {
  TensorCall call(info);
  const ElementType type = call.type();
  const int64_t count = call.size("count", 0), width = call.size("width", 0), segments = call.size("segments", 0);
  const int64_t total = call.total({count, width}), sums = call.total({segments, width});
  if (type == ElementType::boolean) throw Napi::RangeError::New(info.Env(), "segmentSum takes float32 or int32");
  if (type == ElementType::float32) {
    const float* x = call.floats("x", total);
    const int32_t* ids = call.ints("ids", count);
    launchSegmentSum(count, width, segments, x, ids, call.floats("y", sums), call.stream());
  } else {
    const int32_t* x = call.ints("x", total);
    const int32_t* ids = call.ints("ids", count);
    launchSegmentSum(count, width, segments, x, ids, call.ints("y", sums), call.stream());
  }
  return info.Env().Undefined();
}

/// oneHot(type, count, depth, on, off, indices, y)
Napi::Value oneHot(const Napi::CallbackInfo& info) {
  TensorCall call(info);
  const ElementType type = call.type();
  const int64_t count = call.size("count", 0), depth = call.size("depth"), total = call.total({count, depth});
  const uint32_t on = wordOf(type, call.number("on")), off = wordOf(type, call.number("off"));
  const int32_t* indices = call.ints("indices", count);
  const int bytes = static_cast<int>(bytesOf(type));
  launchOneHot(bytes, count, depth, on, off, indices, call.words("y", bytes, total), call.stream());
  return info.Env().Undefined();
}

}  // namespace

METASTATE_BINDING(tfjs) {
  define<unary>(exports, "unary");
  define<integerUnary>(exports, "integerUnary");
  define<question>(exports, "question");
  define<logicalNot>(exports, "logicalNot");
  define<cast>(exports, "cast");
  define<binary>(exports, "binary");
  define<floorDivide>(exports, "floorDivide");
  define<integerBinary>(exports, "integerBinary");
  define<comparison>(exports, "comparison");
  define<select>(exports, "select");
  define<addN>(exports, "addN");
  define<reduce>(exports, "reduce");
  define<softmax>(exports, "softmax");
  define<scan>(exports, "scan");
  define<topK>(exports, "topK");
  define<copyAxes>(exports, "copyAxes");
  define<transpose>(exports, "transpose");
  define<pad>(exports, "pad");
  define<fill>(exports, "fill");
  define<range>(exports, "range");
  define<gather>(exports, "gather");
  define<rowNumbers>(exports, "rowNumbers");
  define<segmentSum>(exports, "segmentSum");
  define<oneHot>(exports, "oneHot");
}

}  // namespace metastate::cuda
