/** A matrix of numbers on the host, in float64: what statistics are taken of. */
import { ActivationValues } from "./activation-values.js";

/** Rows and columns, row-major. */
export interface HostMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float64Array;
}

/**
 * A matrix in any of its forms: rows of numbers (`state.slice(…).matrix()`), an activation of which only two axes are left
 * (`trace.get("blocks.0.state.wkv").select({ row: 0, position: 5, head: 1 })`), or plain data.
 */
export type MatrixInput = readonly (readonly number[])[] | ActivationValues | HostMatrix;

/**
 * The same in float64.
 *
 * @throws RangeError when rows differ in length, there is no element, or one is not finite: statistics would be of nothing
 */
export function hostMatrix(input: MatrixInput): HostMatrix {
  const matrix = unchecked(input);
  const wrong = matrix.values.findIndex((x) => !Number.isFinite(x));
  if (matrix.values.length === 0) throw new RangeError("the matrix is empty, wanted at least one element");
  if (wrong < 0) return matrix;
  const [i, j] = [Math.floor(wrong / matrix.columns), wrong % matrix.columns];
  throw new RangeError(`element [${i}][${j}] of the matrix is ${matrix.values[wrong]}, wanted finite numbers`);
}

function unchecked(input: MatrixInput): HostMatrix {
  if ("columns" in input) return input;
  const rows = input instanceof ActivationValues ? input.matrix() : input;
  const columns = rows[0]?.length ?? 0;
  const ragged = rows.findIndex((row) => row.length !== columns);
  if (ragged >= 0)
    throw new RangeError(`row ${ragged} of the matrix has ${rows[ragged]!.length} columns, wanted ${columns}`);
  return { rows: rows.length, columns, values: Float64Array.from(rows.flat()) };
}
