// Included by hot_code.h only, in an unnamed namespace.
//
// Wkv7 backward, for some rows of one head.
//
// G is the adjoint of the state, [N, N] as the state is; G_t before y_t is counted. Reverse in time, with
// G' = G_t + dy_t r_t^T:
//
//   dr = S_t^T dy    dv = G' k    dk = G'^T v    db = G'^T sa    dsa = G' b    dw_j = sum_i G'_ij S_{t-1,ij}
//   da = S_{t-1}^T dsa            G_{t-1} = G' diag(w) + dsa a^T
//
// Only S_{t-1} and G are swept; what dy r^T and the step from S_{t-1} to S_t add has rank one and is added at the end:
//
//   p = S_{t-1}^T dy
//   dr = w p + (sa.dy) b + (v.dy) k      dv = G k + (r.k) dy      dsa = G b + (r.b) dy
//   dk = G^T v + (v.dy) r                db = G^T sa + (sa.dy) r  dw_j = sum_i G_ij S_{t-1,ij} + r_j p_j
//
// S_{t-1} comes from the checkpoints: a chunk of `interval` steps is recomputed, for a slab of eight rows at a time, so
// that what is kept fits the near caches, and then swept backward. (Stepping the state back instead, through the inverse
// of the transition, would multiply its error by up to 1.83 each step.) A register holds several columns of one row; the
// sums over columns are summed across lanes for four rows together.

constexpr int64_t slab = 8;

/// Operands of a chunk are copied to rows of a whole number of registers, the rest zero.
struct BackwardScratch {
  int64_t columns;                // N, rounded up
  int64_t rows;                   // rows of this share, rounded up
  float *r, *w, *rw, *k, *a, *b;  // [interval, columns]
  float *p, *dk, *dw, *da, *db;   // [interval, columns]
  float *v, *dy, *sa;             // [interval, rows]
  float* dv;                      // of the slab at hand [interval, slab]
  float *rk, *rb;                 // r.k and r.b [interval]
  float* adjoint;                 // G [rows, columns]
  float* states;                  // S_{t-1} of the chunk's steps, of the slab at hand [interval, slab, columns]
  int64_t floats = 0;             // of scratch, in all

  /// With no scratch, only counts.
  BackwardScratch(float* scratch, int64_t interval, int64_t headSize, int64_t shareRows)
      : columns(roundUp(headSize, lanes)), rows(roundUp(shareRows, slab)) {
    const auto take = [this, scratch](int64_t wanted) {
      float* taken = scratch == nullptr ? nullptr : scratch + floats;
      floats += roundUp(wanted, 16);
      return taken;
    };
    float** const alongColumns[] = {&r, &w, &rw, &k, &a, &b, &p, &dk, &dw, &da, &db};
    for (float** operand : alongColumns) *operand = take(interval * columns);
    float** const alongRows[] = {&v, &dy, &sa};
    for (float** operand : alongRows) *operand = take(interval * rows);
    dv = take(interval * slab);
    rk = take(interval);
    rb = take(interval);
    adjoint = take(rows * columns);
    states = take(interval * slab * columns);
  }
};

int64_t backwardSlabRows(int64_t) { return slab; }

int64_t backwardScratch(const Wkv7Shape& shape, int64_t rows) {
  return BackwardScratch(nullptr, shape.interval, shape.headSize, rows).floats + 16;
}

/// Copies rows of `count` floats into rows of `width`, the rest of each zero.
inline void copyPadded(const float* from, int64_t fromStride, int64_t rows, int64_t count, float* to, int64_t width) {
  for (int64_t i = 0; i < rows; ++i) {
    memcpy(to + i * width, from + i * fromStride, static_cast<size_t>(count) * sizeof(float));
    for (int64_t j = count; j < width; ++j) to[i * width + j] = 0;
  }
}

/// x.y and x.z of `count` floats, a multiple of 4. Always four lanes: rows are not padded to wide registers.
inline void twoDots(const float* x, const float* y, const float* z, int64_t count, float& xy, float& xz) {
  Vector4 ySum[2] = {}, zSum[2] = {};
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (int u = 0; u < 2; ++u) {
      const Vector4 xi = load4(x + i + 4 * u);
      ySum[u] += xi * load4(y + i + 4 * u);
      zSum[u] += xi * load4(z + i + 4 * u);
    }
  }
  for (; i < count; i += 4) {
    ySum[0] += load4(x + i) * load4(y + i);
    zSum[0] += load4(x + i) * load4(z + i);
  }
  const Vector4 yTotal = ySum[0] + ySum[1], zTotal = zSum[0] + zSum[1];
  xy = (yTotal[0] + yTotal[1]) + (yTotal[2] + yTotal[3]);
  xz = (zTotal[0] + zTotal[1]) + (zTotal[2] + zTotal[3]);
}

