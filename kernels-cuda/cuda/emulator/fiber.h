// Fibers: functions that can be left in the middle and gone on with. ucontext starts one on a stack of its own;
// setjmp and longjmp switch, which is ten times quicker, for they leave the signal mask alone.
#pragma once

#include <ucontext.h>

#include <csetjmp>
#include <cstddef>

namespace metastate::cuda::emulator {

class Fiber {
 public:
  /// `body(argument)` must not return: it leaves for good by leave().
  Fiber(void (*body)(void*), void* argument);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Runs the fiber until it leaves. Called by the scheduler.
  void resume();
  /// Goes back to the scheduler. Called within the fiber.
  void leave();
  /// Whether this is on its stack.
  bool has(const void* memory) const;

 private:
  static void enter(unsigned low, unsigned high);

  void (*const body_)(void*);
  void* const argument_;
  bool started_ = false;
  char* stack_;
  ucontext_t start_;
  ucontext_t unused_;
  jmp_buf inside_;
  jmp_buf outside_;
  // What AddressSanitizer wants to know of stacks.
  void* fakeInside_ = nullptr;
  void* fakeOutside_ = nullptr;
  const void* outsideStack_ = nullptr;
  size_t outsideSize_ = 0;
};

}  // namespace metastate::cuda::emulator
