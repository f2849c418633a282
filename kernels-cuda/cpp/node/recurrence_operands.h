// What calls of the recurrences have in common, on the CPU and on the GPU: the shape, first among the arguments, and the
// lengths that it asks of the tensors. src/kernels/recurrences.ts gives them.
#pragma once

#include "node/call.h"

namespace metastate {

/// `Call` finds tensors (node/call.h, on the GPU node/device_call.h); `Shape` has batch, time, heads, headSize and interval.
template <typename Call, typename Shape>
class RecurrenceOperands : public Call {
 public:
  /// Reads batch, time, heads, headSize, checkpointInterval.
  RecurrenceOperands(const Napi::CallbackInfo& info, int64_t leastInterval) : Call(info) {
    using Size = decltype(Shape::batch);
    const int64_t batch = this->size("batch"), time = this->size("time"), heads = this->size("heads");
    const int64_t headSize = this->size("headSize"), interval = this->size("checkpointInterval", leastInterval);
    shape = {static_cast<Size>(batch), static_cast<Size>(time), static_cast<Size>(heads), static_cast<Size>(headSize),
             static_cast<Size>(interval)};
    steps_ = this->product({batch, time, heads, headSize});
    states_ = this->product({batch, heads, headSize, headSize});
    checkpoints_ = this->product({batch, heads, checkpointCount(shape), headSize, headSize});
    gains_ = heads * headSize;
  }

  Shape shape;

  /// [B, T, H, N]
  float* steps(const char* name) { return this->floats(name, steps_); }
  /// [B, H, N, N]
  float* states(const char* name) { return this->floats(name, states_); }
  /// [B, H, ceil(T / interval), N, N], or null without an interval.
  float* checkpoints(const char* name) {
    return shape.interval == 0 ? noTensor(name) : this->floats(name, checkpoints_);
  }
  /// [B, T, H, N], or null without an interval.
  float* keptSteps(const char* name) { return shape.interval == 0 ? noTensor(name) : steps(name); }
  /// [H N]
  float* gains(const char* name) { return this->floats(name, gains_); }

  /// All of wkv7.
  template <typename Inputs, typename Outputs>
  void readWkv7(Inputs& in, Outputs& out) {
    readTransition(in);
    in.state = states("state");
    out.y = steps("y");
    out.finalState = states("finalState");
    out.checkpoints = checkpoints("checkpoints");
  }

  /// What wkv7Grad takes; the gradients follow.
  template <typename Inputs>
  void readWkv7GradInputs(Inputs& in) {
    readTransition(in);
    in.checkpoints = checkpoints("checkpoints");
    in.dy = steps("dy");
    in.dFinalState = states("dFinalState");
  }

  /// Where the gradients of r, w, k, v, a, b go.
  template <typename Gradients>
  void readTransitionGradients(Gradients& out) {
    out.dr = steps("dr");
    out.dw = steps("dw");
    out.dk = steps("dk");
    out.dv = steps("dv");
    out.da = steps("da");
    out.db = steps("db");
  }

  /// All of metaPass after epsilon.
  template <typename Inputs, typename Outputs>
  void readMetaPass(Inputs& in, Outputs& out) {
    readMetaOperands(in);
    in.wkv = states("wkv");
    in.meta = states("meta");
    out.added = steps("added");
    out.metaAfter = states("metaAfter");
    out.u = keptSteps("u");
    out.o = keptSteps("o");
    out.wkvCheckpoints = checkpoints("wkvCheckpoints");
    out.metaCheckpoints = checkpoints("metaCheckpoints");
  }

  /// All of metaPassGrad after epsilon; `saved` may be `in`.
  template <typename Inputs, typename Saved, typename Gradients>
  void readMetaPassGrad(Inputs& in, Saved& saved, Gradients& out) {
    readMetaOperands(in);
    saved.u = steps("u");
    saved.o = steps("o");
    saved.wkvCheckpoints = checkpoints("wkvCheckpoints");
    saved.metaCheckpoints = checkpoints("metaCheckpoints");
    saved.dAdded = steps("dAdded");
    saved.dMetaAfter = states("dMetaAfter");
    readTransitionGradients(out);
    out.dx = steps("dx");
    out.dq = steps("dq");
    out.dReadGain = gains("dReadGain");
    out.dMemoryGain = gains("dMemoryGain");
    out.dWkv = states("dWkv");
    out.dMeta = states("dMeta");
  }

 private:
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

  /// What both ways of the Meta-State pass take.
  template <typename Inputs>
  void readMetaOperands(Inputs& in) {
    readTransition(in);
    in.x = steps("x");
    in.q = steps("q");
    in.readGain = gains("readGain");
    in.memoryGain = gains("memoryGain");
  }

  float* noTensor(const char* name) {
    if (this->optionalFloats(name, 0) == nullptr) return nullptr;
    throw Napi::RangeError::New(this->env(),
                                std::string(name) + " is only written with a checkpointInterval: give null");
  }

  int64_t steps_, states_, checkpoints_, gains_;
};

}  // namespace metastate
