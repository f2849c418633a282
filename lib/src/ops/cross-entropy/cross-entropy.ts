/**
 * The op `crossEntropy`: the mean loss of a batch from its logits. One kernel makes the loss and the probabilities, so
 * that the gradient is a subtraction and no exponential is taken twice.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Scalar, Tensor, TensorInfo } from "@tensorflow/tfjs-core";

import { declareGradient, declareKernel, differentiable } from "../kernel.js";
import { oneHot } from "../one-hot.js";
import { expectRank, expectShape, sizeOf } from "../shape.js";

type Attributes = Record<string, never>;

/** Kernel `CrossEntropy`: inputs `logits` `[…, V]`, `targets` int32 `[…]`; outputs `[loss, probabilities]`. */
export const crossEntropyKernel = declareKernel<"logits" | "targets", Attributes>({
  name: "CrossEntropy",
  composed({ logits, targets }) {
    const vocabulary = logits.shape.at(-1)!;
    const rows = sizeOf(targets.shape);
    const flat = tf.reshape(logits, [rows, vocabulary]);
    const shifted = tf.sub(flat, tf.max(flat, -1, true));
    const exponentials = tf.exp(shifted);
    const sum = tf.sum(exponentials, -1, true);
    const hot = oneHot(targets, vocabulary);
    const chosen = tf.sum(tf.mul(shifted, hot), -1);
    const loss = tf.mean(tf.sub(tf.log(tf.reshape(sum, [rows])), chosen));
    return [loss, tf.reshape(tf.div(exponentials, sum), logits.shape)];
  },
  host(inputs, memory): TensorInfo[] {
    const outputs = [memory.make([]), memory.make(inputs.logits.shape)];
    const logits = memory.floats(inputs.logits);
    const targets = memory.integers(inputs.targets);
    const probabilities = memory.floats(outputs[1]!);
    const vocabulary = inputs.logits.shape.at(-1)!;
    let total = 0;
    for (let i = 0; i < targets.length; i++) {
      const row = i * vocabulary;
      let largest = -Infinity;
      for (let j = 0; j < vocabulary; j++) largest = Math.max(largest, logits[row + j]!);
      let sum = 0;
      for (let j = 0; j < vocabulary; j++) {
        const exponential = Math.exp(logits[row + j]! - largest);
        probabilities[row + j] = exponential;
        sum += exponential;
      }
      const inverse = 1 / sum;
      for (let j = 0; j < vocabulary; j++) probabilities[row + j]! *= inverse;
      total += Math.log(sum) + largest - logits[row + targets[i]!]!;
    }
    memory.floats(outputs[0]!)[0] = total / targets.length;
    return outputs;
  },
});

/** Kernel `CrossEntropyGrad`: inputs `probabilities`, `targets`, `dloss`; output `dlogits`. */
export const crossEntropyGradKernel = declareKernel<"probabilities" | "targets" | "dloss", Attributes>({
  name: "CrossEntropyGrad",
  composed({ probabilities, targets, dloss }) {
    const rows = sizeOf(targets.shape);
    const vocabulary = probabilities.shape.at(-1)!;
    const hot = oneHot(targets, vocabulary);
    const difference = tf.sub(probabilities, tf.reshape(hot, probabilities.shape));
    return [tf.mul(difference, tf.div(dloss, rows))];
  },
  host(inputs, memory): TensorInfo[] {
    const output = memory.make(inputs.probabilities.shape);
    const probabilities = memory.floats(inputs.probabilities);
    const targets = memory.integers(inputs.targets);
    const scale = memory.floats(inputs.dloss)[0]! / targets.length;
    const dlogits = memory.floats(output);
    for (let i = 0; i < dlogits.length; i++) dlogits[i] = probabilities[i]! * scale;
    const vocabulary = inputs.probabilities.shape.at(-1)!;
    for (let i = 0; i < targets.length; i++) dlogits[i * vocabulary + targets[i]!]! -= scale;
    return [output];
  },
});

declareGradient<"logits" | "targets", Attributes>(
  crossEntropyKernel,
  ["targets"],
  ([dloss], saved) => {
    const [targets, probabilities] = saved as [Tensor, Tensor];
    return { logits: crossEntropyGradKernel.run({ probabilities, targets, dloss: dloss! }, {})[0]! };
  },
  [false, true],
);

/**
 * Mean over all positions of −log softmax(logits)[target], in nats; differentiable in the logits.
 *
 * @param logits float32 `[B, T, V]`
 * @param targets int32 `[B, T]`, each in 0 … V − 1
 * @returns a scalar
 * @throws ShapeError when the shapes do not fit
 */
export function crossEntropy(logits: Tensor, targets: Tensor): Scalar {
  expectRank("crossEntropy", "logits", logits, 3, "[B, T, V]");
  expectShape("crossEntropy", "targets", targets, logits.shape.slice(0, -1), "[B, T]", "int32");
  return differentiable(crossEntropyKernel.run({ logits, targets }, {}), 1)[0] as Scalar;
}
