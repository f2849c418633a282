#include "tfjs/select.cuh"

#include <algorithm>

namespace metastate::cuda::tfjs {
namespace {

template <typename Word>
void selectWords(int64_t count, const uint8_t* condition, const void* a, const void* b, void* y, cudaStream_t stream) {
  const Word* left = static_cast<const Word*>(a);
  const Word* right = static_cast<const Word*>(b);
  Word* to = static_cast<Word*>(y);
  const int64_t fours = inFours(condition) && inFours(left, right) && inFours(to) ? count / 4 : 0;
  const int64_t work = std::max(fours, count - 4 * fours);
  launch(selectKernel<Word>, gridFor(work), blockFor(work), 0, stream, static_cast<uint32_t>(count),
         static_cast<uint32_t>(fours), condition, left, right, to);
}

template <typename T>
void addTerms(int terms, const T* const* values, int64_t count, T* y, cudaStream_t stream) {
  Terms<T> list{terms, {}};
  std::copy(values, values + terms, list.values);
  if (count == 0) return;
  const bool aligned = inFours(y) && std::all_of(values, values + terms, [](const T* term) { return inFours(term); });
  const int64_t fours = aligned ? count / 4 : 0;
  const int64_t work = std::max(fours, count - 4 * fours);
  launch(addNKernel<T>, gridFor(work), blockFor(work), 0, stream, static_cast<uint32_t>(count),
         static_cast<uint32_t>(fours), list, y);
}

}  // namespace

void launchSelect(int64_t count, int bytes, const uint8_t* condition, const void* a, const void* b, void* y,
                  cudaStream_t stream) {
  if (count == 0) return;
  if (bytes == 1) return selectWords<uint8_t>(count, condition, a, b, y, stream);
  selectWords<uint32_t>(count, condition, a, b, y, stream);
}

void launchAddN(int terms, const float* const* values, int64_t count, float* y, cudaStream_t stream) {
  addTerms(terms, values, count, y, stream);
}

void launchAddN(int terms, const int32_t* const* values, int64_t count, int32_t* y, cudaStream_t stream) {
  addTerms(terms, values, count, y, stream);
}

}  // namespace metastate::cuda::tfjs
