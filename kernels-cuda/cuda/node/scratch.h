// Device memory for the time of a launch: it goes back to the pool when the stream has come past what was queued with it.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/device.h"

namespace metastate::cuda {

class Scratch {
 public:
  /// Throws OutOfMemory. Of none there is no memory.
  Scratch(Device& device, int64_t floats)
      : device_(device), data_(floats > 0 ? device.allocate(static_cast<size_t>(floats) * sizeof(float)) : nullptr) {}

  /// A copy of a table, which must not be empty.
  template <typename Row>
  Scratch(Device& device, const std::vector<Row>& table)
      : device_(device), data_(device.allocate(table.size() * sizeof(Row))) {
    try {
      device.upload(data_, table.data(), table.size() * sizeof(Row));
    } catch (...) {
      release();
      throw;
    }
  }

  ~Scratch() { release(); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  float* floats() const { return static_cast<float*>(data_); }
  template <typename T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  void release() noexcept {
    if (!data_) return;
    try {
      device_.free(data_);
    } catch (const CudaError&) {
      // An error of the device: whatever waits for it next tells.
    }
  }

  Device& device_;
  void* data_;
};

}  // namespace metastate::cuda
