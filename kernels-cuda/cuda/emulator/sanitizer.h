// What AddressSanitizer is told by the emulator, in a build that has it: of stacks in fiber.cpp, and which memory of the
// emulated GPU is a tensor's.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define METASTATE_SANITIZES_ADDRESSES
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define METASTATE_SANITIZES_ADDRESSES
#endif
#endif

#ifdef METASTATE_SANITIZES_ADDRESSES
#include <sanitizer/asan_interface.h>
#endif

namespace metastate::cuda::emulator {

#ifdef METASTATE_SANITIZES_ADDRESSES
inline void allowAccess(const void* memory, size_t bytes) { __asan_unpoison_memory_region(memory, bytes); }
/// A read or write there from now on ends the process with a report.
inline void forbidAccess(const void* memory, size_t bytes) { __asan_poison_memory_region(memory, bytes); }
#else
inline void allowAccess(const void*, size_t) {}
inline void forbidAccess(const void*, size_t) {}
#endif

}  // namespace metastate::cuda::emulator
