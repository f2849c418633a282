// The few declarations of oneDNN's C interface (version 3) that are used, by hand: no header of it is needed to build.
#include "matmul/onednn.h"

#include <dlfcn.h>

#include <initializer_list>
#include <memory>
#include <stdexcept>

namespace metastate {
namespace {

using Status = int;      // dnnl_status_t, 0 for success
using Handle = void*;    // dnnl_engine_t and the like
using Dims = int64_t[12];  // dnnl_dims_t

struct Version {
  int major, minor, patch;  // and more
};

struct ExecutionArgument {
  int argument;
  Handle memory;
};
constexpr int source = 1, destination = 17, weights = 33;  // DNNL_ARG_SRC, _DST, _WEIGHTS

struct Functions {
  const Version* (*version)();
  Status (*engineCreate)(Handle*, int kind, size_t index);
  Status (*streamCreate)(Handle*, Handle engine, unsigned flags);
  Status (*streamWait)(Handle stream);
  Status (*descriptionCreate)(Handle*, int axes, const Dims, int type, const Dims strides);
  Status (*descriptionDestroy)(Handle);
  Status (*matMulCreate)(Handle*, Handle engine, Handle source, Handle weights, Handle bias, Handle destination,
                         Handle attributes);
  Status (*matMulDestroy)(Handle);
  Status (*primitiveCreate)(Handle*, Handle description);
  Status (*primitiveDestroy)(Handle);
  Status (*memoryCreate)(Handle*, Handle description, Handle engine, void* data);
  Status (*memoryDestroy)(Handle);
  Status (*execute)(Handle primitive, Handle stream, int count, const ExecutionArgument*);
  void (*setThreads)(int);  // of the OpenMP that the library came with; null when it has another
};

Functions dnnl{};
Handle engine = nullptr, stream = nullptr;
std::string about;

void check(Status status, const char* what) {
  if (status == 0) return;
  const char* why = status == 3 ? " (unimplemented on this CPU)" : "";
  throw std::runtime_error(std::string("oneDNN: ") + what + " failed with status " + std::to_string(status) + why);
}

/// A handle of the library, destroyed with this.
using Owned = std::unique_ptr<void, Status (*)(Handle)>;

template <typename Create>
Owned make(const char* what, Status (*destroy)(Handle), Create create) {
  Handle handle = nullptr;
  check(create(&handle), what);
  return Owned(handle, destroy);
}

Owned matrix(OneDnn::Type type, int64_t rows, int64_t columns, bool transposed) {
  const Dims sizes{rows, columns};
  const Dims plain{columns, 1}, turned{1, rows};
  return make("dnnl_memory_desc_create_with_strides", dnnl.descriptionDestroy, [&](Handle* handle) {
    return dnnl.descriptionCreate(handle, 2, sizes, static_cast<int>(type), transposed ? turned : plain);
  });
}

Owned memory(const Owned& description, const void* data) {
  return make("dnnl_memory_create", dnnl.memoryDestroy, [&](Handle* handle) {
    return dnnl.memoryCreate(handle, description.get(), engine, const_cast<void*>(data));
  });
}

template <typename Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  if (function == nullptr) throw std::runtime_error(std::string("has no ") + name + ": oneDNN 3 is wanted");
}

}  // namespace

void OneDnn::load(const std::string& path) {
  if (there()) return;
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) throw std::runtime_error(dlerror());
  Functions found{};
  find(library, "dnnl_version", found.version);
  if (found.version()->major != 3) throw std::runtime_error("is not version 3 of oneDNN");
  find(library, "dnnl_engine_create", found.engineCreate);
  find(library, "dnnl_stream_create", found.streamCreate);
  find(library, "dnnl_stream_wait", found.streamWait);
  find(library, "dnnl_memory_desc_create_with_strides", found.descriptionCreate);
  find(library, "dnnl_memory_desc_destroy", found.descriptionDestroy);
  find(library, "dnnl_matmul_primitive_desc_create", found.matMulCreate);
  find(library, "dnnl_primitive_desc_destroy", found.matMulDestroy);
  find(library, "dnnl_primitive_create", found.primitiveCreate);
  find(library, "dnnl_primitive_destroy", found.primitiveDestroy);
  find(library, "dnnl_memory_create", found.memoryCreate);
  find(library, "dnnl_memory_destroy", found.memoryDestroy);
  find(library, "dnnl_primitive_execute", found.execute);
  found.setThreads = reinterpret_cast<void (*)(int)>(dlsym(library, "omp_set_num_threads"));
  dnnl = found;
  check(dnnl.engineCreate(&engine, 1, 0), "dnnl_engine_create");    // dnnl_cpu
  check(dnnl.streamCreate(&stream, engine, 1), "dnnl_stream_create");  // in order
  const Version* version = dnnl.version();
  about = "oneDNN " + std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
          std::to_string(version->patch);
}

bool OneDnn::there() { return stream != nullptr; }

std::string OneDnn::description() { return about; }

void OneDnn::product(int threads, Type type, bool transposeA, bool transposeB, int64_t m, int64_t n, int64_t k,
                     const void* a, const void* b, float* c) {
  if (dnnl.setThreads != nullptr) dnnl.setThreads(threads);
  const Owned left = matrix(type, m, k, transposeA), right = matrix(type, k, n, transposeB);
  const Owned result = matrix(Type::float32, m, n, false);
  // The library keeps the code that it makes for a shape: creating the same primitive again is a look-up.
  const Owned description = make("dnnl_matmul_primitive_desc_create", dnnl.matMulDestroy, [&](Handle* handle) {
    return dnnl.matMulCreate(handle, engine, left.get(), right.get(), nullptr, result.get(), nullptr);
  });
  const Owned primitive = make("dnnl_primitive_create", dnnl.primitiveDestroy, [&](Handle* handle) {
    return dnnl.primitiveCreate(handle, description.get());
  });
  const Owned leftMemory = memory(left, a), rightMemory = memory(right, b), resultMemory = memory(result, c);
  const ExecutionArgument arguments[] = {
      {source, leftMemory.get()}, {weights, rightMemory.get()}, {destination, resultMemory.get()}};
  check(dnnl.execute(primitive.get(), stream, 3, arguments), "dnnl_primitive_execute");
  check(dnnl.streamWait(stream), "dnnl_stream_wait");
}

}  // namespace metastate
