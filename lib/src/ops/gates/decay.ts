/** The op `decay`: RWKV-7's decay factor from its logits. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, TensorInfo } from "@tensorflow/tfjs-core";

import { declareGradient, declareKernel, differentiable } from "../kernel.js";
import { expectLastAxis, sizeOf } from "../shape.js";

type Attributes = Record<string, never>;

/** e^{−1/2}: the strongest decay is exp(−e^{−1/2}) ≈ 0.545 a step, which keeps the recurrence's gradient well scaled. */
const strength = Math.exp(-0.5);

/** Kernel `Decay`: inputs `x` `[…, A]`, `bias` of A values; outputs `[w, σ]`, the latter kept for the gradient. */
export const decayKernel = declareKernel<"x" | "bias", Attributes>({
  name: "Decay",
  composed({ x, bias }) {
    const sigmoid = tf.sigmoid(tf.add(x, tf.reshape(bias, [sizeOf(bias.shape)])));
    return [tf.exp(tf.mul(sigmoid, -strength)), sigmoid];
  },
  host(inputs, memory): TensorInfo[] {
    const outputs = [memory.make(inputs.x.shape), memory.make(inputs.x.shape)];
    const [w, sigmoid] = outputs.map((output) => memory.floats(output)) as [Float32Array, Float32Array];
    const x = memory.floats(inputs.x);
    const bias = memory.floats(inputs.bias);
    const width = bias.length;
    for (let start = 0; start < w.length; start += width) {
      for (let c = 0; c < width; c++) {
        const s = 1 / (1 + Math.exp(-(x[start + c]! + bias[c]!)));
        sigmoid[start + c] = s;
        w[start + c] = Math.exp(-strength * s);
      }
    }
    return outputs;
  },
});

/** Kernel `DecayGrad`: inputs `w`, `sigmoid`, `bias`, `dy`; outputs `[dx, dbias]`. */
export const decayGradKernel = declareKernel<"w" | "sigmoid" | "bias" | "dy", Attributes>({
  name: "DecayGrad",
  composed({ w, sigmoid, bias, dy }) {
    const slope = tf.mul(tf.mul(sigmoid, tf.sub(1, sigmoid)), -strength);
    const dx = tf.mul(dy, tf.mul(w, slope));
    const width = sizeOf(bias.shape);
    return [dx, tf.reshape(tf.sum(tf.reshape(dx, [sizeOf(dx.shape) / width, width]), 0), bias.shape)];
  },
  host(inputs, memory): TensorInfo[] {
    const outputs = [memory.make(inputs.w.shape), memory.make(inputs.bias.shape)];
    const dx = memory.floats(outputs[0]!);
    const w = memory.floats(inputs.w);
    const sigmoid = memory.floats(inputs.sigmoid);
    const dy = memory.floats(inputs.dy);
    const width = sizeOf(inputs.bias.shape);
    const dbias = new Float64Array(width);
    for (let start = 0; start < dx.length; start += width) {
      for (let c = 0; c < width; c++) {
        const s = sigmoid[start + c]!;
        const d = -strength * dy[start + c]! * w[start + c]! * s * (1 - s);
        dx[start + c] = d;
        dbias[c]! += d;
      }
    }
    memory.floats(outputs[1]!).set(dbias);
    return outputs;
  },
});

declareGradient<"x" | "bias", Attributes>(
  decayKernel,
  ["bias"],
  ([dy], saved) => {
    const [bias, w, sigmoid] = saved as [Tensor, Tensor, Tensor];
    const [dx, dbias] = decayGradKernel.run({ w, sigmoid, bias, dy: dy! }, {});
    return { x: dx!, bias: dbias! };
  },
  [true, true],
);

/**
 * w = exp(−e^{−1/2} σ(x + bias)), in (0.545, 1), differentiable in both (arXiv 2503.14456, soft-clamped decay).
 *
 * @param x float32 `[…, A]`, the low-rank part
 * @param bias `att.w0`, A values
 * @throws ShapeError when x's last axis is not A
 */
export function decay<T extends Tensor>(x: T, bias: Tensor): T {
  expectLastAxis("decay", "x", x, sizeOf(bias.shape), "[…, A]");
  return differentiable(decayKernel.run({ x, bias }, {}), 1)[0] as T;
}
