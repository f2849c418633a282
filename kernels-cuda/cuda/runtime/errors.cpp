#include "runtime/errors.h"

#include <cstdlib>
#include <cstring>

namespace metastate::cuda {
namespace {

thread_local std::string lastKernel;

bool isSynchronous() {
  static const bool value = [] {
    const char* asked = std::getenv("METASTATE_CUDA_SYNC");
    return asked && std::strcmp(asked, "1") == 0;
  }();
  return value;
}

std::string told(cudaError_t status) {
  return std::string(cudaGetErrorString(status)) + " (" + cudaGetErrorName(status) + ")";
}

}  // namespace

LaunchName::LaunchName(const char* text) {
  int depth = 0;
  const char* end = text;
  for (; *end && (depth > 0 || *end != ','); ++end) {
    if (*end == '<' || *end == '(') ++depth;
    if (*end == '>' || *end == ')') --depth;
  }
  lastKernel.assign(text, end);
}

const char* LaunchName::text() const { return lastKernel.c_str(); }

void check(cudaError_t status, const char* doing) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // What was an argument's fault is no fault of the next call.
  std::string message = std::string("CUDA, ") + doing + ": " + told(status);
  const bool ofKernel = status == cudaErrorIllegalAddress || status == cudaErrorLaunchFailure ||
                        status == cudaErrorMisalignedAddress || status == cudaErrorIllegalInstruction ||
                        status == cudaErrorLaunchTimeout;
  if (ofKernel) {
    message += "; the kernel launched last is " + (lastKernel.empty() ? "none of ours" : lastKernel);
    if (!isSynchronous()) message += " (it, or one before it: METASTATE_CUDA_SYNC=1 tells which)";
    message += ". The GPU cannot be used in this process any more: start the session again";
  }
  throw CudaError(message);
}

void checkLaunch(cudaError_t status) {
  if (status == cudaSuccess) return;
  check(status, ("launch of " + lastKernel).c_str());
}

void afterLaunch(cudaStream_t stream) {
  if (isSynchronous()) check(cudaStreamSynchronize(stream), ("in " + lastKernel).c_str());
}

}  // namespace metastate::cuda
