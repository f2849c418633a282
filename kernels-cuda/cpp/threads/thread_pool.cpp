#include "threads/thread_pool.h"

#include <algorithm>
#include <stdexcept>

namespace metastate {

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
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
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
  {
    std::lock_guard<std::mutex> lock(mutex_);
    task_ = &task;
    count_ = count;
    next_.store(0, std::memory_order_relaxed);
    openings_ = helpers;
  }
  for (int helper = 0; helper < helpers; ++helper) start_.notify_one();
  drain(0);
  std::unique_lock<std::mutex> lock(mutex_);
  openings_ = 0;  // a thread that wakes only now has nothing left to do
  finished_.wait(lock, [this] { return active_ == 0; });
  task_ = nullptr;
}

void ThreadPool::work(int slot) {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    start_.wait(lock, [this] { return stopping_ || openings_ > 0; });
    if (stopping_) return;
    --openings_;
    ++active_;
    lock.unlock();
    drain(slot);
    lock.lock();
    if (--active_ == 0) finished_.notify_one();
  }
}

void ThreadPool::drain(int slot) {
  while (true) {
    const int64_t index = next_.fetch_add(1, std::memory_order_relaxed);
    if (index >= count_) return;
    (*task_)(index, slot);
  }
}

}  // namespace metastate
