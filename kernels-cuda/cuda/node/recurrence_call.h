// What calls of the recurrences have in common: the shape, first among the arguments, and the lengths that it asks of the
// tensors.
#pragma once

#include "node/arguments.h"
#include "node/device_call.h"
#include "runtime/scratch.h"
#include "wkv7/wkv7.h"

namespace metastate::cuda {

class RecurrenceCall : public DeviceCall {
 public:
  /// Reads batch, time, heads, headSize, checkpointInterval.
  RecurrenceCall(const Napi::CallbackInfo& info, int64_t leastInterval) : DeviceCall(info) {
    const int64_t batch = size("batch"), time = size("time"), heads = size("heads"), headSize = size("headSize");
    const int64_t interval = size("checkpointInterval", leastInterval);
    if (!wkv7HeadSize(static_cast<int>(headSize))) {
      throw Napi::RangeError::New(env(), "headSize must be 16, 32, 64 or 128 on the GPU, not " +
                                             std::to_string(headSize) +
                                             ": choose another, or the engine native, which has any");
    }
    shape = {static_cast<int>(batch), static_cast<int>(time), static_cast<int>(heads), static_cast<int>(headSize),
             static_cast<int>(interval)};
    steps_ = product({batch, time, heads, headSize});
    states_ = product({batch, heads, headSize, headSize});
    checkpoints_ = product({batch, heads, checkpointCount(shape), headSize, headSize});
    gains_ = heads * headSize;
  }

  Wkv7Shape shape;

  /// [B, T, H, N]
  float* steps(const char* name) { return floats(name, steps_); }
  /// [B, H, N, N]
  float* states(const char* name) { return floats(name, states_); }
  /// [B, H, ceil(T / interval), N, N], or null without an interval.
  float* checkpoints(const char* name) {
    return shape.interval == 0 ? noTensor(name) : floats(name, checkpoints_);
  }
  /// [B, T, H, N], or null without an interval.
  float* keptSteps(const char* name) { return shape.interval == 0 ? noTensor(name) : steps(name); }
  /// [H N]
  float* gains(const char* name) { return floats(name, gains_); }

  /// r, a read of the state, and w, k, v, a, b, of which a step is made: in the order of all calls.
  template <typename Inputs>
  void readTransition(Inputs& in) {
    in.r = steps("r");
    in.w = steps("w");
    in.k = steps("k");
    in.v = steps("v");
    in.a = steps("a");
    in.b = steps("b");
  }

  /// Where the gradients of these go.
  template <typename Gradients>
  void readTransitionGradients(Gradients& out) {
    out.dr = steps("dr");
    out.dw = steps("dw");
    out.dk = steps("dk");
    out.dv = steps("dv");
    out.da = steps("da");
    out.db = steps("db");
  }

  int multiprocessors() const { return device().properties().multiProcessorCount; }

 private:
  float* noTensor(const char* name) {
    if (optionalFloats(name, 0) == nullptr) return nullptr;
    throw Napi::RangeError::New(env(), std::string(name) + " is only written with a checkpointInterval: give null");
  }

  int64_t steps_, states_, checkpoints_, gains_;
};

}  // namespace metastate::cuda
