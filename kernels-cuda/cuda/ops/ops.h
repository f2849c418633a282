// Launches of the library's ops other than the recurrences. Float32 throughout; pointers are to the device, aligned to 16
// bytes; every function returns when its kernels are queued. Rows are [rows, width]. `…Scratch` says how many floats of
// scratch the function of that name wants; they are free again when the stream has come past it.
//
// Gradients that are sums over rows are added in an order that the shape alone decides: the same call, the same bits.
#pragma once

#include <cstdint>

#include "runtime/api.h"

namespace metastate::cuda {

constexpr int mostMixes = 6;

struct TokenShift {
  int time, width, count;  ///< T, C and the number of mixes, 1 or 6
  const float* x;          ///< [B, T, C]; rows are B T
  const float* previous;   ///< [B, C]
  const float* mixes[mostMixes];
};

void tokenShift(cudaStream_t stream, const TokenShift& o, int rows, float* const* y);
int64_t tokenShiftGradScratch(const TokenShift& o, int rows);
void tokenShiftGrad(cudaStream_t stream, const TokenShift& o, int rows, const float* const* dys, float* dx,
                    float* dprevious, float* const* dmixes, float* scratch);

struct GroupNorm {
  int width, groups;
  float epsilon;
  const float *x, *weight;
};

void groupNorm(cudaStream_t stream, const GroupNorm& o, int rows, const float* bias, float* y);
int64_t groupNormGradScratch(const GroupNorm& o, int rows);
void groupNormGrad(cudaStream_t stream, const GroupNorm& o, int rows, const float* dy, float* dx, float* dweight,
                   float* dbias, float* scratch);

struct KeyPreparation {
  int width, heads;
  const float *k, *kk, *rate, *ka;
};

void keyPreparation(cudaStream_t stream, const KeyPreparation& o, int rows, float* key, float* alpha, float* beta);
int64_t keyPreparationGradScratch(const KeyPreparation& o, int rows);
void keyPreparationGrad(cudaStream_t stream, const KeyPreparation& o, int rows, const float* dkey, const float* dalpha,
                        const float* dbeta, float* dk, float* dkk, float* drate, float* dka, float* scratch);

struct BonusGate {
  int width, heads;
  const float *x, *r, *k, *v, *gate, *rk;
};

void bonusGate(cudaStream_t stream, const BonusGate& o, int rows, float* y);
int64_t bonusGateGradScratch(const BonusGate& o, int rows);
void bonusGateGrad(cudaStream_t stream, const BonusGate& o, int rows, const float* dy, float* dx, float* dr, float* dk,
                   float* dv, float* dgate, float* drk, float* scratch);

void decay(cudaStream_t stream, int rows, int width, const float* x, const float* bias, float* w, float* sigmoids);
/// Of `decayGrad` and of `biasedSigmoidGrad`.
int64_t biasGradScratch(int rows, int width);
void decayGrad(cudaStream_t stream, int rows, int width, const float* w, const float* sigmoids, const float* dy,
               float* dx, float* dbias, float* scratch);
void biasedSigmoid(cudaStream_t stream, int rows, int width, const float* x, const float* bias, float* y);
void biasedSigmoidGrad(cudaStream_t stream, int rows, int width, const float* y, const float* dy, float* dx,
                       float* dbias, float* scratch);
void interpolate(cudaStream_t stream, int64_t length, const float* start, const float* end, const float* gate, float* y);
void interpolateGrad(cudaStream_t stream, int64_t length, const float* start, const float* end, const float* gate,
                     const float* dy, float* dstart, float* dend, float* dgate);
void squaredRelu(cudaStream_t stream, int64_t length, const float* x, float* y);
void squaredReluGrad(cudaStream_t stream, int64_t length, const float* x, const float* dy, float* dx);
void swiGlu(cudaStream_t stream, int64_t length, const float* gate, const float* x, float* y);
void swiGluGrad(cudaStream_t stream, int64_t length, const float* gate, const float* x, const float* dy, float* dgate,
                float* dx);

/// A target outside the vocabulary makes the loss NaN.
int64_t crossEntropyScratch(int rows);
void crossEntropy(cudaStream_t stream, int rows, int vocabulary, const float* logits, const int32_t* targets,
                  float* loss, float* probabilities, float* scratch);
void crossEntropyGrad(cudaStream_t stream, int rows, int vocabulary, const float* probabilities,
                      const int32_t* targets, const float* dloss, float* dlogits);

/// A token that names no row gives a row of NaN; its gradient goes nowhere.
void embedding(cudaStream_t stream, int count, int rows, int width, const float* weight, const int32_t* tokens,
               float* y);
int64_t embeddingGradScratch(int count);
void embeddingGrad(cudaStream_t stream, int count, int rows, int width, const int32_t* tokens, const float* dy,
                   float* dweight, float* scratch);

void rmsNorm(cudaStream_t stream, int rows, int width, float epsilon, const float* x, const float* weight, float* y);
int64_t rmsNormGradScratch(int rows, int width);
void rmsNormGrad(cudaStream_t stream, int rows, int width, float epsilon, const float* x, const float* weight,
                 const float* dy, float* dx, float* dweight, float* scratch);

void l2Gelu(cudaStream_t stream, int rows, int width, float scale, const float* x, float* y);
void l2GeluGrad(cudaStream_t stream, int rows, int width, float scale, const float* x, const float* dy, float* dx);
void geluL2(cudaStream_t stream, int rows, int width, float scale, const float* x, float* y);
void geluL2Grad(cudaStream_t stream, int rows, int width, float scale, const float* x, const float* dy, float* dx);
void groupWeights(cudaStream_t stream, int rows, int width, int topK, const float* x, float* y);

/// x [tokens, heads, size], size even; cosines and sines [tokens, size / 2]; direction 1, or -1 to turn back.
void rotary(cudaStream_t stream, int tokens, int heads, int size, float direction, const float* x, const float* cosines,
            const float* sines, float* y);

void transposeMatrix(cudaStream_t stream, int rows, int columns, const float* x, float* y);

}  // namespace metastate::cuda
