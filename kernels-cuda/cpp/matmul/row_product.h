// Included by hot_code.h and path_avx512_bf16.cpp only, in an unnamed namespace.
//
// One row times a matrix, as every product is when a model writes one token: as fast as memory gives the matrix.

/// Floats from what is read to what memory is asked for, at least. What processors ask for by themselves leaves the memory of a busy
/// machine waiting, and ends with a page.
constexpr int64_t fetchRowsAhead = 2048;

/// b's columns adjacent in depth (a stored transpose): four dot products side by side. One after the other, each with four sums
/// of its own, they read a third less memory a second (measured on Zen 3, pages of 2 MiB, two threads: 21 against 30 GB/s).
void rowTimesTransposed(const ProductOperands& o) {
  const int64_t depth = o.depth, stride = o.bColumn;
  const int64_t vectors = depth / lanes * lanes;
  const int64_t ahead = 4 * stride > fetchRowsAhead ? 4 * stride : fetchRowsAhead;
  const float* const x = o.a;
  int64_t j = 0;
  for (; j + 4 <= o.columns; j += 4) {
    const float* b0 = o.b + j * stride;
    const float *b1 = b0 + stride, *b2 = b1 + stride, *b3 = b2 + stride;
    const float* soon = b0 + ahead;
    Vector s0 = broadcast(0), s1 = s0, s2 = s0, s3 = s0;
    for (int64_t p = 0; p < vectors; p += lanes) {
      for (int64_t line = 0; line < 4 * lanes; line += 16) __builtin_prefetch(soon + line);
      soon += 4 * lanes;
      const Vector at = load(x + p);
      s0 += at * load(b0 + p);
      s1 += at * load(b1 + p);
      s2 += at * load(b2 + p);
      s3 += at * load(b3 + p);
    }
    const Vector4 total = sums(s0, s1, s2, s3);
    for (int64_t q = 0; q < 4; ++q) {
      float sum = total[q];
      for (int64_t p = vectors; p < depth; ++p) sum += x[p] * b0[q * stride + p];
      o.c[j + q] = sum;
    }
  }
  for (; j < o.columns; ++j) {
    const float* b = o.b + j * stride;
    Vector s = broadcast(0);
    for (int64_t p = 0; p < vectors; p += lanes) s += load(x + p) * load(b + p);
    float sum = sums(s, s, s, s)[0];
    for (int64_t p = vectors; p < depth; ++p) sum += x[p] * b[p];
    o.c[j] = sum;
  }
}

/// b's rows adjacent: four of them at a time are added to c, which stays in the nearest cache.
void rowTimesPlain(const ProductOperands& o) {
  const int64_t vectors = o.columns / lanes * lanes;
  for (int64_t j = 0; j < o.columns; ++j) o.c[j] = 0;
  int64_t p = 0;
  for (; p + 4 <= o.depth; p += 4) {
    const float* b0 = o.b + p * o.bRow;
    const float *b1 = b0 + o.bRow, *b2 = b1 + o.bRow, *b3 = b2 + o.bRow;
    const float a0 = o.a[p * o.aColumn], a1 = o.a[(p + 1) * o.aColumn];
    const float a2 = o.a[(p + 2) * o.aColumn], a3 = o.a[(p + 3) * o.aColumn];
    const Vector x0 = broadcast(a0), x1 = broadcast(a1), x2 = broadcast(a2), x3 = broadcast(a3);
    for (int64_t j = 0; j < vectors; j += lanes) {
      const Vector first = x0 * load(b0 + j) + x1 * load(b1 + j), second = x2 * load(b2 + j) + x3 * load(b3 + j);
      store(o.c + j, load(o.c + j) + (first + second));
    }
    for (int64_t j = vectors; j < o.columns; ++j) o.c[j] += (a0 * b0[j] + a1 * b1[j]) + (a2 * b2[j] + a3 * b3[j]);
  }
  for (; p < o.depth; ++p) {
    const float* b = o.b + p * o.bRow;
    const float x = o.a[p * o.aColumn];
    for (int64_t j = 0; j < o.columns; ++j) o.c[j] += x * b[j];
  }
}

void rowProduct(const ProductOperands& o) {
  if (o.bRow == 1 && o.aColumn == 1 && o.depth > 1) {
    rowTimesTransposed(o);
  } else if (o.bColumn == 1) {
    rowTimesPlain(o);
  } else {
    for (int64_t j = 0; j < o.columns; ++j) {
      float sum = 0;
      for (int64_t p = 0; p < o.depth; ++p) sum += o.a[p * o.aColumn] * o.b[p * o.bRow + j * o.bColumn];
      o.c[j] = sum;
    }
  }
}
