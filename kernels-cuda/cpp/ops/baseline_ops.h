// The ops of the models that Meta-State is compared with, and of parameter tokens, on the threads of the CPU, as
// ops/library_ops.h has those of the library's own.
#pragma once

#include "attention/attention.h"
#include "ops/cpu.h"
#include "simd/flush_denormals.h"

namespace metastate {

inline void rmsNorm(const Cpu& cpu, int64_t rows, int64_t width, float epsilon, const float* x, const float* weight,
                    float* y) {
  cpu.each(rows, width, [&](int64_t from, int64_t to) {
    cpu.path.ops.rmsNorm(width, epsilon, from, to, x, weight, y);
  });
}

inline void rmsNormGrad(const Cpu& cpu, int64_t rows, int64_t width, float epsilon, const float* x,
                        const float* weight, const float* dy, float* dx, float* dweight) {
  cpu.eachWithSums(rows, width, width, [&](int64_t from, int64_t to, float* ofWeight) {
       cpu.path.ops.rmsNormGrad(width, epsilon, from, to, x, weight, dy, dx, ofWeight);
     }).total(cpu.path, 0, width, dweight);
}

inline void rotary(const Cpu& cpu, int64_t rows, int64_t heads, int64_t size, float direction, const float* x,
                   const float* cosines, const float* sines, float* y) {
  cpu.each(rows, heads * size, [&](int64_t from, int64_t to) {
    cpu.path.ops.rotary(heads, size, direction, from, to, x, cosines, sines, y);
  });
}

inline void swiGlu(const Cpu& cpu, int64_t length, const float* gate, const float* x, float* y) {
  cpu.each(length, 1, [&](int64_t from, int64_t to) { cpu.path.ops.swiGlu(from, to, gate, x, y); });
}

inline void swiGluGrad(const Cpu& cpu, int64_t length, const float* gate, const float* x, const float* dy,
                       float* dgate, float* dx) {
  cpu.each(length, 1, [&](int64_t from, int64_t to) { cpu.path.ops.swiGluGrad(from, to, gate, x, dy, dgate, dx); });
}

inline void l2Gelu(const Cpu& cpu, int64_t rows, int64_t width, float scale, const float* x, float* y) {
  cpu.each(rows, 4 * width, [&](int64_t from, int64_t to) { cpu.path.ops.l2Gelu(width, scale, from, to, x, y); });
}

inline void l2GeluGrad(const Cpu& cpu, int64_t rows, int64_t width, float scale, const float* x, const float* dy,
                       float* dx) {
  cpu.each(rows, 4 * width, [&](int64_t from, int64_t to) {
    cpu.path.ops.l2GeluGrad(width, scale, from, to, x, dy, dx);
  });
}

inline void geluL2(const Cpu& cpu, int64_t rows, int64_t width, float scale, const float* x, float* y) {
  cpu.each(rows, 4 * width, [&](int64_t from, int64_t to) { cpu.path.ops.geluL2(width, scale, from, to, x, y); });
}

inline void geluL2Grad(const Cpu& cpu, int64_t rows, int64_t width, float scale, const float* x, const float* dy,
                       float* dx) {
  cpu.each(rows, 4 * width, [&](int64_t from, int64_t to) {
    cpu.path.ops.geluL2Grad(width, scale, from, to, x, dy, dx);
  });
}

inline void groupWeights(const Cpu& cpu, int64_t rows, int64_t groups, int64_t topK, const float* x, float* y) {
  cpu.each(rows, groups, [&](int64_t from, int64_t to) { cpu.path.ops.groupWeights(groups, topK, from, to, x, y); });
}

/// Shares channels out, a few registers of them a task: body(from, to, slot).
template <typename Body>
void eachChannels(const Cpu& cpu, const Wkv4& o, Body body) {
  const int64_t part = cpu.path.wkv4.lanes, parts = (o.width + part - 1) / part;
  const auto one = [&](int64_t index, int slot) {
    const FlushDenormals flush;
    body(index * part, std::min(o.width, (index + 1) * part), slot);
  };
  if (16 * o.batch * o.time * o.width >= leastElementsForThreads) {
    cpu.pool.run(parts, one);
  } else {
    for (int64_t index = 0; index < parts; ++index) one(index, 0);
  }
}

inline void wkv4(const Cpu& cpu, const Wkv4& o, float* y, float* numerator, float* denominator, float* exponent) {
  eachChannels(cpu, o, [&](int64_t from, int64_t to, int) {
    cpu.path.wkv4.forward(o, from, to, y, numerator, denominator, exponent);
  });
}

inline void wkv4Grad(const Cpu& cpu, const Wkv4& o, const Wkv4Grad& g) {
  const int64_t stride = (cpu.path.wkv4.scratch(o.time) + 15) / 16 * 16;
  const AlignedBuffer scratch(static_cast<size_t>(stride * cpu.pool.threads()));
  eachChannels(cpu, o, [&](int64_t from, int64_t to, int slot) {
    cpu.path.wkv4.backward(o, g, from, to, scratch.data() + slot * stride);
  });
}

inline void attention(const Cpu& cpu, const Attention& o, float* y, float* logSums) {
  attention(cpu.pool, cpu.path, o, y, logSums);
}

inline void attentionGrad(const Cpu& cpu, const Attention& o, const float* y, const float* logSums, const float* dy,
                          float* dq, float* dk, float* dv) {
  attentionGrad(cpu.pool, cpu.path, o, y, logSums, dy, dq, dk, dv);
}

}  // namespace metastate
