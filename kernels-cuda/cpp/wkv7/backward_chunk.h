// Included by hot_code.h only, in an unnamed namespace.
//
// What Wkv7's backward pass works on at a time: a chunk of steps of one head, brought near from among those of the other
// heads. The mathematics, and what the names mean, is in backward.h.

/// Rows that share the loads and stores of a step's column sums.
constexpr int64_t slab = 8;
/// Of small heads twice as many: a step's sums over columns then wait while other rows are at work.
constexpr int64_t largeSlab = 16, smallHead = 32;

/// Operands and sums of one step.
struct StepColumns {
  const float *r, *w, *k, *a, *b;
  float *p, *dk, *dw, *da, *db;
  float vdy, sady;  // v.dy and sa.dy of all rows
  const Wkv7ColumnGradients* out;
  int64_t outAt;  // of the step in `out`
};

/// Operands of a chunk are copied to rows of a whole number of registers, the rest zero.
struct BackwardScratch {
  int64_t columns;                // N, rounded up
  int64_t slabRows;               // rows of a slab
  int64_t rows, rowStride;        // rows of this share, rounded up to slabs; and to registers
  float *r, *w, *k, *a, *b;       // [interval, columns]
  float *p, *dk, *dw, *da, *db;   // [interval, columns]
  float *v, *dy, *sa;             // [interval, rowStride]
  float* dv;                      // of the slab at hand [interval, slabRows]
  float *rk, *rb, *vdy, *sady;    // r.k, r.b, v.dy, sa.dy [interval]
  float* adjoint;                 // G [rows, columns]
  float* states;                  // S_{t-1} of the chunk's steps, of the slab at hand [interval, slabRows, columns]
  int64_t floats = 0;             // of scratch, in all

  /// With no scratch, only counts.
  BackwardScratch(float* scratch, int64_t interval, int64_t headSize, int64_t heads, int64_t shareRows)
      : columns(roundUp(headSize, lanes)),
        slabRows(headSize <= smallHead && shareRows > slab ? largeSlab : slab),
        rows(roundUp(shareRows, slabRows)),
        rowStride(roundUp(rows, lanes)) {
    const auto take = [this, scratch](int64_t wanted) {
      float* taken = scratch == nullptr ? nullptr : scratch + floats;
      floats += roundUp(wanted, 16);
      return taken;
    };
    float** const alongColumns[] = {&r, &w, &k, &a, &b, &p, &dk, &dw, &da, &db};
    for (float** operand : alongColumns) *operand = take(interval * columns);
    float** const alongRows[] = {&v, &dy, &sa};
    for (float** operand : alongRows) *operand = take(interval * rowStride);
    dv = take(interval * slabRows);
    float** const ofSteps[] = {&rk, &rb, &vdy, &sady};
    for (float** dots : ofSteps) *dots = take(interval);
    adjoint = take(heads * rows * columns);
    states = take(interval * slabRows * columns);
  }

  METASTATE_INLINE StepColumns columnsOf(int64_t t, const Wkv7ColumnGradients& out, int64_t outAt) const {
    const int64_t c = t * columns;
    return {r + c,  w + c,  k + c,  a + c,  b + c,  p + c,   dk + c,
            dw + c, da + c, db + c, vdy[t], sady[t], &out, outAt};
  }
};

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

/// The same of rows of x, y and z, `stride` apart: of four at a time, so that sums across lanes are shared.
inline void twoDotsOfRows(const float* x, const float* y, const float* z, int64_t rows, int64_t stride, float* xy,
                          float* xz) {
  int64_t row = 0;
  for (; row + 4 <= rows; row += 4, x += 4 * stride, y += 4 * stride, z += 4 * stride) {
    Vector sum[8] = {};  // of y, of z
    for (int64_t i = 0; i < stride; i += lanes) {
      for (int64_t u = 0; u < 4; ++u) {
        const Vector xi = load(x + u * stride + i);
        sum[u] += xi * load(y + u * stride + i);
        sum[4 + u] += xi * load(z + u * stride + i);
      }
    }
    Vector4 ySums, zSums;
    sums(sum, ySums, zSums);
    store4(xy + row, ySums);
    store4(xz + row, zSums);
  }
  for (; row < rows; ++row, x += stride, y += stride, z += stride) twoDots(x, y, z, stride, xy[row], xz[row]);
}

