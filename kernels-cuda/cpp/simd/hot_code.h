// Included by each path_*.cpp once: compiles the hot code for the instruction set that file chose.
//
// Everything here lives in an unnamed namespace and uses nothing from the standard library that has code: an inline
// function shared with other files would exist once in the addon, possibly in the version with the widest instructions.
#if !defined(METASTATE_LANES) || !defined(METASTATE_PATH) || !defined(METASTATE_PATH_NAME) || \
    !defined(METASTATE_REGISTERS)
#error "hot_code.h is included by path_*.cpp only"
#endif

#include <stdint.h>
#include <string.h>
// Parts of registers by masks. A sanitizer does not see what these read and write.
#if defined(__AVX512F__) && !defined(__SANITIZE_ADDRESS__)
#include <immintrin.h>
#define METASTATE_MASKS
#endif

#include "attention/attention_kernels.h"
#include "ops/op_kernels.h"
#include "simd/paths.h"
#include "tfjs/tensor_kernels.h"
#include "matmul/matmul_kernels.h"
#include "meta/meta_kernels.h"
#include "wkv4/wkv4_kernels.h"
#include "wkv7/wkv7_kernels.h"

namespace metastate {
namespace {

#include "simd/vector.h"
#include "simd/memory_streams.h"
#include "simd/functions.h"
#include "matmul/packing.h"
#include "matmul/packed_product.h"
#include "matmul/row_product.h"
#include "matmul/bfloat16_rounding.h"
#include "matmul/bfloat16_pairs.h"
#include "simd/multiply_add.h"
#include "ops/token_shift.h"
#include "ops/group_norm.h"
#include "ops/key_preparation.h"
#include "ops/gates.h"
#include "ops/bonus_gate.h"
#include "ops/cross_entropy.h"
#include "ops/adamw.h"
#include "ops/rms_norm.h"
#include "ops/rotary.h"
#include "ops/parameter_token_activations.h"
#include "attention/softmax_block.h"
#include "wkv4/wkv4.h"
#include "tfjs/tensor_functions.h"
#include "tfjs/comparisons.h"
#include "wkv7/one_step.h"
#include "wkv7/forward.h"
#include "wkv7/backward_chunk.h"
#include "wkv7/backward.h"
#include "meta/normalised_read.h"
#include "meta/forward.h"

}  // namespace

extern const SimdPath METASTATE_PATH;
const SimdPath METASTATE_PATH{
    METASTATE_PATH_NAME,
    METASTATE_LANES,
    Wkv7Kernels{forwardBlockRows, forwardScratch, forwardRows, backwardSlabRows, backwardScratch, backwardRows},
    MetaKernels{metaForwardScratch, metaForwardHeads, metaWrite, metaRemember, metaReadGrad},
    MatMulKernels{FloatSlots::depth, FloatSlots::tileRows, tileColumns, pack<FloatSlots::tileRows>,
                  packedRows<FloatSlots::tileRows>, pack<tileColumns>, packedProduct<FloatSlots>, rowProduct,
                  multiplyAddLoop<FloatSlots>},
    MatMulKernels{Bfloat16Slots::depth, Bfloat16Slots::tileRows, tileColumns, packRowPairs<Bfloat16Slots::tileRows>,
                  packedRowPairs<Bfloat16Slots::tileRows>, packPairs<tileColumns>, packedProduct<Bfloat16Slots>, rowProduct,
                  multiplyAddLoop<FloatSlots>},
    toBfloat16,
    OpKernels{tokenShift, tokenShiftGrad, groupNorm, groupNormGrad, keyPreparation, keyPreparationGrad, decay, decayGrad,
              biasedSigmoid, biasedSigmoidGrad, interpolate, interpolateGrad, bonusGate, bonusGateGrad, squaredRelu,
              squaredReluGrad, crossEntropy, scale, addTo, sumOfSquares, adamW, addBias, transposeMatrix,
              rmsNorm, rmsNormGrad, rotary, swiGlu, swiGluGrad, l2Gelu, l2GeluGrad, geluL2, geluL2Grad, groupWeights},
    AttentionKernels{attentionWeights, attentionWeightsAgain, attentionScoresGrad, attentionDot},
    Wkv4Kernels{lanes, wkv4Forward, wkv4Scratch, wkv4Backward},
    TensorKernels{unary, binary, reduceRun, reduceRows, softmax, transpose, compareFloats, compareIntegers, compareTruths,
                  integerBinary, extremumPlace, extremumPlaces},
    sumStream,
    triadStream,
};

}  // namespace metastate
