#include "matmul/blas.h"

#include <dlfcn.h>

#include <cstdlib>
#include <stdexcept>

namespace metastate {
namespace {

using Sgemm = void (*)(int order, int transA, int transB, int m, int n, int k, float alpha, const float* a, int lda,
                       const float* b, int ldb, float beta, float* c, int ldc);
constexpr int rowMajor = 101, noTrans = 111, trans = 112;

Sgemm sgemm = nullptr;
std::string about;

/// The symbol under the prefix of SciPy's wheel, or plain.
void* symbol(void* library, const std::string& name) {
  if (void* found = dlsym(library, ("scipy_" + name).c_str())) return found;
  return dlsym(library, name.c_str());
}

/// Sets an environment variable while alive.
class Setting {
 public:
  Setting(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name)) {
      was_ = before;
      had_ = true;
    }
    setenv(name, value, 1);
  }
  ~Setting() {
    if (had_) {
      setenv(name_, was_.c_str(), 1);
    } else {
      unsetenv(name_);
    }
  }
  Setting(const Setting&) = delete;
  Setting& operator=(const Setting&) = delete;

 private:
  const char* name_;
  std::string was_;
  bool had_ = false;
};

}  // namespace

void Blas::load(const std::string& path) {
  // The threads are ours: the library would start as many again when it is loaded.
  const Setting one("OPENBLAS_NUM_THREADS", "1");
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) throw std::runtime_error(dlerror());
  const auto product = reinterpret_cast<Sgemm>(symbol(library, "cblas_sgemm"));
  if (!product) {
    dlclose(library);
    throw std::runtime_error("has no cblas_sgemm with 32-bit integers");
  }
  if (const auto setThreads = reinterpret_cast<void (*)(int)>(symbol(library, "openblas_set_num_threads"))) {
    setThreads(1);
  }
  const auto config = reinterpret_cast<char* (*)()>(symbol(library, "openblas_get_config"));
  about = config ? config() : "a BLAS";
  sgemm = product;  // the library stays loaded for good: its thread-local parts outlive any dlclose
}

void Blas::forget() {
  sgemm = nullptr;
  about.clear();
}

bool Blas::there() { return sgemm != nullptr; }

std::string Blas::description() { return about; }

void Blas::product(const ProductOperands& o) {
  const bool transposeA = o.aColumn != 1, transposeB = o.bColumn != 1;
  sgemm(rowMajor, transposeA ? trans : noTrans, transposeB ? trans : noTrans, static_cast<int>(o.rows),
        static_cast<int>(o.columns), static_cast<int>(o.depth), 1.0f, o.a,
        static_cast<int>(transposeA ? o.aColumn : o.aRow), o.b, static_cast<int>(transposeB ? o.bColumn : o.bRow), 0.0f,
        o.c, static_cast<int>(o.cRow));
}

}  // namespace metastate
