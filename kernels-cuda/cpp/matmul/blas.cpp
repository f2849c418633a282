#include "matmul/blas.h"

#include <dlfcn.h>

#include <cmath>
#include <cstdlib>
#include <stdexcept>
#include <vector>

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

/// Whether a library multiplies as is defined, with either operand transposed or not, whatever c held: whole numbers, whose sums
/// are the same in any order. A library has code for CPUs that its authors had not at hand: OpenBLAS 0.3.34 gives wrong sums of
/// transposed operands where it takes that for SME (under QEMU).
bool multipliesRightly(Sgemm product) {
  constexpr int m = 33, n = 34, k = 35;  // about the smallest that it will be given
  const auto left = [](int i, int p) { return static_cast<float>((3 * i + 5 * p) % 7 - 3); };
  const auto right = [](int p, int j) { return static_cast<float>((2 * p + 3 * j) % 11 - 5); };
  for (const bool transA : {false, true}) {
    for (const bool transB : {false, true}) {
      std::vector<float> a(m * k), b(k * n), c(m * n, NAN);
      for (int p = 0; p < k; ++p) {
        for (int i = 0; i < m; ++i) a[static_cast<size_t>(transA ? p * m + i : i * k + p)] = left(i, p);
        for (int j = 0; j < n; ++j) b[static_cast<size_t>(transB ? j * k + p : p * n + j)] = right(p, j);
      }
      product(rowMajor, transA ? trans : noTrans, transB ? trans : noTrans, m, n, k, 1.0f, a.data(), transA ? m : k, b.data(),
              transB ? k : n, 0.0f, c.data(), n);
      for (int i = 0; i < m; ++i) {
        for (int j = 0; j < n; ++j) {
          float sum = 0;
          for (int p = 0; p < k; ++p) sum += left(i, p) * right(p, j);
          if (c[static_cast<size_t>(i * n + j)] != sum) return false;
        }
      }
    }
  }
  return true;
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
  const std::string name = config ? config() : "a BLAS";
  static Sgemm right = nullptr;  // each of Node's workers loads it again
  if (product != right && !multipliesRightly(product)) throw std::runtime_error("multiplies wrongly on this CPU (" + name + ")");
  about = name;
  right = sgemm = product;  // the library stays loaded for good: its thread-local parts outlive any dlclose
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
