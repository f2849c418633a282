// The arguments of a call by their place, read one after the other and checked: no pointer leaves before its size is
// known. Arguments by place, and not by name, because a small op is called thousands of times a second.
#pragma once

#include <napi.h>

#include <cmath>
#include <cstdint>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "node/arguments.h"

namespace metastate {

/// Makes a function of the addon out of `Body`: whatever it throws reaches JavaScript as an Error.
template <Napi::Value (*Body)(const Napi::CallbackInfo&)>
Napi::Value guarded(const Napi::CallbackInfo& info) {
  try {
    return Body(info);
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw Napi::Error::New(info.Env(), "out of memory: no room for a native kernel's scratch");
  } catch (const std::exception& error) {
    throw Napi::Error::New(info.Env(), error.what());
  }
}

template <Napi::Value (*Body)(const Napi::CallbackInfo&)>
void define(Napi::Object& exports, const char* name) {
  exports.Set(name, Napi::Function::New(exports.Env(), guarded<Body>, name));
}

/// Values of one of the types that tensors have: Float32Array, Int32Array, or the Uint8Array of truths.
struct Cells {
  napi_typedarray_type type;
  int64_t length;
  void* data;

  size_t bytes() const { return type == napi_uint8_array ? 1 : 4; }
  template <typename Cell>
  Cell* as() const {
    return static_cast<Cell*>(data);
  }
};

/// The typed array of a type of values.
template <typename Cell>
struct ArrayOf;
template <>
struct ArrayOf<float> {
  static constexpr napi_typedarray_type type = napi_float32_array;
  static constexpr const char* wanted = "a Float32Array";
};
template <>
struct ArrayOf<int32_t> {
  static constexpr napi_typedarray_type type = napi_int32_array;
  static constexpr const char* wanted = "an Int32Array";
};
template <>
struct ArrayOf<uint8_t> {
  static constexpr napi_typedarray_type type = napi_uint8_array;
  static constexpr const char* wanted = "a Uint8Array";
};
template <>
struct ArrayOf<double> {
  static constexpr napi_typedarray_type type = napi_float64_array;
  static constexpr const char* wanted = "a Float64Array";
};

/// Sizes, numbers and names: what a call has whether its tensors are arrays or lie on a GPU.
class Arguments {
 public:
  explicit Arguments(const Napi::CallbackInfo& info) : info_(info) {}

  Napi::Env env() const { return info_.Env(); }

  /// An integer in [least, 2^31).
  int64_t size(const char* name, int64_t least = 1) {
    const double value = number(name);
    const int64_t whole = value >= -1 && value < 2147483648.0 ? static_cast<int64_t>(value) : -1;
    if (whole < least || static_cast<double>(whole) != value) {
      throw Napi::RangeError::New(env(), std::string(name) + " must be an integer from " + std::to_string(least) +
                                             " to 2147483647, not " + std::to_string(value));
    }
    return whole;
  }

  /// The same, or `otherwise` where there is no argument.
  int64_t size(const char* name, int64_t least, int64_t otherwise) {
    return at_ >= info_.Length() || info_[at_].IsUndefined() ? otherwise : size(name, least);
  }

  /// The product of sizes; throws Napi::RangeError when it has no place in 63 bits.
  int64_t product(std::initializer_list<int64_t> sizes) const { return metastate::product(env(), sizes); }

  /// Any number, NaN and infinities too.
  double number(const char* name) {
    const napi_value value = next(name, "a number");
    double result;
    if (napi_get_value_double(env(), value, &result) != napi_ok) refuse(value, name, "a number");
    return result;
  }

  bool flag(const char* name) {
    const napi_value value = next(name, "true or false");
    bool result;
    if (napi_get_value_bool(env(), value, &result) != napi_ok) refuse(value, name, "true or false");
    return result;
  }

  std::string text(const char* name) {
    const Napi::Value value(env(), next(name, "a string"));
    if (!value.IsString()) refuse(value, name, "a string");
    return value.As<Napi::String>().Utf8Value();
  }

  /// The same, or `otherwise` where there is no argument.
  std::string text(const char* name, const char* otherwise) {
    return at_ >= info_.Length() || info_[at_].IsUndefined() ? otherwise : text(name);
  }

  /// A typed array of any length, which it tells.
  template <typename Cell>
  Cell* any(const char* name, int64_t& length) {
    return array<Cell>(next(name, ArrayOf<Cell>::wanted), name, ArrayOf<Cell>::wanted, length);
  }

  int32_t* anyIntegers(const char* name, int64_t& length) { return any<int32_t>(name, length); }

  /// An array of integers in [0, 2^31).
  std::vector<int64_t> sizes(const char* name) {
    std::vector<int64_t> result;
    for (const napi_value value : list(name)) {
      double number = NAN;
      napi_get_value_double(env(), value, &number);
      if (!(number >= 0 && number < 2147483648.0) || number != static_cast<double>(static_cast<int64_t>(number))) {
        throw Napi::RangeError::New(env(), std::string(name) + " must hold integers from 0 to 2147483647");
      }
      result.push_back(static_cast<int64_t>(number));
    }
    return result;
  }

 protected:
  /// Whether it is what is wanted is for whoever takes it to find, and to refuse.
  napi_value next(const char* name, const char* wanted) {
    if (at_ >= info_.Length()) refuse(env().Undefined(), name, wanted);
    return info_[at_++];
  }

