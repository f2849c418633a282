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
  const [dr, dw, dk, dv, da, db, dState] = outputs.map((output) => memory.floats(output).fill(0)) as Floats<7>;
  const [r, w, k, v, a, b] = (["r", "w", "k", "v", "a", "b"] as const).map((x) =>
    memory.floats(inputs[x]),
  ) as Floats<6>;
  const checkpoints = memory.floats(inputs.checkpoints);
  const dy = memory.floats(inputs.dy);
  const dFinalState = memory.floats(inputs.dFinalState);

  const chunks = Math.ceil(time / interval);
  const square = n * n;
  const states = new Float64Array((Math.min(interval, time) + 1) * square);
  const sas = new Float64Array(Math.min(interval, time) * n);
  const adjoint = new Float64Array(square);
  const row = { r: new Float64Array(n), w: new Float64Array(n), k: new Float64Array(n), db: new Float64Array(n) };
  for (let bh = 0; bh < batch * heads; bh++) {
    const base = (Math.floor(bh / heads) * time * heads + (bh % heads)) * n;
    adjoint.set(dFinalState.subarray(bh * square, (bh + 1) * square));
    for (let chunk = chunks - 1; chunk >= 0; chunk--) {
      const first = chunk * interval;
      const count = Math.min(time, first + interval) - first;
      const start = (bh * chunks + chunk) * square;
      states.set(checkpoints.subarray(start, start + square));
      for (let s = 0; s < count; s++) recompute(s, base + (first + s) * heads * n);
      for (let s = count - 1; s >= 0; s--) reverse(s, base + (first + s) * heads * n);
    }
    dState.set(adjoint, bh * square);
  }
  return outputs;

  /** State s + 1 of the interval from state s, and S a of the step. */
  function recompute(s: number, at: number): void {
    for (let i = 0; i < n; i++) {
      const from = s * square + i * n;
      const to = from + square;
      let sa = 0;
      for (let j = 0; j < n; j++) sa += states[from + j]! * a[at + j]!;
      sas[s * n + i] = sa;
      const value = v[at + i]!;
      for (let j = 0; j < n; j++) {
        states[to + j] = states[from + j]! * w[at + j]! + sa * b[at + j]! + value * k[at + j]!;
      }
    }
  }

  /** The gradients of step s of the interval, and the adjoint before it. */
  function reverse(s: number, at: number): void {
    const { r: drow, w: dwrow, k: dkrow, db: dbrow } = row;
    drow.fill(0);
    dwrow.fill(0);
    dkrow.fill(0);
    dbrow.fill(0);
    for (let i = 0; i < n; i++) {
      const g = i * n;
      const before = s * square + g;
      const after = before + square;
      const d = dy[at + i]!;
      const sa = sas[s * n + i]!;
      const value = v[at + i]!;
      let dsa = 0;
      let dvalue = 0;
      for (let j = 0; j < n; j++) {
        const x = adjoint[g + j]! + d * r[at + j]!;
        adjoint[g + j] = x;
        drow[j]! += states[after + j]! * d;
        dwrow[j]! += x * states[before + j]!;
        dkrow[j]! += x * value;
        dbrow[j]! += x * sa;
        dsa += x * b[at + j]!;
        dvalue += x * k[at + j]!;
      }
      dv[at + i] = dvalue;
      for (let j = 0; j < n; j++) {
        da[at + j]! += states[before + j]! * dsa;
        adjoint[g + j] = adjoint[g + j]! * w[at + j]! + dsa * a[at + j]!;
      }
    }
    dr.set(drow, at);
    dw.set(dwrow, at);
    dk.set(dkrow, at);
    db.set(dbrow, at);
  }
}

type Floats<N extends number> = N extends 6
  ? [Float32Array, Float32Array, Float32Array, Float32Array, Float32Array, Float32Array]
  : [Float32Array, Float32Array, Float32Array, Float32Array, Float32Array, Float32Array, Float32Array];
