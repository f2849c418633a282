#include "products/cublaslt.h"

#include <dlfcn.h>

#include <algorithm>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "products/cublaslt_api.h"
#include "runtime/scratch.h"

namespace metastate::cuda::products {
namespace {

std::unique_ptr<CublasLt> current;

/// What the fastest algorithms on the newest GPUs may ask for.
constexpr size_t mostWorkspaceBytes = size_t{32} << 20;

template <typename Function>
void find(void* library, Function& function, const char* name) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  if (!function) throw std::runtime_error(std::string("it has no function ") + name);
}

/// CUBLAS_STATUS_… in words; the library's own names for them came late.
std::string told(LtStatus status) {
  switch (status) {
    case 1: return "not initialized: is there an NVIDIA driver, as new as this library?";
    case 3: return "no memory left on the GPU";
    case 7: return "invalid value";
    case 8: return "made for other GPUs";
    case 13: return "execution failed";
    case 14: return "internal error";
    case 15: return "not supported";
    default: return "status " + std::to_string(status);
  }
}

void check(LtStatus status, const char* doing) {
  if (status != ltSuccess) throw std::runtime_error(std::string("cuBLASLt, ") + doing + ": " + told(status));
}

/// The largest power of two, up to 256, that an address is a multiple of.
uint32_t alignmentOf(const void* address) {
  const uintptr_t bits = reinterpret_cast<uintptr_t>(address) | 256;
  return static_cast<uint32_t>(bits & ~(bits - 1));
}

}  // namespace

/// What an algorithm is chosen by.
struct CublasLt::Key {
  int64_t m, n, k, batch, aStride, bStride;
  bool transposeA, transposeB, bias;
  int precision;
  uint32_t aAlignment, bAlignment, cAlignment;

  bool operator<(const Key& other) const { return fields() < other.fields(); }

 private:
  std::tuple<int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, bool, bool, bool, int, uint32_t, uint32_t, uint32_t>
  fields() const {
    return {m, n, k, batch, aStride, bStride, transposeA, transposeB, bias, precision, aAlignment, bAlignment, cAlignment};
  }
};

/// A description of a product and the algorithm chosen for it.
struct CublasLt::Plan {
  const CublasLtFunctions* functions = nullptr;
  LtDescription description = nullptr;
  LtLayout a = nullptr, b = nullptr, c = nullptr;
  bool possible = false;
  LtStatus status = ltSuccess;  // why not
  LtAlgorithm algorithm{};
  size_t workspaceBytes = 0;  // that the algorithm uses

  Plan() = default;
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  ~Plan() {
    if (description) functions->cublasLtMatmulDescDestroy(description);
    for (const LtLayout layout : {a, b, c}) {
      if (layout) functions->cublasLtMatrixLayoutDestroy(layout);
    }
  }
};

void CublasLt::open(const std::string& path) {
  std::unique_ptr<CublasLt> opened(new CublasLt(path));
  current = std::move(opened);
}

void CublasLt::forget() { current.reset(); }

CublasLt* CublasLt::inUse() { return current.get(); }

CublasLt::CublasLt(const std::string& path) : path_(path), functions_(std::make_unique<CublasLtFunctions>()) {
  library_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library_) throw std::runtime_error(dlerror());
#define METASTATE_FIND(name) find(library_, functions_->name, #name)
  METASTATE_FIND(cublasLtGetVersion);
  METASTATE_FIND(cublasLtCreate);
  METASTATE_FIND(cublasLtDestroy);
  METASTATE_FIND(cublasLtMatmulDescCreate);
  METASTATE_FIND(cublasLtMatmulDescDestroy);
  METASTATE_FIND(cublasLtMatmulDescSetAttribute);
  METASTATE_FIND(cublasLtMatrixLayoutCreate);
  METASTATE_FIND(cublasLtMatrixLayoutDestroy);
  METASTATE_FIND(cublasLtMatrixLayoutSetAttribute);
  METASTATE_FIND(cublasLtMatmulPreferenceCreate);
  METASTATE_FIND(cublasLtMatmulPreferenceDestroy);
  METASTATE_FIND(cublasLtMatmulPreferenceSetAttribute);
  METASTATE_FIND(cublasLtMatmulAlgoGetHeuristic);
  METASTATE_FIND(cublasLtMatmul);
