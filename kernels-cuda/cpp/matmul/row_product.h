// Included by hot_code.h only, in an unnamed namespace.
//
// One row times a matrix, as every product is when a model writes one token: as fast as memory gives the matrix.

/// The dot product of x and a row, in one vector of partial sums, but for what is left of `depth` after whole vectors.
inline Vector partialSums(const float* x, const float* row, int64_t depth) {
  Vector s0 = broadcast(0), s1 = s0, s2 = s0, s3 = s0;
  int64_t p = 0;
  for (; p + 4 * lanes <= depth; p += 4 * lanes) {
    s0 += load(x + p) * load(row + p);
    s1 += load(x + p + lanes) * load(row + p + lanes);
    s2 += load(x + p + 2 * lanes) * load(row + p + 2 * lanes);
    s3 += load(x + p + 3 * lanes) * load(row + p + 3 * lanes);
  }
  for (; p + lanes <= depth; p += lanes) s0 += load(x + p) * load(row + p);
  return (s0 + s1) + (s2 + s3);
}

/// b's columns adjacent in depth (a stored transpose): dot products one after the other, so that b is read as one stream: the
/// CPU fetches that ahead by itself, and more memory a second than of four rows at once.
void rowTimesTransposed(const ProductOperands& o) {
  const int64_t depth = o.depth, stride = o.bColumn;
  const int64_t vectors = depth / lanes * lanes;
  int64_t j = 0;
  for (; j + 4 <= o.columns; j += 4) {
    const float* b = o.b + j * stride;
    const Vector s0 = partialSums(o.a, b, depth), s1 = partialSums(o.a, b + stride, depth);
    const Vector s2 = partialSums(o.a, b + 2 * stride, depth), s3 = partialSums(o.a, b + 3 * stride, depth);
    const Vector4 total = sums(s0, s1, s2, s3);
    for (int64_t q = 0; q < 4; ++q) {
      float sum = total[q];
      for (int64_t p = vectors; p < depth; ++p) sum += o.a[p] * b[q * stride + p];
      o.c[j + q] = sum;
    }
  }
  for (; j < o.columns; ++j) {
    const float* b = o.b + j * stride;
    const Vector s = partialSums(o.a, b, depth);
    float sum = sums(s, s, s, s)[0];
    for (int64_t p = vectors; p < depth; ++p) sum += o.a[p] * b[p];
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
