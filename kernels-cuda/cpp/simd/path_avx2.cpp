// AVX2 with FMA: compiled with -mavx2 -mfma, run only where the CPU has both.
#define METASTATE_LANES 8
#define METASTATE_PATH pathAvx2
#define METASTATE_PATH_NAME "avx2"
#define METASTATE_REGISTERS 16
#include "simd/hot_code.h"
