/**
 * The kernel `Wkv7Grad`: from the checkpoints it recomputes the states of one interval at a time, last interval first,
 * and carries the state's adjoint G backwards (META_STATE.md, "Gradients"). States are recomputed and never stepped back:
 * dividing by w would amplify rounding up to 1.83 times a step.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, TensorInfo } from "@tensorflow/tfjs-core";

import type { HostMemory } from "../host.js";
import { declareKernel } from "../kernel.js";
import { advance, stepRows, type Wkv7Attributes } from "./forward.js";
import { advanceRow, dotRow, emptyRows, hostOperands, loadRows, type Rows } from "./host-rows.js";

/** The inputs of `Wkv7Grad` by name. */
export type Wkv7GradInput = "r" | "w" | "k" | "v" | "a" | "b" | "checkpoints" | "dy" | "dFinalState";

/** Kernel `Wkv7Grad`: outputs `[dr, dw, dk, dv, da, db, dState]`. */
export const wkv7GradKernel = declareKernel<Wkv7GradInput, Wkv7Attributes>({
  name: "Wkv7Grad",
  composed: wkv7GradComposed,
  host: wkv7GradHost,
});

/** `Wkv7Grad` in tfjs ops. */
export function wkv7GradComposed(
  inputs: Readonly<Record<Wkv7GradInput, Tensor>>,
  { checkpointInterval: interval }: Wkv7Attributes,
): Tensor[] {
  const time = inputs.r.shape[1]!;
  const rows = stepRows(inputs);
  const starts = tf.unstack(inputs.checkpoints, 2);
  const dys = tf.unstack(tf.expandDims(inputs.dy, 4), 1);
  const steps: Tensor[][] = new Array<Tensor[]>(time);
  let adjoint: Tensor = tf.clone(inputs.dFinalState);
  for (let chunk = starts.length - 1; chunk >= 0; chunk--) {
    const first = chunk * interval;
    const last = Math.min(time, first + interval);
    const states = [starts[chunk]!];
    for (let t = first; t < last; t++) states.push(tf.tidy(() => advance(states.at(-1)!, rows, t)));
    for (let t = last - 1; t >= first; t--) {
      const [next, ...gradients] = tf.tidy(() =>
        stepBack(adjoint, states[t - first]!, states[t - first + 1]!, rows, dys[t]!, t),
      );
      adjoint = next!;
      steps[t] = gradients;
    }
  }
  const outputs = [0, 1, 2, 3, 4, 5].map((operand) =>
    tf.stack(
      steps.map((gradients) => gradients[operand]!),
      1,
    ),
  );
  return [...outputs, adjoint];
}

/** One step back: the next adjoint, then dr, dw, dk, dv, da, db of the step, each `[B, H, N]`. */
function stepBack(
  adjoint: Tensor,
  before: Tensor,
  after: Tensor,
  rows: ReturnType<typeof stepRows>,
  dy: Tensor,
  t: number,
): Tensor[] {
  const overRows = (x: Tensor): Tensor => tf.sum(x, 2);
  const overColumns = (x: Tensor): Tensor => tf.sum(x, 3, true);
  const g = tf.add(adjoint, tf.mul(dy, rows.r[t]!));
  const sa = overColumns(tf.mul(before, rows.a[t]!));
  const dsa = overColumns(tf.mul(g, rows.b[t]!));
  return [
    tf.add(tf.mul(g, rows.w[t]!), tf.mul(dsa, rows.a[t]!)),
    overRows(tf.mul(after, dy)),
    overRows(tf.mul(g, before)),
    overRows(tf.mul(g, rows.v[t]!)),
    tf.squeeze(overColumns(tf.mul(g, rows.k[t]!)), [3]),
    overRows(tf.mul(before, dsa)),
    overRows(tf.mul(g, sa)),
  ];
}

