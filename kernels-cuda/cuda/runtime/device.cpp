#include "runtime/device.h"

#include <cstdlib>
#include <cstring>
#include <utility>

namespace metastate::cuda {
namespace {

/// The driver rounds requests up to this: blocks of one rounded size serve for one another.
constexpr size_t granularity = 512;
/// Of a block that waits in our list, where there is a pool of the driver's behind it: as much as cuBLASLt is given room for a
/// product. Larger ones are asked for less often, and the driver can cut a block to other sizes.
constexpr size_t mostListedBytes = size_t{32} << 20;
/// The part of the GPU's memory that such blocks may be together.
constexpr uint64_t listedPart = 64;

size_t blockSize(size_t bytes) { return bytes > 0 ? (bytes + granularity - 1) / granularity * granularity : granularity; }

/// Of pinned memory that waits to be used again: it is taken from the whole machine.
constexpr size_t mostPinnedBytes = size_t{64} << 20;

Device* theDevice = nullptr;

/// "13.5" for 13050.
std::string version(int number) { return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10); }

std::string mebibytes(uint64_t bytes) {
  if (bytes < uint64_t{1} << 20) return std::to_string(bytes) + " bytes";
  return std::to_string(bytes >> 20) + " MiB";
}

/// How many devices there are: at least one, or the reason.
int countDevices() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaSuccess && count > 0) return count;
  cudaGetLastError();
  int driver = 0, runtime = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  if (status == cudaErrorInsufficientDriver && driver == 0) {
    throw NoDevice("no NVIDIA driver: libcuda.so.1 is not there or does not load",
                   "install NVIDIA's driver; on a machine without an NVIDIA GPU use the engine native");
  }
  if (status == cudaErrorInsufficientDriver) {
    throw NoDevice("the NVIDIA driver is too old: it serves CUDA " + version(driver) + ", and this addon is built with CUDA " +
                       version(runtime),
                   "update the driver, or build with an older CUDA: CUDA_HOME=… npm run build:native -- --cuda");
  }
  if (status == cudaErrorNoDevice || status == cudaSuccess) {
    throw NoDevice("no NVIDIA GPU is visible to this process",
                   "see nvidia-smi, and CUDA_VISIBLE_DEVICES if it is set");
  }
  throw NoDevice(std::string("the GPU cannot be used: ") + cudaGetErrorString(status) + " (" + cudaGetErrorName(status) +
                     ", driver for CUDA " + version(driver) + ")",
                 "see nvidia-smi");
}

/// METASTATE_CUDA_DEVICE, or 0.
int chosenDevice(int count) {
  const char* asked = std::getenv("METASTATE_CUDA_DEVICE");
  if (!asked || !*asked) return 0;
  char* end = nullptr;
  const long index = std::strtol(asked, &end, 10);
  if (*end || index < 0 || index >= count) {
    throw NoDevice(std::string("METASTATE_CUDA_DEVICE is \"") + asked + "\"",
                   count == 1 ? "there is one GPU: give 0, or unset it"
                              : "give a number from 0 to " + std::to_string(count - 1) + ", or unset it");
  }
  return static_cast<int>(index);
}

}  // namespace

Device& Device::get() {
  static std::mutex opening;
  const std::lock_guard<std::mutex> lock(opening);
  // Never destroyed: at the end of a process the driver may be gone before us.
  if (!theDevice) theDevice = new Device();
  // The current device is a matter of each thread, and Node's workers are threads.
  thread_local bool isChosen = false;
  if (!isChosen) check(cudaSetDevice(theDevice->index_), "choosing the GPU");
  isChosen = true;
  return *theDevice;
}

Device::Device() : index_(chosenDevice(countDevices())) {
  check(cudaSetDevice(index_), "choosing the GPU");
  check(cudaGetDeviceProperties(&properties_, index_), "asking for the GPU's properties");
  const std::string name = properties_.name;
  if (properties_.major < 8) {
    throw NoDevice(name + " has compute capability " + std::to_string(properties_.major) + "." +
                       std::to_string(properties_.minor) + "; 8.0 (Ampere) or later is needed",
                   "use the engine native");
  }
  check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "making a stream");
  hasPool_ = openPool();
  cudaGetLastError();
}

