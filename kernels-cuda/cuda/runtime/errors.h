// Errors of the CUDA runtime as exceptions, told with what was being done and with the kernel that ran last.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "runtime/api.h"

namespace metastate::cuda {

/// Something that CUDA refused or reported.
struct CudaError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Throws a CudaError that says what was being done, unless `status` is success.
void check(cudaError_t status, const char* doing);

/// A kernel that is being launched, known from the text of launch()'s arguments, which must live on. It stays known as the
/// last one.
class LaunchName {
 public:
  explicit LaunchName(const char* text);
  std::string text() const;
};

/// How many there were in this process.
uint64_t launchCount();

/// Throws when the launch of the last named kernel was refused.
void checkLaunch(cudaError_t status);

/// Lets launches of this kernel have so much dynamic shared memory.
void allowShared(const void* kernel, size_t bytes);

/// With METASTATE_CUDA_SYNC=1, waits for the kernel, so that its error is told as its own.
void afterLaunch(cudaStream_t stream);

}  // namespace metastate::cuda
