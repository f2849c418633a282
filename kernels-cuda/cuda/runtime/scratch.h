// Device memory for the launches of one call: it goes back to the pool when the stream has come past what was queued with it.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/device.h"

namespace metastate::cuda {

class Scratch {
 public:
  /// Throws OutOfMemory. Of none there is no memory.
  Scratch(Device& device, int64_t floats) : Scratch(device, Bytes{static_cast<size_t>(floats) * sizeof(float)}) {}

  static Scratch ofBytes(Device& device, size_t bytes) { return Scratch(device, Bytes{bytes}); }

  /// A copy of a table, which must not be empty.
  template <typename Row>
  Scratch(Device& device, const std::vector<Row>& table) : Scratch(device, Bytes{table.size() * sizeof(Row)}) {
    device.upload(data_, table.data(), table.size() * sizeof(Row));
  }

  ~Scratch() {
    if (data_) device_.free(data_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  float* floats() const { return static_cast<float*>(data_); }
  void* memory() const { return data_; }
  template <typename T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  struct Bytes {
    size_t count;
  };
  Scratch(Device& device, Bytes bytes)
      : device_(device), data_(bytes.count > 0 ? device.allocate(bytes.count) : nullptr) {}

  Device& device_;
  void* data_;
};

}  // namespace metastate::cuda