/// sa of a chunk's first step, for four rows: S a.
template <int Columns>
inline void firstRemoval(const float* state, const float* a, float* sa, int64_t runtimeColumns) {
  const int64_t columns = Columns != 0 ? Columns : runtimeColumns;
  Vector sum[4] = {};
  for (int64_t j = 0; j < columns; j += lanes) {
    const Vector aj = load(a + j);
    for (int i = 0; i < 4; ++i) sum[i] += load(state + i * columns + j) * aj;
  }
  store4(sa, sums(sum[0], sum[1], sum[2], sum[3]));
}

/// One step forward for four rows: the next state, and the next step's sa.
template <int Columns>
inline void recomputeStep(const float* state, float* nextState, const float* w, const float* b, const float* k,
                          const float* nextA, const float* sa, const float* v, float* nextSa, int64_t runtimeColumns) {
  const int64_t columns = Columns != 0 ? Columns : runtimeColumns;
  Vector sum[4] = {};
  Vector saRow[4], vRow[4];
  for (int i = 0; i < 4; ++i) {
    saRow[i] = broadcast(sa[i]);
    vRow[i] = broadcast(v[i]);
  }
  for (int64_t j = 0; j < columns; j += lanes) {
    const Vector wj = load(w + j), bj = load(b + j), kj = load(k + j), aj = load(nextA + j);
    for (int i = 0; i < 4; ++i) {
      const Vector s = load(state + i * columns + j) * wj + saRow[i] * bj + vRow[i] * kj;
      store(nextState + i * columns + j, s);
      sum[i] += s * aj;
    }
  }
  store4(nextSa, sums(sum[0], sum[1], sum[2], sum[3]));
}

/// G b and G k for four rows.
template <int Columns>
inline void adjointProducts(const float* adjoint, const float* b, const float* k, Vector4& gb, Vector4& gk,
                            int64_t runtimeColumns) {
  const int64_t columns = Columns != 0 ? Columns : runtimeColumns;
  Vector bSum[4] = {}, kSum[4] = {};
  for (int64_t j = 0; j < columns; j += lanes) {
    const Vector bj = load(b + j), kj = load(k + j);
    for (int i = 0; i < 4; ++i) {
      const Vector g = load(adjoint + i * columns + j);
      bSum[i] += g * bj;
      kSum[i] += g * kj;
    }
  }
  gb = sums(bSum[0], bSum[1], bSum[2], bSum[3]);
  gk = sums(kSum[0], kSum[1], kSum[2], kSum[3]);
}

/// Operands and sums of one step, from some column on.
struct StepColumns {
  const float *w, *rw, *a;
  float *p, *dk, *dw, *da, *db;

  StepColumns at(int64_t j) const { return {w + j, rw + j, a + j, p + j, dk + j, dw + j, da + j, db + j}; }
};

/// The sweep of a slab's G back over one step, at `vectors` registers of columns: adds to the sums over rows.
template <int vectors>
inline void sweepColumns(const float* state, float* adjoint, int64_t columns, const StepColumns& at, const float* dy,
                         const float* dsa, const float* v, const float* sa) {
  Vector p[vectors], dk[vectors], dw[vectors], da[vectors], db[vectors], w[vectors], rw[vectors], a[vectors];
  for (int q = 0; q < vectors; ++q) {
    p[q] = load(at.p + q * lanes);
    dk[q] = load(at.dk + q * lanes);
    dw[q] = load(at.dw + q * lanes);
    da[q] = load(at.da + q * lanes);
    db[q] = load(at.db + q * lanes);
    w[q] = load(at.w + q * lanes);
    rw[q] = load(at.rw + q * lanes);
    a[q] = load(at.a + q * lanes);
  }
  for (int64_t i = 0; i < slab; ++i) {
    const Vector dyRow = broadcast(dy[i]), dsaRow = broadcast(dsa[i]), vRow = broadcast(v[i]), saRow = broadcast(sa[i]);
    for (int q = 0; q < vectors; ++q) {
      const Vector s = load(state + i * columns + q * lanes);
      const Vector g = load(adjoint + i * columns + q * lanes);
      p[q] += s * dyRow;
      da[q] += s * dsaRow;
      dw[q] += g * s;
      dk[q] += g * vRow;
      db[q] += g * saRow;
      store(adjoint + i * columns + q * lanes, g * w[q] + dyRow * rw[q] + dsaRow * a[q]);
    }
  }
  for (int q = 0; q < vectors; ++q) {
    store(at.p + q * lanes, p[q]);
    store(at.dk + q * lanes, dk[q]);
    store(at.dw + q * lanes, dw[q]);
    store(at.da + q * lanes, da[q]);
    store(at.db + q * lanes, db[q]);
  }
}

