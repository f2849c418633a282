// A step of AdamW for one parameter, as JavaScript asks for it.
#pragma once

#include <cstdint>

namespace metastate {

struct AdamWStep {
  int64_t length;
  double learningRate, beta1, beta2, epsilon, weightDecay, step, clip;
  const float* norm;  ///< [1], of all gradients
  const float *parameter, *gradient, *moment1, *moment2;
  float *nextParameter, *nextMoment1, *nextMoment2;
};

}  // namespace metastate
