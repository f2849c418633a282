// The only header that device code includes. It gives the vocabulary of CUDA in both builds: from the CUDA toolkit where
// nvcc compiles, from emulator/ where a C++ compiler does (-DMETASTATE_CUDA_EMULATED). What both have is listed in
// emulator/device_code.h; what is not there is not used.
//
//   DYNAMIC_SHARED(float, rows);                        dynamic shared memory, in a kernel
//   launch(kernel, grid, block, sharedBytes, stream, arguments...);     in place of kernel<<<...>>>(arguments...)
//
// launch() throws when the launch is refused, and remembers the kernel's name, so that an error which comes later can be
// told with it. A grid without blocks is no error: nothing runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "runtime/errors.h"

#ifdef METASTATE_CUDA_EMULATED
#include "emulator/bfloat16.h"
#include "emulator/block.h"
#include "emulator/device_code.h"
#else
#include <cuda_bf16.h>
#include <cuda_runtime.h>
#define DYNAMIC_SHARED(type, name)                             \
  extern __shared__ __align__(128) unsigned char name##Bytes[]; \
  type* const name = reinterpret_cast<type*>(name##Bytes)
#endif

namespace metastate::cuda {

/// What a kernel gets of dynamic shared memory without asking. CUDA allows 48 KiB together with what a kernel declares, which
/// a launch does not know: 16 are left for that (scripts/lib/kernel-usage.mjs sees to it).
constexpr size_t sharedBytesWithoutAsking = 32 * 1024;

/// Blocks of `size` threads that cover `count` elements, one each; at most `most` of them.
inline unsigned blocksFor(int64_t count, int size, int64_t most = (1LL << 31) - 1) {
  const int64_t blocks = (count + size - 1) / size;
  return static_cast<unsigned>(blocks < most ? blocks : most);
}

/// What launch() stands for. `text` is the source of its arguments; the kernel's name is the first.
template <typename... Parameters, typename... Arguments>
void launchNamed(const char* text, void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t sharedBytes,
                 cudaStream_t stream, Arguments&&... arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  const LaunchName name(text);
  if (sharedBytes > sharedBytesWithoutAsking) allowShared(reinterpret_cast<const void*>(kernel), sharedBytes);
#ifdef METASTATE_CUDA_EMULATED
  (void)stream;
  emulator::run(name.text().c_str(), reinterpret_cast<const void*>(kernel), grid, block, sharedBytes,
                [&] { kernel(static_cast<Parameters>(arguments)...); });
  checkLaunch(cudaGetLastError());
#else
  kernel<<<grid, block, sharedBytes, stream>>>(static_cast<Parameters>(arguments)...);
  checkLaunch(cudaGetLastError());
  afterLaunch(stream);
#endif
}

}  // namespace metastate::cuda

#define launch(...) ::metastate::cuda::launchNamed(#__VA_ARGS__, __VA_ARGS__)
