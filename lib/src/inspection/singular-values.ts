/**
 * Singular values in float64, with an end whatever the matrix: reflections make it bidiagonal (Golub and Kahan 1965), and
 * bisection finds the values of that. States are of low rank, exactly so when their first tokens are, or when some of it was set
 * to zero; there QR iterations need not end (those of ml-matrix 6.15 run for ever on a 64 × 64 matrix of ones).
 */

/**
 * All singular values, the largest first; those within rounding of zero are 0.
 *
 * @param rows at least as many as columns
 * @param values row-major, finite
 */
export function tallSingularValues(rows: number, columns: number, values: ArrayLike<number>): number[] {
  let largest = 0;
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i]!));
  if (largest === 0) return new Array<number>(columns).fill(0);
  // Divided by the largest, so that squares neither overflow nor vanish.
  const scaled = Float64Array.from(values, (x) => x / largest);
  return bisect(offDiagonal(scaled, rows, columns), columns).map((value) => value * largest);
}

/**
 * The symmetric tridiagonal matrix with zeros on its diagonal whose eigenvalues are ± the singular values: beside the diagonal
 * stand d₁, e₁, d₂, e₂, …, dₙ, the two diagonals of the bidiagonal matrix.
 *
 * @param a row-major, overwritten
 */
function offDiagonal(a: Float64Array, rows: number, columns: number): Float64Array {
  const beside = new Float64Array(2 * columns - 1);
  const products = new Float64Array(columns);
  for (let k = 0; k < columns; k++) {
    beside[2 * k] = reflectRows(a, rows, columns, k, products);
    if (k + 1 < columns) beside[2 * k + 1] = reflectColumns(a, rows, columns, k);
  }
  return beside;
}

/** Reflects rows k and below so that column k is zero below its diagonal; gives the diagonal. */
function reflectRows(a: Float64Array, rows: number, columns: number, k: number, products: Float64Array): number {
  let square = 0;
  for (let i = k; i < rows; i++) square += a[i * columns + k]! ** 2;
  if (square === 0) return 0;
  const first = a[k * columns + k]!;
  const diagonal = first > 0 ? -Math.sqrt(square) : Math.sqrt(square);
  a[k * columns + k] = first - diagonal;
  // ‖v‖² / 2, of v = x − diagonal e₁
  const half = square - first * diagonal;
  products.fill(0);
  for (let i = k; i < rows; i++) {
    const v = a[i * columns + k]! / half;
    for (let j = k + 1; j < columns; j++) products[j]! += v * a[i * columns + j]!;
  }
  for (let i = k; i < rows; i++) {
    const v = a[i * columns + k]!;
    for (let j = k + 1; j < columns; j++) a[i * columns + j]! -= v * products[j]!;
  }
  return diagonal;
}

/** Reflects the columns after k so that row k is zero after the one beside its diagonal; gives that one. */
function reflectColumns(a: Float64Array, rows: number, columns: number, k: number): number {
  const row = k * columns;
  let square = 0;
  for (let j = k + 1; j < columns; j++) square += a[row + j]! ** 2;
  if (square === 0) return 0;
  const first = a[row + k + 1]!;
  const beside = first > 0 ? -Math.sqrt(square) : Math.sqrt(square);
  a[row + k + 1] = first - beside;
  const half = square - first * beside;
  for (let i = k + 1; i < rows; i++) {
    let product = 0;
    for (let j = k + 1; j < columns; j++) product += a[i * columns + j]! * a[row + j]!;
    product /= half;
    for (let j = k + 1; j < columns; j++) a[i * columns + j]! -= product * a[row + j]!;
  }
  return beside;
}

/** The `count` eigenvalues that are not negative, the largest first, to rounding of the largest. */
function bisect(beside: Float64Array, count: number): number[] {
  const squares = beside.map((x) => x * x);
  // No eigenvalue is larger than the sum of a row's magnitudes.
  const limit = beside.reduce((most, x, i) => Math.max(most, Math.abs(x) + Math.abs(beside[i + 1] ?? 0)), 0);
  const width = Number.EPSILON * limit;
  const found: number[] = [];
  /** Those from `low` on, below `high`; of `low` and `high` it is known how many are below. */
  const search = (low: number, belowLow: number, high: number, belowHigh: number): void => {
    if (belowLow === belowHigh) return;
    const middle = low + (high - low) / 2;
    if (high - low <= width || middle === low || middle === high) {
      for (let i = belowLow; i < belowHigh; i++) found.push(low === 0 ? 0 : middle);
      return;
    }
    const below = countBelow(squares, middle) - count;
    search(middle, below, high, belowHigh);
    search(low, belowLow, middle, below);
  };
  search(0, 0, 2 * limit, count);
  return found;
}

/** How many eigenvalues are below x > 0: the negative pivots of the matrix less x (Sylvester's law of inertia). */
function countBelow(squares: Float64Array, x: number): number {
  let negative = 1;
  let pivot = -x;
  for (let i = 0; i < squares.length; i++) {
    // Zero cannot divide; the smallest number above it was not counted either.
    if (pivot === 0) pivot = Number.MIN_VALUE;
    pivot = -x - squares[i]! / pivot;
    if (pivot < 0) negative++;
  }
  return negative;
}
