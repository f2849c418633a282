// RWKV-7's key preparation: per head u = k kk, unit = u / |u|, and key = k (1 + (rate - 1) ka), alpha = -unit,
// beta = unit rate. Backwards, with du = rate dbeta - dalpha, the gradient of k kk is (du - unit (unit . du)) / |u|.
//
// Backwards a team finds each head's two numbers, and then one pass over the elements makes dk, drate and the sums over rows.

#include "ops/column_sums.cuh"
#include "ops/ops.h"
#include "ops/scalars.cuh"

namespace metastate::cuda {
namespace {

/// Backwards, heads of fewer channels are worked in double: du - unit (unit . du) cancels there, with one channel to zero.
constexpr int fewChannels = 16;

/// 1 / |u|, and unit . du.
template <typename Real>
struct KeyScale {
  Real inverse, along;
};

template <int team, int V>
__device__ __forceinline__ float inverseKeyLength(const float* k, const float* kk, int size) {
  float squares = 0;
  for (int j = static_cast<int>(threadIdx.x) % team * V; j < size; j += team * V) {
    const Floats<V> key = load<V>(k + j), scale = load<V>(kk + j);
    for (int i = 0; i < V; ++i) squares += key.at[i] * scale.at[i] * (key.at[i] * scale.at[i]);
  }
  const float length = sqrtf(teamSum<team>(squares));
  return 1.0f / (length < shortestKey ? shortestKey : length);
}

template <int team, int V>
__global__ void keyPreparationKernel(KeyPreparation o, int64_t heads, float* key, float* alpha, float* beta) {
  const int64_t mine = teamGroup<team>(), head = mine < heads ? mine : heads - 1;
  const int size = o.width / o.heads, first = static_cast<int>(head % o.heads) * size;
  const int64_t start = head * size;
  const float inverse = inverseKeyLength<team, V>(o.k + start, o.kk + first, size);
  if (mine >= heads) return;
  for (int j = static_cast<int>(threadIdx.x) % team * V; j < size; j += team * V) {
    const Floats<V> k = load<V>(o.k + start + j), rate = load<V>(o.rate + start + j);
    const Floats<V> kk = load<V>(o.kk + first + j), ka = load<V>(o.ka + first + j);
    Floats<V> replaced, removed, renewed;
    for (int i = 0; i < V; ++i) {
      const float unit = k.at[i] * kk.at[i] * inverse;
      replaced.at[i] = k.at[i] * (1 + (rate.at[i] - 1) * ka.at[i]);
      removed.at[i] = -unit;
      renewed.at[i] = unit * rate.at[i];
    }
    store<V>(key + start + j, replaced);
    store<V>(alpha + start + j, removed);
    store<V>(beta + start + j, renewed);
  }
}

template <int team, int V>
__global__ void keyScales(KeyPreparation o, int64_t heads, const float* dalpha, const float* dbeta,
                          KeyScale<float>* scales) {
  const int64_t mine = teamGroup<team>(), head = mine < heads ? mine : heads - 1;
  const int size = o.width / o.heads, first = static_cast<int>(head % o.heads) * size;
  const int64_t start = head * size;
  const float inverse = inverseKeyLength<team, V>(o.k + start, o.kk + first, size);
  float along = 0;
  for (int j = static_cast<int>(threadIdx.x) % team * V; j < size; j += team * V) {
    const Floats<V> k = load<V>(o.k + start + j), kk = load<V>(o.kk + first + j), rate = load<V>(o.rate + start + j);
    const Floats<V> da = load<V>(dalpha + start + j), db = load<V>(dbeta + start + j);
    for (int i = 0; i < V; ++i) along += k.at[i] * kk.at[i] * inverse * (rate.at[i] * db.at[i] - da.at[i]);
  }
  along = teamSum<team>(along);
  if (mine < heads && threadIdx.x % team == 0) scales[head] = {inverse, along};
}

__global__ void keyScalesOfFew(KeyPreparation o, int64_t heads, const float* dalpha, const float* dbeta,
                               KeyScale<double>* scales) {
  const int64_t head = static_cast<int64_t>(blockIdx.x) * blockThreads + threadIdx.x;
  if (head >= heads) return;
  const int size = o.width / o.heads, first = static_cast<int>(head % o.heads) * size;
  const int64_t start = head * size;
  double squares = 0, along = 0;
  for (int j = 0; j < size; ++j) {
    const double u = static_cast<double>(o.k[start + j]) * static_cast<double>(o.kk[first + j]);
    const double du = static_cast<double>(o.rate[start + j]) * static_cast<double>(dbeta[start + j]) -
                      static_cast<double>(dalpha[start + j]);
    squares += u * u;
    along += u * du;
  }
  const double length = sqrt(squares), shortest = static_cast<double>(shortestKey);
  const double inverse = 1 / (length < shortest ? shortest : length);
  scales[head] = {inverse, along * inverse};
}

template <typename Real>
struct KeyPreparationGradOf {
  KeyPreparation o;
  const float *dkey, *dalpha, *dbeta;
  float *dk, *drate;
  const KeyScale<Real>* scales;

