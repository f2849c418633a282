// Included by hot_code.h only, in an unnamed namespace.
//
// A matrix product in blocks (Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008): a panel
// of b as deep as fits the nearest cache and a block of a that fits the next are copied into the order in which they are
// read; the innermost loop keeps a tile of c in registers and does one multiply-add for every element of it and step.

constexpr int64_t tileRows = registers == 32 ? 12 : 6;
constexpr int64_t tileVectors = 2;
constexpr int64_t tileColumns = tileVectors * lanes;
constexpr int64_t blockDepth = 256;
constexpr int64_t blockRows = tileRows * 20;
constexpr int64_t blockColumns = 1024;

int64_t productScratch(int64_t rows, int64_t columns, int64_t depth) {
  const int64_t deep = depth < blockDepth ? depth : blockDepth;
  const int64_t high = rows < blockRows ? roundUp(rows, tileRows) : blockRows;
  const int64_t wide = columns < blockColumns ? roundUp(columns, tileColumns) : blockColumns;
  return roundUp(high * deep, 16) + wide * deep + 64;
}

/// A `count` x `depth` part as panels of `panel` rows, each column of a panel adjacent; rows that are missing are 0.
/// `stride` leads from row to row, `step` along the depth.
template <int64_t panel>
void pack(const float* from, int64_t stride, int64_t step, int64_t count, int64_t depth, float* to) {
  for (int64_t first = 0; first < count; first += panel, to += panel * depth) {
    const int64_t there = count - first < panel ? count - first : panel;
    const float* rows = from + first * stride;
    if (there < panel) {
      for (int64_t p = 0; p < depth; ++p) {
        for (int64_t r = there; r < panel; ++r) to[p * panel + r] = 0;
      }
    }
    if (step == 1) {
      transpose(rows, stride, there, depth, to, panel);
    } else if (there == panel && stride == 1) {
      for (int64_t p = 0; p < depth; ++p) memcpy(to + p * panel, rows + p * step, panel * sizeof(float));
    } else {
      for (int64_t p = 0; p < depth; ++p) {
        for (int64_t r = 0; r < there; ++r) to[p * panel + r] = rows[r * stride + p * step];
      }
    }
  }
}

/// One tile of c from a panel of a and a panel of b; `add` to what c holds, or replace it.
inline void tile(const float* a, const float* b, int64_t depth, float* c, int64_t cRow, bool add) {
  Vector sum[tileRows][tileVectors];
#pragma GCC unroll 16
  for (int64_t r = 0; r < tileRows; ++r) {
#pragma GCC unroll 2
    for (int64_t v = 0; v < tileVectors; ++v) sum[r][v] = broadcast(0);
  }
  for (int64_t p = 0; p < depth; ++p, a += tileRows, b += tileColumns) {
    const Vector left = load(b), right = load(b + lanes);
#pragma GCC unroll 16
    for (int64_t r = 0; r < tileRows; ++r) {
      const Vector factor = broadcast(a[r]);
      sum[r][0] += factor * left;
      sum[r][1] += factor * right;
    }
  }
#pragma GCC unroll 16
  for (int64_t r = 0; r < tileRows; ++r) {
#pragma GCC unroll 2
    for (int64_t v = 0; v < tileVectors; ++v) {
      float* to = c + r * cRow + v * lanes;
      store(to, add ? load(to) + sum[r][v] : sum[r][v]);
    }
  }
}

/// A tile that reaches over the edge of c.
void edgeTile(const float* a, const float* b, int64_t depth, float* c, int64_t cRow, int64_t rows, int64_t columns,
              bool add) {
  alignas(64) float whole[tileRows * tileColumns];
  tile(a, b, depth, whole, tileColumns, false);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t j = 0; j < columns; ++j) {
      float* to = c + r * cRow + j;
      *to = add ? *to + whole[r * tileColumns + j] : whole[r * tileColumns + j];
    }
  }
}

void product(const ProductOperands& o, float* scratch) {
  float* packedA = alignedTo64(scratch);
  for (int64_t j0 = 0; j0 < o.columns; j0 += blockColumns) {
    const int64_t wide = o.columns - j0 < blockColumns ? o.columns - j0 : blockColumns;
    for (int64_t p0 = 0; p0 < o.depth; p0 += blockDepth) {
      const int64_t deep = o.depth - p0 < blockDepth ? o.depth - p0 : blockDepth;
      const int64_t high = o.rows < blockRows ? roundUp(o.rows, tileRows) : blockRows;
      float* packedB = packedA + roundUp(high * deep, 16);
      pack<tileColumns>(o.b + p0 * o.bRow + j0 * o.bColumn, o.bColumn, o.bRow, wide, deep, packedB);
      for (int64_t i0 = 0; i0 < o.rows; i0 += blockRows) {
        const int64_t tall = o.rows - i0 < blockRows ? o.rows - i0 : blockRows;
        pack<tileRows>(o.a + i0 * o.aRow + p0 * o.aColumn, o.aRow, o.aColumn, tall, deep, packedA);
        for (int64_t j = 0; j < wide; j += tileColumns) {
          const float* b = packedB + j * deep;
          const int64_t columns = wide - j < tileColumns ? wide - j : tileColumns;
          for (int64_t i = 0; i < tall; i += tileRows) {
            const float* a = packedA + i * deep;
            float* c = o.c + (i0 + i) * o.cRow + j0 + j;
            const int64_t rows = tall - i < tileRows ? tall - i : tileRows;
            if (rows == tileRows && columns == tileColumns) {
              tile(a, b, deep, c, o.cRow, p0 > 0);
            } else {
              edgeTile(a, b, deep, c, o.cRow, rows, columns, p0 > 0);
            }
          }
        }
      }
    }
  }
}
