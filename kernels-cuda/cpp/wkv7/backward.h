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
// S_{t-1} comes from the checkpoints: a chunk of `interval` steps is recomputed, for a slab of rows at a time, so that what
// is kept fits the near caches, and then swept backward. (Stepping the state back instead, through the inverse of the
// transition, would multiply its error by up to 1.83 each step.) A register holds several columns of one row; the sums
// over columns are summed across lanes for eight of them together.

/// Rows that share the loads and stores of a step's column sums.
constexpr int64_t slab = 8;
/// Of small heads twice as many: a step's sums over columns then wait while other rows are at work.
constexpr int64_t largeSlab = 16, smallHead = 32;

/// Operands of a chunk are copied to rows of a whole number of registers, the rest zero.
struct BackwardScratch {
  int64_t columns;                // N, rounded up
  int64_t slabRows;               // rows of a slab
  int64_t rows, rowStride;        // rows of this share, rounded up to slabs; and to registers
  float *r, *w, *rw, *k, *a, *b;  // [interval, columns]
  float *p, *dk, *dw, *da, *db;   // [interval, columns]
  float *v, *dy, *sa;             // [interval, rowStride]
  float* dv;                      // of the slab at hand [interval, slabRows]
  float *rk, *rb;                 // r.k and r.b [interval]
  float* adjoint;                 // G [rows, columns]
  float* states;                  // S_{t-1} of the chunk's steps, of the slab at hand [interval, slabRows, columns]
  int64_t floats = 0;             // of scratch, in all

  /// With no scratch, only counts.
  BackwardScratch(float* scratch, int64_t interval, int64_t headSize, int64_t shareRows)
      : columns(roundUp(headSize, lanes)),
        slabRows(headSize <= smallHead && shareRows > slab ? largeSlab : slab),
        rows(roundUp(shareRows, slabRows)),
        rowStride(roundUp(rows, 16)) {
    const auto take = [this, scratch](int64_t wanted) {
      float* taken = scratch == nullptr ? nullptr : scratch + floats;
      floats += roundUp(wanted, 16);
      return taken;
    };
    float** const alongColumns[] = {&r, &w, &rw, &k, &a, &b, &p, &dk, &dw, &da, &db};
    for (float** operand : alongColumns) *operand = take(interval * columns);
    float** const alongRows[] = {&v, &dy, &sa};
    for (float** operand : alongRows) *operand = take(interval * rowStride);
    dv = take(interval * slabRows);
    rk = take(interval);
    rb = take(interval);
    adjoint = take(rows * columns);
    states = take(interval * slabRows * columns);
  }
};

int64_t backwardSlabRows(int64_t) { return slab; }

int64_t backwardScratch(const Wkv7Shape& shape, int64_t rows) {
  return BackwardScratch(nullptr, shape.interval, shape.headSize, rows).floats + 16;
}

/// Copies rows of `count` floats into rows of `width`, a whole number of registers, the rest of each zero.
inline void copyPadded(const float* from, int64_t fromStride, int64_t rows, int64_t count, float* to, int64_t width) {
  const int64_t whole = count / lanes * lanes;
  for (int64_t i = 0; i < rows; ++i, from += fromStride, to += width) {
    int64_t j = 0;
    for (; j < whole; j += lanes) store(to + j, load(from + j));
    if (j < count) {
      store(to + j, Part{count - j}.load(from + j));
      j += lanes;
    }
    for (; j < width; j += lanes) store(to + j, broadcast(0));
  }
}

/// Copies a few floats, which lie anywhere.
inline void copyFloats(const float* from, int64_t count, float* to) {
  int64_t i = 0;
  for (; i + 4 <= count; i += 4) store4(to + i, load4(from + i));
  for (; i < count; ++i) to[i] = from[i];
}

