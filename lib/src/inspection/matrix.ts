/** A matrix of numbers on the host: what statistics are taken of, in float64, and what plots show. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

import { ActivationValues } from "./activation-values.js";

/** Rows and columns, row-major. */
export interface HostMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float64Array;
}

/**
 * A matrix in any of its forms: rows of numbers (`state.slice(…).matrix()`), an activation of which only two axes are left
 * (`trace.get("blocks.0.state.wkv").select({ row: 0, position: 5, head: 1 })`), a tensor of two axes, or plain data.
 */
export type MatrixInput = readonly ArrayLike<number>[] | ActivationValues | Tensor | HostMatrix;

/**
 * Its rows as lists.
 *
 * @throws RangeError when rows differ in length, or there are more or fewer than two axes
 */
export function matrixRows(input: MatrixInput): number[][] {
  if (input instanceof tf.Tensor && input.rank !== 2) {
    const shape = `[${input.shape.join(", ")}]`;
    throw new RangeError(
      `a matrix is wanted, but the tensor is ${shape}: choose two axes, by tf.gather or tf.slice and tf.reshape`,
    );
  }
  if (input instanceof tf.Tensor) return input.arraySync() as number[][];
  if (input instanceof ActivationValues) return input.matrix();
  if ("columns" in input) {
    const { rows, columns, values } = input;
    return Array.from({ length: rows }, (_, i) => Array.from(values.subarray(i * columns, (i + 1) * columns)));
  }
  const columns = input[0]?.length ?? 0;
  const ragged = input.findIndex((row) => row.length !== columns);
  if (ragged < 0) return input.map((row) => Array.from(row));
  throw new RangeError(`row ${ragged} of the matrix has ${input[ragged]!.length} columns, wanted ${columns}`);
}

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
  const rows = matrixRows(input);
  return { rows: rows.length, columns: rows[0]?.length ?? 0, values: Float64Array.from(rows.flat()) };
}
