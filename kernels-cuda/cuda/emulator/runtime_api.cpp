#include "emulator/runtime_api.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "emulator/block.h"
#include "emulator/sanitizer.h"

struct CUevent_st {
  std::chrono::steady_clock::time_point at;
  uint64_t place = 0;  // in the stream; 0 when it was never recorded
};

namespace {

/// As of cudaMallocAsync: requests are rounded up, and aligned.
constexpr size_t granularity = 512;
constexpr size_t alignment = 256;

class Memory {
 public:
  cudaError_t allocate(void** memory, size_t bytes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const size_t size = (bytes + granularity - 1) / granularity * granularity;
    *memory = nullptr;
    if (bytes == 0) return cudaSuccess;
    const auto found = waiting_.find(size);
    if (found != waiting_.end()) {
      *memory = found->second;
      waiting_.erase(found);
    } else {
      if (size > total_ || reserved_ > total_ - size) return cudaErrorMemoryAllocation;
      *memory = std::aligned_alloc(alignment, size);
      if (!*memory) return cudaErrorMemoryAllocation;
      reserved_ += size;
    }
    given_[*memory] = size;
    used_ += size;
    if (used_ > mostUsed_) mostUsed_ = used_;
    metastate::cuda::emulator::allowAccess(*memory, size);
    std::memset(*memory, 0xff, size);
    // What was rounded up is nobody's.
    metastate::cuda::emulator::forbidAccess(static_cast<char*>(*memory) + bytes, size - bytes);
    return cudaSuccess;
  }

  cudaError_t release(void* memory) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!memory) return cudaSuccess;
    const auto found = given_.find(memory);
    if (found == given_.end()) return cudaErrorInvalidValue;
    metastate::cuda::emulator::allowAccess(memory, found->second);
    std::memset(memory, 0xff, found->second);
    metastate::cuda::emulator::forbidAccess(memory, found->second);
    waiting_.emplace(found->second, memory);
    used_ -= found->second;
    given_.erase(found);
    return cudaSuccess;
  }

  void trim(size_t keep) {
    const std::lock_guard<std::mutex> lock(mutex_);
    while (reserved_ > keep && !waiting_.empty()) {
      reserved_ -= waiting_.begin()->first;
      std::free(waiting_.begin()->second);
      waiting_.erase(waiting_.begin());
    }
  }

  uint64_t* attribute(cudaMemPoolAttr attribute) {
    switch (attribute) {
      case cudaMemPoolAttrReservedMemCurrent: return &reserved_;
      case cudaMemPoolAttrUsedMemCurrent: return &used_;
      case cudaMemPoolAttrUsedMemHigh: return &mostUsed_;
      default: return nullptr;
    }
  }

  uint64_t total() const { return total_; }
  uint64_t free() const { return reserved_ < total_ ? total_ - reserved_ : 0; }
  void setTotal(size_t bytes) { total_ = bytes; }

 private:
  std::mutex mutex_;
  std::unordered_map<void*, size_t> given_;
  std::multimap<size_t, void*> waiting_;
  uint64_t total_ = uint64_t{8} << 30, reserved_ = 0, used_ = 0, mostUsed_ = 0;
};

Memory& memory() {
  static Memory& only = *new Memory();
  return only;
}

/// The one stream: what of it the host may have seen, and the copies of pinned memory that are late.
class Stream {
 public:
  /// Memory that the host and the device share: copies of it do not wait.
  void pin(void* at, size_t bytes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    pinned_[static_cast<char*>(at)] = bytes;
  }
  void unpin(void* at) {
    const std::lock_guard<std::mutex> lock(mutex_);
    pinned_.erase(static_cast<char*>(at));
  }

  void copy(void* to, const void* from, size_t bytes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    goOn();
    if (isPinned(from)) {
      upload_ = {static_cast<char*>(to), static_cast<const char*>(from), bytes};
    } else if (isPinned(to)) {
      const char* values = static_cast<const char*>(from);
      downloads_.push_back({static_cast<char*>(to), {values, values + bytes}, ++last_});
      std::memset(to, 0xff, bytes);
    } else if (bytes > 0) {
      std::memmove(to, from, bytes);
    }
  }

  /// Before anything else happens on the device.
  void work() {
    const std::lock_guard<std::mutex> lock(mutex_);
    goOn();
  }