/// x.y and x.z of `count` floats, a whole number of registers.
inline void twoDots(const float* x, const float* y, const float* z, int64_t count, float& xy, float& xz) {
  Vector ySum = broadcast(0), zSum = ySum;
  for (int64_t i = 0; i < count; i += lanes) {
    const Vector xi = load(x + i);
    ySum += xi * load(y + i);
    zSum += xi * load(z + i);
  }
  xy = sumOf(ySum);
  xz = sumOf(zSum);
}

/// The sums over the lanes of eight vectors, to adjacent places.
inline void storeSums(const Vector (&x)[8], float* to) {
  Vector4 first, second;
  sums(x, first, second);
  store4(to, first);
  store4(to + 4, second);
}

/// sa of a chunk's first step, for eight rows: S a.
template <int Columns>
inline void firstRemoval(const float* state, const float* a, float* sa, int64_t runtimeColumns) {
  const int64_t columns = Columns != 0 ? Columns : runtimeColumns;
  Vector sum[8] = {};
  for (int64_t j = 0; j < columns; j += lanes) {
    const Vector aj = load(a + j);
    for (int i = 0; i < 8; ++i) sum[i] += load(state + i * columns + j) * aj;
  }
  storeSums(sum, sa);
}

/// One step forward for eight rows: the next state, and the next step's sa.
template <int Columns>
inline void recomputeStep(const float* state, float* nextState, const float* w, const float* b, const float* k,
                          const float* nextA, const float* sa, const float* v, float* nextSa, int64_t runtimeColumns) {
  const int64_t columns = Columns != 0 ? Columns : runtimeColumns;
  Vector sum[8] = {};
  for (int64_t j = 0; j < columns; j += lanes) {
    const Vector wj = load(w + j), bj = load(b + j), kj = load(k + j), aj = load(nextA + j);
    for (int i = 0; i < 8; ++i) {
      // S a comes last: it is what the step before has to be waited for.
      Vector s = broadcast(v[i]) * kj;
      s += load(state + i * columns + j) * wj;
      s += broadcast(sa[i]) * bj;
      store(nextState + i * columns + j, s);
      sum[i] += s * aj;
    }
  }
  storeSums(sum, nextSa);
}

/// G b + (r.b) dy and G k + (r.k) dy for four rows.
template <int Columns>
inline void adjointProducts(const float* adjoint, const float* b, const float* k, float rb, float rk, const float* dy,
                            float* dsa, float* dv, int64_t runtimeColumns) {
  const int64_t columns = Columns != 0 ? Columns : runtimeColumns;
  Vector sum[8] = {};  // of b, of k
  for (int64_t j = 0; j < columns; j += lanes) {
    const Vector bj = load(b + j), kj = load(k + j);
    for (int i = 0; i < 4; ++i) {
      const Vector g = load(adjoint + i * columns + j);
      sum[i] += g * bj;
      sum[4 + i] += g * kj;
    }
  }
  Vector4 gb, gk;
  sums(sum, gb, gk);
  const Vector4 dyRows = load4(dy);
  store4(dsa, gb + dyRows * Vector4{rb, rb, rb, rb});
  store4(dv, gk + dyRows * Vector4{rk, rk, rk, rk});
}

/// Operands and sums of one step, from some column on.
struct StepColumns {
  const float *w, *rw, *a;
  float *p, *dk, *dw, *da, *db;

  StepColumns at(int64_t j) const { return {w + j, rw + j, a + j, p + j, dk + j, dw + j, da + j, db + j}; }
};

