// A pool of threads that run the tasks of one loop at a time, the calling thread among them.
//
// To wake a thread that sleeps takes as long as a small loop. A thread that has done its part therefore watches for the next
// loop for a fraction of a millisecond, in which a model's next op comes, and gives way to whoever else wants its core;
// then it sleeps on a condition variable and uses no CPU time: a notebook is idle most of the time. Only as many threads as
// a loop has tasks take part.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace metastate {

class ThreadPool {
 public:
  /// Called as task(index, slot): `slot` is below threads() and no two tasks that run at once share it, so it can pick
  /// a scratch buffer.
  using Task = std::function<void(int64_t index, int slot)>;

  /// Starts `threads - 1` threads; the caller of run() is the last one. Throws std::invalid_argument below 1, and
  /// std::system_error when the system refuses a thread.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  /// Runs task(0) ... task(count - 1), in no given order, and returns when all are done. Where one throws no other begins, and what
  /// it threw, or one of them, is thrown here when all have ended.
  void run(int64_t count, const Task& task);

 private:
  void work(int slot);
  bool join();
  void drain(int slot);
  void stop();

  std::vector<std::thread> workers_;
  const Task* task_ = nullptr;
  int64_t count_ = 0;
  std::atomic<int64_t> next_{0};
  // What follows is read and written in one order that all threads see (sequentially consistent): each side of a hand-over
  // writes its own word and then reads the other's, so that one of the two notices.
  std::atomic<int> openings_{0};  // threads that may still join the loop in progress
  std::atomic<int> active_{0};    // threads that are joining, or have joined and not yet left
  std::atomic<int> asleep_{0};    // threads that wait on start_, or are about to
  std::atomic<bool> waiting_{false};  // whether run() waits on finished_, or is about to
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;  // of the condition variables, and of failure_ while a loop runs
  std::exception_ptr failure_;  // what a task of the loop has thrown
  std::condition_variable start_;
  std::condition_variable finished_;
};

}  // namespace metastate
