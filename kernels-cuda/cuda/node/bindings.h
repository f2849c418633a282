// How functions of the addon come to JavaScript. Each area has a file <area>_binding.cpp with
//
//   METASTATE_BINDING(tfjs) {
//     define<unary>(exports, "unary");
//   }
//
// and is found by the build; there is no list to add it to.
#pragma once

#include <napi.h>

#include "node/device_call.h"

namespace metastate::cuda {

/// Adds the functions of a file when the addon is loaded.
struct Binding {
  using Fill = void (*)(Napi::Object& exports);
  explicit Binding(Fill fill) : fill(fill), next(first) { first = this; }
  const Fill fill;
  Binding* const next;
  static Binding* first;
};

}  // namespace metastate::cuda

#define METASTATE_BINDING(area)                                                    \
  static void fill_##area(Napi::Object& exports);                                  \
  static const ::metastate::cuda::Binding binding_##area(&fill_##area);            \
  static void fill_##area(Napi::Object& exports)
