#include "emulator/races.h"

#ifdef METASTATE_FINDS_RACES

#include <dlfcn.h>
#include <link.h>

#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <memory>
#include <string>
#include <unordered_map>

#include "emulator/block.h"

namespace metastate::cuda::emulator {
namespace {

/// Beside its threads a warp counts as two more, which reach tiles: one for operands, one for sums.
constexpr unsigned warpsAsThreads = mostThreads;
constexpr unsigned mostWarps = mostThreads / 32;

unsigned warpOf(unsigned thread) { return thread < warpsAsThreads ? thread / 32 : (thread - warpsAsThreads) / 2; }

/// An access that is remembered.
struct Access {
  uint64_t when = 0;  // by a clock that goes on with each launch, block and barrier
  const void* code = nullptr;
  uint16_t thread = 0;
  uint8_t bytes = 0;  // of the word, a bit each
  bool isAtomic = false;
  bool isOnItsWay = false;
};

/// Of four bytes the last write, and two reads of different threads: whoever writes is another than one of them.
struct Word {
  Access write, reads[2];
};

constexpr uintptr_t pageBytes = 4096;
struct Page {
  Word words[pageBytes / 4];
};

/// Where the addon's own variables lie: of them are all __shared__ ones.
struct Range {
  uintptr_t begin = 0, end = 0;
  bool has(uintptr_t address) const { return address >= begin && address < end; }
};

Range ownVariables() {
  const auto visit = [](dl_phdr_info* library, size_t, void* found) {
    Range& range = *static_cast<Range*>(found);
    for (int i = 0; i < library->dlpi_phnum; ++i) {
      const auto& part = library->dlpi_phdr[i];
      const uintptr_t begin = library->dlpi_addr + part.p_vaddr;
      const Range here{begin, begin + part.p_memsz};
      if (part.p_type == PT_LOAD && (part.p_flags & PF_W) && here.has(range.begin)) return range = here, 1;
    }
    return 0;
  };
  Range range{reinterpret_cast<uintptr_t>(&threadIdx), 0};
  dl_iterate_phdr(visit, &range);
  return range;
}

class Races {
 public:
  void launchBegins() { launchBegan_ = blockBegan_ = lastBarrier_ = ++clock_; }
  void blockBegins() { blockBegan_ = lastBarrier_ = ++clock_; }
  void blockBarrier() { lastBarrier_ = ++clock_; }
  void warpBarrier(unsigned warp) { lastOfWarp_[warp] = ++clock_; }

  /// In words what is wrong with an access, or nothing.
  std::string reach(uintptr_t from, size_t bytes, Reach reach, unsigned thread, const void* code) {
    const bool isShared = variables_.has(from);
    for (uintptr_t at = from & ~uintptr_t{3}; at < from + bytes; at += 4) {
      Word& word = wordAt(at);
      Access now{clock_, code, static_cast<uint16_t>(thread), 0, reach == Reach::atomic, reach == Reach::later};
      for (unsigned byte = 0; byte < 4; ++byte) now.bytes |= (at + byte >= from && at + byte < from + bytes) << byte;
      if (raceBetween(word.write, now, isShared)) return told(word.write, "wrote", now, reach, isShared);
      if (reach != Reach::read) {
        for (const Access& read : word.reads) {
          if (raceBetween(read, now, isShared)) return told(read, "read", now, reach, isShared);
        }
      }
      if (isShared && (reach == Reach::read || reach == Reach::atomic) && word.write.when < blockBegan_) {
        return "thread " + name(thread) + " reads shared memory that nothing in the block has written" + codeOf({&now});
      }
      if (reach == Reach::read) {
        remember(word.reads, now, isShared);
      } else {
        word.write = now;
      }
    }
    return "";
  }

 private:
  bool isOrdered(const Access& before, const Access& now, bool isShared) const {
    if (before.when < launchBegan_) return true;
    if (before.when < blockBegan_) return isShared;  // another block's: of shared memory it had its own
    if (before.thread == now.thread) return true;
    if (before.isOnItsWay) return false;
    if (before.when < lastBarrier_) return true;
    const unsigned warp = warpOf(now.thread);
    return warpOf(before.thread) == warp && before.when < lastOfWarp_[warp];
  }

  bool raceBetween(const Access& before, const Access& now, bool isShared) const {
    return (before.bytes & now.bytes) && !(before.isAtomic && now.isAtomic) && !isOrdered(before, now, isShared);
  }

  /// In place of one that says no more; of different warps rather than of one.
  void remember(Access (&reads)[2], const Access& now, bool isShared) const {
    for (Access& read : reads) {
      if (isOrdered(read, now, isShared)) {
        read = now;
        return;
      }
    }
    if (warpOf(reads[0].thread) == warpOf(reads[1].thread)) reads[1] = now;
  }

  Word& wordAt(uintptr_t at) {
    const uintptr_t number = at / pageBytes;
    auto& [known, page] = recent_[number % 64];
    if (known != number) {
      std::unique_ptr<Page>& there = pages_[number];
      if (!there) there = std::make_unique<Page>();
      known = number;
      page = there.get();
    }
    return page->words[at % pageBytes / 4];
  }

