#include "memory/large_memory.h"

#include <cstdint>
#include <cstdlib>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace metastate {

#if defined(__linux__)
namespace {

constexpr size_t largePage = size_t{2} << 20;

size_t roundUp(size_t bytes, size_t multiple) { return (bytes + multiple - 1) / multiple * multiple; }

/// All but what lies beyond the last whole large page, unless that takes little more memory: a large page is there whole, or not.
size_t inLargePages(size_t bytes) {
  const size_t more = roundUp(bytes, largePage);
  return more - bytes <= bytes / 8 ? more : bytes / largePage * largePage;
}

size_t mappedBytes(size_t bytes) {
  const size_t least = roundUp(bytes, static_cast<size_t>(sysconf(_SC_PAGESIZE)));
  return least > inLargePages(bytes) ? least : inLargePages(bytes);
}

}  // namespace

LargeMemory::LargeMemory(size_t bytes) : bytes_(bytes) {
  const size_t wanted = mappedBytes(bytes);
  // With room to begin on a large page; what lies around that goes back, never touched.
  void* const mapped = mmap(nullptr, wanted + largePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  char* const begin = static_cast<char*>(mapped);
  const size_t before = roundUp(reinterpret_cast<uintptr_t>(begin), largePage) - reinterpret_cast<uintptr_t>(begin);
  if (before > 0) munmap(begin, before);
  if (before < largePage) munmap(begin + before + wanted, largePage - before);
  data_ = begin + before;
#if defined(MADV_HUGEPAGE)
  if (inLargePages(bytes) > 0) madvise(data_, inLargePages(bytes), MADV_HUGEPAGE);  // small pages do as well, more slowly
#endif
}

LargeMemory::~LargeMemory() { munmap(data_, mappedBytes(bytes_)); }

void LargeMemory::drop() { madvise(data_, mappedBytes(bytes_), MADV_DONTNEED); }

#else

LargeMemory::LargeMemory(size_t bytes) : data_(std::calloc(bytes, 1)), bytes_(bytes) {
  if (!data_) throw std::bad_alloc();
}

LargeMemory::~LargeMemory() { std::free(data_); }

void LargeMemory::drop() {}

#endif

}  // namespace metastate
