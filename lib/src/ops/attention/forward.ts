/**
 * The kernel `CausalAttention`. It keeps no matrix of T × S: only the logarithm of each softmax's sum, from which the
 * gradient finds the weights again (as FlashAttention does, arXiv 2205.14135).
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Tensor4D, TensorInfo } from "@tensorflow/tfjs-core";

import type { HostMemory } from "../host.js";
import { declareKernel } from "../kernel.js";
import { attentionSizes, copyHead, exponentials, scaledDots, vector, weightedSum, zeroed } from "./host-heads.js";

/** The inputs of `CausalAttention` by name. */
export type AttentionInput = "q" | "k" | "v" | "starts";

/** Kernel `CausalAttention`: outputs `[y, logSums]`, `[B, T, H, N]` and `[B, T, H]`. */
export const attentionKernel = declareKernel<AttentionInput, Record<string, never>>({
  name: "CausalAttention",
  composed: attentionComposed,
  host: attentionHost,
});

/** `CausalAttention` in tfjs ops. */
export function attentionComposed({ q, k, v, starts }: Readonly<Record<AttentionInput, Tensor>>): Tensor[] {
  const scores = maskedScores(q, k, starts);
  const weights = tf.softmax(scores);
  const y = headsInside(tf.matMul(weights, headsOutside(v)));
  return [y, tf.transpose(tf.logSumExp(scores, -1), [0, 2, 1])];
}

/** q_t · k_j / √N as `[B, H, T, S]`, with −1e30 where t does not see j. */
export function maskedScores(q: Tensor, k: Tensor, starts: Tensor): Tensor4D {
  const [batch, time, , size] = q.shape as [number, number, number, number];
  const keys = k.shape[1]!;
  const dots = tf.mul(tf.matMul(headsOutside(q), headsOutside(k), false, true), 1 / Math.sqrt(size));
  const place = tf.reshape(tf.range(0, keys, 1, "float32"), [1, 1, 1, keys]);
  const last = tf.reshape(tf.range(keys - time, keys, 1, "float32"), [1, 1, time, 1]);
  const first = tf.reshape(tf.cast(starts, "float32"), [batch, 1, 1, 1]);
  const seen = tf.mul(tf.cast(tf.greaterEqual(place, first), "float32"), tf.cast(tf.lessEqual(place, last), "float32"));
  return tf.add(tf.mul(dots, seen), tf.mul(tf.sub(seen, 1), 1e30));
}

/** `[B, T, H, N]` as `[B, H, T, N]`. */
export function headsOutside(x: Tensor): Tensor4D {
  return tf.transpose(x as Tensor4D, [0, 2, 1, 3]);
}

/** The way back. */
export const headsInside = headsOutside;

function attentionHost(inputs: Readonly<Record<AttentionInput, TensorInfo>>, memory: HostMemory): TensorInfo[] {
  const { batch, time, keys, heads, size } = attentionSizes(inputs);
  const outputs = [memory.make(inputs.q.shape), memory.make([batch, time, heads])];
  const [y, logSums] = [memory.floats(outputs[0]!), memory.floats(outputs[1]!)];
  const [q, k, v] = [memory.floats(inputs.q), memory.floats(inputs.k), memory.floats(inputs.v)];
  const starts = memory.integers(inputs.starts);
  const scale = 1 / Math.sqrt(size);
  const headKeys = vector(keys * size);
  const headValues = vector(keys * size);
  const query = vector(size);
  const weights = vector(keys);
  const sum = vector(size);
  for (let b = 0; b < batch; b++) {
    const start = starts[b]!;
    for (let h = 0; h < heads; h++) {
      copyHead(headKeys, k, b, h, { time: keys, heads, size });
      copyHead(headValues, v, b, h, { time: keys, heads, size });
      for (let t = 0; t < time; t++) {
        const row = (b * time + t) * heads + h;
        const end = keys - time + t + 1;
        for (let i = 0; i < size; i++) query[i] = q[row * size + i]! * scale;
        const largest = scaledDots(weights, query, headKeys, start, end);
        const total = exponentials(weights, largest, start, end);
        zeroed(sum);
        weightedSum(sum, weights, headValues, start, end);
        for (let i = 0; i < size; i++) y[row * size + i] = sum[i]! / total;
        logSums[row] = largest + Math.log(total);
      }
    }
  }
  return outputs;
}
