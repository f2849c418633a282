#include "simd/paths.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace metastate {

// Defined in path_*.cpp by the macro in hot_code.h.
extern const SimdPath pathBaseline;
#if defined(__x86_64__)
extern const SimdPath pathAvx2;
extern const SimdPath pathAvx512;
#if defined(METASTATE_AVX512_BF16)
extern const MatMulKernels bfloat16OfAvx512;
#endif

namespace {

struct CpuFeatures {
  bool avx2 = false;    // and FMA
  bool avx512 = false;  // F, VL, BW and DQ
  bool tiles = false;   // of AMX
};

/// What the CPU has and the operating system saves. (By hand: __builtin_cpu_supports needs a compiler runtime that not
/// every toolchain links into a shared library.)
CpuFeatures cpuFeatures() {
  const auto bit = [](unsigned value, int index) { return ((value >> index) & 1) != 0; };
  unsigned eax, ebx, ecx, edx;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx)) return {};
  const bool fma = bit(ecx, 12), savesState = bit(ecx, 27), avx = bit(ecx, 28);
  if (!fma || !savesState || !avx || !__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return {};
  const bool avx2 = bit(ebx, 5);
  const bool avx512 = bit(ebx, 16) && bit(ebx, 17) && bit(ebx, 30) && bit(ebx, 31);
  unsigned low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  const bool savesWide = (low & 0x06) == 0x06;    // SSE and AVX registers
  const bool savesWidest = (low & 0xe6) == 0xe6;  // and those of AVX-512, and its masks
  const bool savesTiles = (low & 0x60000) == 0x60000;
  return {avx2 && savesWide, avx2 && avx512 && savesWidest, savesTiles};
}

}  // namespace
#endif

const std::vector<const SimdPath*>& availablePaths() {
  static const std::vector<const SimdPath*> paths = [] {
    std::vector<const SimdPath*> found{&pathBaseline};
#if defined(__x86_64__)
    CpuFeatures cpu = cpuFeatures();
#if defined(METASTATE_EMULATE_AVX512)
    cpu.avx512 = cpu.avx2;
#endif
    if (cpu.avx2) found.push_back(&pathAvx2);
    if (cpu.avx512) found.push_back(&pathAvx512);
#endif
    return found;
  }();
  return paths;
}

std::string bfloat16Instructions() {
#if defined(METASTATE_AVX512_BF16)
  unsigned eax, ebx, ecx, edx;
  const CpuFeatures cpu = cpuFeatures();
  if (!cpu.avx512 || !__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return "";
  const bool amx = cpu.tiles && ((edx >> 22) & 1) != 0;  // AMX-BF16
  if (__get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && ((eax >> 5) & 1) != 0) return amx ? "AMX" : "AVX-512 BF16";
#endif
  return "";
}

const MatMulKernels& bfloat16Kernels(const SimdPath& path) {
#if defined(METASTATE_AVX512_BF16)
  static const bool there = !bfloat16Instructions().empty();
  if (there && &path == &pathAvx512) return bfloat16OfAvx512;
#endif
  return path.bfloat16;
}

std::vector<std::string> compiledPaths() {
#if defined(__x86_64__)
  return {pathBaseline.name, pathAvx2.name, pathAvx512.name};
#else
  return {pathBaseline.name};
#endif
}

}  // namespace metastate
