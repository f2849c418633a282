// The base of the addon: the device, memory, copies, time. src/cuda/addon/core-binding.ts is its declaration.
#include "node/bindings.h"

#ifdef METASTATE_CUDA_EMULATED
#include "emulator/block.h"
#endif

namespace metastate::cuda {

Binding* Binding::first = nullptr;

namespace {

/// Raised whenever a function of the addon changes what it takes or gives, so that TypeScript refuses an addon of other
/// sources.
constexpr int interfaceVersion = 7;

Napi::Value address(Napi::Env env, void* memory) {
  return Napi::Number::New(env, static_cast<double>(reinterpret_cast<uintptr_t>(memory)));
}

/// open(): { reason, remedy } when there is no device, otherwise what it is
Napi::Value open(const Napi::CallbackInfo& info) {
  Napi::Object result = Napi::Object::New(info.Env());
  try {
    const Device& device = Device::get();
    const cudaDeviceProp& properties = device.properties();
    int driver = 0, runtime = 0;
    check(cudaDriverGetVersion(&driver), "asking for the driver's version");
    check(cudaRuntimeGetVersion(&runtime), "asking for the runtime's version");
    result.Set("name", std::string(properties.name));
    result.Set("index", device.index());
    result.Set("computeCapability", std::to_string(properties.major) + "." + std::to_string(properties.minor));
    result.Set("multiprocessors", properties.multiProcessorCount);
    result.Set("totalBytes", static_cast<double>(properties.totalGlobalMem));
    result.Set("driverVersion", driver);
    result.Set("runtimeVersion", runtime);
  } catch (const NoDevice& error) {
    result.Set("reason", std::string(error.what()));
    result.Set("remedy", error.remedy);
  }
  return result;
}

/// allocate(bytes): address
Napi::Value allocate(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  const double bytes = call.number("bytes");
  if (!(bytes >= 0 && bytes < 9007199254740992.0)) throw Napi::RangeError::New(info.Env(), "bytes must be a size");
  return address(info.Env(), call.device().allocate(static_cast<size_t>(bytes)));
}

/// free(address)
Napi::Value release(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  size_t bytes = 0;
  call.device().free(call.anyTensor("address", bytes));
  return info.Env().Undefined();
}

/// The bytes of an array that a tensor's are copied from or to: as many as it has.
void* arrayFor(const Napi::CallbackInfo& info, size_t index, size_t wanted) {
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  if (info.Length() <= index ||
      napi_get_typedarray_info(info.Env(), info[index], &type, &length, &data, nullptr, nullptr) != napi_ok) {
    throw Napi::TypeError::New(info.Env(), "values must be a typed array");
  }
  const size_t bytes = info[index].As<Napi::TypedArray>().ByteLength();
  if (bytes != wanted) {
    throw Napi::RangeError::New(info.Env(), "values have " + std::to_string(bytes) + " bytes, and the tensor " +
                                                std::to_string(wanted));
  }
  return data;
}

/// upload(address, values)
Napi::Value upload(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  size_t bytes = 0;
  void* to = call.anyTensor("address", bytes);
  call.device().upload(to, arrayFor(info, 1, bytes), bytes);
  return info.Env().Undefined();
}

/// download(address, values): waits
Napi::Value download(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  size_t bytes = 0;
  const void* from = call.anyTensor("address", bytes);
  void* to = arrayFor(info, 1, bytes);
  if (bytes > 0) call.device().download(to, from, bytes);
  return info.Env().Undefined();
}

/// A copy to the host that a thread of Node's pool waits for. The array for it is JavaScript's, which tells when there is no
/// memory for one; Node ends the process.
class Reading : public Napi::AsyncWorker {
 public:
  Reading(Napi::Env env, Device& device, const void* from, size_t bytes, const Napi::Object& values)
      : Napi::AsyncWorker(env, "metastate.read"),
        device_(device),
        done_(Napi::Promise::Deferred::New(env)),
        bytes_(bytes),
        values_(Napi::Persistent(values)),
        buffer_(device.takePinned(bytes)) {
    if (bytes > 0) {
      check(cudaMemcpyAsync(buffer_->data(), from, bytes, cudaMemcpyDeviceToHost, device.stream()),
            "copying from the GPU");
    }
    buffer_->copied.record();
  }

