// What this machine can do, for JavaScript: the two roofs that kernels are held against.

#include <napi.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

#include "memory/large_memory.h"
#include "node/bindings.h"
#include "node/call.h"
#include "node/engine.h"

namespace metastate {
namespace {

using Clock = std::chrono::steady_clock;

Clock::duration durationArgument(const Napi::CallbackInfo& info) {
  const double milliseconds = info.Length() > 0 && info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : -1;
  if (!(milliseconds >= 1 && milliseconds <= 60000)) {
    throw Napi::RangeError::New(info.Env(), "milliseconds must be from 1 to 60000");
  }
  return std::chrono::microseconds(static_cast<int64_t>(milliseconds * 1000));
}

/// measurePeak(milliseconds): multiply-adds in registers, in float32 or, where products are in it, in AVX-512 BF16; GFLOP/s of all
/// threads together. Each thread counts its best short slice, so that what else the machine does lowers the figure little.
Napi::Value measurePeak(const Napi::CallbackInfo& info) {
  const Clock::duration allowed = durationArgument(info);
  const bool rounds = Engine::instance().precision() != ProductPrecision::float32;
  const double rate = Engine::instance().use([&](ThreadPool& pool, const SimdPath& path) {
    const MatMulKernels& kernels = rounds ? bfloat16Kernels(path) : path.matMul;
    const Clock::time_point until = Clock::now() + allowed;
    std::vector<double> best(static_cast<size_t>(pool.threads()), 0);
    pool.run(pool.threads(), [&](int64_t index, int) {
      float sink = 1;
      for (Clock::time_point now = Clock::now(); now < until;) {
        const double operations = kernels.multiplyAddLoop(50000, &sink);
        const Clock::time_point then = now;
        now = Clock::now();
        double& mine = best[static_cast<size_t>(index)];
        mine = std::max(mine, operations / std::chrono::duration<double, std::nano>(now - then).count());
      }
    });
    return std::accumulate(best.begin(), best.end(), 0.0);
  });
  return Napi::Number::New(info.Env(), rate);
}

/// Bytes of the largest cache of the first core; 0 where the system does not tell. sysconf knows none on arm64.
int64_t largestCache() {
  int64_t largest = 0;
#ifdef _SC_LEVEL3_CACHE_SIZE
  largest = std::max<int64_t>(0, sysconf(_SC_LEVEL3_CACHE_SIZE));
#endif
  for (int index = 0; index < 8; ++index) {
    std::ifstream file("/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index) + "/size");
    int64_t kibibytes = 0;  // "32768K"
    if (file >> kibibytes) largest = std::max(largest, kibibytes << 10);
  }
  return largest;
}

/// Floats of each of three arrays that together lie well beyond the caches: a multiple of a cache line for each thread.
int64_t streamLength(int threads) {
  const int64_t bytes = std::clamp<int64_t>(6 * largestCache(), int64_t{192} << 20, int64_t{1} << 30);
  const int64_t share = bytes / 3 / static_cast<int64_t>(sizeof(float)) / threads;
  return std::max<int64_t>(64, share / 64 * 64) * threads;
}

/// measureBandwidth(milliseconds): the fastest pass over memory of all threads together, 10^9 bytes a second: of reading
/// once, or of reading two arrays and writing a third, which machines do at different rates.
Napi::Value measureBandwidth(const Napi::CallbackInfo& info) {
  const Clock::duration allowed = durationArgument(info);
  const double rate = Engine::instance().use([&](ThreadPool& pool, const SimdPath& path) {
    const int64_t threads = pool.threads(), length = streamLength(pool.threads()), share = length / threads;
    const LargeMemory buffer(static_cast<size_t>(3 * length) * sizeof(float));  // as large tensors lie
    float *x = buffer.data(), *y = x + length, *z = y + length;
    std::vector<float> sinks(static_cast<size_t>(16 * threads));
    const auto sum = [&](int64_t index, int) {
      for (float* array : {x, y, z}) path.sumStream(array + index * share, share, &sinks[static_cast<size_t>(16 * index)]);
    };
    const auto triad = [&](int64_t index, int) {
      path.triadStream(x + index * share, y + index * share, share, z + index * share);
    };
    const auto seconds = [&](const ThreadPool::Task& task) {
      const Clock::time_point begin = Clock::now();
      pool.run(threads, task);
      return std::chrono::duration<double>(Clock::now() - begin).count();
    };
    // Memory that nobody has written to is not there yet.
    pool.run(threads, [&](int64_t index, int) {
      for (float* array : {x, y, z}) std::fill_n(array + index * share, share, 1.0f);
    });
    double least = 1e30;
    const Clock::time_point until = Clock::now() + allowed;
    do least = std::min({least, seconds(sum), seconds(triad)});
    while (Clock::now() < until);
    return 3.0 * sizeof(float) * static_cast<double>(length) / least / 1e9;
  });
  return Napi::Number::New(info.Env(), rate);
}

}  // namespace

void defineMeasurements(Napi::Object& exports) {
  define<measurePeak>(exports, "measurePeak");
  define<measureBandwidth>(exports, "measureBandwidth");
}

}  // namespace metastate