/// A chunk of one head: where its steps lie in [B, T, H, N] and in the column gradients, and its checkpoint.
struct Chunk {
  int64_t steps, stride;  // stride from one step to the next in [B, T, H, N]
  int64_t at, outAt, checkpointAt;

  Chunk(const Wkv7Shape& shape, const Wkv7ColumnGradients& out, int64_t head, int64_t index)
      : stride(shape.heads * shape.headSize) {
    const int64_t n = shape.headSize, entry = head / shape.heads, h = head % shape.heads, first = index * shape.interval;
    steps = shape.time - first < shape.interval ? shape.time - first : shape.interval;
    at = ((entry * shape.time + first) * shape.heads + h) * n;
    outAt = entry * out.entryStride + h * out.headStride + first * out.stride;
    checkpointAt = (head * checkpointCount(shape) + index) * n * n;
  }
};

/// Brings a chunk's operands along columns near.
template <int Columns>
inline void copyColumns(const Wkv7GradInputs& in, const Chunk& chunk, int64_t headSize, const BackwardScratch& s) {
  const int64_t steps = chunk.steps, stride = chunk.stride;
  int64_t at = chunk.at;
  if (Columns == 0) {
    copyPadded(in.r + at, stride, steps, headSize, s.r, s.columns);
    copyPadded(in.w + at, stride, steps, headSize, s.w, s.columns);
    copyPadded(in.k + at, stride, steps, headSize, s.k, s.columns);
    copyPadded(in.a + at, stride, steps, headSize, s.a, s.columns);
    copyPadded(in.b + at, stride, steps, headSize, s.b, s.columns);
    return;
  }
  for (int64_t t = 0; t < steps; ++t, at += stride) {
    for (int64_t j = 0; j < Columns; j += lanes) {
      const int64_t to = t * Columns + j;
      store(s.r + to, load(in.r + at + j));
      store(s.w + to, load(in.w + at + j));
      store(s.k + to, load(in.k + at + j));
      store(s.a + to, load(in.a + at + j));
      store(s.b + to, load(in.b + at + j));
    }
  }
}

/// Asks for what the next chunk reads and writes, a step at a time, while this one is computed: its steps lie between those
/// of other heads, where no processor looks ahead by itself.
class NextChunk {
 public:
  NextChunk(const Wkv7Shape& shape, const Wkv7GradInputs& in, const Wkv7RowGradients& rowGradients,
            const Wkv7ColumnGradients& out, const Chunk& chunk, int64_t firstRow, int64_t rows)
      : in_(in), rowGradients_(rowGradients), out_(out), chunk_(chunk), headSize_(shape.headSize), firstRow_(firstRow),
        rows_(rows), part_(roundUp((rows * shape.headSize + shape.interval - 1) / shape.interval, 16)) {}

  void fetchStep(int64_t t) const {
    if (t >= chunk_.steps) return;
    const int64_t at = chunk_.at + t * chunk_.stride, outAt = chunk_.outAt + t * out_.stride;
    for (int64_t j = 0; j < headSize_; j += 16) {
      __builtin_prefetch(in_.r + at + j);
      __builtin_prefetch(in_.w + at + j);
      __builtin_prefetch(in_.k + at + j);
      __builtin_prefetch(in_.a + at + j);
      __builtin_prefetch(in_.b + at + j);
      __builtin_prefetch(out_.dr + outAt + j, 1);
      __builtin_prefetch(out_.dw + outAt + j, 1);
      __builtin_prefetch(out_.dk + outAt + j, 1);
      __builtin_prefetch(out_.da + outAt + j, 1);
      __builtin_prefetch(out_.db + outAt + j, 1);
    }
    for (int64_t i = firstRow_; i < firstRow_ + rows_; i += 16) {
      __builtin_prefetch(in_.v + at + i);
      __builtin_prefetch(in_.dy + at + i);
      __builtin_prefetch(rowGradients_.dv + at + i, 1);
    }
    const float* const checkpoint = in_.checkpoints + chunk_.checkpointAt + firstRow_ * headSize_;
    const int64_t end = (t + 1) * part_ < rows_ * headSize_ ? (t + 1) * part_ : rows_ * headSize_;
    for (int64_t i = t * part_; i < end; i += 16) __builtin_prefetch(checkpoint + i);
  }

 private:
  const Wkv7GradInputs& in_;
  const Wkv7RowGradients& rowGradients_;
  const Wkv7ColumnGradients& out_;
  Chunk chunk_;
  int64_t headSize_, firstRow_, rows_, part_;
};
