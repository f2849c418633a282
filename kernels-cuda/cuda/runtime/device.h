// The GPU: one stream, in which everything happens in the order of its calls, and the memory of tensors: the driver's
// stream-ordered pool, and before it a list of blocks that were freed. Because of the one stream a block can be given out again
// at once. Every allocation is known by its address with its size, so that what JavaScript gives can be checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "runtime/api.h"
#include "runtime/block_list.h"
#include "runtime/errors.h"

namespace metastate::cuda {

/// Why there is no device to use, and what to do.
struct NoDevice : CudaError {
  NoDevice(const std::string& reason, std::string remedy) : CudaError(reason), remedy(std::move(remedy)) {}
  std::string remedy;
};

/// A request that did not fit, after the pool was trimmed.
struct OutOfMemory : CudaError {
  using CudaError::CudaError;
};

struct MemoryState {
  uint64_t used;     // by tensors
  uint64_t peak;     // the most that was used at once
  uint64_t waiting;  // freed, and kept for the next tensors
  uint64_t free;     // of the device, to any process
  uint64_t total;    // of the device
  uint64_t requests; // for memory that the driver had until now: what was freed did not serve
};

/// Memory of the host that the GPU copies to and from while the host goes on; used again after its end.
class PinnedBuffer;

class Device {
 public:
  /// The device of this process, opened at the first call. Throws NoDevice.
  static Device& get();

  cudaStream_t stream() const { return stream_; }
  const cudaDeviceProp& properties() const { return properties_; }
  int index() const { return index_; }

  /// Memory for a tensor, its content anything (NaNs, when poisoned). Throws OutOfMemory.
  void* allocate(size_t bytes);
  /// Throws CudaError for an address that was not given out, or is freed; not for what the driver says to it.
  void free(void* address);
  /// The bytes given out at an address; none when nothing was, or it is freed.
  std::optional<size_t> bytesAt(const void* address) const;
  /// Fills what is given out from now on with NaNs, so that a kernel that leaves some unwritten is seen.
  void poison(bool isOn) { poisoned_ = isOn; }

  /// Takes a copy of the values: they may change when this returns.
  void upload(void* to, const void* from, size_t bytes);
  /// Waits for the values.
  void download(void* to, const void* from, size_t bytes);
  void copy(void* to, const void* from, size_t bytes);
  void clear(void* at, size_t bytes);
  void synchronize();

  MemoryState memory() const;
  void resetPeak();
  /// Gives what waits back to the driver; waits for it to be free.
  void trim();

  std::unique_ptr<PinnedBuffer> takePinned(size_t bytes);
  void givePinned(std::unique_ptr<PinnedBuffer> buffer);

 private:
  Device();
  bool openPool();
  cudaError_t request(void** address, size_t size);
  void giveBack(const std::vector<void*>& blocks);
  void takeBackUploads();

  int index_ = 0;
  cudaDeviceProp properties_{};
  cudaStream_t stream_ = nullptr;
  cudaMemPool_t pool_ = nullptr;
  bool hasPool_ = false;
  bool poisoned_ = false;
  mutable std::mutex mutex_;
  std::unordered_map<const void*, size_t> sizes_;
  BlockList waiting_;
  uint64_t used_ = 0, peak_ = 0, requests_ = 0;
  std::vector<std::unique_ptr<PinnedBuffer>> pinned_;
  std::deque<std::unique_ptr<PinnedBuffer>> uploads_;  // on their way, oldest first
};

/// A moment in the stream.
class Event {
 public:
  explicit Event(bool isTimed);
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  void record();
  /// Waits until the stream has come to it. Any thread may.
  void wait();
  bool hasCome() const;
  float millisecondsSince(const Event& begin) const;

 private:
  cudaEvent_t event_ = nullptr;
};

class PinnedBuffer {
 public:
  /// Plain memory where there is none to be pinned, as on virtual machines: copies then wait, and are the same otherwise.
  explicit PinnedBuffer(size_t bytes);
  ~PinnedBuffer();
  PinnedBuffer(const PinnedBuffer&) = delete;
  PinnedBuffer& operator=(const PinnedBuffer&) = delete;
  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  /// For whoever waits until the copy is done.
  Event copied{false};

 private:
  void* data_ = nullptr;
  size_t bytes_;
  bool isPinned_ = true;
};

}  // namespace metastate::cuda
