// Large arrays for JavaScript, in memory of ours.

#include <napi.h>

#include <memory>
#include <mutex>
#include <unordered_map>

#include "memory/large_memory.h"
#include "node/bindings.h"
#include "node/call.h"

namespace metastate {
namespace {

/// The memory of the arrays that JavaScript holds, of all its threads.
class Arrays {
 public:
  static Arrays& instance() {
    static Arrays* const arrays = new Arrays;  // finalizers may run when statics are gone
    return *arrays;
  }

  float* make(size_t bytes) {
    auto memory = std::make_unique<LargeMemory>(bytes);
    float* const data = memory->data();
    const std::lock_guard<std::mutex> lock(mutex_);
    all_[data] = std::move(memory);
    return data;
  }

  void free(void* data) {
    const std::lock_guard<std::mutex> lock(mutex_);
    all_.erase(data);
  }

  bool drop(void* data) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = all_.find(data);
    if (found == all_.end()) return false;
    found->second->drop();
    return true;
  }

 private:
  std::mutex mutex_;
  std::unordered_map<void*, std::unique_ptr<LargeMemory>> all_;
};

/// largeArray(length): a Float32Array of zeros.
Napi::Value largeArray(const Napi::CallbackInfo& info) {
  Call call(info);
  const int64_t length = call.size("length");
  const size_t bytes = static_cast<size_t>(length) * sizeof(float);
  float* const data = Arrays::instance().make(bytes);
  napi_value buffer;
  const napi_status status = napi_create_external_arraybuffer(
      info.Env(), data, bytes, [](napi_env, void* array, void*) { Arrays::instance().free(array); }, nullptr, &buffer);
  if (status != napi_ok) {
    Arrays::instance().free(data);
    // A JavaScript whose arrays must all lie in a place of its own (Electron's).
    return Napi::Float32Array::New(info.Env(), static_cast<size_t>(length));
  }
  return Napi::Float32Array::New(info.Env(), static_cast<size_t>(length), Napi::ArrayBuffer(info.Env(), buffer), 0);
}

/// dropArray(array): gives back, now, what an array of largeArray takes; it holds zeros then. Whether it was one.
Napi::Value dropArray(const Napi::CallbackInfo& info) {
  Call call(info);
  int64_t length;
  float* const data = call.anyFloats("array", length);
  return Napi::Boolean::New(info.Env(), Arrays::instance().drop(data));
}

}  // namespace

void defineMemory(Napi::Object& exports) {
  define<largeArray>(exports, "largeArray");
  define<dropArray>(exports, "dropArray");
}

}  // namespace metastate
