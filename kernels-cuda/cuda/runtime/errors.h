// Errors of the CUDA runtime as exceptions, told with what was being done and with the kernel that ran last.
#pragma once

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

/// The name of a kernel that is being launched: from the text of launch()'s arguments to the first comma outside of
/// brackets. It stays known as the last one.
class LaunchName {
 public:
  explicit LaunchName(const char* text);
  const char* text() const;
};

/// Throws when the launch of the last named kernel was refused.
void checkLaunch(cudaError_t status);

/// With METASTATE_CUDA_SYNC=1, waits for the kernel, so that its error is told as its own.
void afterLaunch(cudaStream_t stream);

}  // namespace metastate::cuda
