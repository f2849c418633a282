// Loops of the pool over numbers that nothing but the pool guards, for ThreadSanitizer: it reports two accesses that C++'s rules
// of memory do not put in order, though x86 always does (src/addon/thread-pool.test.ts).
#include "threads/thread_pool.h"

#include <chrono>
#include <stdexcept>
#include <vector>

int main() {
  for (const int threads : {2, 4}) {
    metastate::ThreadPool pool(threads);
    std::vector<int64_t> numbers(16, 0);
    int64_t wanted = 0;
    for (int64_t round = 0; round < 3000; ++round) {
      const int64_t count = 1 + round % 16;
      pool.run(count, [&](int64_t index, int) {
        // Long enough that other threads come.
        volatile int spins = 0;
        while (spins < 2000) spins = spins + 1;
        numbers[static_cast<size_t>(index)] += index + round;
      });
      for (int64_t index = 0; index < count; ++index) wanted += index + round;
      // Threads that still watch, that are about to sleep, and that sleep.
      if (round % 100 == 0) std::this_thread::sleep_for(std::chrono::microseconds(round % 300));
    }
    for (const int64_t number : numbers) wanted -= number;
    if (wanted != 0) return 1;

    // A task that throws, on whichever thread it is: run() throws that, none has it twice, and the next loop is whole.
    for (int64_t bad = 0; bad < 64; ++bad) {
      std::atomic<int> ended{0};
      try {
        pool.run(64, [&](int64_t index, int) {
          if (index >= bad) throw std::runtime_error("task");
          ++ended;
        });
        return 2;
      } catch (const std::runtime_error&) {
        if (ended > bad) return 3;
      }
      std::atomic<int> after{0};
      pool.run(16, [&](int64_t, int) { ++after; });
      if (after != 16) return 4;
    }
  }
}
