// Memory for large arrays, in pages of 2 MiB where the system gives them (Linux, transparent huge pages "madvise" or "always").
// A matrix that is read once a token comes a third faster from such pages: the CPU fetches ahead within a page only, and looks
// each page's address up. They are also made in one go, where 512 small ones cost a page fault each.
#pragma once

#include <cstddef>

namespace metastate {

class LargeMemory {
 public:
  /// Zeros, from the beginning of a large page on. Throws std::bad_alloc.
  explicit LargeMemory(size_t bytes);
  ~LargeMemory();
  LargeMemory(const LargeMemory&) = delete;
  LargeMemory& operator=(const LargeMemory&) = delete;

  float* data() const { return static_cast<float*>(data_); }

  /// Gives the pages back to the system; what reads them then finds zeros.
  void drop();

 private:
  void* data_;
  size_t bytes_;
};

}  // namespace metastate
