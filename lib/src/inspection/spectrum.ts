/** How large a matrix is and in how many directions: norm, singular values, ranks. In float64. */
import { hostMatrix, type HostMatrix, type MatrixInput } from "./matrix.js";
import { tallSingularValues } from "./singular-values.js";

/** √Σ m_ij², the length of the matrix as one vector. */
export function frobeniusNorm(matrix: MatrixInput): number {
  return lengthOf(hostMatrix(matrix).values);
}

/** √Σ x². */
export function lengthOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! ** 2;
  return Math.sqrt(sum);
}

/** All singular values, the largest first: by how much the matrix stretches its directions. */
export function singularValues(matrix: MatrixInput): number[] {
  const { rows, columns, values } = hostMatrix(matrix);
  return rows >= columns
    ? tallSingularValues(rows, columns, values)
    : tallSingularValues(columns, rows, turned(matrix));
}

function turned(matrix: MatrixInput): Float64Array {
  const { rows, columns, values } = hostMatrix(matrix);
  return Float64Array.from(values, (_, i) => values[(i % rows) * columns + Math.floor(i / rows)]!);
}

/**
 * ‖M‖²_F / σ₁²: 1 for one direction, N for N equally strong ones; small directions hardly count. 0 for a zero matrix.
 */
export function stableRank(matrix: MatrixInput): number {
  return stableRankOf(singularValues(matrix));
}

/**
 * The exponential of the entropy of σ / Σσ: how many directions there would be if all were equally strong (Roy and
 * Vetterli, 2007). 0 for a zero matrix.
 */
export function effectiveRank(matrix: MatrixInput): number {
  return effectiveRankOf(singularValues(matrix));
}

/** {@link stableRank} of singular values, the largest first. */
export function stableRankOf(singular: readonly number[]): number {
  const largest = singular[0] ?? 0;
  return largest === 0 ? 0 : singular.reduce((sum, value) => sum + (value / largest) ** 2, 0);
}

/** {@link effectiveRank} of singular values. */
export function effectiveRankOf(singular: readonly number[]): number {
  const total = singular.reduce((sum, value) => sum + value, 0);
  if (total === 0) return 0;
  const entropy = singular.reduce((sum, value) => {
    const portion = value / total;
    return portion > 0 ? sum - portion * Math.log(portion) : sum;
  }, 0);
  return Math.exp(entropy);
}

/** A new matrix of float32 values. */
export function matrixOfValues(rows: number, columns: number, values: ArrayLike<number>): HostMatrix {
  return { rows, columns, values: Float64Array.from(values) };
}
