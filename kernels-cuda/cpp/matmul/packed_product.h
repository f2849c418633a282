// Included by hot_code.h only, in an unnamed namespace.
//
// The inner loops of a matrix product in blocks (Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication",
// 2008): parts of a and b are copied into the order in which they are read; the innermost loop keeps a tile of c in registers
// and does one multiply-add for every element of it and step.

constexpr int64_t tileRows = registers == 32 ? 12 : 6;
constexpr int64_t tileVectors = 2;
constexpr int64_t tileColumns = tileVectors * lanes;

/// A panel of `panel` rows whose values are adjacent along the depth: four rows at a time, the last four may overlap.
template <int64_t panel>
void packAlong(const float* from, int64_t stride, int64_t depth, float* to) {
  const int64_t whole = depth & ~int64_t{3};
  for (int64_t r = 0; r < panel; r += 4) {
    const int64_t first = r + 4 <= panel ? r : panel - 4;
    for (int64_t p = 0; p < whole; p += 4) transpose4(from + first * stride + p, stride, to + p * panel + first, panel);
  }
  for (int64_t p = whole; p < depth; ++p) {
    for (int64_t r = 0; r < panel; ++r) to[p * panel + r] = from[r * stride + p];
  }
}

/// `count` panels whose values are adjacent across the depth: side by side, so that a row of the operand is read in long runs.
template <int64_t panel>
void packAcross(const float* from, int64_t step, int64_t panels, int64_t depth, float* to) {
  constexpr int64_t beside = 4;
  for (int64_t first = 0; first < panels; first += beside, from += beside * panel, to += beside * panel * depth) {
    const int64_t there = panels - first < beside ? panels - first : beside;
    for (int64_t p = 0; p < depth; ++p) {
      for (int64_t q = 0; q < there; ++q) {
        memcpy(to + q * panel * depth + p * panel, from + p * step + q * panel, panel * sizeof(float));
      }
    }
  }
}

template <int64_t panel>
void pack(const float* from, int64_t stride, int64_t step, int64_t count, int64_t depth, float* to) {
  const int64_t whole = count / panel;
  if (step == 1) {
    for (int64_t q = 0; q < whole; ++q) packAlong<panel>(from + q * panel * stride, stride, depth, to + q * panel * depth);
  } else if (stride == 1) {
    packAcross<panel>(from, step, whole, depth, to);
  }
  const bool done = step == 1 || stride == 1;
  for (int64_t first = done ? whole * panel : 0; first < count; first += panel) {
    const int64_t there = count - first < panel ? count - first : panel;
    float* values = to + first * depth;
    for (int64_t p = 0; p < depth; ++p, values += panel) {
      for (int64_t r = 0; r < there; ++r) values[r] = from[(first + r) * stride + p * step];
      for (int64_t r = there; r < panel; ++r) values[r] = 0;
    }
  }
}

/// One tile of c from a panel of a and a panel of b; `add` to what c holds, or replace it.
inline void tile(const float* a, const float* b, int64_t depth, float* c, int64_t cRow, bool add) {
  Vector sum[tileRows][tileVectors];
#pragma GCC unroll 16
  for (int64_t r = 0; r < tileRows; ++r) {
    // c is wanted when the sums are there; until then its way from memory takes no time.
    __builtin_prefetch(c + r * cRow, 1);
    __builtin_prefetch(c + r * cRow + tileColumns - 1, 1);
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

void packedProduct(int64_t rows, int64_t columns, int64_t depth, const float* a, const float* b, float* c, int64_t cRow,
                   bool add) {
  for (int64_t j = 0; j < columns; j += tileColumns) {
    const int64_t wide = columns - j < tileColumns ? columns - j : tileColumns;
    for (int64_t i = 0; i < rows; i += tileRows) {
      const int64_t high = rows - i < tileRows ? rows - i : tileRows;
      if (high == tileRows && wide == tileColumns) {
        tile(a + i * depth, b + j * depth, depth, c + i * cRow + j, cRow, add);
      } else {
        edgeTile(a + i * depth, b + j * depth, depth, c + i * cRow + j, cRow, high, wide, add);
      }
    }
  }
}