/// One chunk, of `steps` steps, of one slab whose first state is in place: recomputes the other states, then sweeps back.
template <int Columns>
void backwardSlab(const BackwardScratch& s, int64_t row, int64_t steps) {
  const int64_t columns = Columns != 0 ? Columns : s.columns;
  for (int64_t group = 0; group < slab; group += 4) {
    firstRemoval<Columns>(s.states + group * columns, s.a, s.sa + row + group, columns);
  }
  for (int64_t t = 0; t + 1 < steps; ++t) {
    const float* now = s.states + t * slab * columns;
    float* next = s.states + (t + 1) * slab * columns;
    for (int64_t group = 0; group < slab; group += 4) {
      const int64_t at = t * s.rows + row + group;
      recomputeStep<Columns>(now + group * columns, next + group * columns, s.w + t * columns, s.b + t * columns,
                             s.k + t * columns, s.a + (t + 1) * columns, s.sa + at, s.v + at, s.sa + at + s.rows,
                             columns);
    }
  }

  float* adjoint = s.adjoint + row * columns;
  for (int64_t t = steps - 1; t >= 0; --t) {
    const float* state = s.states + t * slab * columns;
    const float* dy = s.dy + t * s.rows + row;
    float dsa[slab];
    for (int64_t group = 0; group < slab; group += 4) {
      Vector4 gb, gk;
      adjointProducts<Columns>(adjoint + group * columns, s.b + t * columns, s.k + t * columns, gb, gk, columns);
      const Vector4 dyRows = load4(dy + group);
      const Vector4 rb = {s.rb[t], s.rb[t], s.rb[t], s.rb[t]}, rk = {s.rk[t], s.rk[t], s.rk[t], s.rk[t]};
      store4(dsa + group, gb + dyRows * rb);
      store4(s.dv + t * slab + group, gk + dyRows * rk);
    }
    const float* v = s.v + t * s.rows + row;
    const float* sa = s.sa + t * s.rows + row;
    const StepColumns step{s.w + t * columns,  s.rw + t * columns, s.a + t * columns,  s.p + t * columns,
                           s.dk + t * columns, s.dw + t * columns, s.da + t * columns, s.db + t * columns};
    int64_t j = 0;
    // Two registers of columns share the broadcasts of a row, where there are registers enough.
    if (registers >= 32) {
      for (; j + 2 * lanes <= columns; j += 2 * lanes) {
        sweepColumns<2>(state + j, adjoint + j, columns, step.at(j), dy, dsa, v, sa);
      }
    }
    for (; j < columns; j += lanes) sweepColumns<1>(state + j, adjoint + j, columns, step.at(j), dy, dsa, v, sa);
  }
}

/// Adds the terms of rank one to the column sums of step t, and writes them to their place.
inline void finishColumns(const BackwardScratch& s, int64_t t, int64_t headSize, float vdy, float sady,
                          const Wkv7ColumnGradients& out, int64_t outAt) {
  const int64_t c = t * s.columns;
  const Vector vdyAll = broadcast(vdy), sadyAll = broadcast(sady);
  const auto put = [](bool add, float* to, Vector value, int64_t count) {
    if (count >= lanes) {
      store(to, add ? load(to) + value : value);
    } else {
      const Part part{count};
      part.store(to, add ? part.load(to) + value : value);
    }
  };
  for (int64_t j = 0; j < headSize; j += lanes) {
    const Vector r = load(s.r + c + j), p = load(s.p + c + j);
    const int64_t left = headSize - j;
    put(false, out.dr + outAt + j, load(s.w + c + j) * p + sadyAll * load(s.b + c + j) + vdyAll * load(s.k + c + j), left);
    put(out.add, out.dw + outAt + j, load(s.dw + c + j) + r * p, left);
    put(out.add, out.dk + outAt + j, load(s.dk + c + j) + r * vdyAll, left);
    put(out.add, out.da + outAt + j, load(s.da + c + j), left);
    put(out.add, out.db + outAt + j, load(s.db + c + j) + r * sadyAll, left);
  }
}