  Napi::Promise promise() const { return done_.Promise(); }

 protected:
  void Execute() override { buffer_->copied.wait(); }

  void OnOK() override {
    const Napi::TypedArray values = values_.Value().As<Napi::TypedArray>();
    // Where it still is, if its bytes were not given away meanwhile.
    char* const to = static_cast<char*>(values.ArrayBuffer().Data());
    if (bytes_ > 0 && values.ByteLength() == bytes_) std::memcpy(to + values.ByteOffset(), buffer_->data(), bytes_);
    device_.givePinned(std::move(buffer_));
    done_.Resolve(Env().Undefined());
  }

  void OnError(const Napi::Error& error) override { done_.Reject(error.Value()); }

 private:
  Device& device_;
  const Napi::Promise::Deferred done_;
  const size_t bytes_;
  const Napi::ObjectReference values_;
  std::unique_ptr<PinnedBuffer> buffer_;
};

/// read(address, values): a Promise that the array has the values as they are at this point of the stream; the tensor may end at once
Napi::Value read(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  size_t bytes = 0;
  const void* from = call.anyTensor("address", bytes);
  arrayFor(info, 1, bytes);
  auto reading = std::make_unique<Reading>(info.Env(), call.device(), from, bytes, info[1].As<Napi::Object>());
  const Napi::Promise promise = reading->promise();
  reading.release()->Queue();  // ends itself
  return promise;
}

/// copy(to, toByte, from, fromByte, bytes): a part of one tensor into another
Napi::Value copy(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  size_t toBytes = 0, fromBytes = 0;
  char* to = static_cast<char*>(call.anyTensor("to", toBytes));
  const double toByte = call.number("toByte");
  const char* from = static_cast<const char*>(call.anyTensor("from", fromBytes));
  const double fromByte = call.number("fromByte"), bytes = call.number("bytes");
  const auto fits = [&](double begin, size_t there) { return begin >= 0 && begin + bytes <= static_cast<double>(there); };
  if (!(bytes >= 0) || !fits(toByte, toBytes) || !fits(fromByte, fromBytes)) {
    throw Napi::RangeError::New(info.Env(), "copy: the part is not within both tensors");
  }
  if (bytes > 0) {
    call.device().copy(to + static_cast<size_t>(toByte), from + static_cast<size_t>(fromByte),
                       static_cast<size_t>(bytes));
  }
  return info.Env().Undefined();
}

/// clear(address): all bits 0
Napi::Value clear(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  size_t bytes = 0;
  void* at = call.anyTensor("address", bytes);
  if (bytes > 0) call.device().clear(at, bytes);
  return info.Env().Undefined();
}

/// synchronize()
Napi::Value synchronize(const Napi::CallbackInfo& info) {
  Device::get().synchronize();
  return info.Env().Undefined();
}

/// memory(): bytes, and how often the driver was asked for some
Napi::Value memory(const Napi::CallbackInfo& info) {
  const MemoryState state = Device::get().memory();
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("used", static_cast<double>(state.used));
  result.Set("peak", static_cast<double>(state.peak));
  result.Set("waiting", static_cast<double>(state.waiting));
  result.Set("free", static_cast<double>(state.free));
  result.Set("total", static_cast<double>(state.total));
  result.Set("requests", static_cast<double>(state.requests));
  return result;
}

Napi::Value resetPeak(const Napi::CallbackInfo& info) {
  Device::get().resetPeak();
  return info.Env().Undefined();
}

Napi::Value trim(const Napi::CallbackInfo& info) {
  Device::get().trim();
  return info.Env().Undefined();
}

/// poison(on)
Napi::Value poison(const Napi::CallbackInfo& info) {
  DeviceCall call(info);
  call.device().poison(call.flag("on"));
  return info.Env().Undefined();
}

/// Two moments of the stream, and a thread of Node's pool that waits for the second.
class Timing : public Napi::AsyncWorker {
 public:
  Timing(Napi::Env env, std::unique_ptr<Event> begin)
      : Napi::AsyncWorker(env, "metastate.time"), done_(Napi::Promise::Deferred::New(env)), begin_(std::move(begin)) {
    end_.record();
  }
  Napi::Promise promise() const { return done_.Promise(); }

