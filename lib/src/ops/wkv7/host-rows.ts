/**
 * What both `Wkv7` kernels over host memory share: one head's operands of one step, copied to float64 rows, so that the
 * inner loops touch one kind of array and convert each value once.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";

import type { HostMemory } from "../host.js";

/** The operands of every step, `[B, T, H, N]` each, as host memory. */
export type HostOperands = Readonly<Record<"r" | "w" | "k" | "v" | "a" | "b", Float32Array>>;

/** One step's operands of one head, N values each. */
export type Rows = Readonly<Record<keyof HostOperands, Float64Array>>;

const names = ["r", "w", "k", "v", "a", "b"] as const;

/** Views of the operands' memory; make all outputs before. */
export function hostOperands(
  inputs: Readonly<Record<keyof HostOperands, TensorInfo>>,
  memory: HostMemory,
): HostOperands {
  return Object.fromEntries(names.map((name) => [name, memory.floats(inputs[name])])) as unknown as HostOperands;
}

/** Rows to be filled by {@link loadRows}. */
export function emptyRows(size: number): Rows {
  return Object.fromEntries(names.map((name) => [name, new Float64Array(size)])) as unknown as Rows;
}

/** Copies the operands that start at a flat offset. */
export function loadRows(rows: Rows, from: HostOperands, at: number): void {
  copyRow(rows.r, from.r, at);
  copyRow(rows.w, from.w, at);
  copyRow(rows.k, from.k, at);
  copyRow(rows.v, from.v, at);
  copyRow(rows.a, from.a, at);
  copyRow(rows.b, from.b, at);
}

function copyRow(to: Float64Array, from: Float32Array, at: number): void {
  for (let j = 0; j < to.length; j++) to[j] = from[at + j]!;
}

/** Σ_j matrix[start + j] row[j]; four sums at once, as a single one would wait for each addition. */
export function dotRow(matrix: Float64Array, start: number, row: Float64Array): number {
  const n = row.length;
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let j = 0;
  for (; j + 3 < n; j += 4) {
    s0 += matrix[start + j]! * row[j]!;
    s1 += matrix[start + j + 1]! * row[j + 1]!;
    s2 += matrix[start + j + 2]! * row[j + 2]!;
    s3 += matrix[start + j + 3]! * row[j + 3]!;
  }
  for (; j < n; j++) s0 += matrix[start + j]! * row[j]!;
  return s0 + s1 + (s2 + s3);
}

/** One row i of S_t from S_{t−1}, from one place to another: to[j] = from[j] w[j] + sa b[j] + v k[j]. */
export function advanceRow(
  states: Float64Array,
  from: number,
  to: number,
  { w, b, k }: Rows,
  sa: number,
  value: number,
): void {
  for (let j = 0; j < w.length; j++) states[to + j] = states[from + j]! * w[j]! + sa * b[j]! + value * k[j]!;
}