#undef METASTATE_FIND
  // 12.4.2 says 120402.
  if (functions_->cublasLtGetVersion() < 120000) {
    throw std::runtime_error("it is version " + version() + "; 12.0 or newer is needed");
  }
  check(functions_->cublasLtCreate(&handle_), "opening the library");
}

// The library stays open: its own threads and memory may be in use until the process ends.
CublasLt::~CublasLt() {
  plans_.clear();
  if (handle_) functions_->cublasLtDestroy(handle_);
}

std::string CublasLt::version() const {
  const size_t number = functions_->cublasLtGetVersion();
  return std::to_string(number / 10000) + "." + std::to_string(number / 100 % 100) + "." + std::to_string(number % 100);
}

CublasLt::Plan& CublasLt::plan(const Key& key, const float* bias) {
  const auto known = plans_.find(key);
  if (known != plans_.end()) return *known->second;
  // Lengths that change all the time must not fill the memory with plans.
  if (plans_.size() >= 4096) plans_.clear();
  auto made = std::make_unique<Plan>();
  Plan& plan = *made;
  const CublasLtFunctions& lt = *functions_;
  plan.functions = &lt;
  const bool narrow = key.precision == static_cast<int>(Precision::bfloat16);
  const int type = narrow ? ltBfloat16 : ltFloat32;
  const int compute = key.precision == static_cast<int>(Precision::tf32) ? ltComputeTf32 : ltComputeFloat32;
  check(lt.cublasLtMatmulDescCreate(&plan.description, compute, ltFloat32), "describing a product");
  const auto describe = [&](int attribute, const auto& value) {
    check(lt.cublasLtMatmulDescSetAttribute(plan.description, attribute, &value, sizeof value), "describing a product");
  };
  // Its matrices have adjacent columns: what is c here, by rows, is the transpose of c there, and b comes first.
  describe(ltTransA, key.transposeB ? ltTransposed : ltPlain);
  describe(ltTransB, key.transposeA ? ltTransposed : ltPlain);
  describe(ltEpilogue, key.bias ? ltEpilogueBias : ltEpilogueNone);
  if (key.bias) describe(ltBiasPointer, bias);
  const auto layout = [&](LtLayout& to, int elements, int64_t rows, int64_t columns, int64_t stride) {
    check(lt.cublasLtMatrixLayoutCreate(&to, elements, rows, columns, rows), "describing a matrix");
    const int32_t count = static_cast<int32_t>(key.batch);
    check(lt.cublasLtMatrixLayoutSetAttribute(to, ltBatchCount, &count, sizeof count), "describing a batch");
    check(lt.cublasLtMatrixLayoutSetAttribute(to, ltBatchStride, &stride, sizeof stride), "describing a batch");
  };
  layout(plan.b, type, key.transposeB ? key.k : key.n, key.transposeB ? key.n : key.k, key.bStride);
  layout(plan.a, type, key.transposeA ? key.m : key.k, key.transposeA ? key.k : key.m, key.aStride);
  layout(plan.c, ltFloat32, key.n, key.m, key.m * key.n);

  LtPreference preference = nullptr;
  check(lt.cublasLtMatmulPreferenceCreate(&preference), "asking for an algorithm");
  const std::unique_ptr<void, LtStatus (*)(LtPreference)> owner(preference, lt.cublasLtMatmulPreferenceDestroy);
  const auto prefer = [&](int attribute, const auto& value) {
    check(lt.cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof value),
          "asking for an algorithm");
  };
  prefer(ltWorkspaceBytes, mostWorkspaceBytes);
  prefer(ltAlignmentA, key.bAlignment);
  prefer(ltAlignmentB, key.aAlignment);
  prefer(ltAlignmentC, key.cAlignment);
  prefer(ltAlignmentD, key.cAlignment);
  LtHeuristic best{};
  int found = 0;
  const LtStatus status = lt.cublasLtMatmulAlgoGetHeuristic(handle_, plan.description, plan.b, plan.a, plan.c, plan.c,
                                                            preference, 1, &best, &found);
  plan.possible = status == ltSuccess && found > 0 && best.status == ltSuccess;
  plan.status = status != ltSuccess ? status : best.status != ltSuccess ? best.status : ltNotSupported;
  plan.algorithm = best.algorithm;
  plan.workspaceBytes = best.workspaceBytes;
  // Known only when it is whole: one that could not be made is tried again, and told again.
  plans_[key] = std::move(made);
  return plan;
}