 protected:
  void Execute() override {
    end_.wait();
    milliseconds_ = end_.millisecondsSince(*begin_);
  }
  void OnOK() override { done_.Resolve(Napi::Number::New(Env(), milliseconds_)); }
  void OnError(const Napi::Error& error) override { done_.Reject(error.Value()); }

 private:
  const Napi::Promise::Deferred done_;
  std::unique_ptr<Event> begin_;
  Event end_{true};
  float milliseconds_ = 0;
};

/// launches(): kernels of ours that were launched in this process; not those of cuBLASLt
Napi::Value launches(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(launchCount()));
}

/// startTimer(): a function that ends it, and gives a Promise of the milliseconds between, as the GPU saw them
Napi::Value startTimer(const Napi::CallbackInfo& info) {
  auto begin = std::make_shared<std::unique_ptr<Event>>(std::make_unique<Event>(true));
  (*begin)->record();
  return Napi::Function::New(info.Env(), [begin](const Napi::CallbackInfo& call) -> Napi::Value {
    if (!*begin) throw Napi::Error::New(call.Env(), "this timer was ended before");
    try {
      auto timing = std::make_unique<Timing>(call.Env(), std::move(*begin));
      const Napi::Promise promise = timing->promise();
      timing.release()->Queue();
      return promise;
    } catch (const std::exception& error) {
      throw Napi::Error::New(call.Env(), error.what());
    }
  });
}

#ifdef METASTATE_CUDA_EMULATED
/// setMemory(bytes): what the emulated device has
Napi::Value setMemory(const Napi::CallbackInfo& info) {
  Call call(info);
  emulator::setMemory(static_cast<size_t>(call.number("bytes")));
  return info.Env().Undefined();
}

/// setOrder("forward" | "reverse" | "shuffled")
Napi::Value setOrder(const Napi::CallbackInfo& info) {
  Call call(info);
  const std::string order = call.text("order");
  if (order != "forward" && order != "reverse" && order != "shuffled") {
    throw Napi::RangeError::New(info.Env(), "order must be forward, reverse or shuffled, not " + order);
  }
  emulator::setOrder(order == "forward"   ? emulator::Order::forward
                     : order == "reverse" ? emulator::Order::reverse
                                          : emulator::Order::shuffled);
  return info.Env().Undefined();
}
#endif

METASTATE_BINDING(core) {
  define<open>(exports, "open");
  define<allocate>(exports, "allocate");
  define<release>(exports, "free");
  define<upload>(exports, "upload");
  define<download>(exports, "download");
  define<read>(exports, "read");
  define<copy>(exports, "copy");
  define<clear>(exports, "clear");
  define<synchronize>(exports, "synchronize");
  define<memory>(exports, "memory");
  define<resetPeak>(exports, "resetPeak");
  define<trim>(exports, "trim");
  define<poison>(exports, "poison");
  define<launches>(exports, "launches");
  define<startTimer>(exports, "startTimer");
#ifdef METASTATE_CUDA_EMULATED
  define<setMemory>(exports, "setMemory");
  define<setOrder>(exports, "setOrder");
#endif
}

Napi::Object initialize(Napi::Env, Napi::Object exports) {
  exports.Set("interfaceVersion", interfaceVersion);
#ifdef METASTATE_CUDA_EMULATED
  exports.Set("emulated", true);
#else
  exports.Set("emulated", false);
#endif
#ifdef METASTATE_FINDS_RACES
  exports.Set("findsRaces", true);
#endif
#ifdef METASTATE_CHECKS_ALIGNMENT
  exports.Set("checksAlignment", true);
#endif
  for (const Binding* binding = Binding::first; binding; binding = binding->next) binding->fill(exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(metastate_cuda, initialize)

}  // namespace metastate::cuda
