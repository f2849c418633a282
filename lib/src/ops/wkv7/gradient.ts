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
import {
  advanceState,
  copy,
  doubles,
  emptyRows,
  hostOperands,
  loadRows,
  timesRow,
  zero,
  type Rows,
} from "./host-rows.js";

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
  const states = doubles((steps + 1) * square);
  const sas = doubles(steps * n);
  const adjoint = doubles(square);
  const rows = emptyRows(n);
  const gradients = emptyRows(n);
  const scratch: Interval = { adjoint, states, sas, gradients, dsa: doubles(n) };
  for (let bh = 0; bh < batch * heads; bh++) {
    const base = (Math.floor(bh / heads) * time * heads + (bh % heads)) * n;
    copy(adjoint, 0, dFinalState, bh * square, square);
    for (let chunk = chunks - 1; chunk >= 0; chunk--) {
      const first = chunk * interval;
      const count = Math.min(time, first + interval) - first;
      const start = (bh * chunks + chunk) * square;
      copy(states, 0, checkpoints, start, square);
      for (let s = 0; s < count; s++) {
        loadRows(rows, operands, base + (first + s) * heads * n);
        timesRow(sas, s * n, states, s * square, rows.a);
        advanceState(states, s * square, (s + 1) * square, rows, sas, s * n);
      }
      for (let s = count - 1; s >= 0; s--) {
        const at = base + (first + s) * heads * n;
        loadRows(rows, operands, at);
        reverse(scratch, s, rows, dy, at);
        copy(dr, at, gradients.r, 0, n);
        copy(dw, at, gradients.w, 0, n);
        copy(dk, at, gradients.k, 0, n);
        copy(dv, at, gradients.v, 0, n);
        copy(da, at, gradients.a, 0, n);
        copy(db, at, gradients.b, 0, n);
      }
    }
    copy(dState, bh * square, adjoint, 0, square);
  }
  return outputs;
}

type Septuple = [Float32Array, Float32Array, Float32Array, Float32Array, Float32Array, Float32Array, Float32Array];

/** What {@link reverse} works on: the adjoint, an interval's states and S a, and one step's gradients. */
interface Interval {
  readonly adjoint: number[];
  readonly states: number[];
  readonly sas: number[];
  readonly gradients: Rows;
  readonly dsa: number[];
}

/** The gradients of step s of the interval, and the adjoint before it. `dy` starts at `at`. */
function reverse(
  { adjoint, states, sas, gradients, dsa }: Interval,
  s: number,
  rows: Rows,
  dy: Float32Array,
  at: number,
): void {
  const n = rows.a.length;
  addOuter(adjoint, dy, at, rows.r);
  timesRow(gradients.v, 0, adjoint, 0, rows.k);
  timesRow(dsa, 0, adjoint, 0, rows.b);
  accumulate(gradients, adjoint, states, s * n * n, dy, at, rows.v, sas, s * n, dsa);
  stepAdjoint(adjoint, rows.w, rows.a, dsa);
}

/** G += dy rᵀ. */
function addOuter(adjoint: number[], dy: Float32Array, at: number, r: number[]): void {
  const n = r.length;
  for (let i = 0; i < n; i++) {
    const d = dy[at + i]!;
    const row = i * n;
    for (let j = 0; j < n; j++) adjoint[row + j]! += d * r[j]!;
  }
}

/** The gradients that sum over value channels: dr, dw, dk, dα, dβ. The state before the step starts at `before`. */
function accumulate(
  { r, w, k, a, b }: Rows,
  adjoint: number[],
  states: number[],
  before: number,
  dy: Float32Array,
  at: number,
  v: number[],
  sas: number[],
  saAt: number,
  dsa: number[],
): void {
  const n = r.length;
  for (const sum of [r, w, k, a, b]) zero(sum);
  for (let i = 0; i < n; i++) {
    const row = i * n;
    const from = before + row;
    const to = from + n * n;
    const d = dy[at + i]!;
    const value = v[i]!;
    const sa = sas[saAt + i]!;
    const da = dsa[i]!;
    for (let j = 0; j < n; j++) {
      const g = adjoint[row + j]!;
      const state = states[from + j]!;
      r[j]! += states[to + j]! * d;
      w[j]! += g * state;
      k[j]! += g * value;
      a[j]! += state * da;
      b[j]! += g * sa;
    }
  }
}

/** G ← G diag(w) + dsa aᵀ. */
function stepAdjoint(adjoint: number[], w: number[], a: number[], dsa: number[]): void {
  const n = w.length;
  for (let i = 0; i < n; i++) {
    const row = i * n;
    const d = dsa[i]!;
    for (let j = 0; j < n; j++) adjoint[row + j] = adjoint[row + j]! * w[j]! + d * a[j]!;
  }
}
