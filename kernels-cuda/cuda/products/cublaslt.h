// cuBLASLt, opened when the process runs: the addon is built without it, and works with the one of a CUDA toolkit, of the
// wheel nvidia-cublas or of PyTorch. Only what is used is declared (cublaslt_api.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "products/product.h"
#include "runtime/device.h"

namespace metastate::cuda::products {

struct CublasLtFunctions;

class CublasLt {
 public:
  /// Opens the library at `path` and takes it in use. Throws std::runtime_error that says why it cannot be.
  static void open(const std::string& path);
  static void forget();
  /// What is in use, or null.
  static CublasLt* inUse();

  ~CublasLt();

  const std::string& path() const { return path_; }
  /// "13.1.0"
  std::string version() const;

  /// c = op(a) op(b) + bias; operands lie as `precision` says, float32 or bfloat16. False when the library cannot compute this
  /// shape: all of c is the caller's to compute then.
  bool multiply(Device& device, const ProductShape& shape, Precision precision, const void* a, const void* b, float* c,
                const float* bias);

  /// What it could not compute and why, once: the first such product since it was opened. Empty otherwise.
  std::string takeComplaint();

 private:
  struct Plan;
  struct Key;
  explicit CublasLt(const std::string& path);
  /// `bias` counts for its alignment only.
  Plan& plan(const Key& key, const float* bias);
  /// From now on such products are refused.
  bool refuse(Plan& plan, const Key& key, const std::string& why);

  std::string path_;
  void* library_ = nullptr;
  std::unique_ptr<CublasLtFunctions> functions_;
  void* handle_ = nullptr;
  std::map<Key, std::unique_ptr<Plan>> plans_;
  bool hasComplained_ = false;
  std::string complaint_;
};

}  // namespace metastate::cuda::products
