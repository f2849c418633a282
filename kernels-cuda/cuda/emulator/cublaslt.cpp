// cuBLASLt on the CPU, as far as products/cublaslt.cpp uses it and as NVIDIA documents it (docs.nvidia.com/cuda/cublas): columns
// adjacent, leading dimensions and strides in elements, an algorithm for no less alignment than it was asked for. The emulated addon
// exports these functions, so that it can be taken for the library (useCublas with its own path), and a product that is described
// wrongly is refused or wrong on the CPU too.
//
// METASTATE_EMULATOR_CUBLAS="no algorithm" finds none; "fails" has products fail that one was found for.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "emulator/bfloat16.h"
#include "emulator/runtime_api.h"
#include "products/cublaslt_api.h"

#define METASTATE_LT(type) extern "C" __attribute__((visibility("default"))) type

namespace {

using namespace metastate::cuda::products;

constexpr LtStatus invalidValue = 7, internalError = 14;

struct Description {
  int compute, scale;
  int32_t transA = ltPlain, transB = ltPlain;
  uint32_t epilogue = ltEpilogueNone;
  const float* bias = nullptr;
};

struct Layout {
  int type;
  uint64_t rows, columns;
  int64_t leading;
  int32_t batch = 1;
  int64_t stride = 0;
};

struct Preference {
  uint64_t workspaceBytes = 0;
  uint32_t alignment[4] = {256, 256, 256, 256};  // A, B, C, D
};

/// What is kept of a choice in an LtAlgorithm.
struct Chosen {
  uint32_t alignment[4];
  uint64_t workspaceBytes, rows, columns, depth;
};
static_assert(sizeof(Chosen) <= sizeof(LtAlgorithm), "it fits");

bool plays(const char* what) {
  const char* asked = std::getenv("METASTATE_EMULATOR_CUBLAS");
  return asked && std::strcmp(asked, what) == 0;
}

/// An attribute has one size.
template <typename T>
LtStatus set(T& to, const void* value, size_t bytes) {
  if (bytes != sizeof to) return invalidValue;
  std::memcpy(&to, value, bytes);
  return ltSuccess;
}

uint64_t high(const Layout& m, int32_t transposed) { return transposed ? m.columns : m.rows; }
uint64_t wide(const Layout& m, int32_t transposed) { return transposed ? m.rows : m.columns; }

bool fits(const Description& d, const Layout& a, const Layout& b, const Layout& c) {
  for (const Layout* m : {&a, &b, &c}) {
    if (m->rows == 0 || m->columns == 0 || m->leading < static_cast<int64_t>(m->rows) || m->batch != c.batch) return false;
  }
  if (c.batch > 1 && c.stride < c.leading * static_cast<int64_t>(c.columns)) return false;
  return high(a, d.transA) == c.rows && wide(a, d.transA) == high(b, d.transB) && wide(b, d.transB) == c.columns;
}

bool isSupported(const Description& d, const Layout& a, const Layout& b, const Layout& c) {
  const bool narrow = a.type == ltBfloat16;
  return d.scale == ltFloat32 && a.type == b.type && c.type == ltFloat32 && (narrow || a.type == ltFloat32) &&
         (d.compute == ltComputeFloat32 || (d.compute == ltComputeTf32 && !narrow)) &&
         (d.epilogue == ltEpilogueNone || d.epilogue == ltEpilogueBias);
}

bool isAligned(const void* address, uint32_t bytes) { return reinterpret_cast<uintptr_t>(address) % bytes == 0; }

float at(const void* values, const Layout& m, int64_t batch, int32_t transposed, uint64_t row, uint64_t column) {
  if (transposed) std::swap(row, column);
  const int64_t place = batch * m.stride + static_cast<int64_t>(column) * m.leading + static_cast<int64_t>(row);
  if (m.type == ltBfloat16) return static_cast<const __nv_bfloat16*>(values)[place];
  return static_cast<const float*>(values)[place];
}

}  // namespace

METASTATE_LT(size_t) cublasLtGetVersion() { return 130000; }

METASTATE_LT(LtStatus) cublasLtCreate(LtHandle* handle) {
  static int only;
  return *handle = &only, ltSuccess;
}
METASTATE_LT(LtStatus) cublasLtDestroy(LtHandle) { return ltSuccess; }

METASTATE_LT(LtStatus) cublasLtMatmulDescCreate(LtDescription* made, int compute, int scale) {
  return *made = new Description{compute, scale}, ltSuccess;
}
METASTATE_LT(LtStatus) cublasLtMatmulDescDestroy(LtDescription d) {
  return delete static_cast<Description*>(d), ltSuccess;
}
METASTATE_LT(LtStatus)
cublasLtMatmulDescSetAttribute(LtDescription given, int attribute, const void* value, size_t bytes) {
  Description& d = *static_cast<Description*>(given);
  switch (attribute) {
    case ltTransA: return set(d.transA, value, bytes);
    case ltTransB: return set(d.transB, value, bytes);
    case ltEpilogue: return set(d.epilogue, value, bytes);
    case ltBiasPointer: return set(d.bias, value, bytes);
    default: return invalidValue;
  }
}

