#include "emulator/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <new>

#include "emulator/sanitizer.h"

namespace metastate::cuda::emulator {
namespace {

#ifdef METASTATE_SANITIZES_ADDRESSES
constexpr size_t stackBytes = 512 * 1024;
void leaving(void** keep, const void* stack, size_t size) { __sanitizer_start_switch_fiber(keep, stack, size); }
void arrived(void* kept, const void** stack, size_t* size) { __sanitizer_finish_switch_fiber(kept, stack, size); }
#else
constexpr size_t stackBytes = 128 * 1024;
void leaving(void**, const void*, size_t) {}
void arrived(void*, const void**, size_t*) {}
#endif

size_t pageBytes() {
  static const size_t value = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return value;
}

}  // namespace

Fiber::Fiber(void (*body)(void*), void* argument) : body_(body), argument_(argument) {
  // With one page more, which arm64 may have of 64 KiB.
  void* memory = mmap(nullptr, pageBytes() + stackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  stack_ = static_cast<char*>(memory);
  mprotect(stack_, pageBytes(), PROT_NONE);  // A kernel with too much of its own faults here, not in its neighbour.
  getcontext(&start_);
  start_.uc_stack.ss_sp = stack_ + pageBytes();
  start_.uc_stack.ss_size = stackBytes;
  start_.uc_link = nullptr;
  const auto self = reinterpret_cast<uintptr_t>(this);
  makecontext(&start_, reinterpret_cast<void (*)()>(&Fiber::enter), 2, static_cast<unsigned>(self),
              static_cast<unsigned>(static_cast<uint64_t>(self) >> 32));
}

Fiber::~Fiber() { munmap(stack_, pageBytes() + stackBytes); }

void Fiber::enter(unsigned low, unsigned high) {
  Fiber* self = reinterpret_cast<Fiber*>(static_cast<uintptr_t>(static_cast<uint64_t>(high) << 32 | low));
  arrived(nullptr, &self->outsideStack_, &self->outsideSize_);
  self->body_(self->argument_);
}

void Fiber::resume() {
  if (_setjmp(outside_) == 0) {
    leaving(&fakeOutside_, start_.uc_stack.ss_sp, start_.uc_stack.ss_size);
    if (started_) _longjmp(inside_, 1);
    started_ = true;
    swapcontext(&unused_, &start_);
  }
  arrived(fakeOutside_, nullptr, nullptr);
}

void Fiber::leave() {
  if (_setjmp(inside_) == 0) {
    leaving(&fakeInside_, outsideStack_, outsideSize_);
    _longjmp(outside_, 1);
  }
  arrived(fakeInside_, &outsideStack_, &outsideSize_);
}

bool Fiber::has(const void* memory) const {
  const char* const at = static_cast<const char*>(memory);
  return at >= stack_ && at < stack_ + pageBytes() + stackBytes;
}

}  // namespace metastate::cuda::emulator
