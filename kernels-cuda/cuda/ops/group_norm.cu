// y = n weight + bias with n = (x - mean) / sqrt(variance + epsilon) over each group of a row; one group is layer
// normalisation. Backwards, with dn = dy weight: dx = (dn - mean(dn) - n mean(dn n)) / sqrt(variance + epsilon).
//
// Backwards a team finds each group's four numbers, and then one pass over the elements makes dx and the sums over rows.

#include "ops/column_sums.cuh"
#include "ops/moments.cuh"
#include "ops/ops.h"

namespace metastate::cuda {
namespace {

/// Groups of fewer elements are computed in float64, a thread a group: with two elements dx is what little is left when
/// everything cancels.
constexpr int fewElements = 16;

/// What the gradient needs of a group: mean and 1 / sqrt(variance + epsilon), means of dn and of dn n.
template <typename Real>
struct GroupMoments {
  Real mean, inverse, dn, along;
};

template <int team, int V>
__global__ void groupNormKernel(GroupNorm o, int64_t groups, const float* bias, float* y) {
  // A team past the end works on the last group too, and stores nothing: all threads of a block come to its barriers.
  const int64_t mine = teamGroup<team>(), group = mine < groups ? mine : groups - 1;
  const int size = o.width / o.groups, first = static_cast<int>(group % o.groups) * size;
  const float* x = o.x + group * size;
  const auto [mean, inverse] = momentsOf<team, V>(x, size, o.epsilon);
  if (mine >= groups) return;
  for (int j = static_cast<int>(threadIdx.x) % team * V; j < size; j += team * V) {
    Floats<V> here = load<V>(x + j);
    const Floats<V> weight = load<V>(o.weight + first + j), offset = load<V>(bias + first + j);
    for (int i = 0; i < V; ++i) here.at[i] = (here.at[i] - mean) * inverse * weight.at[i] + offset.at[i];
    store<V>(y + group * size + j, here);
  }
}

template <int team, int V>
__global__ void groupMoments(GroupNorm o, int64_t groups, const float* dy, GroupMoments<float>* moments) {
  const int64_t mine = teamGroup<team>(), group = mine < groups ? mine : groups - 1;
  const int size = o.width / o.groups, first = static_cast<int>(group % o.groups) * size;
  const float* x = o.x + group * size;
  float sum = 0, along = 0;
  const auto [mean, inverse] = momentsOf<team, V>(x, size, o.epsilon);
  for (int j = static_cast<int>(threadIdx.x) % team * V; j < size; j += team * V) {
    const Floats<V> here = load<V>(x + j), d = load<V>(dy + group * size + j), weight = load<V>(o.weight + first + j);
    for (int i = 0; i < V; ++i) {
      const float dn = d.at[i] * weight.at[i];
      sum += dn;
      along += dn * ((here.at[i] - mean) * inverse);
    }
  }
  sum = teamSum<team>(sum);
  along = teamSum<team>(along);
  if (mine < groups && threadIdx.x % team == 0) {
    moments[group] = {mean, inverse, sum / static_cast<float>(size), along / static_cast<float>(size)};
  }
}

__device__ __forceinline__ void momentsOfFew(const float* x, int size, float epsilon, double& mean, double& inverse) {
  double sum = 0, squares = 0;
  for (int j = 0; j < size; ++j) sum += static_cast<double>(x[j]);
  mean = sum / size;
  for (int j = 0; j < size; ++j) squares += (static_cast<double>(x[j]) - mean) * (static_cast<double>(x[j]) - mean);
  inverse = 1 / sqrt(squares / size + static_cast<double>(epsilon));
}

__global__ void groupNormOfFew(GroupNorm o, int64_t groups, const float* bias, float* y) {
  const int64_t group = static_cast<int64_t>(blockIdx.x) * blockThreads + threadIdx.x;
  if (group >= groups) return;
  const int size = o.width / o.groups, first = static_cast<int>(group % o.groups) * size;
  const float* x = o.x + group * size;
  double mean, inverse;
  momentsOfFew(x, size, o.epsilon, mean, inverse);
  for (int j = 0; j < size; ++j) {
    const double n = (static_cast<double>(x[j]) - mean) * inverse;
    y[group * size + j] =
        static_cast<float>(n * static_cast<double>(o.weight[first + j]) + static_cast<double>(bias[first + j]));
  }
}

__global__ void groupMomentsOfFew(GroupNorm o, int64_t groups, const float* dy, GroupMoments<double>* moments) {
  const int64_t group = static_cast<int64_t>(blockIdx.x) * blockThreads + threadIdx.x;
  if (group >= groups) return;
  const int size = o.width / o.groups, first = static_cast<int>(group % o.groups) * size;
  const float* x = o.x + group * size;
  double mean, inverse, sum = 0, along = 0;
  momentsOfFew(x, size, o.epsilon, mean, inverse);
  for (int j = 0; j < size; ++j) {
    const double dn = static_cast<double>(dy[group * size + j]) * static_cast<double>(o.weight[first + j]);
    sum += dn / size;
    along += dn * ((static_cast<double>(x[j]) - mean) * inverse) / size;
  }
  moments[group] = {mean, inverse, sum, along};
}

template <typename Real>
struct GroupNormGradOf {
  GroupNorm o;
  const float* dy;
  float* dx;
  const GroupMoments<Real>* moments;

