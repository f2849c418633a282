#include "tfjs/unary.h"

#include <stdexcept>

#include "tfjs/unary.cuh"
#include "tfjs/unary_functions.cuh"

namespace metastate::cuda::tfjs {

void launchUnary(Unary function, int64_t count, const float* x, float* y, float first, float second,
                 cudaStream_t stream) {
  const auto run = [&](auto f) { mapElements(f, count, x, y, stream); };
  switch (function) {
    case Unary::abs: return run(Abs{});
    case Unary::acos: return run(Acos{});
    case Unary::acosh: return run(Acosh{});
    case Unary::asin: return run(Asin{});
    case Unary::asinh: return run(Asinh{});
    case Unary::atan: return run(Atan{});
    case Unary::atanh: return run(Atanh{});
    case Unary::ceil: return run(Ceil{});
    case Unary::cos: return run(Cos{});
    case Unary::cosh: return run(Cosh{});
    case Unary::elu: return run(Elu{});
    case Unary::erf: return run(Erf{});
    case Unary::exp: return run(Exp{});
    case Unary::expm1: return run(Expm1{});
    case Unary::floor: return run(Floor{});
    case Unary::log: return run(Log{});
    case Unary::log1p: return run(Log1p{});
    case Unary::neg: return run(Neg{});
    case Unary::reciprocal: return run(Reciprocal{});
    case Unary::relu: return run(Relu{});
    case Unary::relu6: return run(Relu6{});
    case Unary::round: return run(Round{});
    case Unary::rsqrt: return run(Rsqrt{});
    case Unary::selu: return run(Selu{});
    case Unary::sigmoid: return run(Sigmoid{});
    case Unary::sign: return run(Sign{});
    case Unary::sin: return run(Sin{});
    case Unary::sinh: return run(Sinh{});
    case Unary::softplus: return run(Softplus{});
    case Unary::sqrt: return run(Sqrt{});
    case Unary::square: return run(Square{});
    case Unary::tan: return run(Tan{});
    case Unary::tanh: return run(Tanh{});
    case Unary::leakyRelu: return run(LeakyRelu{first});
    case Unary::step: return run(Step{first});
    case Unary::clip: return run(Clip{first, second});
    case Unary::count: break;
  }
  throw std::logic_error("no such function of one element");
}

void launchIntegerUnary(IntegerUnary function, int64_t count, const int32_t* x, int32_t* y, int32_t first,
                        int32_t second, cudaStream_t stream) {
  const auto run = [&](auto f) { mapElements(f, count, x, y, stream); };
  switch (function) {
    case IntegerUnary::abs: return run(IntegerAbs{});
    case IntegerUnary::neg: return run(IntegerNeg{});
    case IntegerUnary::square: return run(IntegerSquare{});
    case IntegerUnary::sign: return run(IntegerSign{});
    case IntegerUnary::clip: return run(IntegerClip{first, second});
    case IntegerUnary::count: break;
  }
  throw std::logic_error("no such function of one integer");
}

void launchQuestion(Question question, int64_t count, const float* x, uint8_t* y, cudaStream_t stream) {
  const auto run = [&](auto f) { mapElements(f, count, x, y, stream); };
  switch (question) {
    case Question::isNan: return run(IsNan{});
    case Question::isInf: return run(IsInf{});
    case Question::isFinite: return run(IsFinite{});
    case Question::count: break;
  }
  throw std::logic_error("no such question");
}

void launchLogicalNot(int64_t count, const uint8_t* x, uint8_t* y, cudaStream_t stream) {
  mapElements(LogicalNot{}, count, x, y, stream);
}

void launchCast(const float* x, int32_t* y, int64_t count, cudaStream_t stream) {
  mapElements(FloatToInteger{}, count, x, y, stream);
}
void launchCast(const float* x, uint8_t* y, int64_t count, cudaStream_t stream) {
  mapElements(FloatToBoolean{}, count, x, y, stream);
}
void launchCast(const int32_t* x, float* y, int64_t count, cudaStream_t stream) {
  mapElements(IntegerToFloat{}, count, x, y, stream);
}
void launchCast(const int32_t* x, uint8_t* y, int64_t count, cudaStream_t stream) {
  mapElements(IntegerToBoolean{}, count, x, y, stream);
}
void launchCast(const uint8_t* x, float* y, int64_t count, cudaStream_t stream) {
  mapElements(BooleanToFloat{}, count, x, y, stream);
}
void launchCast(const uint8_t* x, int32_t* y, int64_t count, cudaStream_t stream) {
  mapElements(BooleanToInteger{}, count, x, y, stream);
}

}  // namespace metastate::cuda::tfjs