  uint64_t record() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return ++last_;
  }

  /// Waits for all, or up to a place.
  void wait(uint64_t place = ~uint64_t{0}) {
    const std::lock_guard<std::mutex> lock(mutex_);
    comeTo(place);
  }

  /// Whether a place has come: at the second time of asking, unless something was waited for.
  bool hasCome(uint64_t place) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (place <= seen_) return true;
    comeTo(place);
    return false;
  }

 private:
  struct Upload {
    char* to = nullptr;
    const char* from = nullptr;
    size_t bytes = 0;
  };
  struct Download {
    char* to;
    std::vector<char> values;
    uint64_t place;
  };

  bool isPinned(const void* address) const {
    const char* at = static_cast<const char*>(address);
    auto next = pinned_.upper_bound(const_cast<char*>(at));
    return next != pinned_.begin() && at < (--next)->first + next->second;
  }

  void goOn() {
    if (upload_.bytes > 0) std::memcpy(upload_.to, upload_.from, upload_.bytes);
    upload_ = {};
  }

  void comeTo(uint64_t place) {
    goOn();
    if (place > last_) place = last_;
    const auto arrives = [place](const Download& late) {
      if (late.place > place) return false;
      std::memcpy(late.to, late.values.data(), late.values.size());
      return true;
    };
    downloads_.erase(std::remove_if(downloads_.begin(), downloads_.end(), arrives), downloads_.end());
    if (place > seen_) seen_ = place;
  }

  std::mutex mutex_;
  std::map<char*, size_t> pinned_;
  Upload upload_;
  std::vector<Download> downloads_;
  uint64_t last_ = 0, seen_ = 0;
};

Stream& stream() {
  static Stream& only = *new Stream();
  return only;
}

/// What cudaFuncSetAttribute has allowed kernels.
std::mutex allowedMutex;
std::unordered_map<const void*, size_t>& allowed() {
  static auto& only = *new std::unordered_map<const void*, size_t>();
  return only;
}

thread_local cudaError_t lastError = cudaSuccess;

/// Which machine is played: METASTATE_EMULATOR_MACHINE, for tests of what is told where there is no GPU to use.
bool plays(const char* machine) {
  const char* asked = std::getenv("METASTATE_EMULATOR_MACHINE");
  return asked && std::strcmp(asked, machine) == 0;
}

/// There are none, or the driver tells of them and gives nothing from them.
bool lacksPools() { return plays("no pools") || plays("pools without memory"); }

cudaError_t noted(cudaError_t error) {
  if (error != cudaSuccess) lastError = error;
  return error;
}

}  // namespace

void metastate::cuda::emulator::setMemory(size_t bytes) { memory().setTotal(bytes); }
size_t metastate::cuda::emulator::allowedShared(const void* kernel) {
  const std::lock_guard<std::mutex> lock(allowedMutex);
  const auto found = allowed().find(kernel);
  return found == allowed().end() ? sharedBytesOfAll : found->second;
}
void metastate::cuda::emulator::streamGoesOn() { stream().work(); }

void metastate::cuda::emulator::blockWaits(void* block, size_t size) {
  stream().work();
  allowAccess(block, size);
  std::memset(block, 0xff, size);
  forbidAccess(block, size);
}

void metastate::cuda::emulator::blockIsGiven(void* block, size_t bytes, size_t size) {
  allowAccess(block, bytes);
  std::memset(block, 0xff, bytes);
  forbidAccess(static_cast<char*>(block) + bytes, size - bytes);
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 0;
  if (plays("no driver") || plays("old driver")) return noted(cudaErrorInsufficientDriver);
  if (plays("no GPU")) return noted(cudaErrorNoDevice);
  return *count = 1, cudaSuccess;
}
cudaError_t cudaSetDevice(int device) { return noted(device == 0 ? cudaSuccess : cudaErrorInvalidValue); }
cudaError_t cudaGetDevice(int* device) { return *device = 0, cudaSuccess; }
cudaError_t cudaDriverGetVersion(int* version) { return *version = plays("old driver") ? 12020 : 0, cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int* version) { return *version = plays("old driver") ? 13000 : 0, cudaSuccess; }
cudaError_t cudaDeviceSynchronize() { return stream().wait(), cudaSuccess; }

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  *properties = cudaDeviceProp{};
  std::strcpy(properties->name, "emulated GPU");
  properties->totalGlobalMem = memory().total();
  const bool isOld = plays("old GPU");
  properties->major = isOld ? 7 : 8;
  properties->minor = isOld ? 5 : 6;
  properties->multiProcessorCount = 4;
  properties->sharedMemPerBlockOptin = metastate::cuda::emulator::mostSharedBytes;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  switch (attribute) {
    case cudaDevAttrMultiProcessorCount: *value = 4; break;
    case cudaDevAttrComputeCapabilityMajor: *value = 8; break;
    case cudaDevAttrComputeCapabilityMinor: *value = 6; break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = static_cast<int>(metastate::cuda::emulator::mostSharedBytes);
      break;
    case cudaDevAttrMemoryPoolsSupported: *value = !plays("no pools"); break;
  }
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* made, unsigned) { return *made = nullptr, cudaSuccess; }
cudaError_t cudaStreamDestroy(cudaStream_t) { return cudaSuccess; }
cudaError_t cudaStreamSynchronize(cudaStream_t) { return stream().wait(), cudaSuccess; }
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) { return cudaSuccess; }

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) { return *event = new CUevent_st{}, cudaSuccess; }
cudaError_t cudaEventDestroy(cudaEvent_t event) { return delete event, cudaSuccess; }
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t) {
  event->at = std::chrono::steady_clock::now();
  event->place = stream().record();
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) { return stream().wait(event->place), cudaSuccess; }
cudaError_t cudaEventQuery(cudaEvent_t event) {
  return noted(stream().hasCome(event->place) ? cudaSuccess : cudaErrorNotReady);
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end) {
  *milliseconds = std::chrono::duration<float, std::milli>(end->at - begin->at).count();
  return cudaSuccess;
}

