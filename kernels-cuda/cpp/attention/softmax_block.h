// Included by hot_code.h only, in an unnamed namespace.
//
// The softmax of a block of causal attention's scores. Rows are normalised by their sums only after the weighted sum of
// values: that is N divisions and not as many as there are keys.

void attentionWeights(const ScoreBlock& o, float* scores, float* totals, float* logSums) {
  const Vector scale = broadcast(o.scale);
  for (int64_t i = 0; i < o.rows; ++i) {
    float* row = scores + i * o.width;
    const int64_t seen = o.seen + i;
    Vector most = broadcast(-__builtin_inff());
    eachVector(seen, [&](int64_t j, auto at) {
      const Vector x = at.load(row + j) * scale;
      at.store(row + j, x);
      most = larger(most, at.keep(x, -__builtin_inff()));
    });
    const float largest = largestOf(most);
    Vector sum = broadcast(0);
    eachVector(seen, [&](int64_t j, auto at) {
      const Vector e = exponential(at.load(row + j) - broadcast(largest));
      at.store(row + j, e);
      sum += at.keep(e, 0);
    });
    for (int64_t j = seen; j < o.width; ++j) row[j] = 0;
    totals[i] = sumOf(sum);
    logSums[i] = largest + naturalLogarithm(broadcast(totals[i]))[0];
  }
}

void attentionWeightsAgain(const ScoreBlock& o, const float* logSums, float* scores) {
  const Vector scale = broadcast(o.scale);
  for (int64_t i = 0; i < o.rows; ++i) {
    float* row = scores + i * o.width;
    const int64_t seen = o.seen + i;
    const Vector logSum = broadcast(logSums[i]);
    eachVector(seen, [&](int64_t j, auto at) { at.store(row + j, exponential(at.load(row + j) * scale - logSum)); });
    for (int64_t j = seen; j < o.width; ++j) row[j] = 0;
  }
}

void attentionScoresGrad(const ScoreBlock& o, const float* weights, const float* inner, float* dweights) {
  for (int64_t i = 0; i < o.rows; ++i) {
    const Vector own = broadcast(inner[i]), scale = broadcast(o.scale);
    const float* weight = weights + i * o.width;
    float* row = dweights + i * o.width;
    eachVector(o.width, [&](int64_t j, auto at) {
      at.store(row + j, at.load(weight + j) * (at.load(row + j) - own) * scale);
    });
  }
}

float attentionDot(int64_t size, const float* x, const float* y) {
  Vector sum = broadcast(0);
  eachVector(size, [&](int64_t j, auto at) { sum += at.load(x + j) * at.load(y + j); });
  return sumOf(sum);
}
