// Included by hot_code.h only, in an unnamed namespace.
//
// Wkv7 backward, for some rows of some heads.
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

int64_t backwardSlabRows(int64_t) { return slab; }

int64_t backwardScratch(const Wkv7Shape& shape, int64_t heads, int64_t rows) {
  return BackwardScratch(nullptr, shape.interval, shape.headSize, heads, rows).floats + 16;
}

/// The sums over the lanes of eight vectors, to adjacent places.
METASTATE_INLINE void storeSums(const Vector (&x)[8], float* to) {
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
METASTATE_INLINE void recomputeStep(const float* state, float* nextState, const float* w, const float* b,
                                    const float* k, const float* nextA, const float* sa, const float* v,
                                    float* nextSa, int64_t runtimeColumns) {
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

/// G b + (r.b) dy and G k + (r.k) dy for four rows from `row`.
template <int Columns, typename Adjoint>
METASTATE_INLINE void adjointProducts(const Adjoint& adjoint, int64_t row, const float* b, const float* k, float rb,
                                      float rk, const float* dy, float* dsa, float* dv, int64_t runtimeColumns) {
  const int64_t columns = Columns != 0 ? Columns : runtimeColumns;
  Vector sum[8] = {};  // of b, of k
  for (int64_t j = 0; j < columns; j += lanes) {
    const Vector bj = load(b + j), kj = load(k + j);
    for (int i = 0; i < 4; ++i) {
      const Vector g = adjoint.get((row + i) * columns + j);
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

/// Adds the terms of rank one to the column sums of a step at one register of columns, and writes them to their place:
/// `access` is the register, or the part of it that there is.
template <typename Access>
METASTATE_INLINE void finishColumns(const StepColumns& s, int64_t j, Access access, Vector p, Vector dk, Vector dw,
                                    Vector da, Vector db) {
  const Vector vdy = broadcast(s.vdy), sady = broadcast(s.sady), r = load(s.r + j);
  const Wkv7ColumnGradients& out = *s.out;
  const int64_t at = s.outAt + j;
  dw += r * p;
  dk += r * vdy;
  db += r * sady;
  if (out.add) {
    dw += access.load(out.dw + at);
    dk += access.load(out.dk + at);
    da += access.load(out.da + at);
    db += access.load(out.db + at);
  }
  access.store(out.dr + at, load(s.w + j) * p + sady * load(s.b + j) + vdy * load(s.k + j));
  access.store(out.dw + at, dw);
  access.store(out.dk + at, dk);
  access.store(out.da + at, da);
  access.store(out.db + at, db);
}

/// The sweep of a slab's G back over one step, at `vectors` registers of columns, from j: adds to the sums over rows, or
/// writes them to their place when the slab is `Alone`.
template <int Rows, int vectors, bool Alone, typename Adjoint>
METASTATE_INLINE void sweepColumns(const float* state, Adjoint& adjoint, int64_t columns, const StepColumns& at,
                                   int64_t j, const float* dy, const float* dsa, const float* v, const float* sa) {
  Vector p[vectors], dk[vectors], dw[vectors], da[vectors], db[vectors], w[vectors], rw[vectors], a[vectors];
  for (int q = 0; q < vectors; ++q) {
    const int64_t c = j + q * lanes;
    p[q] = Alone ? broadcast(0) : load(at.p + c);
    dk[q] = Alone ? broadcast(0) : load(at.dk + c);
    dw[q] = Alone ? broadcast(0) : load(at.dw + c);
    da[q] = Alone ? broadcast(0) : load(at.da + c);
    db[q] = Alone ? broadcast(0) : load(at.db + c);
    w[q] = load(at.w + c);
    rw[q] = load(at.r + c) * w[q];
    a[q] = load(at.a + c);
  }
  adjoint.template each<Rows>([&](int64_t i) METASTATE_ALWAYS_INLINE {
    const Vector dyRow = broadcast(dy[i]), dsaRow = broadcast(dsa[i]), vRow = broadcast(v[i]), saRow = broadcast(sa[i]);
    for (int q = 0; q < vectors; ++q) {
      const int64_t c = i * columns + j + q * lanes;
      const Vector s = load(state + c);
      const Vector g = adjoint.get(c);
      p[q] += s * dyRow;
      da[q] += s * dsaRow;
      dw[q] += g * s;
      dk[q] += g * vRow;
      db[q] += g * saRow;
      adjoint.put(c, g * w[q] + dyRow * rw[q] + dsaRow * a[q]);
    }
  });
  for (int q = 0; q < vectors; ++q) {
    const int64_t c = j + q * lanes;
    if (Alone) {
      finishColumns(at, c, Whole{}, p[q], dk[q], dw[q], da[q], db[q]);
    } else {
      store(at.p + c, p[q]);
      store(at.dk + c, dk[q]);
      store(at.dw + c, dw[q]);
      store(at.da + c, da[q]);
      store(at.db + c, db[q]);
    }
  }
}

/// One chunk of one slab whose first state is in place: recomputes the other states, then sweeps back. dv has rows
/// `dvStride` apart.
template <int Columns, int Rows, bool Alone>
void backwardSlab(const BackwardScratch& s, const Wkv7ColumnGradients& out, const Chunk& chunk, int64_t row,
                  float* dv, int64_t dvStride, const NextChunk& next) {
  const int64_t columns = Columns != 0 ? Columns : s.columns;
  const int64_t steps = chunk.steps;
  for (int64_t group = 0; group < Rows; group += 8) {
    firstRemoval<Columns>(s.states + group * columns, s.a, s.sa + row + group, columns);
  }
  for (int64_t t = 0; t + 1 < steps; ++t) {
    const float* now = s.states + t * Rows * columns;
    float* nextState = s.states + (t + 1) * Rows * columns;
    for (int64_t group = 0; group < Rows; group += 8) {
      const int64_t at = t * s.rowStride + row + group;
      recomputeStep<Columns>(now + group * columns, nextState + group * columns, s.w + t * columns, s.b + t * columns,
                             s.k + t * columns, s.a + (t + 1) * columns, s.sa + at, s.v + at, s.sa + at + s.rowStride,
                             columns);
    }
  }
  if (Alone) twoDotsOfRows(s.dy, s.v, s.sa, steps, s.rowStride, s.vdy, s.sady);

  // Of heads one register wide G fits.
  Vectors<Rows, Columns == lanes && canBeHeld(Rows)> adjoint(s.adjoint + row * columns);
  for (int64_t t = steps - 1; t >= 0; --t) {
    const float* state = s.states + t * Rows * columns;
    const float* dy = s.dy + t * s.rowStride + row;
    if (row == 0) next.fetchStep(t);
    float dsa[Rows];
    adjoint.template each<Rows, 4>([&](int64_t group) METASTATE_ALWAYS_INLINE {
      adjointProducts<Columns>(adjoint, group, s.b + t * columns, s.k + t * columns, s.rb[t], s.rk[t], dy + group,
                               dsa + group, dv + t * dvStride + group, columns);
    });
    const float* v = s.v + t * s.rowStride + row;
    const float* sa = s.sa + t * s.rowStride + row;
    const StepColumns step = s.columnsOf(t, out, chunk.outAt + t * out.stride);
    int64_t j = 0;
    // Two registers of columns share the broadcasts of a row, where there are registers enough.
    if (registers >= 32) {
      for (; j + 2 * lanes <= columns; j += 2 * lanes) {
        sweepColumns<Rows, 2, Alone>(state, adjoint, columns, step, j, dy, dsa, v, sa);
      }
    }
    for (; j < columns; j += lanes) sweepColumns<Rows, 1, Alone>(state, adjoint, columns, step, j, dy, dsa, v, sa);
  }
  adjoint.settle();
}

template <int Columns, int Rows>
auto slabSweep(bool alone) {
  if constexpr (Columns != 0) {
    if (alone) return &backwardSlab<Columns, Rows, true>;
  }
  return &backwardSlab<Columns, Rows, false>;
}

template <int Size>
void backwardRowsOfSize(const Wkv7Shape& shape, const Wkv7GradInputs& in, const Wkv7RowGradients& rowGradients,
                        const Wkv7ColumnGradients& out, int64_t firstHead, int64_t heads, int64_t firstRow, int64_t rows,
                        float* scratch) {
  // Head sizes that are specialised are whole registers; for the others the count is known at run time.
  constexpr int Columns = Size % lanes == 0 ? Size : 0;
  constexpr int largeRows = Size <= smallHead ? largeSlab : slab;
  const int64_t n = shape.headSize, chunks = checkpointCount(shape);
  BackwardScratch s(alignedTo64(scratch), shape.interval, n, heads, rows);
  const int64_t columns = s.columns, adjointFloats = s.rows * columns;
  float* const adjoints = s.adjoint;
  const auto stateAt = [&](int64_t i) { return (firstHead + i) * n * n + firstRow * n; };

  // What rows of registers have beyond rows is multiplied by zeros.
  if (s.rowStride > s.rows) memset(s.sa, 0, static_cast<size_t>(shape.interval * s.rowStride) * sizeof(float));
  const int64_t given = in.dFinalState == nullptr ? 0 : rows;
  for (int64_t i = 0; i < heads; ++i) {
    float* const adjoint = adjoints + i * adjointFloats;
    if (given > 0) copyPadded(in.dFinalState + stateAt(i), n, rows, n, adjoint, columns);
    memset(adjoint + given * columns, 0, static_cast<size_t>((s.rows - given) * columns) * sizeof(float));
  }

  // A slab alone writes its column gradients at once.
  const bool alone = Columns != 0 && s.rows == s.slabRows;
  const auto sweepSlab =
      s.slabRows == slab ? slabSweep<Columns, slab>(alone) : slabSweep<Columns, largeRows>(alone);
  const auto chunkOf = [&](int64_t turn) {
    return Chunk(shape, out, firstHead + turn % heads, chunks - 1 - turn / heads);
  };

  // A chunk of each head in turn: neighbours lie side by side.
  for (int64_t turn = 0; turn < chunks * heads; ++turn) {
    const Chunk chunk = chunkOf(turn);
    const Chunk following = chunkOf(turn + 1 < chunks * heads ? turn + 1 : turn);
    const NextChunk next(shape, in, rowGradients, out, following, firstRow, rows);
    const int64_t steps = chunk.steps, at = chunk.at;
    s.adjoint = adjoints + turn % heads * adjointFloats;
    bringColumns<Columns>(in, chunk, n, s);
    copyPadded(in.v + at + firstRow, chunk.stride, steps, rows, s.v, s.rowStride);
    copyPadded(in.dy + at + firstRow, chunk.stride, steps, rows, s.dy, s.rowStride);
    twoDotsOfRows(s.r, s.k, s.b, steps, columns, s.rk, s.rb);
    if (!alone) {
      float* const columnSums[] = {s.p, s.dk, s.dw, s.da, s.db};
      for (float* sum : columnSums) memset(sum, 0, static_cast<size_t>(steps * columns) * sizeof(float));
    }

    const float* checkpoint = in.checkpoints + chunk.checkpointAt + firstRow * n;
    for (int64_t row = 0; row < s.rows; row += s.slabRows) {
      const int64_t slabRows = rows - row < s.slabRows ? rows - row : s.slabRows;
      copyPadded(checkpoint + row * n, n, slabRows, n, s.states, columns);
      memset(s.states + slabRows * columns, 0, static_cast<size_t>((s.slabRows - slabRows) * columns) * sizeof(float));
      float* const dv = rowGradients.dv + at + firstRow + row;
      const bool whole = slabRows == s.slabRows;
      sweepSlab(s, out, chunk, row, whole ? dv : s.dv, whole ? chunk.stride : s.slabRows, next);
      if (!whole) {
        for (int64_t t = 0; t < steps; ++t) copyFloats(s.dv + t * s.slabRows, slabRows, dv + t * chunk.stride);
      }
    }
    if (alone) continue;

    twoDotsOfRows(s.dy, s.v, s.sa, steps, s.rowStride, s.vdy, s.sady);
    for (int64_t t = 0; t < steps; ++t) {
      const StepColumns step = s.columnsOf(t, out, chunk.outAt + t * out.stride);
      eachVector(n, [&](int64_t j, auto access) {
        finishColumns(step, j, access, load(step.p + j), load(step.dk + j), load(step.dw + j), load(step.da + j),
                      load(step.db + j));
      });
    }
  }
  for (int64_t i = 0; i < heads; ++i) {
    for (int64_t row = 0; row < rows; ++row) {
      memcpy(rowGradients.dState + stateAt(i) + row * n, adjoints + i * adjointFloats + row * columns,
             static_cast<size_t>(n) * sizeof(float));
    }
  }
}

void backwardRows(const Wkv7Shape& shape, const Wkv7GradInputs& in, const Wkv7RowGradients& rowGradients,
                  const Wkv7ColumnGradients& out, int64_t firstHead, int64_t heads, int64_t firstRow, int64_t rows,
                  float* scratch) {
  withHeadSize(shape.headSize, [&](auto size) {
    backwardRowsOfSize<decltype(size)::value>(shape, in, rowGradients, out, firstHead, heads, firstRow, rows, scratch);
  });
}
