// Included by hot_code.h only, in an unnamed namespace.
//
// Wkv7 forward, for some rows of some heads.
//
// Rows of the state never meet, so a block of rows goes through a tile of time alone, its state in L1, or in registers where
// there are enough (heads of 16 with AVX-512). The block is held transposed: a register holds the same column of several
// rows, so that both sums over columns (S a and S r) are plain additions of registers and nothing is ever summed across
// lanes. One sweep over the columns does everything for a step: it updates S_t, sums S_t r_t, and sums S_t a_{t+1} for the
// next step.

/// Registers of rows that go together: they share the five broadcasts of a column. Each needs four (sa, v, and two
/// sums); the rest of the registers is for the broadcasts.
constexpr int64_t forwardMaximumVectors = registers >= 32 ? 4 : 2;

/// As many of them as leave a block's state half of a first-level cache of 32 KiB.
inline int64_t forwardVectors(int64_t headSize) {
  int64_t vectors = forwardMaximumVectors;
  while (vectors > 1 && vectors * lanes * headSize > 4096) vectors /= 2;
  return vectors;
}

int64_t forwardBlockRows(int64_t headSize) {
  int64_t vectors = forwardVectors(headSize);
  while (vectors > 1 && (vectors / 2) * lanes >= headSize) vectors /= 2;
  return vectors * lanes;
}

/// Steps that all blocks of a share take, and then its other heads, before any goes on: a step's operands are read from
/// far memory once, with those that lie beside them.
constexpr int64_t forwardTile = 16;

/// Floats of a block of rows: its state [N, width], and S a for its next step [width].
inline int64_t blockFloats(int64_t headSize, int64_t width) { return (headSize + 1) * width; }

/// Of all the blocks of a head's rows.
inline int64_t headFloats(int64_t headSize, int64_t rows) {
  return roundUp(blockFloats(headSize, roundUp(rows, forwardMaximumVectors * lanes)), 16);
}

int64_t forwardScratch(int64_t headSize, int64_t heads, int64_t rows) { return heads * headFloats(headSize, rows) + 16; }

/// Puts the initial state of a block in place, and S a for the first step.
template <int vectors, int Size>
void startBlock(const Wkv7Shape& shape, const Wkv7Inputs& in, int64_t stateAt, int64_t stepAt, int64_t rows,
                float* block) {
  constexpr int64_t width = vectors * lanes;
  const int64_t n = Size != 0 ? Size : shape.headSize;
  if (rows < width) memset(block, 0, static_cast<size_t>(n * width) * sizeof(float));
  transpose(in.state + stateAt, n, rows, n, block, width);
  Vector sa[vectors];
  for (int q = 0; q < vectors; ++q) sa[q] = broadcast(0);
  for (int64_t j = 0; j < n; ++j) {
    const Vector a = broadcast(in.a[stepAt + j]);
    for (int q = 0; q < vectors; ++q) sa[q] += load(block + j * width + q * lanes) * a;
  }
  for (int q = 0; q < vectors; ++q) store(block + n * width + q * lanes, sa[q]);
}

/// Steps between asking for a step's operands and using them: in memory those of the other heads lie between, and no
/// processor looks that far ahead by itself.
constexpr int64_t fetchAhead = 8;

