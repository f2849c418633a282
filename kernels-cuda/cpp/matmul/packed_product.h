// Included by hot_code.h and path_avx512_bf16.cpp only, in an unnamed namespace.
//
// The inner loops of a matrix product in blocks (Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication",
// 2008): b is read from packed panels, a from panels or where it lies; the innermost loop keeps a tile of c in registers and
// does one multiply-add for every element of it and slot, which is a float, or what bfloat16_pairs.h puts into 32 bits.

constexpr int64_t tileVectors = 2;
constexpr int64_t tileColumns = tileVectors * lanes;

struct FloatSlots {
  /// Steps along the depth in a slot.
  static constexpr int64_t depth = 1;
  // The tile, two vectors of b and a factor of a fit the registers. NEON multiplies no operand from memory, and compilers load a
  // step's factors together: beside 24 sums they would put some of these on the stack, within the loop.
  static constexpr int64_t tileRows = registers == 16 ? 6 : lanes == 4 ? 8 : 12;
  static METASTATE_INLINE Vector multiplyAdd(Vector sum, Vector x, Vector y) { return sum + x * y; }
  /// A step of a chain of multiply-adds: the product of two that stay as they are would be taken out of a loop.
  static METASTATE_INLINE Vector link(Vector x, Vector factor, Vector addend) { return x * factor + addend; }
};

/// One tile of c from `rows` rows of a and a panel of b; `add` to what c holds, or replace it.
template <typename Slots, int64_t rows>
inline void tile(const float* a, int64_t aRow, int64_t aStep, const float* b, int64_t slots, float* c, int64_t cRow,
                 bool add) {
  // Two rows after each of these are reached by the CPU's scaled addresses, so that the loop counts few pointers.
  const float* thirds[(rows + 2) / 3];
  Vector sum[rows][tileVectors];
#pragma GCC unroll 16
  for (int64_t r = 0; r < rows; ++r) {
    // c is wanted when the sums are there; until then its way from memory takes no time.
    __builtin_prefetch(c + r * cRow, 1);
    __builtin_prefetch(c + r * cRow + tileColumns - 1, 1);
    if (r % 3 == 0) thirds[r / 3] = a + r * aRow;
#pragma GCC unroll 2
    for (int64_t v = 0; v < tileVectors; ++v) sum[r][v] = broadcast(0);
  }
  for (int64_t p = 0; p < slots; ++p, b += tileColumns) {
    const Vector left = load(b), right = load(b + lanes);
#pragma GCC unroll 16
    for (int64_t r = 0; r < rows; ++r) {
      const Vector factor = broadcast(thirds[r / 3][r % 3 * aRow]);
      sum[r][0] = Slots::multiplyAdd(sum[r][0], factor, left);
      sum[r][1] = Slots::multiplyAdd(sum[r][1], factor, right);
    }
#pragma GCC unroll 4
    for (int64_t third = 0; third < (rows + 2) / 3; ++third) thirds[third] += aStep;
  }
#pragma GCC unroll 16
  for (int64_t r = 0; r < rows; ++r) {
#pragma GCC unroll 2
    for (int64_t v = 0; v < tileVectors; ++v) {
      float* to = c + r * cRow + v * lanes;
      store(to, add ? load(to) + sum[r][v] : sum[r][v]);
    }
  }
}

/// The same for a number of rows that is known only now, from 1 to `most`.
template <typename Slots, int64_t most>
inline void tileOf(int64_t rows, const float* a, int64_t aRow, int64_t aStep, const float* b, int64_t slots, float* c,
                   int64_t cRow, bool add) {
  if (rows == most) return tile<Slots, most>(a, aRow, aStep, b, slots, c, cRow, add);
  if constexpr (most > 1) tileOf<Slots, most - 1>(rows, a, aRow, aStep, b, slots, c, cRow, add);
}

template <typename Slots>
void packedProduct(int64_t rows, int64_t columns, int64_t slots, const RowPanels& a, const float* b, float* c, int64_t cRow,
                   bool add) {
  constexpr int64_t tileRows = Slots::tileRows;
  for (int64_t j = 0; j < columns; j += tileColumns, b += tileColumns * slots) {
    const int64_t wide = columns - j < tileColumns ? columns - j : tileColumns;
    const float* panel = a.values;
    for (int64_t i = 0; i < rows; i += tileRows, panel += a.panel) {
      const int64_t high = rows - i < tileRows ? rows - i : tileRows;
      float* to = c + i * cRow + j;
      if (wide == tileColumns) {
        tileOf<Slots, tileRows>(high, panel, a.row, a.step, b, slots, to, cRow, add);
        continue;
      }
      // Beyond the last column of c there is something else.
      alignas(64) float whole[tileRows * tileColumns];
      tileOf<Slots, tileRows>(high, panel, a.row, a.step, b, slots, whole, tileColumns, false);
      for (int64_t r = 0; r < high; ++r) {
        for (int64_t q = 0; q < wide; ++q) {
          const float sum = whole[r * tileColumns + q];
          to[r * cRow + q] = add ? to[r * cRow + q] + sum : sum;
        }
      }
    }
  }
}
