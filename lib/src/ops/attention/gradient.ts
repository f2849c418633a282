/** The kernel `CausalAttentionGrad`: the weights again from the logarithms of the sums, a query at a time. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, TensorInfo } from "@tensorflow/tfjs-core";

import type { HostMemory } from "../host.js";
import { declareKernel } from "../kernel.js";
import { headsInside, headsOutside, maskedScores } from "./forward.js";
import {
  addOuter,
  attentionSizes,
  copyHead,
  exponentials,
  scaledDots,
  storeHead,
  vector,
  weightedSum,
  zeroed,
} from "./host-heads.js";

/** The inputs of `CausalAttentionGrad` by name. */
export type AttentionGradInput = "q" | "k" | "v" | "starts" | "y" | "logSums" | "dy";

/** Kernel `CausalAttentionGrad`: outputs `[dq, dk, dv]`. */
export const attentionGradKernel = declareKernel<AttentionGradInput, Record<string, never>>({
  name: "CausalAttentionGrad",
  composed: attentionGradComposed,
  host: attentionGradHost,
});

/**
 * With p the weights and s the scores: dv_j = Σ_t p_tj dy_t, dp_tj = dy_t · v_j, ds = p ⊙ (dp − dy · y), and from there through
 * s = q · k / √N.
 */
export function attentionGradComposed(inputs: Readonly<Record<AttentionGradInput, Tensor>>): Tensor[] {
  const { q, k, v, starts, y, dy } = inputs;
  const weights = tf.softmax(maskedScores(q, k, starts));
  const dyOutside = headsOutside(dy);
  const inner = headsOutside(tf.sum(tf.mul(dy, y), -1, true));
  const dWeights = tf.matMul(dyOutside, headsOutside(v), false, true);
  const dScores = tf.mul(tf.mul(weights, tf.sub(dWeights, inner)), 1 / Math.sqrt(q.shape[3]!));
  return [
    headsInside(tf.matMul(dScores, headsOutside(k))),
    headsInside(tf.matMul(dScores, headsOutside(q), true)),
    headsInside(tf.matMul(weights, dyOutside, true)),
  ];
}

function attentionGradHost(inputs: Readonly<Record<AttentionGradInput, TensorInfo>>, memory: HostMemory): TensorInfo[] {
  const { batch, time, keys, heads, size } = attentionSizes(inputs);
  const outputs = [inputs.q, inputs.k, inputs.v].map(({ shape }) => memory.make(shape));
  const [dq, dk, dv] = outputs.map((output) => memory.floats(output)) as [Float32Array, Float32Array, Float32Array];
  const [q, k, v] = [memory.floats(inputs.q), memory.floats(inputs.k), memory.floats(inputs.v)];
  const [y, dy] = [memory.floats(inputs.y), memory.floats(inputs.dy)];
  const logSums = memory.floats(inputs.logSums);
  const starts = memory.integers(inputs.starts);
  const scale = 1 / Math.sqrt(size);
  const [headKeys, headValues] = [vector(keys * size), vector(keys * size)];
  const [dKeys, dValues] = [vector(keys * size), vector(keys * size)];
  const [weights, dScores] = [vector(keys), vector(keys)];
  const [query, dQuery, dOut] = [vector(size), vector(size), vector(size)];
  const ofKeys = { time: keys, heads, size };
  for (let b = 0; b < batch; b++) {
    const start = starts[b]!;
    for (let h = 0; h < heads; h++) {
      copyHead(headKeys, k, b, h, ofKeys);
      copyHead(headValues, v, b, h, ofKeys);
      zeroed(dKeys);
      zeroed(dValues);
      for (let t = 0; t < time; t++) {
        const row = (b * time + t) * heads + h;
        const at = row * size;
        const end = keys - time + t + 1;
        let inner = 0;
        for (let i = 0; i < size; i++) {
          query[i] = q[at + i]! * scale;
          dOut[i] = dy[at + i]!;
          inner += dy[at + i]! * y[at + i]!;
        }
        scaledDots(weights, query, headKeys, start, end);
        exponentials(weights, logSums[row]!, start, end);
        scaledDots(dScores, dOut, headValues, start, end);
        for (let j = start; j < end; j++) dScores[j] = weights[j]! * (dScores[j]! - inner);
        zeroed(dQuery);
        weightedSum(dQuery, dScores, headKeys, start, end);
        for (let i = 0; i < size; i++) dq[at + i] = dQuery[i]! * scale;
        addOuter(dKeys, dScores, query, start, end);
        addOuter(dValues, weights, dOut, start, end);
      }
      storeHead(dk, dKeys, b, h, ofKeys);
      storeHead(dv, dValues, b, h, ofKeys);
    }
  }
  return outputs;
}