/// Steps [first, last), at most a tile, of a block of `vectors` registers of rows, at row `firstRow` of a head. Size is the
/// head size, or 0 when it is known only at run time. `rows` may be fewer than the registers hold: the rest are zero. The
/// block that `leads` asks for what all rows of the head read. `alone`: no other thread has rows of this head.
template <int vectors, int Size>
void advanceBlock(const Wkv7Shape& shape, const Wkv7Inputs& in, const Wkv7Outputs& out, int64_t head, int64_t firstRow,
                  int64_t rows, int64_t first, int64_t last, bool leads, bool alone, float* block) {
  constexpr int64_t width = vectors * lanes;
  constexpr bool held = canBeHeld(vectors * Size);
  // With one register of rows there are too few independent sums to keep the FMA units busy: even and odd columns are
  // summed apart.
  constexpr int apart = vectors == 1 ? 2 : 1;
  const int64_t n = Size != 0 ? Size : shape.headSize;
  const int64_t stepStride = shape.heads * n;
  int64_t at = ((head / shape.heads) * shape.time + first) * stepStride + (head % shape.heads) * n;
  const bool whole = rows == width;
  // A cache line of reads that two threads write goes back and forth between their cores: there, a tile at a time.
  const bool direct = alone && whole;
  float reads[forwardTile * width];
  // The next checkpoint; until it is due its lines are asked for, a part a step.
  int64_t nextKept = shape.time, part = 0;
  float *kept = nullptr, *soon = nullptr, *soonEnd = nullptr;
  if (shape.interval != 0) {
    const int64_t index = (first + shape.interval - 1) / shape.interval, count = checkpointCount(shape);
    if (index < count) {
      nextKept = index * shape.interval;
      kept = out.checkpoints + ((head * count + index) * n + firstRow) * n;
      part = roundUp((rows * n + shape.interval - 1) / shape.interval, 16);
      soon = kept + (shape.interval - (nextKept - first)) * part;
      soonEnd = kept + rows * n;
    }
  }
  Vector sa[vectors];
  for (int q = 0; q < vectors; ++q) sa[q] = load(block + n * width + q * lanes);
  Vectors<vectors * Size, held> state(block);

  for (int64_t t = first; t < last; ++t, at += stepStride) {
    if (t == nextKept) {
      state.settle();
      transpose(block, width, n, rows, kept, n);
      nextKept += shape.interval;
      kept += n * n;
      soon = kept;
      soonEnd = nextKept < shape.time ? kept + rows * n : soon;
    }
    for (const float* end = soon + part; soon < end && soon < soonEnd; soon += 16) __builtin_prefetch(soon, 1);
    const float* r = in.r + at;
    const float* w = in.w + at;
    const float* k = in.k + at;
    const float* b = in.b + at;
    // After the last step there is no a to prepare for: the sum is taken with any and not used.
    const float* nextA = in.a + (t + 1 < shape.time ? at + stepStride : at);
    if (shape.heads > 1) {
      const int64_t ahead = t + fetchAhead < shape.time ? fetchAhead * stepStride : 0;
      if (leads) {
        for (int64_t j = 0; j < n; j += 16) {
          __builtin_prefetch(r + ahead + j);
          __builtin_prefetch(w + ahead + j);
          __builtin_prefetch(k + ahead + j);
          __builtin_prefetch(b + ahead + j);
          __builtin_prefetch(in.a + at + ahead + j);
        }
      }
      for (int64_t i = 0; i < width; i += 16) {
        __builtin_prefetch(in.v + at + firstRow + ahead + i);
        __builtin_prefetch(out.y + at + firstRow + ahead + i, 1);
      }
    }

    float rowsOfV[width];
    if (!whole) {
      memset(rowsOfV, 0, sizeof rowsOfV);
      memcpy(rowsOfV, in.v + at + firstRow, static_cast<size_t>(rows) * sizeof(float));
    }
    const float* vRows = whole ? in.v + at + firstRow : rowsOfV;
    Vector v[vectors], y[apart][vectors], nextSa[apart][vectors];
    for (int q = 0; q < vectors; ++q) {
      v[q] = load(vRows + q * lanes);
      for (int u = 0; u < apart; ++u) y[u][q] = nextSa[u][q] = broadcast(0);
    }

    const auto column = [&](int64_t j, Vector(&ySum)[vectors], Vector(&saSum)[vectors]) METASTATE_ALWAYS_INLINE {
      const Vector wj = broadcast(w[j]), bj = broadcast(b[j]), kj = broadcast(k[j]);
      const Vector rj = broadcast(r[j]), aj = broadcast(nextA[j]);
      for (int q = 0; q < vectors; ++q) {
        const int64_t place = j * width + q * lanes;
        // S a comes last: it is what the step before has to be waited for.
        Vector s = v[q] * kj;
        s += state.get(place) * wj;
        s += sa[q] * bj;
        state.put(place, s);
        ySum[q] += s * rj;
        saSum[q] += s * aj;
      }
    };
    if constexpr (held) {
      state.template each<Size>([&](int64_t j) METASTATE_ALWAYS_INLINE { column(j, y[j % apart], nextSa[j % apart]); });
    } else {
      int64_t j = 0;
      for (; j + apart <= n; j += apart) {
        for (int u = 0; u < apart; ++u) column(j + u, y[u], nextSa[u]);
      }
      for (; j < n; ++j) column(j, y[0], nextSa[0]);
    }

    float* const yRows = direct ? out.y + at + firstRow : reads + (t - first) * width;
    for (int q = 0; q < vectors; ++q) {
      for (int u = 1; u < apart; ++u) {
        y[0][q] += y[u][q];
        nextSa[0][q] += nextSa[u][q];
      }
      sa[q] = nextSa[0][q];
      store(yRows + q * lanes, y[0][q]);
    }
  }
  if (!direct) {
    float* y = out.y + at + firstRow - (last - first) * stepStride;
    for (int64_t t = 0; t < last - first; ++t, y += stepStride) {
      if (whole) {
        for (int q = 0; q < vectors; ++q) store(y + q * lanes, load(reads + t * width + q * lanes));
      } else {
        memcpy(y, reads + t * width, static_cast<size_t>(rows) * sizeof(float));
      }
    }
  }
  state.settle();
  for (int q = 0; q < vectors; ++q) store(block + n * width + q * lanes, sa[q]);
}

