#include "tfjs/elementwise.cuh"
#include "tfjs/elementwise.h"

namespace metastate::cuda {
namespace {

constexpr int threads = 256;
/// More blocks than this give a GPU no more to do at once.
constexpr int mostBlocks = 4096;

template <typename Function>
void run(const float* x, float* y, int64_t count, cudaStream_t stream, Function function) {
  launch(unaryKernel<Function>, blocksFor(count, threads, mostBlocks), threads, 0, stream, x, y, count, function);
}

}  // namespace

void unary(Unary function, const float* x, float* y, int64_t count, cudaStream_t stream) {
  switch (function) {
    case Unary::exp: return run(x, y, count, stream, Exp{});
    case Unary::sigmoid: return run(x, y, count, stream, Sigmoid{});
    case Unary::tanh: return run(x, y, count, stream, Tanh{});
    case Unary::relu: return run(x, y, count, stream, Relu{});
    case Unary::count: break;
  }
}

}  // namespace metastate::cuda
