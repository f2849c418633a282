#include "simd/paths.h"

namespace metastate {

// Defined in path_*.cpp by the macro in hot_code.h.
extern const SimdPath pathBaseline;
#if defined(__x86_64__)
extern const SimdPath pathAvx2;
extern const SimdPath pathAvx512;
#endif

const std::vector<const SimdPath*>& availablePaths() {
  static const std::vector<const SimdPath*> paths = [] {
    std::vector<const SimdPath*> found{&pathBaseline};
#if defined(__x86_64__)
    // These ask the operating system too, whether it saves the wide registers.
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (avx2) found.push_back(&pathAvx2);
#if defined(METASTATE_EMULATE_AVX512)
    const bool avx512 = true;
#else
    const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
#endif
    if (avx2 && avx512) found.push_back(&pathAvx512);
#endif
    return found;
  }();
  return paths;
}

std::vector<std::string> compiledPaths() {
#if defined(__x86_64__)
  return {pathBaseline.name, pathAvx2.name, pathAvx512.name};
#else
  return {pathBaseline.name};
#endif
}

}  // namespace metastate
