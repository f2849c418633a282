// The arguments of a call on tensors of the GPU, by their place. A tensor is its address, a number; it is looked up in
// the table of what was given out, and must hold exactly as many values as the shape wants: no pointer leaves before.
#pragma once

#include "node/call.h"
#include "runtime/device.h"

namespace metastate::cuda {

class DeviceCall : public Arguments {
 public:
  explicit DeviceCall(const Napi::CallbackInfo& info) : Arguments(info), device_(Device::get()) {}

  Device& device() const { return device_; }
  cudaStream_t stream() const { return device_.stream(); }

  /// float32 [length]
  float* floats(const char* name, int64_t length) { return at<float>(name, length); }
  /// The same, or null.
  float* optionalFloats(const char* name, int64_t length) { return optional<float>(name, length); }
  /// int32 [length]
  int32_t* ints(const char* name, int64_t length) { return at<int32_t>(name, length); }
  int32_t* optionalInts(const char* name, int64_t length) { return optional<int32_t>(name, length); }
  /// bool [length], a byte each
  uint8_t* flags(const char* name, int64_t length) { return at<uint8_t>(name, length); }

  /// An array of `count` tensors, float32 [length] each.
  std::vector<float*> listOfFloats(const char* name, int64_t count, int64_t length) {
    const std::vector<napi_value> values = list(name);
    requireLength(name, static_cast<int64_t>(values.size()), count);
    std::vector<float*> result;
    for (const napi_value value : values) result.push_back(static_cast<float*>(found(value, name, length, 4)));
    return result;
  }

  /// An array of tensors, float32 of any lengths, which it tells; or a Float64Array of them, where Node need not be asked for
  /// each.
  std::vector<float*> listOfAnyFloats(const char* name, std::vector<int64_t>& lengths) {
    std::vector<float*> result;
    size_t bytes = 0;
    const auto add = [&](void* address) {
      result.push_back(static_cast<float*>(address));
      lengths.push_back(static_cast<int64_t>(bytes / sizeof(float)));
    };
    if (isTypedArray()) {
      int64_t count = 0;
      const double* addresses = any<double>(name, count);
      result.reserve(static_cast<size_t>(count));
      lengths.reserve(static_cast<size_t>(count));
      for (int64_t i = 0; i < count; ++i) add(knownAt(addresses[i], name, bytes));
    } else {
      for (const napi_value value : list(name)) add(known(value, name, bytes));
    }
    return result;
  }

  /// An array of numbers, NaN and infinities too.
  std::vector<double> listOfNumbers(const char* name) {
    std::vector<double> result;
    for (const napi_value value : list(name)) {
      double number;
      if (napi_get_value_double(env(), value, &number) != napi_ok) {
        throw Napi::TypeError::New(env(), std::string(name) + " must hold numbers");
      }
      result.push_back(number);
    }
    return result;
  }

  /// Any tensor, with its bytes.
  void* anyTensor(const char* name, size_t& bytes) { return known(next(name, "a tensor's address"), name, bytes); }

 private:
  template <typename T>
  T* at(const char* name, int64_t length) {
    return static_cast<T*>(found(next(name, "a tensor's address"), name, length, sizeof(T)));
  }

  template <typename T>
  T* optional(const char* name, int64_t length) {
    const napi_value value = next(name, "a tensor's address or null");
    const Napi::Value given(env(), value);
    return given.IsNull() ? nullptr : static_cast<T*>(found(value, name, length, sizeof(T)));
  }

  void* found(napi_value value, const char* name, int64_t length, size_t size) {
    size_t bytes = 0;
    void* address = known(value, name, bytes);
    if (bytes == static_cast<size_t>(length) * size) return address;
    throw Napi::RangeError::New(env(), std::string(name) + " has " + std::to_string(bytes) +
                                           " bytes on the GPU; the shape given wants " + std::to_string(length) +
                                           " values of " + std::to_string(size));
  }

  void* known(napi_value value, const char* name, size_t& bytes) {
    double number = 0;
    if (napi_get_value_double(env(), value, &number) != napi_ok) refuse(value, name, "a tensor's address");
    return knownAt(number, name, bytes);
  }

  void* knownAt(double number, const char* name, size_t& bytes) {
    void* address = number >= 0 && number < 9007199254740992.0
                        ? reinterpret_cast<void*>(static_cast<uintptr_t>(number))
                        : nullptr;
    const std::optional<size_t> there = device_.bytesAt(address);
    if (!there) {
      throw Napi::RangeError::New(env(), std::string(name) + " is no tensor on the GPU: it was disposed");
    }
    bytes = *there;
    return address;
  }

  Device& device_;
};

}  // namespace metastate::cuda