  /// Sums: dkk, dka.
  template <int V>
  __device__ void at(int row, int channel, Floats<V> (&sums)[2]) const {
    const int64_t here = static_cast<int64_t>(row) * o.width + channel;
    const int size = o.width / o.heads;
    const Floats<V> k = load<V>(o.k + here), rate = load<V>(o.rate + here), kk = load<V>(o.kk + channel);
    const Floats<V> ka = load<V>(o.ka + channel), dkey = load<V>(this->dkey + here);
    const Floats<V> dalpha = load<V>(this->dalpha + here), dbeta = load<V>(this->dbeta + here);
    Floats<V> ofKey, ofRate;
    for (int i = 0; i < V; ++i) {
      const KeyScale<Real> scale = scales[static_cast<int64_t>(row) * o.heads + (channel + i) / size];
      const Real key = static_cast<Real>(k.at[i]), multiplier = static_cast<Real>(kk.at[i]);
      const Real strength = static_cast<Real>(ka.at[i]), rateHere = static_cast<Real>(rate.at[i]);
      const Real lacking = rateHere - 1, d = static_cast<Real>(dkey.at[i]), db = static_cast<Real>(dbeta.at[i]);
      const Real unit = key * multiplier * scale.inverse;
      const Real du = rateHere * db - static_cast<Real>(dalpha.at[i]);
      const Real dscaled = (du - unit * scale.along) * scale.inverse;
      ofKey.at[i] = static_cast<float>(dscaled * multiplier + d * (1 + lacking * strength));
      ofRate.at[i] = static_cast<float>(unit * db + key * strength * d);
      sums[0].at[i] += static_cast<float>(dscaled * key);
      sums[1].at[i] += static_cast<float>(d * key * lacking);
    }
    store<V>(dk + here, ofKey);
    store<V>(drate + here, ofRate);
  }
};

}  // namespace

void keyPreparation(cudaStream_t stream, const KeyPreparation& o, int rows, float* key, float* alpha, float* beta) {
  const int64_t heads = static_cast<int64_t>(rows) * o.heads;
  withTeams(o.width / o.heads, [&](auto teamType, auto vector) {
    constexpr int team = decltype(teamType)::value, V = decltype(vector)::value;
    launch(keyPreparationKernel<team, V>, teamBlocks<team>(heads), dim3(blockThreads), 0, stream, o, heads, key, alpha,
           beta);
  });
}

int64_t keyPreparationGradScratch(const KeyPreparation& o, int rows) {
  const int64_t floats = o.width / o.heads < fewChannels ? 4 : 2;
  return columnScratch(rows, o.width, 2) + floats * rows * o.heads;
}

void keyPreparationGrad(cudaStream_t stream, const KeyPreparation& o, int rows, const float* dkey, const float* dalpha,
                        const float* dbeta, float* dk, float* dkk, float* drate, float* dka, float* scratch) {
  const int64_t heads = static_cast<int64_t>(rows) * o.heads;
  const ColumnOutputs<2> sums{{dkk, dka}};
  float* const place = scratch + columnScratch(rows, o.width, 2);
  if (o.width / o.heads < fewChannels) {
    auto* const scales = reinterpret_cast<KeyScale<double>*>(place);
    launch(keyScalesOfFew, dim3(blocksFor(heads, blockThreads)), dim3(blockThreads), 0, stream, o, heads, dalpha, dbeta,
           scales);
    launchColumns<2>(stream, rows, o.width, KeyPreparationGradOf<double>{o, dkey, dalpha, dbeta, dk, drate, scales},
                     sums, scratch);
    return;
  }
  auto* const scales = reinterpret_cast<KeyScale<float>*>(place);
  withTeams(o.width / o.heads, [&](auto teamType, auto vector) {
    constexpr int team = decltype(teamType)::value, V = decltype(vector)::value;
    launch(keyScales<team, V>, teamBlocks<team>(heads), dim3(blockThreads), 0, stream, o, heads, dalpha, dbeta, scales);
  });
  launchColumns<2>(stream, rows, o.width, KeyPreparationGradOf<float>{o, dkey, dalpha, dbeta, dk, drate, scales}, sums,
                   scratch);
}

}  // namespace metastate::cuda
