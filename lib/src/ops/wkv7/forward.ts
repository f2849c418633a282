/**
 * The forward kernel `Wkv7`: in tfjs ops for any backend, and as loops over host memory. Both keep one N×N state a head
 * and walk through time; with `checkpointInterval` > 0 they also hand out the state before every interval's first step,
 * from which the gradient recomputes the rest.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, TensorInfo } from "@tensorflow/tfjs-core";

import type { HostMemory } from "../host.js";
import { declareKernel } from "../kernel.js";
import { advanceState, copy, doubles, emptyRows, hostOperands, loadRows, timesRow } from "./host-rows.js";

/** The inputs of `Wkv7` by name. */
export type Wkv7Input = "r" | "w" | "k" | "v" | "a" | "b" | "state";

/** 0: no checkpoints (inference); else a state is kept every so many steps. */
export interface Wkv7Attributes {
  readonly checkpointInterval: number;
  readonly [key: string]: number;
}

/** Kernel `Wkv7`: outputs `[y, finalState]`, and `checkpoints` `[B, H, ⌈T/interval⌉, N, N]` when asked for. */
export const wkv7Kernel = declareKernel<Wkv7Input, Wkv7Attributes>({
  name: "Wkv7",
  composed: wkv7Composed,
  host: wkv7Host,
});

/** `Wkv7` in tfjs ops: one state tensor `[B, H, N, N]` for all heads, about ten ops a step. */
export function wkv7Composed(
  inputs: Readonly<Record<Wkv7Input, Tensor>>,
  { checkpointInterval }: Wkv7Attributes,
): Tensor[] {
  const time = inputs.r.shape[1]!;
  const rows = stepRows(inputs);
  const checkpoints: Tensor[] = [];
  const ys: Tensor[] = [];
  let state: Tensor = tf.clone(inputs.state);
  for (let t = 0; t < time; t++) {
    if (checkpointInterval > 0 && t % checkpointInterval === 0) checkpoints.push(state);
    const before = state;
    const after = tf.tidy(() => advance(before, rows, t));
    ys.push(tf.tidy(() => tf.sum(tf.mul(after, rows.r[t]!), -1)));
    state = after;
  }
  const outputs = [tf.stack(ys, 1), state];
  if (checkpointInterval > 0) outputs.push(tf.stack(checkpoints, 2));
  return outputs;
}

/** The operands cut into steps and shaped to broadcast over a state: rows `[B, H, 1, N]`, and `v` as columns `[B, H, N, 1]`. */
export function stepRows(inputs: Readonly<Record<Exclude<Wkv7Input, "state">, Tensor>>): StepRows {
  const rows = (operand: Tensor): Tensor[] => tf.unstack(tf.expandDims(operand, 3), 1);
  return {
    r: rows(inputs.r),
    w: rows(inputs.w),
    k: rows(inputs.k),
    v: tf.unstack(tf.expandDims(inputs.v, 4), 1),
    a: rows(inputs.a),
    b: rows(inputs.b),
  };
}

/** What {@link stepRows} gives: for each operand a tensor a step. */
export type StepRows = Readonly<Record<Exclude<Wkv7Input, "state">, readonly Tensor[]>>;

/** S_t from S_{t−1} `[B, H, N, N]`. */
export function advance(before: Tensor, rows: StepRows, t: number): Tensor {
  const sa = tf.sum(tf.mul(before, rows.a[t]!), -1, true);
  return tf.add(tf.add(tf.mul(before, rows.w[t]!), tf.mul(sa, rows.b[t]!)), tf.mul(rows.v[t]!, rows.k[t]!));
}

/** `Wkv7` over host memory; the running state is float64, which costs nothing in JavaScript. */
function wkv7Host(
  inputs: Readonly<Record<Wkv7Input, TensorInfo>>,
  memory: HostMemory,
  { checkpointInterval: interval }: Wkv7Attributes,
): TensorInfo[] {
  const [batch, time, heads, n] = inputs.r.shape as [number, number, number, number];
  const chunks = interval > 0 ? Math.ceil(time / interval) : 0;
  const outputs = [memory.make(inputs.r.shape), memory.make(inputs.state.shape)];
  if (interval > 0) outputs.push(memory.make([batch, heads, chunks, n, n]));
  const y = memory.floats(outputs[0]!);
  const finalState = memory.floats(outputs[1]!);
  const checkpoints = interval > 0 ? memory.floats(outputs[2]!) : undefined;
  const initial = memory.floats(inputs.state);
  const operands = hostOperands(inputs, memory);
  const rows = emptyRows(n);
  const state = doubles(n * n);
  const sa = doubles(n);
  const read = doubles(n);
  for (let bh = 0; bh < batch * heads; bh++) {
    copy(state, 0, initial, bh * n * n, n * n);
    let at = (Math.floor(bh / heads) * time * heads + (bh % heads)) * n;
    for (let t = 0; t < time; t++, at += heads * n) {
      if (checkpoints && t % interval === 0) {
        copy(checkpoints, (bh * chunks + t / interval) * n * n, state, 0, n * n);
      }
      loadRows(rows, operands, at);
      timesRow(sa, 0, state, 0, rows.a);
      advanceState(state, 0, 0, rows, sa, 0);
      timesRow(read, 0, state, 0, rows.r);
      copy(y, at, read, 0, n);
    }
    copy(finalState, bh * n * n, state, 0, n * n);
  }
  return outputs;
}