METASTATE_LT(LtStatus)
cublasLtMatrixLayoutCreate(LtLayout* made, int type, uint64_t rows, uint64_t columns, int64_t leading) {
  return *made = new Layout{type, rows, columns, leading}, ltSuccess;
}
METASTATE_LT(LtStatus) cublasLtMatrixLayoutDestroy(LtLayout m) { return delete static_cast<Layout*>(m), ltSuccess; }
METASTATE_LT(LtStatus)
cublasLtMatrixLayoutSetAttribute(LtLayout given, int attribute, const void* value, size_t bytes) {
  Layout& m = *static_cast<Layout*>(given);
  switch (attribute) {
    case ltBatchCount: return set(m.batch, value, bytes);
    case ltBatchStride: return set(m.stride, value, bytes);
    default: return invalidValue;
  }
}

METASTATE_LT(LtStatus) cublasLtMatmulPreferenceCreate(LtPreference* made) {
  return *made = new Preference{}, ltSuccess;
}
METASTATE_LT(LtStatus) cublasLtMatmulPreferenceDestroy(LtPreference p) {
  return delete static_cast<Preference*>(p), ltSuccess;
}
METASTATE_LT(LtStatus)
cublasLtMatmulPreferenceSetAttribute(LtPreference given, int attribute, const void* value, size_t bytes) {
  Preference& p = *static_cast<Preference*>(given);
  if (attribute == ltWorkspaceBytes) return set(p.workspaceBytes, value, bytes);
  if (attribute < ltAlignmentA || attribute > ltAlignmentD) return invalidValue;
  return set(p.alignment[attribute - ltAlignmentA], value, bytes);
}

METASTATE_LT(LtStatus)
cublasLtMatmulAlgoGetHeuristic(LtHandle, LtDescription description, LtLayout aLayout, LtLayout bLayout, LtLayout cLayout,
                               LtLayout dLayout, LtPreference preference, int wanted, LtHeuristic* results, int* found) {
  *found = 0;
  const Description& d = *static_cast<Description*>(description);
  const Layout &a = *static_cast<Layout*>(aLayout), &b = *static_cast<Layout*>(bLayout);
  const Layout& c = *static_cast<Layout*>(cLayout);
  if (wanted < 1 || dLayout != cLayout || !fits(d, a, b, c)) return invalidValue;
  if (!isSupported(d, a, b, c) || plays("no algorithm")) return ltNotSupported;
  const Preference& p = *static_cast<Preference*>(preference);
  Chosen chosen{{}, 0, c.rows, c.columns, wide(a, d.transA)};
  std::memcpy(chosen.alignment, p.alignment, sizeof chosen.alignment);
  // Long sums are cut into parts, which want room.
  if (chosen.depth >= 64) chosen.workspaceBytes = c.rows * c.columns * sizeof(float);
  if (chosen.workspaceBytes > p.workspaceBytes) chosen.workspaceBytes = 0;
  results[0] = {};
  std::memcpy(&results[0].algorithm, &chosen, sizeof chosen);
  results[0].workspaceBytes = chosen.workspaceBytes;
  return *found = 1, ltSuccess;
}

METASTATE_LT(LtStatus)
cublasLtMatmul(LtHandle, LtDescription description, const void* alpha, const void* aValues, LtLayout aLayout,
               const void* bValues, LtLayout bLayout, const void* beta, const void* cValues, LtLayout cLayout,
               void* dValues, LtLayout dLayout, const LtAlgorithm* algorithm, void* workspace, size_t workspaceBytes,
               cudaStream_t) {
  const Description& d = *static_cast<Description*>(description);
  const Layout &a = *static_cast<Layout*>(aLayout), &b = *static_cast<Layout*>(bLayout);
  const Layout& c = *static_cast<Layout*>(cLayout);
  Chosen chosen;
  std::memcpy(&chosen, algorithm, sizeof chosen);
  const void* const addresses[4] = {aValues, bValues, cValues, dValues};
  for (int i = 0; i < 4; ++i) {
    if (!isAligned(addresses[i], chosen.alignment[i])) return invalidValue;
  }
  const bool isForThis = chosen.rows == c.rows && chosen.columns == c.columns && chosen.depth == wide(a, d.transA);
  if (!isForThis || dLayout != cLayout || cValues != dValues || !fits(d, a, b, c)) return invalidValue;
  if (workspaceBytes < chosen.workspaceBytes || (workspaceBytes > 0 && !isAligned(workspace, 256))) return invalidValue;
  if (d.epilogue == ltEpilogueBias && !d.bias) return invalidValue;
  if (plays("fails")) return internalError;

  metastate::cuda::emulator::streamGoesOn();
  if (chosen.workspaceBytes > 0) std::memset(workspace, 0xff, chosen.workspaceBytes);
  const float times = *static_cast<const float*>(alpha), kept = *static_cast<const float*>(beta);
  float* const to = static_cast<float*>(dValues);
  for (int64_t batch = 0; batch < c.batch; ++batch) {
    for (uint64_t column = 0; column < c.columns; ++column) {
      for (uint64_t row = 0; row < c.rows; ++row) {
        float sum = 0;
        for (uint64_t p = 0; p < chosen.depth; ++p) {
          sum += at(aValues, a, batch, d.transA, row, p) * at(bValues, b, batch, d.transB, p, column);
        }
        float& result = to[batch * c.stride + static_cast<int64_t>(column) * c.leading + static_cast<int64_t>(row)];
        // What is times 0 is not read: it may be anything.
        const float before = kept == 0 ? 0 : kept * result;
        result = times * sum + before + (d.epilogue == ltEpilogueBias ? d.bias[row] : 0);
      }
    }
  }
  return ltSuccess;
}