  static std::string name(unsigned thread) {
    if (thread < warpsAsThreads) return std::to_string(thread);
    return "any of warp " + std::to_string(warpOf(thread)) + ", of a tile's " + (thread % 2 ? "sums" : "operands");
  }

  /// Where accesses are in the addon, behind the instruction, for addr2line -e.
  static std::string codeOf(std::initializer_list<const Access*> accesses) {
    std::string text = "; code at";
    for (const Access* access : accesses) {
      Dl_info addon{};
      dladdr(access->code, &addon);
      char place[32];
      std::snprintf(place, sizeof place, " %#tx",
                    static_cast<const char*>(access->code) - static_cast<const char*>(addon.dli_fbase));
      text += place;
    }
    return text;
  }

  static std::string told(const Access& before, const char* did, const Access& now, Reach reach, bool isShared) {
    return std::string("a race: thread ") + name(now.thread) + (reach == Reach::read ? " reads" : " writes") +
           (isShared ? " shared memory" : " memory of the GPU") + " that thread " + name(before.thread) + " " + did +
           ", with no barrier between" + codeOf({&before, &now});
  }

  uint64_t clock_ = 1, launchBegan_ = 1, blockBegan_ = 1, lastBarrier_ = 1;
  uint64_t lastOfWarp_[mostWarps] = {};
  const Range variables_ = ownVariables();
  std::unordered_map<uintptr_t, std::unique_ptr<Page>> pages_;
  struct {
    uintptr_t number = 0;
    Page* page = nullptr;
  } recent_[64];
};

Races& races() {
  static Races& only = *new Races();
  return only;
}

/// Of the places that CUDA gives to a thread, which are variables here.
bool isPlace(const void* memory) {
  const auto within = [&](const auto& place) {
    return memory >= static_cast<const void*>(&place) && memory < static_cast<const void*>(&place + 1);
  };
  return within(threadIdx) || within(blockIdx) || within(blockDim) || within(gridDim);
}

void reachedBy(unsigned thread, const void* memory, size_t bytes, Reach reach, const void* code) {
  const std::string wrong = races().reach(reinterpret_cast<uintptr_t>(memory), bytes, reach, thread, code);
  if (!wrong.empty()) endKernel(wrong);
}

void reachedByCode(const void* memory, size_t bytes, Reach reach, const void* code) {
  const int thread = runningThread();
  if (thread < 0 || isOnOwnStack(memory) || isPlace(memory)) return;
  reachedBy(static_cast<unsigned>(thread), memory, bytes, reach, code);
}

}  // namespace

void raceLaunchBegins() { races().launchBegins(); }
void raceBlockBegins() { races().blockBegins(); }
void raceBlockBarrier() { races().blockBarrier(); }
void raceWarpBarrier(unsigned warp) { races().warpBarrier(warp); }

void reached(const void* memory, size_t bytes, Reach reach) {
  reachedByCode(memory, bytes, reach, __builtin_return_address(0));
}

void tileReached(const float* memory, int rows, int columns, int stride, Reach reach, Tile tile) {
  const int thread = runningThread();
  if (thread % 32 != 0) return;  // for all of them
  const unsigned together = warpsAsThreads + 2 * (static_cast<unsigned>(thread) / 32) + (tile == Tile::sum);
  for (int row = 0; row < rows; ++row) {
    reachedBy(together, memory + row * stride, static_cast<size_t>(columns) * sizeof(float), reach,
              __builtin_return_address(0));
  }
}

}  // namespace metastate::cuda::emulator

// What code calls that is compiled with -fsanitize=thread.
using metastate::cuda::emulator::Reach;
using metastate::cuda::emulator::reachedByCode;

#define METASTATE_ACCESS(size)                                                                                       \
  void __tsan_read##size(void* memory) { reachedByCode(memory, size, Reach::read, __builtin_return_address(0)); }    \
  void __tsan_write##size(void* memory) { reachedByCode(memory, size, Reach::write, __builtin_return_address(0)); }  \
  void __tsan_unaligned_read##size(void* memory) { __tsan_read##size(memory); }                                      \
  void __tsan_unaligned_write##size(void* memory) { __tsan_write##size(memory); }                                    \
  void __tsan_volatile_read##size(void* memory) { __tsan_read##size(memory); }                                       \
  void __tsan_volatile_write##size(void* memory) { __tsan_write##size(memory); }

extern "C" {
METASTATE_ACCESS(1)
METASTATE_ACCESS(2)
METASTATE_ACCESS(4)
METASTATE_ACCESS(8)
METASTATE_ACCESS(16)
void __tsan_read_range(void* memory, size_t bytes) {
  reachedByCode(memory, bytes, Reach::read, __builtin_return_address(0));
}
void __tsan_write_range(void* memory, size_t bytes) {
  reachedByCode(memory, bytes, Reach::write, __builtin_return_address(0));
}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
}

#endif
