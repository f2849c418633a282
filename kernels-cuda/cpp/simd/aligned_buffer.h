// Uninitialised floats on a cache line boundary.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

namespace metastate {

class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  /// Throws std::bad_alloc.
  explicit AlignedBuffer(size_t floats)
      : floats_(floats), data_(static_cast<float*>(::operator new(floats * sizeof(float), alignment))) {}

  float* data() const { return data_.get(); }
  size_t size() const { return floats_; }

 private:
  static constexpr std::align_val_t alignment{64};
  struct Free {
    void operator()(float* data) const { ::operator delete(data, alignment); }
  };
  size_t floats_ = 0;
  std::unique_ptr<float[], Free> data_;
};

}  // namespace metastate
