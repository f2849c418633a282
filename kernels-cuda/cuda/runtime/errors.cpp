#include "runtime/errors.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <unordered_map>

namespace metastate::cuda {
namespace {

/// The text of the last launch in the process: the thread that hears of an error is often another one.
std::atomic<const char*> lastLaunch{nullptr};
std::atomic<uint64_t> launches{0};

/// The kernel's name: the text up to the first comma outside of brackets, without the brackets about all of it.
std::string lastKernel() {
  const char* text = lastLaunch.load(std::memory_order_relaxed);
  if (!text) return "";
  const char* end = text;
  for (int depth = 0; *end && (depth > 0 || *end != ','); ++end) {
    if (*end == '<' || *end == '(') ++depth;
    if (*end == '>' || *end == ')') --depth;
  }
  return *text == '(' ? std::string(text + 1, end - 1) : std::string(text, end);
}

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

/// Whether nothing more can be done on the GPU in this process.
bool hasEnded(cudaError_t status) {
  switch (status) {
    case cudaErrorIllegalAddress:
    case cudaErrorMisalignedAddress:
    case cudaErrorIllegalInstruction:
    case cudaErrorInvalidPc:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorHardwareStackError:
    case cudaErrorLaunchFailure:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorContextIsDestroyed:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorECCUncorrectable: return true;
    default: break;
  }
  // Names that CUDA 12.4 has not: cudaErrorContained, cudaErrorTensorMemoryLeak.
  const int number = static_cast<int>(status);
  return number == 226 || number == 721;
}

}  // namespace

LaunchName::LaunchName(const char* text) {
  lastLaunch.store(text, std::memory_order_relaxed);
  launches.fetch_add(1, std::memory_order_relaxed);
}

uint64_t launchCount() { return launches.load(std::memory_order_relaxed); }

std::string LaunchName::text() const { return lastKernel(); }

void check(cudaError_t status, const char* doing) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // What was an argument's fault is no fault of the next call.
  std::string message = std::string("CUDA, ") + doing + ": " + told(status);
  if (hasEnded(status)) {
    const std::string kernel = lastKernel();
    message += "; the kernel launched last is " + (kernel.empty() ? "none of ours" : kernel);
    if (!isSynchronous()) message += " (it, or one before it: METASTATE_CUDA_SYNC=1 tells which)";
    message += ". The GPU cannot be used in this process any more: start the session again";
  } else if (status == cudaErrorUnsupportedPtxVersion || status == cudaErrorNoKernelImageForDevice ||
             status == cudaErrorInvalidDeviceFunction) {
    message += ". This addon has no code for this GPU that its driver can take: build it here (npm run build:native -- --cuda)";
  }
  throw CudaError(message);
}

void checkLaunch(cudaError_t status) {
  if (status == cudaSuccess) return;
  check(status, ("launch of " + lastKernel()).c_str());
}

void allowShared(const void* kernel, size_t bytes) {
  // What is allowed counts for the whole process, and Node's workers launch too: it only grows, or one of them would take
  // from another what that has just been allowed.
  static std::mutex mutex;
  static std::unordered_map<const void*, size_t> allowed;
  const std::lock_guard<std::mutex> lock(mutex);
  size_t& most = allowed[kernel];
  if (bytes <= most) return;
  checkLaunch(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)));
  most = bytes;
}

void afterLaunch(cudaStream_t stream) {
  if (isSynchronous()) check(cudaStreamSynchronize(stream), ("in " + lastKernel()).c_str());
}

}  // namespace metastate::cuda
