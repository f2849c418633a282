// Memory that the launches of one call use among themselves.
#pragma once

#include "runtime/device.h"

namespace metastate::cuda {

/// Memory for the launches of one call; what is freed is used again only after them.
class Scratch {
 public:
  Scratch(Device& device, size_t bytes) : device_(device), memory_(bytes == 0 ? nullptr : device.allocate(bytes)) {}
  ~Scratch() {
    if (memory_) device_.free(memory_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  void* memory() const { return memory_; }

 private:
  Device& device_;
  void* memory_;
};

}  // namespace metastate::cuda