/** `Wkv7Grad` over host memory; states and adjoint of one interval of one head in float64. */
function wkv7GradHost(
  inputs: Readonly<Record<Wkv7GradInput, TensorInfo>>,
  memory: HostMemory,
  { checkpointInterval: interval }: Wkv7Attributes,
): TensorInfo[] {
  const [batch, time, heads, n] = inputs.r.shape as [number, number, number, number];
  const outputs = [1, 2, 3, 4, 5, 6].map(() => memory.make(inputs.r.shape));
  outputs.push(memory.make(inputs.dFinalState.shape));
  const [dr, dw, dk, dv, da, db, dState] = outputs.map((output) => memory.floats(output)) as Septuple;
  const operands = hostOperands(inputs, memory);
  const checkpoints = memory.floats(inputs.checkpoints);
  const dy = memory.floats(inputs.dy);
  const dFinalState = memory.floats(inputs.dFinalState);

  const chunks = Math.ceil(time / interval);
  const square = n * n;
  const steps = Math.min(interval, time);
  const states = new Float64Array((steps + 1) * square);
  const sas = new Float64Array(steps * n);
  const adjoint = new Float64Array(square);
  const rows = emptyRows(n);
  const gradients = emptyRows(n);
  for (let bh = 0; bh < batch * heads; bh++) {
    const base = (Math.floor(bh / heads) * time * heads + (bh % heads)) * n;
    adjoint.set(dFinalState.subarray(bh * square, (bh + 1) * square));
    for (let chunk = chunks - 1; chunk >= 0; chunk--) {
      const first = chunk * interval;
      const count = Math.min(time, first + interval) - first;
      const start = (bh * chunks + chunk) * square;
      states.set(checkpoints.subarray(start, start + square));
      for (let s = 0; s < count; s++) {
        loadRows(rows, operands, base + (first + s) * heads * n);
        recompute(states, sas, s, rows);
      }
      for (let s = count - 1; s >= 0; s--) {
        const at = base + (first + s) * heads * n;
        loadRows(rows, operands, at);
        reverse(adjoint, states, sas, s, rows, dy, at, gradients);
        dr.set(gradients.r, at);
        dw.set(gradients.w, at);
        dk.set(gradients.k, at);
        dv.set(gradients.v, at);
        da.set(gradients.a, at);
        db.set(gradients.b, at);
      }
    }
    dState.set(adjoint, bh * square);
  }
  return outputs;
}

type Septuple = [Float32Array, Float32Array, Float32Array, Float32Array, Float32Array, Float32Array, Float32Array];

/** State s + 1 of the interval from state s, and S a of the step. */
function recompute(states: Float64Array, sas: Float64Array, s: number, rows: Rows): void {
  const n = rows.a.length;
  for (let i = 0; i < n; i++) {
    const from = (s * n + i) * n;
    const sa = dotRow(states, from, rows.a);
    sas[s * n + i] = sa;
    advanceRow(states, from, from + n * n, rows, sa, rows.v[i]!);
  }
}

/** The gradients of step s of the interval, and the adjoint before it. */
function reverse(
  adjoint: Float64Array,
  states: Float64Array,
  sas: Float64Array,
  s: number,
  rows: Rows,
  dy: Float32Array,
  at: number,
  gradients: Rows,
): void {
  const n = rows.a.length;
  gradients.r.fill(0);
  gradients.w.fill(0);
  gradients.k.fill(0);
  gradients.a.fill(0);
  gradients.b.fill(0);
  for (let i = 0; i < n; i++) {
    const row = i * n;
    const before = s * n * n + row;
    addScaled(adjoint, row, rows.r, dy[at + i]!);
    gradients.v[i] = dotRow(adjoint, row, rows.k);
    const dsa = dotRow(adjoint, row, rows.b);
    accumulateRow(adjoint, row, states, before, gradients, dy[at + i]!, rows.v[i]!, sas[s * n + i]!, dsa);
    decayRow(adjoint, row, rows.w, rows.a, dsa);
  }
}

/** G += dy rᵀ, one row. */
function addScaled(adjoint: Float64Array, row: number, r: Float64Array, dy: number): void {
  for (let j = 0; j < r.length; j++) adjoint[row + j]! += dy * r[j]!;
}

/** One value channel's part of the gradients that sum over value channels. */
function accumulateRow(
  adjoint: Float64Array,
  row: number,
  states: Float64Array,
  before: number,
  { r, w, k, a, b }: Rows,
  dy: number,
  value: number,
  sa: number,
  dsa: number,
): void {
  const n = r.length;
  const after = before + n * n;
  for (let j = 0; j < n; j++) {
    const g = adjoint[row + j]!;
    const state = states[before + j]!;
    r[j]! += states[after + j]! * dy;
    w[j]! += g * state;
    k[j]! += g * value;
    a[j]! += state * dsa;
    b[j]! += g * sa;
  }
}

/** G ← G diag(w) + dsa aᵀ, one row. */
function decayRow(adjoint: Float64Array, row: number, w: Float64Array, a: Float64Array, dsa: number): void {
  for (let j = 0; j < w.length; j++) adjoint[row + j] = adjoint[row + j]! * w[j]! + dsa * a[j]!;
}