/// The sweep of a slab's G back over one step, at `vectors` registers of columns: adds to the sums over rows.
template <int Rows, int vectors>
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
  for (int64_t i = 0; i < Rows; ++i) {
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
template <int Columns, int Rows>
void backwardSlab(const BackwardScratch& s, int64_t row, int64_t steps) {
  const int64_t columns = Columns != 0 ? Columns : s.columns;
  for (int64_t group = 0; group < Rows; group += 8) {
    firstRemoval<Columns>(s.states + group * columns, s.a, s.sa + row + group, columns);
  }
  for (int64_t t = 0; t + 1 < steps; ++t) {
    const float* now = s.states + t * Rows * columns;
    float* next = s.states + (t + 1) * Rows * columns;
    for (int64_t group = 0; group < Rows; group += 8) {
      const int64_t at = t * s.rowStride + row + group;
      recomputeStep<Columns>(now + group * columns, next + group * columns, s.w + t * columns, s.b + t * columns,
                             s.k + t * columns, s.a + (t + 1) * columns, s.sa + at, s.v + at, s.sa + at + s.rowStride,
                             columns);
    }
  }

  float* adjoint = s.adjoint + row * columns;
  for (int64_t t = steps - 1; t >= 0; --t) {
    const float* state = s.states + t * Rows * columns;
    const float* dy = s.dy + t * s.rowStride + row;
    float dsa[Rows];
    for (int64_t group = 0; group < Rows; group += 4) {
      adjointProducts<Columns>(adjoint + group * columns, s.b + t * columns, s.k + t * columns, s.rb[t], s.rk[t],
                               dy + group, dsa + group, s.dv + t * Rows + group, columns);
    }
    const float* v = s.v + t * s.rowStride + row;
    const float* sa = s.sa + t * s.rowStride + row;
    const StepColumns step{s.w + t * columns,  s.rw + t * columns, s.a + t * columns,  s.p + t * columns,
                           s.dk + t * columns, s.dw + t * columns, s.da + t * columns, s.db + t * columns};
    int64_t j = 0;
    // Two registers of columns share the broadcasts of a row, where there are registers enough.
    if (registers >= 32) {
      for (; j + 2 * lanes <= columns; j += 2 * lanes) {
        sweepColumns<Rows, 2>(state + j, adjoint + j, columns, step.at(j), dy, dsa, v, sa);
      }
    }
    for (; j < columns; j += lanes) sweepColumns<Rows, 1>(state + j, adjoint + j, columns, step.at(j), dy, dsa, v, sa);
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

  // What rows of registers have beyond rows is multiplied by zeros.
  if (s.rowStride > s.rows) memset(s.sa, 0, static_cast<size_t>(interval * s.rowStride) * sizeof(float));
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
    copyPadded(in.v + at + firstRow, stepStride, steps, rows, s.v, s.rowStride);
    copyPadded(in.dy + at + firstRow, stepStride, steps, rows, s.dy, s.rowStride);
    for (int64_t i = 0; i < steps * columns; i += lanes) store(s.rw + i, load(s.r + i) * load(s.w + i));
    float* const columnSums[] = {s.p, s.dk, s.dw, s.da, s.db};
    for (float* sum : columnSums) memset(sum, 0, static_cast<size_t>(steps * columns) * sizeof(float));
    for (int64_t t = 0; t < steps; ++t) {
      const int64_t c = t * columns;
      twoDots(s.r + c, s.k + c, s.b + c, columns, s.rk[t], s.rb[t]);
    }

    const float* checkpoint = in.checkpoints + (head * chunks + chunk) * n * n + firstRow * n;
    for (int64_t row = 0; row < s.rows; row += s.slabRows) {
      const int64_t slabRows = rows - row < s.slabRows ? rows - row : s.slabRows;
      copyPadded(checkpoint + row * n, n, slabRows, n, s.states, columns);
      memset(s.states + slabRows * columns, 0, static_cast<size_t>((s.slabRows - slabRows) * columns) * sizeof(float));
      if (s.slabRows == slab) {
        backwardSlab<Columns, slab>(s, row, steps);
      } else {
        backwardSlab<Columns, largeSlab>(s, row, steps);
      }
      for (int64_t t = 0; t < steps; ++t) {
        copyFloats(s.dv + t * s.slabRows, slabRows, rowGradients.dv + at + t * stepStride + firstRow + row);
      }
    }

    for (int64_t t = 0; t < steps; ++t) {
      float vdy, sady;
      const int64_t c = t * s.rowStride;
      twoDots(s.dy + c, s.v + c, s.sa + c, s.rowStride, vdy, sady);
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
