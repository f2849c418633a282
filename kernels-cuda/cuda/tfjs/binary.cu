#include "tfjs/binary.h"

#include <stdexcept>

#include "tfjs/binary.cuh"
#include "tfjs/binary_functions.cuh"

namespace metastate::cuda::tfjs {

void launchBinary(Binary function, const Axes<2>& axes, const float* a, const float* b, float* y, cudaStream_t stream) {
  switch (function) {
    case Binary::add: return broadcast<AddFloats>(axes, a, b, y, stream);
    case Binary::sub: return broadcast<SubFloats>(axes, a, b, y, stream);
    case Binary::multiply: return broadcast<MultiplyFloats>(axes, a, b, y, stream);
    case Binary::divide: return broadcast<DivideFloats>(axes, a, b, y, stream);
    case Binary::maximum: return broadcast<MaximumFloats>(axes, a, b, y, stream);
    case Binary::minimum: return broadcast<MinimumFloats>(axes, a, b, y, stream);
    case Binary::squaredDifference: return broadcast<SquaredDifferenceFloats>(axes, a, b, y, stream);
    case Binary::pow: return broadcast<PowFloats>(axes, a, b, y, stream);
    case Binary::mod: return broadcast<ModFloats>(axes, a, b, y, stream);
    case Binary::atan2: return broadcast<Atan2Floats>(axes, a, b, y, stream);
    case Binary::prelu: return broadcast<PreluFloats>(axes, a, b, y, stream);
    case Binary::eluGrad: return broadcast<EluGradFloats>(axes, a, b, y, stream);
    case Binary::count: break;
  }
  throw std::logic_error("no such function of two elements");
}

void launchFloorDivide(const Axes<2>& axes, const float* a, const float* b, int32_t* y, cudaStream_t stream) {
  broadcast<FloorDivideFloats>(axes, a, b, y, stream);
}

void launchIntegerBinary(IntegerBinary function, const Axes<2>& axes, const int32_t* a, const int32_t* b, int32_t* y,
                         cudaStream_t stream) {
  switch (function) {
    case IntegerBinary::add: return broadcast<AddIntegers>(axes, a, b, y, stream);
    case IntegerBinary::sub: return broadcast<SubIntegers>(axes, a, b, y, stream);
    case IntegerBinary::multiply: return broadcast<MultiplyIntegers>(axes, a, b, y, stream);
    case IntegerBinary::maximum: return broadcast<MaximumIntegers>(axes, a, b, y, stream);
    case IntegerBinary::minimum: return broadcast<MinimumIntegers>(axes, a, b, y, stream);
    case IntegerBinary::squaredDifference: return broadcast<SquaredDifferenceIntegers>(axes, a, b, y, stream);
    case IntegerBinary::pow: return broadcast<PowIntegers>(axes, a, b, y, stream);
    case IntegerBinary::mod: return broadcast<ModIntegers>(axes, a, b, y, stream);
    case IntegerBinary::floorDivide: return broadcast<FloorDivideIntegers>(axes, a, b, y, stream);
    case IntegerBinary::bitwiseAnd: return broadcast<BitwiseAndIntegers>(axes, a, b, y, stream);
    case IntegerBinary::count: break;
  }
  throw std::logic_error("no such function of two integers");
}

}  // namespace metastate::cuda::tfjs
