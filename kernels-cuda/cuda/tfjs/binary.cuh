// y = f(a, b) with broadcasting. What operands have in practice is told apart from the general case, because it can go in
// fours: the result seen as rows of `width`, an operand is whole, one value, one row for all rows, or one column.
#pragma once

#include "platform.h"
#include "tfjs/grid.cuh"
#include "tfjs/places.cuh"

namespace metastate::cuda::tfjs {

enum class Reach : int { whole, value, row, column };

/// An operand of a result of rows of `width`, which is counted in what is read at once: elements or fours.
template <typename T>
struct Operand {
  const T* values;
  Reach reach;

  __device__ T one(uint32_t i, const Divider& width) const { return values[place(i, width)]; }

  __device__ Four<T> four(uint32_t i, const Divider& width) const {
    if (reach == Reach::whole || reach == Reach::row) {
      return reinterpret_cast<const Four<T>*>(values)[place(i, width)];
    }
    const T value = values[place(i, width)];
    return {{value, value, value, value}};
  }

 private:
  __device__ uint32_t place(uint32_t i, const Divider& width) const {
    if (reach == Reach::whole) return i;
    if (reach == Reach::value) return 0;
    const uint32_t row = width.quotient(i);
    return reach == Reach::row ? i - row * width.divisor : row;
  }
};

/// The first 4 `fours` elements go in fours, `width` then counts fours; the rest one by one. There is a rest beside fours
/// only of operands that are whole or one value, for which `width` does not matter.
template <typename F>
__global__ void __launch_bounds__(elementThreads)
    binaryKernel(uint32_t count, uint32_t fours, Divider width, Operand<typename F::Value> a,
                 Operand<typename F::Value> b, typename F::Result* __restrict__ y) {
  for (uint32_t i = threadInGrid(); i < fours; i += threadsOfGrid()) {
    const Four<typename F::Value> left = a.four(i, width), right = b.four(i, width);
    Four<typename F::Result> results;
#pragma unroll
    for (int lane = 0; lane < 4; ++lane) results.at[lane] = F()(left.at[lane], right.at[lane]);
    reinterpret_cast<Four<typename F::Result>*>(y)[i] = results;
  }
  for (uint32_t i = 4 * fours + threadInGrid(); i < count; i += threadsOfGrid()) {
    y[i] = F()(a.one(i, width), b.one(i, width));
  }
}

template <typename F>
__global__ void __launch_bounds__(elementThreads)
    broadcastKernel(uint32_t count, Places<2> places, const typename F::Value* __restrict__ a,
                    const typename F::Value* __restrict__ b, typename F::Result* __restrict__ y) {
  for (uint32_t i = threadInGrid(); i < count; i += threadsOfGrid()) {
    int64_t place[2];
    places.find(i, place);
    y[i] = F()(a[place[0]], b[place[1]]);
  }
}

/// How an operand with these strides lies in rows of the last axis; false when in none of the four ways.
inline bool findReach(const Axes<2>& axes, int operand, Reach& reach) {
  const int32_t* lengths = axes.lengths;
  const int32_t* strides = axes.strides[operand];
  if (axes.count == 1) {
    reach = strides[0] == 1 ? Reach::whole : Reach::value;
    return strides[0] == 0 || strides[0] == 1;
  }
  if (axes.count != 2) return false;
  const bool repeats = strides[1] == 0;
  if (!repeats && strides[1] != 1) return false;
  if (strides[0] == 0) {
    reach = repeats ? Reach::value : Reach::row;
    return true;
  }
  reach = repeats ? Reach::column : Reach::whole;
  return strides[0] == (repeats ? 1 : lengths[1]);
}

template <typename F>
void broadcast(const Axes<2>& axes, const typename F::Value* a, const typename F::Value* b, typename F::Result* y,
               cudaStream_t stream) {
  const int64_t count = axes.size();
  if (count == 0) return;
  Operand<typename F::Value> left{a, Reach::whole}, right{b, Reach::whole};
  if (!findReach(axes, 0, left.reach) || !findReach(axes, 1, right.reach)) {
    launch(broadcastKernel<F>, gridFor(count), blockFor(count), 0, stream, static_cast<uint32_t>(count),
           Places<2>(axes), a, b, y);
    return;
  }
  const uint32_t width = static_cast<uint32_t>(axes.lengths[axes.count - 1]);
  const auto loadsFours = [](const Operand<typename F::Value>& operand) {
    return operand.reach == Reach::value || operand.reach == Reach::column || inFours(operand.values);
  };
  // One axis may end in the middle of a four, several must not.
  const bool fit = inFours(y) && loadsFours(left) && loadsFours(right) && (axes.count == 1 || width % 4 == 0);
  const int64_t fours = fit ? count / 4 : 0;
  const int64_t work = std::max(fours, count - 4 * fours);
  launch(binaryKernel<F>, gridFor(work), blockFor(work), 0, stream, static_cast<uint32_t>(count),
         static_cast<uint32_t>(fours), Divider(fours > 0 && axes.count > 1 ? width / 4 : width), left, right, y);
}

}  // namespace metastate::cuda::tfjs
