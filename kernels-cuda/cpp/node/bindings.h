// The parts of the addon's face to Node, one a folder of kernels.
#pragma once

#include <napi.h>

namespace metastate {

void defineMatMul(Napi::Object& exports);
void defineMeasurements(Napi::Object& exports);
void defineMemory(Napi::Object& exports);
void defineMovement(Napi::Object& exports);
void defineOps(Napi::Object& exports);
void defineRecurrences(Napi::Object& exports);
void defineTensors(Napi::Object& exports);
void defineTokens(Napi::Object& exports);

}  // namespace metastate
