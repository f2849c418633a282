// A call of the recurrences on tensors of the GPU.
#pragma once

#include "node/device_call.h"
#include "node/recurrence_operands.h"
#include "runtime/scratch.h"
#include "wkv7/wkv7.h"

namespace metastate::cuda {

class RecurrenceCall : public RecurrenceOperands<DeviceCall, Wkv7Shape> {
 public:
  RecurrenceCall(const Napi::CallbackInfo& info, int64_t leastInterval) : RecurrenceOperands(info, leastInterval) {
    if (wkv7HeadSize(shape.headSize)) return;
    throw Napi::RangeError::New(env(), "headSize must be 16, 32, 64 or 128 on the GPU, not " +
                                           std::to_string(shape.headSize) +
                                           ": choose another, or the engine native, which has any");
  }

  int multiprocessors() const { return device().properties().multiProcessorCount; }
};

}  // namespace metastate::cuda