/// Whether there is a pool that gives memory. Virtual GPUs have none, and where a sandbox stands before the driver one that is
/// there may give nothing: cudaMalloc then, which is slow, and the list before it keeps all.
bool Device::openPool() {
  int pools = 0;
  if (cudaDeviceGetAttribute(&pools, cudaDevAttrMemoryPoolsSupported, index_) != cudaSuccess || !pools) return false;
  if (cudaDeviceGetDefaultMemPool(&pool_, index_) != cudaSuccess) return false;
  // Freed memory stays in the pool until it is trimmed: the driver is slow.
  uint64_t keep = ~uint64_t{0};
  if (cudaMemPoolSetAttribute(pool_, cudaMemPoolAttrReleaseThreshold, &keep) != cudaSuccess) return false;
  void* block = nullptr;
  const cudaError_t status = cudaMallocAsync(&block, granularity, stream_);
  // Memory that is exhausted is no reason to do without.
  if (status != cudaSuccess) return status == cudaErrorMemoryAllocation;
  return cudaFreeAsync(block, stream_) == cudaSuccess;
}

cudaError_t Device::request(void** address, size_t size) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    *address = waiting_.take(size);
    if (*address) return cudaSuccess;
    ++requests_;
  }
  return hasPool_ ? cudaMallocAsync(address, size, stream_) : cudaMalloc(address, size);
}

void Device::giveBack(const std::vector<void*>& blocks) {
  for (void* const block : blocks) {
    const cudaError_t status = hasPool_ ? cudaFreeAsync(block, stream_) : cudaFree(block);
    // Whoever tidies up, as after an error, can do nothing about it. Of a GPU that is lost whoever computes or waits next is told.
    if (status != cudaSuccess) cudaGetLastError();
  }
}

void* Device::allocate(size_t bytes) {
  // An empty tensor has an address too: one that nobody reads.
  const size_t size = blockSize(bytes);
  void* address = nullptr;
  cudaError_t status = request(&address, size);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    // What was freed is there when the stream has come so far; what is kept in other sizes goes back.
    trim();
    status = request(&address, size);
  }
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    const MemoryState state = memory();
    throw OutOfMemory("GPU memory exhausted: " + mebibytes(bytes) + " were asked for, and " + mebibytes(state.free) +
                      " of " + mebibytes(state.total) + " are free; tensors of this session use " +
                      mebibytes(state.used) +
                      ". Dispose tensors (tf.tidy, tf.dispose), use smaller batches or shorter sequences, or end other "
                      "programs that use the GPU. The session can be used further");
  }
  check(status, "allocating memory");
#ifdef METASTATE_CUDA_EMULATED
  emulator::blockIsGiven(address, bytes, size);
#endif
  if (poisoned_ && bytes > 0) check(cudaMemsetAsync(address, 0xff, bytes, stream_), "poisoning memory");
  const std::lock_guard<std::mutex> lock(mutex_);
  sizes_[address] = bytes;
  used_ += bytes;
  if (used_ > peak_) peak_ = used_;
  return address;
}

void Device::free(void* address) {
  std::vector<void*> back;  // to the driver
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = sizes_.find(address);
    if (found == sizes_.end()) throw CudaError("memory of the GPU was freed twice, or was never given out");
    const size_t size = blockSize(found->second);
    used_ -= found->second;
    sizes_.erase(found);
    if (hasPool_ && size > mostListedBytes) {
      back = {address};
    } else {
      // Sizes that nobody asks for any more must not keep the others out.
      if (hasPool_ && waiting_.bytes() + size > properties_.totalGlobalMem / listedPart) back = waiting_.takeAll();
      waiting_.put(address, size);
#ifdef METASTATE_CUDA_EMULATED
      emulator::blockWaits(address, size);
#endif
    }
  }
  giveBack(back);
}

std::optional<size_t> Device::bytesAt(const void* address) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = sizes_.find(address);
  if (found == sizes_.end()) return std::nullopt;
  return found->second;
}

void Device::upload(void* to, const void* from, size_t bytes) {
  if (bytes == 0) return;
  takeBackUploads();
  if (bytes > mostPinnedBytes / 4) {
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream_), "copying to the GPU");
    // Whether CUDA has taken a copy of pageable memory by now depends on the system.
    synchronize();
    return;
  }
  std::unique_ptr<PinnedBuffer> buffer = takePinned(bytes);
  std::memcpy(buffer->data(), from, bytes);
  check(cudaMemcpyAsync(to, buffer->data(), bytes, cudaMemcpyHostToDevice, stream_), "copying to the GPU");
  buffer->copied.record();
  const std::lock_guard<std::mutex> lock(mutex_);
  uploads_.push_back(std::move(buffer));
}

