#include "emulator/block.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include "emulator/alignment.h"
#include "emulator/fiber.h"
#include "emulator/races.h"
#include "emulator/runtime_api.h"
#include "emulator/sanitizer.h"
#include "runtime/errors.h"

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace metastate::cuda::emulator {
namespace {

enum class Status { unstarted, ready, atBlockBarrier, atWarpBarrier, ended };

/// A lane that is not there has no value: all bits set, a NaN.
constexpr uint64_t noValue = ~uint64_t{0};

/// Whether this thread of the CPU is within a kernel.
thread_local bool isInKernel = false;

/// A variable of the addon, as `__shared__` ones are: so races.cpp knows it for shared memory.
alignas(256) char dynamicSharedMemory[mostSharedBytes];

struct Worker;

struct Copy {
  float* shared;
  const float* global;
  size_t count;
};

/// What a thread has begun to copy and not waited for; the first ones are of batches that have ended.
struct Copies {
  std::vector<Copy> all;
  size_t inBatches = 0;
};

struct Thread {
  Status status = Status::unstarted;
  Worker* worker = nullptr;  // the fiber it waits on
  Site site{};               // where it waits
  bool predicate = false;
  bool ordersMemory = false;
  unsigned mask = 0;
  uint64_t value = 0;
  int source = 0;
  uint64_t received = 0;
};

/// A fiber that runs one thread after another, for as long as they do not wait: a kernel without barriers needs one.
struct Worker {
  Worker();
  Fiber fiber;
};

Order environmentOrder() {
  const char* asked = std::getenv("METASTATE_EMULATOR_ORDER");
  if (!asked || !*asked || std::strcmp(asked, "forward") == 0) return Order::forward;
  if (std::strcmp(asked, "reverse") == 0) return Order::reverse;
  if (std::strcmp(asked, "shuffled") == 0) return Order::shuffled;
  throw CudaError(std::string("METASTATE_EMULATOR_ORDER is \"") + asked +
                  "\": give forward, reverse or shuffled, or unset it");
}

std::string at(const uint3& place) {
  return "(" + std::to_string(place.x) + ", " + std::to_string(place.y) + ", " + std::to_string(place.z) + ")";
}

std::string told(const Site& site) {
  const char* slash = std::strrchr(site.file, '/');
  return std::string(site.what) + " at " + (slash ? slash + 1 : site.file) + ":" + std::to_string(site.line);
}

bool same(const Site& a, const Site& b) { return a.line == b.line && std::strcmp(a.file, b.file) == 0; }

/// The block that is running.
class Block {
 public:
  std::mutex mutex;
  Order order = Order::forward;
  bool orderIsSet = false;

  void begin(const char* kernel, size_t sharedBytes, const std::function<void()>& body) {
    kernel_ = kernel;
    body_ = &body;
    sharedBytes_ = sharedBytes;
    allowAccess(dynamicSharedMemory, mostSharedBytes);
    const size_t used = (sharedBytes + 7) / 8 * 8;
    forbidAccess(dynamicSharedMemory + used, mostSharedBytes - used);
    raceLaunchBegins();
  }

  /// Runs the block at blockIdx.
  void run() {
    const unsigned count = blockDim.x * blockDim.y * blockDim.z;
    threads_.assign(count, Thread{});
    liveLanes_.assign((count + 31) / 32, ~0u);
    if (count % 32) liveLanes_.back() = (1u << count % 32) - 1;
    live_ = static_cast<int>(count);
    waiting_ = 0;
    next_ = 0;
    failed_ = false;
    std::memset(dynamicSharedMemory, 0xff, sharedBytes_);
    raceBlockBegins();
    if (copies_.size() < count || hasCopies_) copies_.assign(count, {});
    hasCopies_ = false;
    places_.resize(count);
    for (unsigned i = 0; i < count; ++i) places_[i] = order == Order::reverse ? count - 1 - i : i;
    while (live_ > 0) {
      if (order == Order::shuffled) shuffle(next_ < count ? next_ : 0);
      bool moved = false;
      while (next_ < count && !failed_) {
        moved = true;
        resume(idleWorker());
      }
      for (unsigned i = 0; i < count && !failed_; ++i) {
        Thread& thread = threads_[places_[i]];
        if (thread.status != Status::ready) continue;
        moved = true;
        become(places_[i]);
        resume(thread.worker);
      }
      if (failed_) break;
      if (!moved && live_ > 0) fail(stuck());
    }
    if (failed_) {
      // Fibers that wait in the middle of a kernel are of no more use.
      idle_.clear();
      workers_.clear();
      throw CudaError(error_);
    }
  }

  /// A worker's life.
  void work(Worker* self) {
    for (;;) {
      while (next_ < threads_.size() && !failed_) {
        become(places_[next_++]);
        try {
          (*body_)();
        } catch (const std::exception& error) {
          fail(error.what());
        }
        end();
      }
      idle_.push_back(self);
      self->fiber.leave();
    }
  }

  int blockBarrier(bool predicate, Site site) {
    Thread& self = threads_[current_];
    self.predicate = predicate;
    self.site = site;
    self.status = Status::atBlockBarrier;
    ++waiting_;
    if (waiting_ == live_) {
      releaseBlock();
    }
    wait();
    return count_;
  }

  uint64_t warpBarrier(unsigned mask, uint64_t value, int source, bool predicate, bool ordersMemory, Site site) {
    Thread& self = threads_[current_];
    if (!(mask >> lane() & 1)) endKernel("a thread's own lane is not in the mask of its " + told(site));
    self.mask = mask;
    self.value = value;
    self.source = source;
    self.predicate = predicate;
    self.ordersMemory = ordersMemory;
    self.site = site;
    self.status = Status::atWarpBarrier;
    tryRelease(current_ / 32, mask);
    wait();
    return self.received;
  }

  void copyLater(const Copy& copy) {
    requireAligned(copy.global, copy.count * sizeof(float), "a copy's source");
    requireAligned(copy.shared, copy.count * sizeof(float), "a copy's place in shared memory");
    reached(copy.global, copy.count * sizeof(float), Reach::read);
    reached(copy.shared, copy.count * sizeof(float), Reach::later);
    std::memset(copy.shared, 0xff, copy.count * sizeof(float));
    copies_[current_].all.push_back(copy);
    hasCopies_ = true;
  }

  void endOfCopies() { copies_[current_].inBatches = copies_[current_].all.size(); }

  void waitForCopies() {
    Copies& copies = copies_[current_];
    const auto end = copies.all.begin() + static_cast<std::ptrdiff_t>(copies.inBatches);
    for (auto copy = copies.all.begin(); copy != end; ++copy) {
      reached(copy->global, copy->count * sizeof(float), Reach::read);
      reached(copy->shared, copy->count * sizeof(float), Reach::write);
      std::memcpy(copy->shared, copy->global, copy->count * sizeof(float));
    }
    copies.all.erase(copies.all.begin(), end);
    copies.inBatches = 0;
  }

  void endKernel(const std::string& why) {
    fail(why);
    threads_[current_].worker = worker_;
    worker_->fiber.leave();
  }

  int current() const { return static_cast<int>(current_); }
  bool isOnStack(const void* memory) const { return worker_->fiber.has(memory); }
  unsigned liveLanes() const { return liveLanes_[current_ / 32]; }
  int lane() const { return static_cast<int>(current_ % 32); }

 private:
  void become(unsigned index) {
    current_ = index;
    threadIdx = placeOf(index);
  }

  static uint3 placeOf(unsigned index) {
    return {index % blockDim.x, index / blockDim.x % blockDim.y, index / (blockDim.x * blockDim.y)};
  }

  Worker* idleWorker() {
    if (idle_.empty()) {
      workers_.push_back(std::make_unique<Worker>());
      return workers_.back().get();
    }
    Worker* worker = idle_.back();
    idle_.pop_back();
    return worker;
  }

  void resume(Worker* worker) {
    worker_ = worker;
    isInKernel = true;
    worker->fiber.resume();
    isInKernel = false;
  }

  /// Back to the scheduler until released; not at all when this thread was the one that all waited for.
  void wait() {
    Thread& self = threads_[current_];
    if (self.status == Status::ready && !failed_) return;
    self.worker = worker_;
    self.worker->fiber.leave();
  }

  void end() {
    threads_[current_].status = Status::ended;
    const unsigned warp = current_ / 32;
    liveLanes_[warp] &= ~(1u << current_ % 32);
    --live_;
    if (failed_) return;
    if (live_ > 0 && waiting_ == live_) releaseBlock();
    for (unsigned rest = liveLanes_[warp]; rest; rest &= rest - 1) {
      const Thread& other = threads_[warp * 32 + static_cast<unsigned>(__builtin_ctz(rest))];
      if (other.status == Status::atWarpBarrier) tryRelease(warp, other.mask);
    }
  }

  void releaseBlock() {
    const Thread* first = nullptr;
    count_ = 0;
    for (const Thread& thread : threads_) {
      if (thread.status != Status::atBlockBarrier) continue;
      if (!first) first = &thread;
      if (!same(first->site, thread.site)) return fail(stuck());
      count_ += thread.predicate;
    }
    for (Thread& thread : threads_) {
      if (thread.status == Status::atBlockBarrier) thread.status = Status::ready;
    }
    waiting_ = 0;
    raceBlockBarrier();
  }

  /// Lets the lanes of `mask` go on when all that live are there, each with what it asked for.
  void tryRelease(unsigned warp, unsigned mask) {
    const unsigned wanted = mask & liveLanes_[warp];
    Thread* lanes = &threads_[warp * 32];
    const Thread* first = nullptr;
    unsigned votes = 0;
    for (unsigned rest = wanted; rest; rest &= rest - 1) {
      const int lane = __builtin_ctz(rest);
      const Thread& thread = lanes[lane];
      if (thread.status != Status::atWarpBarrier) return;
      if (!first) first = &thread;
      if (!same(first->site, thread.site) || first->mask != thread.mask) return fail(stuck());
      if (thread.predicate) votes |= 1u << lane;
    }
    for (unsigned rest = wanted; rest; rest &= rest - 1) {
      Thread& thread = lanes[__builtin_ctz(rest)];
      const bool isThere = thread.source >= 0 && (wanted >> thread.source & 1);
      thread.received = thread.source < 0 ? votes : isThere ? lanes[thread.source].value : noValue;
      thread.status = Status::ready;
    }
    if (first && first->ordersMemory && wanted == liveLanes_[warp]) raceWarpBarrier(warp);
  }

  void shuffle(unsigned from) {
    for (size_t i = places_.size(); i > from + 1; --i) {
      random_ = random_ * 6364136223846793005u + 1442695040888963407u;
      std::swap(places_[i - 1], places_[from + (random_ >> 33) % (i - from)]);
    }
  }

  /// Who waits where, and who ended without coming.
  std::string stuck() const {
    std::string where;
    std::vector<Site> sites;
    for (unsigned i = 0; i < threads_.size(); ++i) {
      const Thread& thread = threads_[i];
      if (thread.status != Status::atBlockBarrier && thread.status != Status::atWarpBarrier) continue;
      const auto isKnown = [&](const Site& site) { return same(site, thread.site); };
      if (std::any_of(sites.begin(), sites.end(), isKnown)) continue;
      sites.push_back(thread.site);
      where += (where.empty() ? "thread " : ", thread ") + at(placeOf(i)) + " waits in " + told(thread.site);
    }
    return "a barrier that not all threads reach: " + where;
  }

  void fail(const std::string& why) {
    if (failed_) return;
    failed_ = true;
    error_ = std::string("kernel ") + kernel_ + ", block " + at(blockIdx) + ": " + why;
  }

  const char* kernel_ = "";
  const std::function<void()>* body_ = nullptr;
  size_t sharedBytes_ = 0;
  std::vector<Copies> copies_;  // of each thread
  bool hasCopies_ = false;      // whether any has begun
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<Worker*> idle_;
  Worker* worker_ = nullptr;
  std::vector<Thread> threads_;
  std::vector<unsigned> places_;  // the threads in the order in which they run
  std::vector<unsigned> liveLanes_;
  unsigned next_ = 0;  // in places_, the first that has not begun
  unsigned current_ = 0;
  int live_ = 0;
  int waiting_ = 0;
  int count_ = 0;
  bool failed_ = false;
  std::string error_;
  uint64_t random_ = 1;
};

Block& block() {
  static Block& only = *new Block();  // never destroyed: a process may end within a launch
  return only;
}

Worker::Worker() : fiber([](void* self) { block().work(static_cast<Worker*>(self)); }, this) {}

void checkLimits(const char* kernel, dim3 grid, dim3 threads, size_t sharedBytes) {
  const std::string name = std::string("launch of ") + kernel + ": ";
  const uint64_t count = uint64_t{threads.x} * threads.y * threads.z;
  if (count == 0 || count > mostThreads || threads.z > 64) {
    throw CudaError(name + std::to_string(count) + " threads in a block; 1 to 1024 are allowed, 64 along z");
  }
  if (grid.x > 2147483647u || grid.y > 65535 || grid.z > 65535) {
    throw CudaError(name + "the grid is too large; y and z may be 65535 at most");
  }
  if (sharedBytes > mostSharedBytes) {
    throw CudaError(name + std::to_string(sharedBytes) + " bytes of dynamic shared memory; " +
                    std::to_string(mostSharedBytes) + " are allowed");
  }
}

}  // namespace

void setOrder(Order order) {
  const std::lock_guard<std::mutex> lock(block().mutex);
  block().order = order;
  block().orderIsSet = true;
}

void run(const char* kernel, const void* function, dim3 grid, dim3 threads, size_t sharedBytes,
         const std::function<void()>& body) {
  checkLimits(kernel, grid, threads, sharedBytes);
  if (sharedBytes > allowedShared(function)) {
    throw CudaError(std::string("launch of ") + kernel + ": " + std::to_string(sharedBytes) +
                    " bytes of dynamic shared memory; the kernel is allowed " + std::to_string(allowedShared(function)));
  }
  streamGoesOn();
  Block& current = block();
  const std::lock_guard<std::mutex> lock(current.mutex);
  if (!current.orderIsSet) {
    current.order = environmentOrder();
    current.orderIsSet = true;
  }
  blockDim = threads;
  gridDim = grid;
  current.begin(kernel, sharedBytes, body);
  const uint64_t blocks = uint64_t{grid.x} * grid.y * grid.z;
  for (uint64_t i = 0; i < blocks; ++i) {
    // Blocks may run in any order: the last first is one that nobody had in mind.
    const uint64_t place = current.order == Order::forward ? i : blocks - 1 - i;
    blockIdx = {static_cast<unsigned>(place % grid.x), static_cast<unsigned>(place / grid.x % grid.y),
                static_cast<unsigned>(place / (uint64_t{grid.x} * grid.y))};
    current.run();
  }
}

int blockBarrier(bool predicate, Site site) { return block().blockBarrier(predicate, site); }
uint64_t warpExchange(unsigned mask, uint64_t value, int source, Site site) {
  return block().warpBarrier(mask, value, source, false, false, site);
}
unsigned warpVote(unsigned mask, bool predicate, Site site) {
  return static_cast<unsigned>(block().warpBarrier(mask, 0, -1, predicate, false, site));
}
void warpBarrier(unsigned mask, Site site) { block().warpBarrier(mask, 0, -1, false, true, site); }
unsigned liveLanes() { return block().liveLanes(); }
int lane() { return block().lane(); }
void* dynamicShared() { return dynamicSharedMemory; }
void copyLater(float* shared, const float* global, size_t count) { block().copyLater({shared, global, count}); }
void endOfCopies() { block().endOfCopies(); }
void waitForCopies() { block().waitForCopies(); }
int runningThread() { return isInKernel ? block().current() : -1; }
bool isOnOwnStack(const void* memory) { return block().isOnStack(memory); }
void endKernel(const std::string& why) { block().endKernel(why); }

}  // namespace metastate::cuda::emulator
