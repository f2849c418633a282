// Memory of the pool that a kernel needs while it runs. It is given back in the order of the stream, so that it may go as
// soon as the launch has returned.
#pragma once

#include "runtime/device.h"

namespace metastate::cuda {

class Scratch {
 public:
  /// Room for so many floats; none when there are none.
  Scratch(Device& device, size_t floats)
      : device_(device), memory_(floats == 0 ? nullptr : device.allocate(floats * sizeof(float))) {}
  ~Scratch() {
    if (memory_ == nullptr) return;
    try {
      device_.free(memory_);
    } catch (const CudaError&) {
      // What went wrong with the launch is told by whoever waits for it.
    }
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  float* floats() const { return static_cast<float*>(memory_); }

 private:
  Device& device_;
  void* const memory_;
};

}  // namespace metastate::cuda
