// Included by hot_code.h only, in an unnamed namespace.
//
// Softmax of each row with its largest value taken out, and the loss -log p[target] = log(sum) + largest - x[target].

void crossEntropy(int64_t vocabulary, int64_t from, int64_t to, const float* logits, const int32_t* targets,
                  float* probabilities, float* losses) {
  for (int64_t row = from; row < to; ++row) {
    const float* x = logits + row * vocabulary;
    float* p = probabilities + row * vocabulary;
    Vector most = broadcast(x[0]);
    eachVector(vocabulary, [&](int64_t j, auto at) { most = larger(at.keep(at.load(x + j), x[0]), most); });
    const float largest = largestOf(most);
    Vector sum = broadcast(0);
    eachVector(vocabulary, [&](int64_t j, auto at) {
      const Vector e = exponential(at.load(x + j) - broadcast(largest));
      at.store(p + j, e);
      sum += at.keep(e, 0);
    });
    const float total = sumOf(sum);
    eachVector(vocabulary, [&](int64_t j, auto at) { at.store(p + j, at.load(p + j) * broadcast(1.0f / total)); });
    losses[row] = naturalLogarithm(broadcast(total))[0] + (largest - x[targets[row]]);
  }
}
