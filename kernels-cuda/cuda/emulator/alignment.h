// Addresses that a GPU refuses: of a vector, of a tile, of a copy of 16 bytes, which 8, 16 or 32 bytes must divide. A CPU takes them
// all.
#pragma once

#include <cstddef>

namespace metastate::cuda::emulator {

/// Ends the kernel unless `bytes` divide the address of `what`.
void requireAligned(const void* address, size_t bytes, const char* what);

}  // namespace metastate::cuda::emulator
