// Reads what JavaScript gives, and refuses what a kernel could not take: every size is checked before a pointer leaves.
#pragma once

#include <napi.h>

#include <cstdint>
#include <initializer_list>
#include <string>

namespace metastate {

/// The named value of an object that must be there; throws Napi::TypeError.
inline Napi::Value member(const Napi::Object& object, const char* name, const char* wanted) {
  const Napi::Value value = object.Get(name);
  if (value.IsUndefined()) {
    throw Napi::TypeError::New(object.Env(), std::string(name) + " is missing: give " + wanted);
  }
  return value;
}

inline Napi::Object objectArgument(const Napi::CallbackInfo& info, size_t index, const char* name) {
  if (info.Length() <= index || !info[index].IsObject()) {
    throw Napi::TypeError::New(info.Env(), std::string("argument ") + std::to_string(index + 1) + ", " + name +
                                               ", must be an object");
  }
  return info[index].As<Napi::Object>();
}

/// An integer in [least, 2^31); throws Napi::TypeError or Napi::RangeError that names it.
inline int64_t sizeMember(const Napi::Object& object, const char* name, int64_t least) {
  const Napi::Value value = member(object, name, "an integer");
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(number >= static_cast<double>(least) && number < 2147483648.0) ||
      number != static_cast<double>(static_cast<int64_t>(number))) {
    throw Napi::RangeError::New(object.Env(), std::string(name) + " must be an integer from " + std::to_string(least) +
                                                  " to 2147483647, not " + value.ToString().Utf8Value());
  }
  return static_cast<int64_t>(number);
}

/// The product of sizes; throws Napi::RangeError when it has no place in 63 bits.
inline int64_t product(Napi::Env env, std::initializer_list<int64_t> sizes) {
  int64_t total = 1;
  for (const int64_t size : sizes) {
    if (__builtin_mul_overflow(total, size, &total)) throw Napi::RangeError::New(env, "the sizes given are too large");
  }
  return total;
}

}  // namespace metastate
