// What every CPU of the architecture has: SSE2 on x86-64, NEON on arm64.
#define METASTATE_LANES 4
#define METASTATE_PATH pathBaseline
#if defined(__x86_64__)
#define METASTATE_PATH_NAME "sse2"
#define METASTATE_REGISTERS 16
#elif defined(__aarch64__)
#define METASTATE_PATH_NAME "neon"
#define METASTATE_REGISTERS 32
#else
#define METASTATE_PATH_NAME "generic"
#define METASTATE_REGISTERS 16
#endif
#include "simd/hot_code.h"
