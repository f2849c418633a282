// Included by hot_code.h only, in an unnamed namespace.
//
// y = (x + (sum_j r_j k_j rk_j) v) gate, the sum over each head's channels.

void bonusGate(const BonusGate& o, int64_t from, int64_t to, float* y) {
  const int64_t size = o.width / o.heads;
  for (int64_t row = from; row < to; ++row) {
    for (int64_t first = 0; first < o.width; first += size) {
      const int64_t s = row * o.width + first;
      Vector sum = broadcast(0);
      eachVector(size, [&](int64_t j, auto at) {
        sum += at.load(o.r + s + j) * at.load(o.k + s + j) * at.load(o.rk + first + j);
      });
      const Vector bonus = broadcast(sumOf(sum));
      eachVector(size, [&](int64_t j, auto at) {
        at.store(y + s + j, (at.load(o.x + s + j) + bonus * at.load(o.v + s + j)) * at.load(o.gate + s + j));
      });
    }
  }
}

/// `drk` [width] is this run's own and is added to.
void bonusGateGrad(const BonusGate& o, int64_t from, int64_t to, const float* dy, float* dx, float* dr, float* dk,
                   float* dv, float* dgate, float* drk) {
  const int64_t size = o.width / o.heads;
  for (int64_t row = from; row < to; ++row) {
    for (int64_t first = 0; first < o.width; first += size) {
      const int64_t s = row * o.width + first;
      Vector sum = broadcast(0), dsum = sum;
      eachVector(size, [&](int64_t j, auto at) {
        sum += at.load(o.r + s + j) * at.load(o.k + s + j) * at.load(o.rk + first + j);
        dsum += at.load(dy + s + j) * at.load(o.gate + s + j) * at.load(o.v + s + j);
      });
      const Vector bonus = broadcast(sumOf(sum)), dbonus = broadcast(sumOf(dsum));
      eachVector(size, [&](int64_t j, auto at) {
        const Vector d = at.load(dy + s + j), gated = d * at.load(o.gate + s + j);
        const Vector r = at.load(o.r + s + j), k = at.load(o.k + s + j);
        const Vector scaled = dbonus * at.load(o.rk + first + j);
        at.store(dx + s + j, gated);
        at.store(dgate + s + j, d * (at.load(o.x + s + j) + bonus * at.load(o.v + s + j)));
        at.store(dv + s + j, gated * bonus);
        at.store(dr + s + j, scaled * k);
        at.store(dk + s + j, scaled * r);
        at.store(drk + first + j, at.load(drk + first + j) + dbonus * r * k);
      });
    }
  }
}
