/**
 * What both attention kernels over host memory share: one head's rows side by side in float64, and the loops over its keys.
 * Loops pass over all keys of a query in one call, on arrays of one kind.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";

import { doubles, zero } from "../wkv7/host-rows.js";

/** B, T, S, H, N of a call. */
export interface AttentionSizes {
  readonly batch: number;
  readonly time: number;
  readonly keys: number;
  readonly heads: number;
  readonly size: number;
}

/** The sizes of a call's tensors. */
export function attentionSizes({ q, k }: { readonly q: TensorInfo; readonly k: TensorInfo }): AttentionSizes {
  const [batch, time, heads, size] = q.shape as [number, number, number, number];
  return { batch, time, keys: k.shape[1]!, heads, size };
}

export { doubles as vector, zero as zeroed };

/** Copies a row's head out of `[B, T, H, N]`, its tokens one after the other. */
export function copyHead(
  to: number[],
  from: Float32Array,
  b: number,
  h: number,
  { time, heads, size }: { readonly time: number; readonly heads: number; readonly size: number },
): void {
  let at = 0;
  for (let t = 0; t < time; t++) {
    const source = ((b * time + t) * heads + h) * size;
    for (let i = 0; i < size; i++) to[at++] = from[source + i]!;
  }
}

/** Writes a head's rows back into `[B, T, H, N]`, rounded. */
export function storeHead(
  to: Float32Array,
  from: number[],
  b: number,
  h: number,
  { time, heads, size }: { readonly time: number; readonly heads: number; readonly size: number },
): void {
  let at = 0;
  for (let t = 0; t < time; t++) {
    const target = ((b * time + t) * heads + h) * size;
    for (let i = 0; i < size; i++) to[target + i] = from[at++]!;
  }
}

/**
 * out_j = query · row_j for the rows from start to end.
 *
 * @returns the largest
 */
export function scaledDots(out: number[], query: number[], rows: number[], start: number, end: number): number {
  const size = query.length;
  let largest = -Infinity;
  for (let j = start; j < end; j++) {
    const row = j * size;
    // Four sums at once: a single one would wait for each addition.
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    let i = 0;
    for (; i + 3 < size; i += 4) {
      s0 += query[i]! * rows[row + i]!;
      s1 += query[i + 1]! * rows[row + i + 1]!;
      s2 += query[i + 2]! * rows[row + i + 2]!;
      s3 += query[i + 3]! * rows[row + i + 3]!;
    }
    for (; i < size; i++) s0 += query[i]! * rows[row + i]!;
    const dot = s0 + s1 + (s2 + s3);
    out[j] = dot;
    if (dot > largest) largest = dot;
  }
  return largest;
}

/**
 * out_j ← exp(out_j − offset) from start to end.
 *
 * @returns their sum
 */
export function exponentials(out: number[], offset: number, start: number, end: number): number {
  let sum = 0;
  for (let j = start; j < end; j++) {
    const value = Math.exp(out[j]! - offset);
    out[j] = value;
    sum += value;
  }
  return sum;
}

/** sum += Σ_j weights_j row_j from start to end. Four rows a pass: the sum is read and written a quarter as often. */
export function weightedSum(sum: number[], weights: number[], rows: number[], start: number, end: number): void {
  const size = sum.length;
  let j = start;
  for (; j + 3 < end; j += 4) {
    const w0 = weights[j]!;
    const w1 = weights[j + 1]!;
    const w2 = weights[j + 2]!;
    const w3 = weights[j + 3]!;
    const r0 = j * size;
    const r1 = r0 + size;
    const r2 = r1 + size;
    const r3 = r2 + size;
    for (let i = 0; i < size; i++) {
      sum[i]! += w0 * rows[r0 + i]! + w1 * rows[r1 + i]! + (w2 * rows[r2 + i]! + w3 * rows[r3 + i]!);
    }
  }
  for (; j < end; j++) {
    const w = weights[j]!;
    const row = j * size;
    for (let i = 0; i < size; i++) sum[i]! += w * rows[row + i]!;
  }
}

/** row_j += weights_j · vector for the rows from start to end. */
export function addOuter(rows: number[], weights: number[], vector: number[], start: number, end: number): void {
  const size = vector.length;
  for (let j = start; j < end; j++) {
    const w = weights[j]!;
    const row = j * size;
    for (let i = 0; i < size; i++) rows[row + i]! += w * vector[i]!;
  }
}
