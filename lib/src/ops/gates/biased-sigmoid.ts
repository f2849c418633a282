/** The op `biasedSigmoid`: σ(x + bias), RWKV-7's in-context learning rate and value-residual gate. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, TensorInfo } from "@tensorflow/tfjs-core";

import { declareGradient, declareKernel } from "../kernel.js";
import { expectLastAxis, sizeOf } from "../shape.js";

type Attributes = Record<string, never>;

/** Kernel `BiasedSigmoid`: inputs `x` `[…, A]`, `bias` of A values; output of x's shape. */
export const biasedSigmoidKernel = declareKernel<"x" | "bias", Attributes>({
  name: "BiasedSigmoid",
  composed: ({ x, bias }) => [tf.sigmoid(tf.add(x, tf.reshape(bias, [sizeOf(bias.shape)])))],
  host(inputs, memory): TensorInfo[] {
    const output = memory.make(inputs.x.shape);
    const x = memory.floats(inputs.x);
    const bias = memory.floats(inputs.bias);
    const y = memory.floats(output);
    const width = bias.length;
    for (let start = 0; start < y.length; start += width) {
      for (let c = 0; c < width; c++) y[start + c] = 1 / (1 + Math.exp(-(x[start + c]! + bias[c]!)));
    }
    return [output];
  },
});

/** Kernel `BiasedSigmoidGrad`: inputs `y`, `bias`, `dy`; outputs `[dx, dbias]`. */
export const biasedSigmoidGradKernel = declareKernel<"y" | "bias" | "dy", Attributes>({
  name: "BiasedSigmoidGrad",
  composed({ y, bias, dy }) {
    const dx = tf.mul(dy, tf.mul(y, tf.sub(1, y)));
    const width = sizeOf(bias.shape);
    return [dx, tf.reshape(tf.sum(tf.reshape(dx, [sizeOf(dx.shape) / width, width]), 0), bias.shape)];
  },
  host(inputs, memory): TensorInfo[] {
    const outputs = [memory.make(inputs.y.shape), memory.make(inputs.bias.shape)];
    const dx = memory.floats(outputs[0]!);
    const y = memory.floats(inputs.y);
    const dy = memory.floats(inputs.dy);
    const width = sizeOf(inputs.bias.shape);
    const dbias = new Float64Array(width);
    for (let start = 0; start < dx.length; start += width) {
      for (let c = 0; c < width; c++) {
        const value = y[start + c]!;
        const d = dy[start + c]! * value * (1 - value);
        dx[start + c] = d;
        dbias[c]! += d;
      }
    }
    memory.floats(outputs[1]!).set(dbias);
    return outputs;
  },
});

declareGradient<"x" | "bias", Attributes>(
  biasedSigmoidKernel,
  ["bias"],
  ([dy], saved) => {
    const [bias, y] = saved as [Tensor, Tensor];
    const [dx, dbias] = biasedSigmoidGradKernel.run({ y, bias, dy: dy! }, {});
    return { x: dx!, bias: dbias! };
  },
  [true],
);

/**
 * σ(x + bias), differentiable in both.
 *
 * @param x float32 `[…, A]`
 * @param bias A values, any shape (checkpoints hold `[1, 1, A]`)
 * @throws ShapeError when x's last axis is not A
 */
export function biasedSigmoid<T extends Tensor>(x: T, bias: Tensor): T {
  expectLastAxis("biasedSigmoid", "x", x, sizeOf(bias.shape), "[…, A]");
  return biasedSigmoidKernel.run({ x, bias }, {})[0] as T;
}