bool CublasLt::multiply(Device& device, const ProductShape& s, Precision precision, const void* a, const void* b,
                        float* c, const float* bias) {
  // The last axis of the batch is one call, the others are calls one after the other.
  const tfjs::Axes<2>& batch = s.batch;
  const int last = batch.count - 1;
  const int64_t inner = last < 0 ? 1 : batch.lengths[last];
  const int64_t aMatrix = s.m * s.k, bMatrix = s.k * s.n, cMatrix = s.m * s.n;
  const size_t size = precision == Precision::bfloat16 ? 2 : 4;
  const float one = 1, zero = 0;
  for (int64_t call = 0; call < batch.size() / std::max<int64_t>(1, inner); ++call) {
    int64_t aPlace = 0, bPlace = 0, index = call;
    for (int axis = last - 1; axis >= 0; --axis) {
      const int64_t at = index % batch.lengths[axis];
      aPlace += at * batch.strides[0][axis];
      bPlace += at * batch.strides[1][axis];
      index /= batch.lengths[axis];
    }
    const void* left = static_cast<const char*>(a) + aPlace * aMatrix * size;
    const void* right = static_cast<const char*>(b) + bPlace * bMatrix * size;
    float* to = c + call * inner * cMatrix;
    const Key key{s.m,
                  s.n,
                  s.k,
                  inner,
                  last < 0 ? 0 : batch.strides[0][last] * aMatrix,
                  last < 0 ? 0 : batch.strides[1][last] * bMatrix,
                  s.transposeA,
                  s.transposeB,
                  bias != nullptr,
                  static_cast<int>(precision),
                  alignmentOf(left),
                  alignmentOf(right),
                  alignmentOf(to)};
    Plan& chosen = plan(key, bias);
    if (!chosen.possible) return refuse(chosen, key, "no algorithm: " + told(chosen.status));
    if (bias) {
      check(functions_->cublasLtMatmulDescSetAttribute(chosen.description, ltBiasPointer, &bias, sizeof bias),
            "naming the bias");
    }
    const Scratch workspace = Scratch::ofBytes(device, chosen.workspaceBytes);
    const LtStatus status = functions_->cublasLtMatmul(
        handle_, chosen.description, &one, right, chosen.b, left, chosen.a, &zero, to, chosen.c, to, chosen.c,
        &chosen.algorithm, workspace.memory(), chosen.workspaceBytes, device.stream());
    // When it is the GPU that has failed, whoever computes next is told.
    if (status != ltSuccess) return refuse(chosen, key, told(status));
  }
  return true;
}

bool CublasLt::refuse(Plan& plan, const Key& key, const std::string& why) {
  plan.possible = false;
  if (hasComplained_) return false;
  hasComplained_ = true;
  static const char* const precisions[] = {"float32", "tf32", "bfloat16"};
  complaint_ = "cuBLASLt " + version() + " cannot multiply [" + std::to_string(key.m) + ", " + std::to_string(key.k) +
               "] by [" + std::to_string(key.k) + ", " + std::to_string(key.n) + "] in " + precisions[key.precision] +
               (key.batch > 1 ? ", " + std::to_string(key.batch) + " times" : "") + " (" + why + ")";
  return false;
}

std::string CublasLt::takeComplaint() { return std::exchange(complaint_, ""); }

}  // namespace metastate::cuda::products