void Device::takeBackUploads() {
  for (;;) {
    std::unique_ptr<PinnedBuffer> done;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (uploads_.empty() || !uploads_.front()->copied.hasCome()) return;
      done = std::move(uploads_.front());
      uploads_.pop_front();
    }
    givePinned(std::move(done));
  }
}

void Device::download(void* to, const void* from, size_t bytes) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_), "copying from the GPU");
  check(cudaStreamSynchronize(stream_), "waiting for values of the GPU");
}

void Device::copy(void* to, const void* from, size_t bytes) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream_), "copying on the GPU");
}

void Device::clear(void* at, size_t bytes) { check(cudaMemsetAsync(at, 0, bytes, stream_), "clearing memory"); }

void Device::synchronize() { check(cudaStreamSynchronize(stream_), "waiting for the GPU"); }

MemoryState Device::memory() const {
  size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total), "asking for free memory");
  uint64_t reserved = 0, used = 0;
  if (hasPool_) {
    check(cudaMemPoolGetAttribute(pool_, cudaMemPoolAttrReservedMemCurrent, &reserved), "asking the memory pool");
    check(cudaMemPoolGetAttribute(pool_, cudaMemPoolAttrUsedMemCurrent, &used), "asking the memory pool");
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  return {used_, peak_, (reserved > used ? reserved - used : 0) + waiting_.bytes(), free, total, requests_};
}

void Device::resetPeak() {
  const std::lock_guard<std::mutex> lock(mutex_);
  peak_ = used_;
}

void Device::trim() {
  std::vector<void*> blocks;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    blocks = waiting_.takeAll();
  }
  giveBack(blocks);
  synchronize();
  if (hasPool_) check(cudaMemPoolTrimTo(pool_, 0), "trimming the memory pool");
}

std::unique_ptr<PinnedBuffer> Device::takePinned(size_t bytes) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (auto& buffer : pinned_) {
      if (buffer->bytes() < bytes || buffer->bytes() > 4 * bytes + 4096) continue;
      std::swap(buffer, pinned_.back());
      std::unique_ptr<PinnedBuffer> taken = std::move(pinned_.back());
      pinned_.pop_back();
      return taken;
    }
  }
  return std::make_unique<PinnedBuffer>(bytes);
}

void Device::givePinned(std::unique_ptr<PinnedBuffer> buffer) {
  const std::lock_guard<std::mutex> lock(mutex_);
  size_t waiting = buffer->bytes();
  for (const auto& other : pinned_) waiting += other->bytes();
  if (waiting <= mostPinnedBytes) pinned_.push_back(std::move(buffer));
}

// Whole pages: that many it takes of the machine anyway, and small tensors of different sizes can follow one another.
PinnedBuffer::PinnedBuffer(size_t bytes) : bytes_(bytes > 0 ? (bytes + 4095) / 4096 * 4096 : 4096) {
  const cudaError_t status = cudaHostAlloc(&data_, bytes_, cudaHostAllocDefault);
  isPinned_ = status != cudaErrorMemoryAllocation;
  if (!isPinned_) {
    cudaGetLastError();
    data_ = std::malloc(bytes_);
    if (!data_) throw CudaError("the host has no memory for a copy of " + mebibytes(bytes_));
  } else {
    check(status, "allocating pinned memory of the host");
  }
}

PinnedBuffer::~PinnedBuffer() {
  if (isPinned_) {
    cudaFreeHost(data_);
  } else {
    std::free(data_);
  }
}

Event::Event(bool isTimed) {
  const unsigned flags = isTimed ? cudaEventDefault : cudaEventDisableTiming | cudaEventBlockingSync;
  check(cudaEventCreateWithFlags(&event_, flags), "making an event");
}

Event::~Event() { cudaEventDestroy(event_); }

void Event::record() { check(cudaEventRecord(event_, Device::get().stream()), "recording an event"); }

void Event::wait() {
  Device::get();  // or a thread that has chosen no GPU would open the first one
  check(cudaEventSynchronize(event_), "waiting for the GPU");
}

bool Event::hasCome() const {
  const cudaError_t status = cudaEventQuery(event_);
  // "Not yet" is kept by CUDA as its last error, and the next launch would be told of it.
  if (status == cudaErrorNotReady) cudaGetLastError();
  return status == cudaSuccess;
}

float Event::millisecondsSince(const Event& begin) const {
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, begin.event_, event_), "measuring time");
  return milliseconds;
}

}  // namespace metastate::cuda
