// Included by hot_code.h only, in an unnamed namespace.
//
// One step of Wkv7, as when a model writes: a state comes from far memory and goes back there, and to hold blocks of rows
// transposed (forward.h) would cost more than the step. Rows are taken as they lie, four at a time: they share what is
// loaded of the operands, and the sums across lanes.

/// visit(Constant<head size>), of 0 for a size that is known only at run time.
template <typename Visit>
inline void withHeadSize(int64_t headSize, Visit visit) {
  switch (headSize) {
    case 16: return visit(Constant<16>{});
    case 32: return visit(Constant<32>{});
    case 64: return visit(Constant<64>{});
    case 128: return visit(Constant<128>{});
    default: return visit(Constant<0>{});
  }
}

/// Where a head's first step lies in [B, T, H, N].
inline int64_t firstStep(const Wkv7Shape& shape, int64_t head) {
  return ((head / shape.heads) * shape.time * shape.heads + head % shape.heads) * shape.headSize;
}

/// Rows [firstRow, firstRow + rows) of a head. The state after goes to `after`, unless that is null. Size is as in forward.h.
template <int Size>
void oneStep(const Wkv7Shape& shape, const Wkv7Inputs& in, float* reads, float* after, int64_t head, int64_t firstRow,
             int64_t rows) {
  const int64_t n = Size != 0 ? Size : shape.headSize;
  const int64_t step = firstStep(shape, head);
  const float *r = in.r + step, *w = in.w + step, *k = in.k + step, *a = in.a + step, *b = in.b + step;
  for (int64_t row = firstRow; row < firstRow + rows; row += 4) {
    // Where fewer are left, the last of them several times.
    int64_t own[4], places[4];
    for (int u = 0; u < 4; ++u) {
      own[u] = row + u < firstRow + rows ? row + u : firstRow + rows - 1;
      places[u] = (head * n + own[u]) * n;
    }
    Vector sum[4] = {};
    eachVector(n, [&](int64_t j, auto at) {
      const Vector removal = at.load(a + j);
      for (int u = 0; u < 4; ++u) sum[u] += at.load(in.state + places[u] + j) * removal;
    });
    const Vector4 removed = sums(sum[0], sum[1], sum[2], sum[3]);
    Vector sa[4], v[4], read[4] = {};
    for (int u = 0; u < 4; ++u) {
      sa[u] = broadcast(removed[u]);
      v[u] = broadcast(in.v[step + own[u]]);  // where its read may go
    }
    eachVector(n, [&](int64_t j, auto at) {
      const Vector wj = at.load(w + j), bj = at.load(b + j), kj = at.load(k + j), rj = at.load(r + j);
      for (int u = 0; u < 4; ++u) {
        Vector s = v[u] * kj;
        s += at.load(in.state + places[u] + j) * wj;
        s += sa[u] * bj;
        if (after != nullptr) at.store(after + places[u] + j, s);
        read[u] += s * rj;
      }
    });
    const Vector4 y = sums(read[0], read[1], read[2], read[3]);
    for (int u = 0; u < 4 && row + u < firstRow + rows; ++u) reads[step + row + u] = y[u];
  }
}

/// Whether a call is one step, of which no checkpoint is wanted.
inline bool isOneStep(const Wkv7Shape& shape) { return shape.time == 1 && shape.interval == 0; }
