// Included by hot_code.h only, in an unnamed namespace.
//
// The measure that what is bound by memory is held against: arrays that are read once, or read and written once (the sum
// and the triad of McCalpin's STREAM). Counts are whole numbers of 4 vectors.

void sumStream(const float* x, int64_t count, float* sink) {
  Vector a = broadcast(0), b = a, c = a, d = a;
  for (int64_t i = 0; i < count; i += 4 * lanes) {
    a += load(x + i);
    b += load(x + i + lanes);
    c += load(x + i + 2 * lanes);
    d += load(x + i + 3 * lanes);
  }
  const Vector total = (a + b) + (c + d);
  *sink = total[0];
}

void triadStream(const float* x, const float* y, int64_t count, float* z) {
  const Vector factor = broadcast(0.5f);
  for (int64_t i = 0; i < count; i += lanes) store(z + i, load(x + i) * factor + load(y + i));
}
