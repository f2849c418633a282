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

/// A chunk's operands and sums, in rows of a whole number of registers, the rest zero.
struct BackwardScratch {
  int64_t columns;                // N, rounded up
  int64_t slabRows;               // rows of a slab
  int64_t rows, rowStride;        // rows of this share, rounded up to slabs; and to registers
  const float *r, *w, *k, *a, *b; // [interval, columns]: copies, or where they were given
  float* copies[5];               // places for them
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
    for (float*& copy : copies) copy = take(interval * columns);
    float** const columnSums[] = {&p, &dk, &dw, &da, &db};
    for (float** sum : columnSums) *sum = take(interval * columns);
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

/// Brings a chunk's operands along columns near, unless they lie in rows as they are wanted: a head alone.
template <int Columns>
inline void bringColumns(const Wkv7GradInputs& in, const Chunk& chunk, int64_t headSize, BackwardScratch& s) {
  const float* const given[] = {in.r, in.w, in.k, in.a, in.b};
  const float** const used[] = {&s.r, &s.w, &s.k, &s.a, &s.b};
  const bool there = Columns != 0 && chunk.stride == headSize;
  for (int i = 0; i < 5; ++i) *used[i] = there ? given[i] + chunk.at : s.copies[i];
  if (there) return;
  if (Columns == 0) {
    for (int i = 0; i < 5; ++i) {
      copyPadded(given[i] + chunk.at, chunk.stride, chunk.steps, headSize, s.copies[i], s.columns);
    }
    return;
  }
  int64_t at = chunk.at;
  for (int64_t t = 0; t < chunk.steps; ++t, at += chunk.stride) {
    for (int64_t j = 0; j < Columns; j += lanes) {
      for (int i = 0; i < 5; ++i) store(s.copies[i] + t * Columns + j, load(given[i] + at + j));
    }
  }
}

/// Asks for what the next chunk reads and writes, a step at a time, while this one is computed: its steps lie between those
/// of other heads, where no processor looks ahead by itself. Into the second-level cache: the chunk at hand fills the first.
class NextChunk {
 public:
  NextChunk(const Wkv7Shape& shape, const Wkv7GradInputs& in, const Wkv7RowGradients& rowGradients,
            const Wkv7ColumnGradients& out, const Chunk& chunk, int64_t firstRow, int64_t rows)
      : in_(in), rowGradients_(rowGradients), out_(out), chunk_(chunk), headSize_(shape.headSize), firstRow_(firstRow),
        rows_(rows), part_(roundUp((rows * shape.headSize + shape.interval - 1) / shape.interval, 16)) {}

  /// Inlined always: to GCC a function that only asks for memory has no effect, and a call of one goes away.
  METASTATE_INLINE void fetchStep(int64_t t) const {
    if (t >= chunk_.steps || chunk_.stride < leastStride * headSize_) return;
    const int64_t at = chunk_.at + t * chunk_.stride, outAt = chunk_.outAt + t * out_.stride;
    for (int64_t j = 0; j < headSize_; j += 16) {
      const int64_t last = lastOfLine(j, headSize_);
      const float* const alongColumns[] = {in_.r, in_.w, in_.k, in_.a, in_.b};
      for (const float* operand : alongColumns) fetch(operand + at + last);
      const float* const gradients[] = {out_.dr, out_.dw, out_.dk, out_.da, out_.db};
      for (const float* gradient : gradients) fetch(gradient + outAt + last);
    }
    for (int64_t i = firstRow_; i < firstRow_ + rows_; i += 16) {
      const float* const alongRows[] = {in_.v, in_.dy, rowGradients_.dv};
      for (const float* operand : alongRows) fetch(operand + at + lastOfLine(i, firstRow_ + rows_));
    }
    const float* const checkpoint = in_.checkpoints + chunk_.checkpointAt + firstRow_ * headSize_;
    const int64_t end = (t + 1) * part_ < rows_ * headSize_ ? (t + 1) * part_ : rows_ * headSize_;
    for (int64_t i = t * part_; i < end; i += 16) fetch(checkpoint + i);
  }

 private:
  /// Heads between steps from which on to ask pays: nearer steps the processor finds itself.
  static constexpr int64_t leastStride = 4;

  static METASTATE_INLINE void fetch(const float* place) { __builtin_prefetch(place, 0, 2); }

  /// The last of 16 floats from `from` on, or before `end`. Where arrays begin within a line, what lies before it was asked
  /// for with the head before.
  static METASTATE_INLINE int64_t lastOfLine(int64_t from, int64_t end) { return from + 16 < end ? from + 15 : end - 1; }

  const Wkv7GradInputs& in_;
  const Wkv7RowGradients& rowGradients_;
  const Wkv7ColumnGradients& out_;
  Chunk chunk_;
  int64_t headSize_, firstRow_, rows_, part_;
};
