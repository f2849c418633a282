// A call of an op on tensors of the GPU. src/cuda/kernels/library-ops.ts relies on it that the arguments are the native
// addon's, with a tensor's address where that has an array.
#pragma once

#include "node/device_call.h"
#include "ops/attention.h"
#include "ops/ops.h"
#include "ops/wkv4.h"

namespace metastate::cuda {

/// Where an op is launched: launch functions take it for its stream.
class Queue {
 public:
  explicit Queue(Device& device) : device_(device) {}
  Device& device() const { return device_; }
  operator cudaStream_t() const { return device_.stream(); }

 private:
  Device& device_;
};

class OpCall : public DeviceCall {
 public:
  using DeviceCall::DeviceCall;
  using Attention = cuda::Attention;
  using BonusGate = cuda::BonusGate;
  using GroupNorm = cuda::GroupNorm;
  using KeyPreparation = cuda::KeyPreparation;
  using TokenShift = cuda::TokenShift;
  using Wkv4 = cuda::Wkv4;
  using Wkv4Grad = cuda::Wkv4Grad;

  Queue engine() const { return Queue(device()); }

  /// How many rows two sizes make: launches take an int, as a single size is one.
  int64_t rows(int64_t first, int64_t second) const {
    const int64_t rows = product({first, second});
    if (rows <= 2147483647) return rows;
    throw Napi::RangeError::New(env(), std::to_string(rows) + " rows: a kernel takes up to 2147483647");
  }

  int64_t attentionHeadSize(const char* name) {
    const int64_t channels = size(name);
    if (channels <= mostHeadChannels) return channels;
    throw Napi::RangeError::New(env(), "attention heads of " + std::to_string(channels) +
                                           " channels: the CUDA kernel takes at most 256. Use more and smaller heads, "
                                           "or the engine native");
  }

  /// int32 [count]. Those out of range cannot be refused without waiting for the GPU: the kernels see to them.
  const int32_t* numbersBelow(const char* name, int64_t count, int64_t /*end*/) { return ints(name, count); }
};

}  // namespace metastate::cuda
