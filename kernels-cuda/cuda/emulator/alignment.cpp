#include "emulator/alignment.h"

#include <cstdint>
#include <string>

#include "emulator/block.h"

namespace metastate::cuda::emulator {

void requireAligned(const void* address, size_t bytes, const char* what) {
  if (reinterpret_cast<uintptr_t>(address) % bytes == 0) return;
  endKernel(std::string(what) + " at an address that " + std::to_string(bytes) + " bytes do not divide");
}

}  // namespace metastate::cuda::emulator

#ifdef METASTATE_CHECKS_ALIGNMENT

namespace {

// As GCC and Clang lay them out (compiler-rt, lib/ubsan/ubsan_handlers.h and ubsan_value.h).
struct Source {
  const char* file;
  uint32_t line, column;
};
struct Type {
  uint16_t kind, info;
  char name[1];
};
struct Mismatch {
  Source source;
  const Type* type;
  unsigned char logAlignment, access;
};

}  // namespace

/// What device code calls, compiled with -fsanitize=alignment, where it is about to use an address that its type's alignment does
/// not divide. In place of the sanitizer's library.
extern "C" void __ubsan_handle_type_mismatch_v1(const Mismatch* found, uintptr_t) {
  namespace emulator = metastate::cuda::emulator;
  if (emulator::runningThread() < 0) return;  // code of the host
  const std::string file = found->source.file;
  emulator::endKernel(std::string(found->type->name) + " at an address that " + std::to_string(1u << found->logAlignment) +
                      " bytes do not divide, " + file.substr(file.find_last_of('/') + 1) + ":" +
                      std::to_string(found->source.line));
}

#endif