  bool isTypedArray() const { return at_ < info_.Length() && info_[at_].IsTypedArray(); }

  [[noreturn]] void refuse(napi_value value, const char* name, const char* wanted) const {
    const bool missing = Napi::Value(env(), value).IsUndefined();
    throw Napi::TypeError::New(env(), std::string(name) + (missing ? " is missing: give " : " must be ") + wanted);
  }

  std::vector<napi_value> list(const char* name) {
    const Napi::Value value(env(), next(name, "an array"));
    if (!value.IsArray()) refuse(value, name, "an array");
    const Napi::Array given = value.As<Napi::Array>();
    std::vector<napi_value> result(given.Length());
    for (uint32_t i = 0; i < result.size(); ++i) result[i] = given.Get(i);
    return result;
  }

  template <typename Cell>
  Cell* array(napi_value value, const char* name, const char* wanted, int64_t& length) {
    napi_typedarray_type there;
    size_t count = 0;
    void* data = nullptr;
    if (napi_get_typedarray_info(env(), value, &there, &count, &data, nullptr, nullptr) != napi_ok ||
        there != ArrayOf<Cell>::type) {
      refuse(value, name, wanted);
    }
    length = static_cast<int64_t>(count);
    return static_cast<Cell*>(data);
  }

  void requireLength(const char* name, int64_t there, int64_t wanted) {
    if (there == wanted) return;
    throw Napi::RangeError::New(env(), std::string(name) + " has " + std::to_string(there) +
                                           " values; the shape given wants " + std::to_string(wanted));
  }

 private:
  const Napi::CallbackInfo& info_;
  size_t at_ = 0;
};

/// A call whose tensors are typed arrays.
class Call : public Arguments {
 public:
  using Arguments::Arguments;

  /// A typed array of exactly `length`.
  template <typename Cell>
  Cell* exactly(const char* name, int64_t length) {
    return exactlyOf<Cell>(next(name, ArrayOf<Cell>::wanted), name, length);
  }

  float* floats(const char* name, int64_t length) { return exactly<float>(name, length); }
  int32_t* integers(const char* name, int64_t length) { return exactly<int32_t>(name, length); }
  uint8_t* truths(const char* name, int64_t length) { return exactly<uint8_t>(name, length); }

  /// A Float32Array of exactly `length`, or null.
  float* optionalFloats(const char* name, int64_t length) {
    const napi_value value = next(name, "a Float32Array or null");
    const Napi::Value given(env(), value);
    return given.IsNull() ? nullptr : exactlyOf<float>(value, name, length);
  }

  float* anyFloats(const char* name, int64_t& length) { return any<float>(name, length); }

  /// An array of `count` Float32Arrays, each of exactly `length`.
  std::vector<float*> listOfFloats(const char* name, int64_t count, int64_t length) {
    const std::vector<napi_value> values = list(name);
    requireLength(name, static_cast<int64_t>(values.size()), count);
    std::vector<float*> result;
    for (const napi_value value : values) result.push_back(exactlyOf<float>(value, name, length));
    return result;
  }

  /// An array of Float32Arrays of any lengths, which it tells.
  std::vector<float*> listOfAnyFloats(const char* name, std::vector<int64_t>& lengths) {
    std::vector<float*> result;
    for (const napi_value value : list(name)) {
      lengths.push_back(0);
      result.push_back(array<float>(value, name, "Float32Arrays", lengths.back()));
    }
    return result;
  }

  /// An array of any length and of any type that tensors have.
  Cells anyCells(const char* name) { return cellsOf(next(name, cellTypes), name); }

  /// An array of exactly `length`, of the type of `like`.
  Cells cells(const char* name, const Cells& like, int64_t length) {
    const Cells cells = anyCells(name);
    requireSameType(name, cells, like);
    requireLength(name, cells.length, length);
    return cells;
  }

  /// An array of arrays of any lengths, all of the type of the first; there must be one.
  std::vector<Cells> listOfAnyCells(const char* name) {
    const std::vector<napi_value> values = list(name);
    std::vector<Cells> result;
    result.reserve(values.size());
    for (const napi_value value : values) {
      result.push_back(cellsOf(value, name));
      requireSameType(name, result.back(), result.front());
    }
    if (result.empty()) throw Napi::TypeError::New(env(), std::string(name) + " must hold an array");
    return result;
  }

 private:
  template <typename Cell>
  Cell* exactlyOf(napi_value value, const char* name, int64_t length) {
    int64_t there;
    Cell* data = array<Cell>(value, name, ArrayOf<Cell>::wanted, there);
    requireLength(name, there, length);
    return data;
  }

  Cells cellsOf(napi_value value, const char* name) {
    napi_typedarray_type type;
    size_t count = 0;
    void* data = nullptr;
    if (napi_get_typedarray_info(env(), value, &type, &count, &data, nullptr, nullptr) != napi_ok ||
        (type != napi_float32_array && type != napi_int32_array && type != napi_uint8_array)) {
      refuse(value, name, cellTypes);
    }
    return {type, static_cast<int64_t>(count), data};
  }

  void requireSameType(const char* name, const Cells& cells, const Cells& like) {
    if (cells.type != like.type) throw Napi::TypeError::New(env(), std::string(name) + " must be of the others' type");
  }

  static constexpr const char* cellTypes = "a Float32Array, an Int32Array or a Uint8Array";
};

}  // namespace metastate