  /// Sums: dweight, dbias.
  template <int V>
  __device__ void at(int row, int channel, Floats<V> (&sums)[2]) const {
    const int64_t here = static_cast<int64_t>(row) * o.width + channel;
    const int size = o.width / o.groups;
    const Floats<V> x = load<V>(o.x + here), d = load<V>(dy + here), weight = load<V>(o.weight + channel);
    Floats<V> result;
    for (int i = 0; i < V; ++i) {
      const GroupMoments<Real> m = moments[static_cast<int64_t>(row) * o.groups + (channel + i) / size];
      const Real n = (static_cast<Real>(x.at[i]) - m.mean) * m.inverse;
      const Real dn = static_cast<Real>(d.at[i]) * static_cast<Real>(weight.at[i]);
      result.at[i] = static_cast<float>((dn - m.dn - n * m.along) * m.inverse);
      sums[0].at[i] += static_cast<float>(static_cast<Real>(d.at[i]) * n);
      sums[1].at[i] += d.at[i];
    }
    store<V>(dx + here, result);
  }
};

}  // namespace

void groupNorm(cudaStream_t stream, const GroupNorm& o, int rows, const float* bias, float* y) {
  const int64_t groups = static_cast<int64_t>(rows) * o.groups;
  if (o.width / o.groups < fewElements) {
    launch(groupNormOfFew, dim3(blocksFor(groups, blockThreads)), dim3(blockThreads), 0, stream, o, groups, bias, y);
    return;
  }
  withTeams(o.width / o.groups, [&](auto teamType, auto vector) {
    constexpr int team = decltype(teamType)::value, V = decltype(vector)::value;
    launch(groupNormKernel<team, V>, teamBlocks<team>(groups), dim3(blockThreads), 0, stream, o, groups, bias, y);
  });
}

int64_t groupNormGradScratch(const GroupNorm& o, int rows) {
  const int64_t floats = o.width / o.groups < fewElements ? 8 : 4;
  return columnScratch(rows, o.width, 2) + floats * rows * o.groups;
}

void groupNormGrad(cudaStream_t stream, const GroupNorm& o, int rows, const float* dy, float* dx, float* dweight,
                   float* dbias, float* scratch) {
  const int64_t groups = static_cast<int64_t>(rows) * o.groups;
  const ColumnOutputs<2> sums{{dweight, dbias}};
  float* const place = scratch + columnScratch(rows, o.width, 2);
  if (o.width / o.groups < fewElements) {
    auto* const moments = reinterpret_cast<GroupMoments<double>*>(place);
    launch(groupMomentsOfFew, dim3(blocksFor(groups, blockThreads)), dim3(blockThreads), 0, stream, o, groups, dy,
           moments);
    launchColumns<2>(stream, rows, o.width, GroupNormGradOf<double>{o, dy, dx, moments}, sums, scratch);
    return;
  }
  auto* const moments = reinterpret_cast<GroupMoments<float>*>(place);
  withTeams(o.width / o.groups, [&](auto teamType, auto vector) {
    constexpr int team = decltype(teamType)::value, V = decltype(vector)::value;
    launch(groupMoments<team, V>, teamBlocks<team>(groups), dim3(blockThreads), 0, stream, o, groups, dy, moments);
  });
  launchColumns<2>(stream, rows, o.width, GroupNormGradOf<float>{o, dy, dx, moments}, sums, scratch);
}

}  // namespace metastate::cuda
