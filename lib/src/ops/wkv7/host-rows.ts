/**
 * What both `Wkv7` kernels over host memory share: one head's operands of one step, copied to float64 rows, so that the
 * inner loops touch one kind of array and convert each value once. Each loop passes over a whole matrix: as calls a row
 * they were measured twice as slow.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";

import type { HostMemory } from "../host.js";

/** The operands of every step, `[B, T, H, N]` each, as host memory. */
export type HostOperands = Readonly<Record<"r" | "w" | "k" | "v" | "a" | "b", Float32Array>>;

/** One step's operands of one head, N values each. */
export type Rows = Readonly<Record<keyof HostOperands, number[]>>;

/**
 * An array of zeros that V8 keeps as unboxed float64. Not a Float64Array: from the first time that any buffer of the process
 * is detached, and growth of the wasm heap detaches, each access to a typed array checks for it. Measured 1.7 times slower.
 */
export function doubles(length: number): number[] {
  // Pushed one by one, and not as integers, the elements stay packed doubles.
  const array: number[] = [];
  for (let i = 0; i < length; i++) array.push(0.5);
  return zero(array);
}

/** Sets all elements to 0. */
export function zero(array: number[]): number[] {
  for (let i = 0; i < array.length; i++) array[i] = 0;
  return array;
}

/** Copies `length` elements from an offset to an offset. */
export function copy(
  to: number[] | Float32Array,
  toAt: number,
  from: ArrayLike<number>,
  fromAt: number,
  length: number,
): void {
  for (let i = 0; i < length; i++) to[toAt + i] = from[fromAt + i]!;
}

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
  return Object.fromEntries(names.map((name) => [name, doubles(size)])) as unknown as Rows;
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

function copyRow(to: number[], from: Float32Array, at: number): void {
  for (let j = 0; j < to.length; j++) to[j] = from[at + j]!;
}

/** Σ_j matrix[start + j] row[j]; four sums at once, as a single one would wait for each addition. */
function dotRow(matrix: number[], start: number, row: number[]): number {
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

/** out_i = Σ_j matrix[start + iN + j] row[j]: a matrix of N rows times a row. */
export function timesRow(out: number[], outAt: number, matrix: number[], start: number, row: number[]): void {
  const n = row.length;
  for (let i = 0; i < n; i++) out[outAt + i] = dotRow(matrix, start + i * n, row);
}

/** S_t = S_{t−1} diag(w) + sa bᵀ + v kᵀ, from one place to another or in place; `sa` starts at `saAt`. */
export function advanceState(
  states: number[],
  from: number,
  to: number,
  { w, b, k, v }: Rows,
  sa: number[],
  saAt: number,
): void {
  const n = w.length;
  for (let i = 0; i < n; i++) {
    const source = from + i * n;
    const target = to + i * n;
    const removed = sa[saAt + i]!;
    const value = v[i]!;
    for (let j = 0; j < n; j++) {
      states[target + j] = states[source + j]! * w[j]! + removed * b[j]! + value * k[j]!;
    }
  }
}
