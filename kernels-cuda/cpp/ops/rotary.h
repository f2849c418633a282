// Included by hot_code.h only, in an unnamed namespace.
//
// Positions as rotations: the pairs (x_i, x_{i + N/2}) of every head turn by their token's angles; direction -1 turns back.

void rotary(int64_t heads, int64_t size, float direction, int64_t from, int64_t to, const float* x,
            const float* cosines, const float* sines, float* y) {
  const int64_t half = size / 2;
  for (int64_t row = from; row < to; ++row) {
    for (int64_t h = 0; h < heads; ++h) {
      const int64_t first = (row * heads + h) * size, second = first + half;
      eachVector(half, [&](int64_t i, auto at) {
        const Vector cosine = at.load(cosines + row * half + i);
        const Vector sine = at.load(sines + row * half + i) * broadcast(direction);
        const Vector left = at.load(x + first + i), right = at.load(x + second + i);
        at.store(y + first + i, left * cosine - right * sine);
        at.store(y + second + i, right * cosine + left * sine);
      });
    }
  }
}
