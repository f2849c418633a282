/** The op `groupWeights`: how much each group of parameter tokens is called for, from its logit. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, TensorInfo } from "@tensorflow/tfjs-core";

import { ConfigurationError } from "../../errors.js";
import { declareGradient, declareKernel } from "../kernel.js";

interface Attributes {
  readonly topK: number;
  readonly [key: string]: number;
}

/** Kernel `GroupWeights`: input `x` `[…, G]`, attribute `topK`; output of its shape. */
export const groupWeightsKernel = declareKernel<"x", Attributes>({
  name: "GroupWeights",
  composed({ x }, { topK }) {
    const weights = tf.mul(tf.sigmoid(x), 2);
    if (topK >= x.shape.at(-1)!) return [weights];
    // Entry ij: whether logit j is larger than logit i.
    const larger = tf.cast(tf.greater(tf.expandDims(x, -2), tf.expandDims(x, -1)), "int32");
    const kept = tf.less(tf.sum(larger, -1), tf.scalar(topK, "int32"));
    return [tf.mul(weights, tf.cast(kept, "float32"))];
  },
  host(inputs, memory, { topK }): TensorInfo[] {
    const output = memory.make(inputs.x.shape);
    const x = memory.floats(inputs.x);
    const y = memory.floats(output);
    const groups = inputs.x.shape.at(-1)!;
    for (let start = 0; start < x.length; start += groups) {
      for (let i = start; i < start + groups; i++) {
        const logit = x[i]!;
        let larger = 0;
        for (let j = start; j < start + groups; j++) if (x[j]! > logit) larger++;
        y[i] = larger < topK ? 2 / (1 + Math.exp(-logit)) : 0;
      }
    }
    return [output];
  },
});

declareGradient<"x", Attributes>(
  groupWeightsKernel,
  [],
  // With w = 2σ(x), dw/dx = 2σ(1 − σ) = w (1 − w/2); where the weight is cut off, it and this are 0.
  ([dy], [weights]) => ({ x: tf.mul(dy!, tf.mul(weights!, tf.sub(1, tf.mul(weights!, 0.5)))) }),
  [true],
);

/**
 * 2σ(x), 1 at 0; with `topK` only the groups that fewer than `topK` others exceed, and 0 for the rest. Equal logits share
 * their fate: where all are 0, as before training, all groups keep the weight 1. Differentiable (the choice itself is
 * constant almost everywhere).
 *
 * @param x logits, float32 `[…, G]`
 * @param topK from 1 to G; G is all of them
 * @throws ConfigurationError when topK is not in that range
 */
export function groupWeights<T extends Tensor>(x: T, topK: number): T {
  const groups = x.shape.at(-1) ?? 0;
  if (!(Number.isInteger(topK) && topK >= 1 && topK <= groups)) {
    throw new ConfigurationError(`groupWeights: topK is ${topK}, wanted an integer from 1 to the groups, ${groups}`);
  }
  return groupWeightsKernel.run({ x }, { topK })[0] as T;
}