cudaError_t cudaMallocAsync(void** at, size_t bytes, cudaStream_t) {
  if (lacksPools()) return noted(cudaErrorNotSupported);
  stream().work();
  return noted(memory().allocate(at, bytes));
}
cudaError_t cudaFreeAsync(void* at, cudaStream_t) {
  if (lacksPools() || plays("memory not taken back")) return noted(cudaErrorNotSupported);
  stream().work();
  return noted(memory().release(at));
}
cudaError_t cudaMalloc(void** at, size_t bytes) {
  stream().wait();
  return noted(memory().allocate(at, bytes));
}
cudaError_t cudaFree(void* at) {
  stream().wait();
  const cudaError_t status = memory().release(at);
  memory().trim(0);
  return noted(status);
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t) {
  stream().copy(to, from, bytes);
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* at, int value, size_t bytes, cudaStream_t) {
  stream().work();
  if (bytes > 0) std::memset(at, value, bytes);
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  *free = memory().free();
  *total = memory().total();
  return cudaSuccess;
}
cudaError_t cudaHostAlloc(void** at, size_t bytes, unsigned) {
  if (plays("no pinned memory")) return noted(cudaErrorMemoryAllocation);
  *at = std::malloc(bytes > 0 ? bytes : 1);
  if (!*at) return noted(cudaErrorMemoryAllocation);
  stream().pin(*at, bytes > 0 ? bytes : 1);
  return cudaSuccess;
}
cudaError_t cudaFreeHost(void* at) {
  // As CUDA's, which waits for what still uses it.
  stream().wait();
  stream().unpin(at);
  return std::free(at), cudaSuccess;
}
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int) {
  if (plays("no pools")) return noted(cudaErrorNotSupported);
  return *pool = nullptr, cudaSuccess;
}
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr attribute, void* value) {
  uint64_t* found = attribute == cudaMemPoolAttrUsedMemHigh ? memory().attribute(attribute) : nullptr;
  if (found) *found = *memory().attribute(cudaMemPoolAttrUsedMemCurrent);  // CUDA takes 0 only, and means this
  (void)value;
  return cudaSuccess;
}
cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t, cudaMemPoolAttr attribute, void* value) {
  const uint64_t* found = memory().attribute(attribute);
  if (!found) return noted(cudaErrorInvalidValue);
  std::memcpy(value, found, sizeof *found);
  return cudaSuccess;
}
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t, size_t bytes) { return memory().trim(bytes), cudaSuccess; }

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute, int value) {
  const std::lock_guard<std::mutex> lock(allowedMutex);
  const size_t bytes = static_cast<size_t>(value);
  size_t& most = allowed()[kernel];
  if (bytes < most) return noted(cudaErrorInvalidValue);
  return most = bytes, cudaSuccess;
}

cudaError_t cudaGetLastError() {
  const cudaError_t error = lastError;
  lastError = cudaSuccess;
  return error;
}
cudaError_t cudaPeekAtLastError() { return lastError; }

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "cudaSuccess";
    case cudaErrorInvalidValue: return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation: return "cudaErrorMemoryAllocation";
    case cudaErrorNotReady: return "cudaErrorNotReady";
    default: return "cudaErrorUnknown";
  }
}
const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "no error";
    case cudaErrorInvalidValue: return "invalid argument";
    case cudaErrorMemoryAllocation: return "out of memory";
    case cudaErrorNotReady: return "device not ready";
    default: return "unknown error";
  }
}
