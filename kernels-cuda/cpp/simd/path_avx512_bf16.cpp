// Products of bfloat16 in the instructions of AVX-512 BF16: compiled with that flag, run only where the CPU has them. All other
// hot code is that of AVX-512.
#define METASTATE_LANES 16
#define METASTATE_REGISTERS 32
#define METASTATE_MASKS

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "simd/paths.h"

namespace metastate {
namespace {

#include "simd/vector.h"
#include "simd/functions.h"
#include "matmul/packing.h"
#include "matmul/packed_product.h"
#include "matmul/row_product.h"
#include "matmul/bfloat16_rounding.h"
#include "matmul/bfloat16_pairs.h"
#include "simd/multiply_add.h"

}  // namespace

extern const MatMulKernels bfloat16OfAvx512;
const MatMulKernels bfloat16OfAvx512{
    Bfloat16Slots::depth,
    Bfloat16Slots::tileRows,
    tileColumns,
    packRowPairs<Bfloat16Slots::tileRows>,
    packedRowPairs<Bfloat16Slots::tileRows>,
    packPairs<tileColumns>,
    packedProduct<Bfloat16Slots>,
    rowProduct,
    multiplyAddLoop<Bfloat16Slots>,
};

}  // namespace metastate
