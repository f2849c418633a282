#include "meta/meta_pass.h"

#include <algorithm>

#include "meta/meta_pass_backward.cuh"
#include "meta/meta_pass_forward.cuh"
#include "platform.h"
#include "wkv7/head_size.h"

namespace metastate::cuda {

void metaPass(const Wkv7Shape& shape, const HeadNorm& norm, const MetaPassInputs& in, const MetaPassOutputs& out,
              cudaStream_t stream) {
  withHeadSize(shape.headSize, [&](auto size) {
    constexpr int N = decltype(size)::value;
    using Pass = MetaPassForward<N>;
    launch(metaPassForward<N>, dim3(static_cast<unsigned>(shape.batch * shape.heads)), dim3(Pass::warps * 32),
           sizeof(typename Pass::Shared), stream, shape, checkpointCount(shape), norm, in, out);
  });
}

namespace {

size_t gainFloats(const Wkv7Shape& shape) {
  return 2 * static_cast<size_t>(shape.batch) * shape.heads * shape.headSize;
}

}  // namespace

size_t metaPassGradScratch(const Wkv7Shape& shape) {
  const int steps = std::min(shape.interval, shape.time);
  return gainFloats(shape) + static_cast<size_t>(shape.batch) * shape.heads * steps * shape.headSize;
}

void metaPassGrad(const Wkv7Shape& given, const HeadNorm& norm, const MetaPassGradInputs& in, const MetaPassGradients& out,
                  float* scratch, cudaStream_t stream) {
  Wkv7Shape shape = given;
  shape.interval = std::min(shape.interval, shape.time);
  float* const gains = scratch;
  float* const written = scratch + gainFloats(shape);
  withHeadSize(shape.headSize, [&](auto size) {
    constexpr int N = decltype(size)::value;
    using Pass = MetaPassBackward<N>;
    launch(metaPassBackward<N>, dim3(static_cast<unsigned>(shape.batch * shape.heads)), dim3(Pass::warps * 32),
           sizeof(typename Pass::Shared), stream, shape, checkpointCount(shape), norm, in, out, written, gains);
  });
  const int each = shape.heads * shape.headSize;
  launch(addGains, dim3(blocksFor(each, 256)), dim3(256), 0, stream, gains, shape.batch, each, out.dReadGain,
         out.dMemoryGain);
}

}  // namespace metastate::cuda