/// Calls visit(Constant<registers of rows>, first row, rows, scratch) for each block of a share.
template <typename Visit>
inline void eachBlock(int64_t headSize, int64_t rows, float* scratch, Visit visit) {
  const int64_t most = forwardVectors(headSize);
  for (int64_t row = 0; row < rows;) {
    const int64_t left = rows - row;
    int64_t width;
    if (most >= 4 && left > 2 * lanes) {
      width = 4 * lanes;
      visit(Constant<forwardMaximumVectors>{}, row, left < width ? left : width, scratch);
    } else if (most >= 2 && left > lanes) {
      width = 2 * lanes;
      visit(Constant<2>{}, row, left < width ? left : width, scratch);
    } else {
      width = lanes;
      visit(Constant<1>{}, row, left < width ? left : width, scratch);
    }
    row += width;
    scratch += blockFloats(headSize, width);
  }
}

/// Heads `first` to `first + heads`, each with its blocks: calls visit(Constant<registers of rows>, head, first row, rows,
/// scratch).
template <typename Visit>
inline void eachBlockOfHeads(int64_t headSize, int64_t firstHead, int64_t heads, int64_t firstRow, int64_t rows,
                             float* scratch, Visit visit) {
  const int64_t own = headFloats(headSize, rows);
  for (int64_t i = 0; i < heads; ++i) {
    eachBlock(headSize, rows, scratch + i * own, [&](auto vectors, int64_t row, int64_t count, float* block) {
      visit(vectors, firstHead + i, firstRow + row, count, block);
    });
  }
}

/// Puts the initial states of these rows of these heads in place.
template <int Size>
void startHeads(const Wkv7Shape& shape, const Wkv7Inputs& in, int64_t firstHead, int64_t heads, int64_t firstRow,
                int64_t rows, float* blocks) {
  const int64_t n = shape.headSize;
  const auto start = [&](auto vectors, int64_t head, int64_t row, int64_t count, float* block) {
    startBlock<decltype(vectors)::value, Size>(shape, in, (head * n + row) * n, firstStep(shape, head), count, block);
  };
  eachBlockOfHeads(n, firstHead, heads, firstRow, rows, blocks, start);
}

/// Their steps [first, last).
template <int Size>
void advanceHeads(const Wkv7Shape& shape, const Wkv7Inputs& in, const Wkv7Outputs& out, int64_t firstHead, int64_t heads,
                  int64_t firstRow, int64_t rows, int64_t first, int64_t last, float* blocks) {
  const auto advance = [&](auto vectors, int64_t head, int64_t row, int64_t count, float* block) {
    advanceBlock<decltype(vectors)::value, Size>(shape, in, out, head, row, count, first, last, row == firstRow,
                                                 rows == shape.headSize, block);
  };
  eachBlockOfHeads(shape.headSize, firstHead, heads, firstRow, rows, blocks, advance);
}

/// Puts the states they have come to where they belong.
inline void endHeads(const Wkv7Shape& shape, float* states, int64_t firstHead, int64_t heads, int64_t firstRow,
                     int64_t rows, float* blocks) {
  const int64_t n = shape.headSize;
  const auto end = [&](auto vectors, int64_t head, int64_t row, int64_t count, float* block) {
    transpose(block, decltype(vectors)::value * lanes, n, count, states + (head * n + row) * n, n);
  };
  eachBlockOfHeads(n, firstHead, heads, firstRow, rows, blocks, end);
}

template <int Size>
void forwardRowsOfSize(const Wkv7Shape& shape, const Wkv7Inputs& in, const Wkv7Outputs& out, int64_t firstHead,
                       int64_t heads, int64_t firstRow, int64_t rows, float* scratch) {
  if (isOneStep(shape)) {
    for (int64_t head = firstHead; head < firstHead + heads; ++head) {
      oneStep<Size>(shape, in, out.y, out.finalState, head, firstRow, rows);
    }
    return;
  }
  float* const blocks = alignedTo64(scratch);
  startHeads<Size>(shape, in, firstHead, heads, firstRow, rows, blocks);
  for (int64_t first = 0; first < shape.time; first += forwardTile) {
    const int64_t last = first + forwardTile < shape.time ? first + forwardTile : shape.time;
    advanceHeads<Size>(shape, in, out, firstHead, heads, firstRow, rows, first, last, blocks);
  }
  if (out.finalState != nullptr) endHeads(shape, out.finalState, firstHead, heads, firstRow, rows, blocks);
}

void forwardRows(const Wkv7Shape& shape, const Wkv7Inputs& in, const Wkv7Outputs& out, int64_t firstHead, int64_t heads,
                 int64_t firstRow, int64_t rows, float* scratch) {
  withHeadSize(shape.headSize, [&](auto size) {
    forwardRowsOfSize<decltype(size)::value>(shape, in, out, firstHead, heads, firstRow, rows, scratch);
  });
}