template <int Size>
void backwardRowsOfSize(const Wkv7Shape& shape, const Wkv7GradInputs& in, const Wkv7RowGradients& rowGradients,
                        const Wkv7ColumnGradients& out, int64_t head, int64_t firstRow, int64_t rows, float* scratch) {
  // Head sizes that are specialised are whole registers; for the others the count is known at run time.
  constexpr int Columns = Size % lanes == 0 ? Size : 0;
  const int64_t n = shape.headSize, interval = shape.interval, chunks = checkpointCount(shape);
  const int64_t stepStride = shape.heads * n;
  const int64_t headAt = (head / shape.heads) * shape.time * stepStride + (head % shape.heads) * n;
  const BackwardScratch s(alignedTo64(scratch), interval, n, rows);
  const int64_t columns = s.columns;
  const int64_t stateAt = head * n * n + firstRow * n;

  const int64_t given = in.dFinalState == nullptr ? 0 : rows;
  if (given > 0) copyPadded(in.dFinalState + stateAt, n, rows, n, s.adjoint, columns);
  memset(s.adjoint + given * columns, 0, static_cast<size_t>((s.rows - given) * columns) * sizeof(float));

  for (int64_t chunk = chunks - 1; chunk >= 0; --chunk) {
    const int64_t first = chunk * interval;
    const int64_t steps = shape.time - first < interval ? shape.time - first : interval;
    const int64_t at = headAt + first * stepStride;
    copyPadded(in.r + at, stepStride, steps, n, s.r, columns);
    copyPadded(in.w + at, stepStride, steps, n, s.w, columns);
    copyPadded(in.k + at, stepStride, steps, n, s.k, columns);
    copyPadded(in.a + at, stepStride, steps, n, s.a, columns);
    copyPadded(in.b + at, stepStride, steps, n, s.b, columns);
    copyPadded(in.v + at + firstRow, stepStride, steps, rows, s.v, s.rows);
    copyPadded(in.dy + at + firstRow, stepStride, steps, rows, s.dy, s.rows);
    for (int64_t i = 0; i < steps * columns; i += lanes) store(s.rw + i, load(s.r + i) * load(s.w + i));
    float* const columnSums[] = {s.p, s.dk, s.dw, s.da, s.db};
    for (float* sum : columnSums) memset(sum, 0, static_cast<size_t>(steps * columns) * sizeof(float));
    for (int64_t t = 0; t < steps; ++t) {
      const int64_t c = t * columns;
      twoDots(s.r + c, s.k + c, s.b + c, columns, s.rk[t], s.rb[t]);
    }

    const float* checkpoint = in.checkpoints + (head * chunks + chunk) * n * n + firstRow * n;
    for (int64_t row = 0; row < s.rows; row += slab) {
      const int64_t slabRows = rows - row < slab ? rows - row : slab;
      copyPadded(checkpoint + row * n, n, slabRows, n, s.states, columns);
      memset(s.states + slabRows * columns, 0, static_cast<size_t>((slab - slabRows) * columns) * sizeof(float));
      backwardSlab<Columns>(s, row, steps);
      for (int64_t t = 0; t < steps; ++t) {
        memcpy(rowGradients.dv + at + t * stepStride + firstRow + row, s.dv + t * slab,
               static_cast<size_t>(slabRows) * sizeof(float));
      }
    }

    for (int64_t t = 0; t < steps; ++t) {
      float vdy, sady;
      twoDots(s.dy + t * s.rows, s.v + t * s.rows, s.sa + t * s.rows, s.rows, vdy, sady);
      finishColumns(s, t, n, vdy, sady, out, (first + t) * out.stride);
    }
  }
  for (int64_t i = 0; i < rows; ++i) {
    memcpy(rowGradients.dState + stateAt + i * n, s.adjoint + i * columns, static_cast<size_t>(n) * sizeof(float));
  }
}

void backwardRows(const Wkv7Shape& shape, const Wkv7GradInputs& in, const Wkv7RowGradients& rowGradients,
                  const Wkv7ColumnGradients& out, int64_t head, int64_t firstRow, int64_t rows, float* scratch) {
  switch (shape.headSize) {
    case 16: return backwardRowsOfSize<16>(shape, in, rowGradients, out, head, firstRow, rows, scratch);
    case 32: return backwardRowsOfSize<32>(shape, in, rowGradients, out, head, firstRow, rows, scratch);
    case 64: return backwardRowsOfSize<64>(shape, in, rowGradients, out, head, firstRow, rows, scratch);
    case 128: return backwardRowsOfSize<128>(shape, in, rowGradients, out, head, firstRow, rows, scratch);
    default: return backwardRowsOfSize<0>(shape, in, rowGradients, out, head, firstRow, rows, scratch);
  }
}
