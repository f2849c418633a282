// AVX-512 (F, VL, BW, DQ): compiled with those flags, run only where the CPU has them.
#define METASTATE_LANES 16
#define METASTATE_PATH pathAvx512
#define METASTATE_PATH_NAME "avx512"
#define METASTATE_REGISTERS 32
#include "simd/hot_code.h"
