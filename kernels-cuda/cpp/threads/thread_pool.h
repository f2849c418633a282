// A pool of threads that run the tasks of one loop at a time, the calling thread among them.
//
// Threads wait on a condition variable between loops and use no CPU time there: a notebook is idle most of the time.
// Only as many threads as a loop has tasks are woken.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace metastate {

class ThreadPool {
 public:
  /// Called as task(index, slot): `slot` is below threads() and no two tasks that run at once share it, so it can pick
  /// a scratch buffer. Must not throw.
  using Task = std::function<void(int64_t index, int slot)>;

  /// Starts `threads - 1` threads; the caller of run() is the last one. Throws std::invalid_argument below 1, and
  /// std::system_error when the system refuses a thread.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  /// Runs task(0) ... task(count - 1), in no given order, and returns when all are done.
  void run(int64_t count, const Task& task);

 private:
  void work(int slot);
  void drain(int slot);
  void stop();

  std::mutex mutex_;
  std::condition_variable start_;
  std::condition_variable finished_;
  std::vector<std::thread> workers_;
  const Task* task_ = nullptr;
  int64_t count_ = 0;
  std::atomic<int64_t> next_{0};
  int openings_ = 0;  // threads that may still join the loop in progress
  int active_ = 0;    // threads that have joined and not yet left
  bool stopping_ = false;
};

}  // namespace metastate
