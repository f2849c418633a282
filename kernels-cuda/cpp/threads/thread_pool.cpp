#include "threads/thread_pool.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <utility>

namespace metastate {
namespace {

/// How long a thread watches before it sleeps: longer than JavaScript takes between the ops of a model.
constexpr std::chrono::microseconds watchFor{200};

/// Some tens of cycles. On arm64 `yield` would be none: it is for cores of several threads, and others skip it.
inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb");
#endif
}

/// Watches until there() is true, at most for a moment; whether it is.
template <typename There>
bool watch(There there) {
  if (there()) return true;
  const auto until = std::chrono::steady_clock::now() + watchFor;
  do {
    for (int i = 0; i < 32; ++i) {
      pause();
      if (there()) return true;
    }
    std::this_thread::yield();
  } while (std::chrono::steady_clock::now() < until);
  return there();
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  if (threads < 1) throw std::invalid_argument("a thread pool needs at least 1 thread");
  try {
    for (int slot = 1; slot < threads; ++slot) workers_.emplace_back([this, slot] { work(slot); });
  } catch (...) {
    stop();
    throw;
  }
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::stop() {
  stopping_ = true;
  { std::lock_guard<std::mutex> lock(mutex_); }  // whoever was about to wait does so now, and is told
  start_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run(int64_t count, const Task& task) {
  if (count <= 0) return;
  if (count == 1 || workers_.empty()) {
    for (int64_t index = 0; index < count; ++index) task(index, 0);
    return;
  }
  const int helpers = static_cast<int>(std::min<int64_t>(count - 1, static_cast<int64_t>(workers_.size())));
  task_ = &task;
  count_ = count;
  next_.store(0, std::memory_order_relaxed);
  openings_ = helpers;
  if (asleep_ > 0) {
    { std::lock_guard<std::mutex> lock(mutex_); }
    for (int helper = 0; helper < helpers; ++helper) start_.notify_one();
  }
  drain(0);
  openings_ = 0;  // a thread that comes only now has nothing left to do
  const auto done = [this] { return active_ == 0; };
  if (!watch(done)) {
    std::unique_lock<std::mutex> lock(mutex_);
    waiting_ = true;
    finished_.wait(lock, done);
    waiting_ = false;
  }
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void ThreadPool::work(int slot) {
  const auto called = [this] { return stopping_ || openings_ > 0; };
  while (true) {
    if (!watch(called)) {
      std::unique_lock<std::mutex> lock(mutex_);
      ++asleep_;
      start_.wait(lock, called);
      --asleep_;
    }
    if (stopping_) return;
    if (join()) drain(slot);
    if (--active_ == 0 && waiting_) {
      { std::lock_guard<std::mutex> lock(mutex_); }
      finished_.notify_one();
    }
  }
}

/// Takes one of the loop's openings, if one is left. Counts as active either way, and from before it looks: a loop that has
/// closed its openings and sees nobody active is left by all.
bool ThreadPool::join() {
  ++active_;
  int open = openings_;
  while (open > 0) {
    if (openings_.compare_exchange_weak(open, open - 1)) return true;
  }
  return false;
}

void ThreadPool::drain(int slot) {
  try {
    while (true) {
      const int64_t index = next_.fetch_add(1, std::memory_order_relaxed);
      if (index >= count_) return;
      (*task_)(index, slot);
    }
  } catch (...) {
    next_.store(count_, std::memory_order_relaxed);
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!failure_) failure_ = std::current_exception();
  }
}

}  // namespace metastate
