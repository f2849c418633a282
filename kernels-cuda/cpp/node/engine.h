// What every call of the addon shares: the threads and the instruction set in use. One for the process: Node's worker
// threads that load the addon too take turns.
#pragma once

#include <algorithm>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

#include "matmul/matmul.h"
#include "ops/cpu.h"
#include "simd/paths.h"
#include "threads/thread_pool.h"

namespace metastate {

class Engine {
 public:
  static Engine& instance() {
    static Engine engine;
    return engine;
  }

  /// The engine for as long as this object lives: no other call has it.
  struct InUse : Cpu {
    std::unique_lock<std::mutex> lock;
  };

  InUse use() {
    std::unique_lock<std::mutex> lock(mutex_);
    if (!pool_) {
      try {
        pool_ = std::make_unique<ThreadPool>(threads_);
      } catch (const std::system_error& error) {
        throw std::runtime_error("the system gives no " + std::to_string(threads_) + " threads (" + error.what() +
                                 "): set METASTATE_THREADS to fewer and start again");
      }
    }
    return {{*pool_, *path_}, std::move(lock)};
  }

  /// Runs body(pool, path) while no other call does.
  template <typename Body>
  auto use(Body body) {
    const InUse cpu = use();
    return body(cpu.pool, cpu.path);
  }

  /// The same for what needs no threads: which libraries there are is read and changed in here alone.
  template <typename Body>
  auto alone(Body body) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return body();
  }

  int threads() {
    std::lock_guard<std::mutex> lock(mutex_);
    return threads_;
  }

  /// Throws std::invalid_argument outside 1 to 1024.
  void setThreads(int threads) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (threads < 1 || threads > 1024) {
      throw std::invalid_argument("threads must be from 1 to 1024, not " + std::to_string(threads));
    }
    if (threads == threads_) return;
    pool_.reset();
    threads_ = threads;
  }

  ProductPrecision precision() {
    std::lock_guard<std::mutex> lock(mutex_);
    return precision_;
  }

  void setPrecision(ProductPrecision precision) {
    std::lock_guard<std::mutex> lock(mutex_);
    precision_ = precision;
  }

  const SimdPath& path() {
    std::lock_guard<std::mutex> lock(mutex_);
    return *path_;
  }

  /// Throws std::invalid_argument when there is none of that name, or this CPU cannot run it.
  void setPath(const std::string& name) {
    std::string names;
    for (const SimdPath* path : availablePaths()) {
      if (name == path->name) {
        std::lock_guard<std::mutex> lock(mutex_);
        path_ = path;
        return;
      }
      names += (names.empty() ? "" : ", ") + std::string(path->name);
    }
    throw std::invalid_argument("no instruction set \"" + name + "\" here: this CPU runs " + names);
  }

 private:
  Engine() = default;

  std::mutex mutex_;
  int threads_ = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  std::unique_ptr<ThreadPool> pool_;  // made on first use: loading the addon starts no threads
  const SimdPath* path_ = availablePaths().back();
  ProductPrecision precision_ = ProductPrecision::float32;
};

}  // namespace metastate
