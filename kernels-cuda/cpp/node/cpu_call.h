// A call of an op on typed arrays.
#pragma once

#include "node/call.h"
#include "node/engine.h"
#include "ops/baseline_ops.h"
#include "ops/library_ops.h"

namespace metastate {

class CpuCall : public Call {
 public:
  using Call::Call;
  using Attention = metastate::Attention;
  using BonusGate = metastate::BonusGate;
  using GroupNorm = metastate::GroupNorm;
  using KeyPreparation = metastate::KeyPreparation;
  using TokenShift = metastate::TokenShift;
  using Wkv4 = metastate::Wkv4;
  using Wkv4Grad = metastate::Wkv4Grad;

  Engine::InUse engine() const { return Engine::instance().use(); }

  /// How many rows two sizes make.
  int64_t rows(int64_t first, int64_t second) const { return product({first, second}); }

  int64_t attentionHeadSize(const char* name) { return size(name); }

  /// An Int32Array of exactly `count` numbers, each from 0 to `end` - 1.
  const int32_t* numbersBelow(const char* name, int64_t count, int64_t end) {
    const int32_t* numbers = integers(name, count);
    for (int64_t i = 0; i < count; ++i) {
      if (numbers[i] >= 0 && numbers[i] < end) continue;
      throw Napi::RangeError::New(env(), std::string(name) + " must be from 0 to " + std::to_string(end - 1) +
                                             ", not " + std::to_string(numbers[i]) + " (at place " +
                                             std::to_string(i) + ")");
    }
    return numbers;
  }
};

}  // namespace metastate
