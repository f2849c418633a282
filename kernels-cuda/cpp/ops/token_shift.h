// Included by hot_code.h only, in an unnamed namespace.
//
// Token shift: y_i = x_t + mix_i (x_{t-1} - x_t) for several mixes of the same input. Backwards, with s_t the sum over i
// of dy_i,t mix_i: dx_t = sum_i dy_i,t - s_t + s_{t+1}, dmix_i = sum_t dy_i,t (x_{t-1} - x_t).

inline const float* tokenBefore(const TokenShift& o, int64_t row) {
  return row % o.time == 0 ? o.previous + row / o.time * o.width : o.x + (row - 1) * o.width;
}

void tokenShift(const TokenShift& o, int64_t from, int64_t to, float* const* y) {
  for (int64_t row = from; row < to; ++row) {
    const float* now = o.x + row * o.width;
    const float* before = tokenBefore(o, row);
    eachVector(o.width, [&](int64_t c, auto at) {
      const Vector x = at.load(now + c), difference = at.load(before + c) - x;
      for (int64_t i = 0; i < o.count; ++i) {
        at.store(y[i] + row * o.width + c, x + at.load(o.mixes[i] + c) * difference);
      }
    });
  }
}

/// `dmixes` [count, C] is this run's own and is added to.
void tokenShiftGrad(const TokenShift& o, int64_t from, int64_t to, const float* const* dy, float* dx, float* dprevious,
                    float* dmixes) {
  for (int64_t row = from; row < to; ++row) {
    const int64_t t = row % o.time;
    const int64_t here = row * o.width;
    const float* before = tokenBefore(o, row);
    const bool last = t == o.time - 1;
    eachVector(o.width, [&](int64_t c, auto at) {
      const Vector difference = at.load(before + c) - at.load(o.x + here + c);
      Vector total = broadcast(0), shifted = total, next = total;
      for (int64_t i = 0; i < o.count; ++i) {
        const Vector d = at.load(dy[i] + here + c), mix = at.load(o.mixes[i] + c);
        total += d;
        shifted += d * mix;
        if (!last) next += at.load(dy[i] + here + o.width + c) * mix;
        float* dmix = dmixes + i * o.width + c;
        at.store(dmix, at.load(dmix) + d * difference);
      }
      at.store(dx + here + c, total - shifted + next);
      if (t == 0) at.store(dprevious + row / o.time * o.width + c, shifted);
    });
  }
}
