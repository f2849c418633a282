/** The op `rmsNorm`: normalisation of the last axis by its root mean square (arXiv 1910.07467). */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, TensorInfo } from "@tensorflow/tfjs-core";

import { declareGradient, declareKernel } from "../kernel.js";
import { expectShape, sizeOf } from "../shape.js";

interface RmsNormAttributes {
  readonly epsilon: number;
  readonly [key: string]: number;
}

/** Kernel `RmsNorm`: inputs `x` `[…, C]`, `weight` `[C]`; output of x's shape. */
export const rmsNormKernel = declareKernel<"x" | "weight", RmsNormAttributes>({
  name: "RmsNorm",
  composed: ({ x, weight }, { epsilon }) => [tf.mul(tf.mul(x, inverseRoot(x, epsilon)), weight)],
  host(inputs, memory, { epsilon }): TensorInfo[] {
    const output = memory.make(inputs.x.shape);
    const y = memory.floats(output);
    const x = memory.floats(inputs.x);
    const weight = memory.floats(inputs.weight);
    const width = weight.length;
    for (let at = 0; at < y.length; at += width) {
      const inverse = inverseRootOf(x, at, width, epsilon);
      for (let c = 0; c < width; c++) y[at + c] = x[at + c]! * inverse * weight[c]!;
    }
    return [output];
  },
});

/** Kernel `RmsNormGrad`: inputs `x`, `weight`, `dy`; outputs `[dx, dweight]`. */
export const rmsNormGradKernel = declareKernel<"x" | "weight" | "dy", RmsNormAttributes>({
  name: "RmsNormGrad",
  composed({ x, weight, dy }, { epsilon }) {
    const inverse = inverseRoot(x, epsilon);
    const normalised = tf.mul(x, inverse);
    const dn = tf.mul(dy, weight);
    const dx = tf.mul(inverse, tf.sub(dn, tf.mul(normalised, tf.mean(tf.mul(normalised, dn), -1, true))));
    const width = weight.shape[0];
    const products = tf.reshape(tf.mul(dy, normalised), [sizeOf(x.shape) / width, width]);
    return [dx, tf.sum(products, 0)];
  },
  host(inputs, memory, { epsilon }): TensorInfo[] {
    const outputs = [memory.make(inputs.x.shape), memory.make(inputs.weight.shape)];
    const dx = memory.floats(outputs[0]!);
    const x = memory.floats(inputs.x);
    const weight = memory.floats(inputs.weight);
    const dy = memory.floats(inputs.dy);
    const width = weight.length;
    // A sum over rows, of which there may be thousands, runs in float64.
    const dweight = new Float64Array(width);
    for (let at = 0; at < dx.length; at += width) {
      const inverse = inverseRootOf(x, at, width, epsilon);
      let product = 0;
      for (let c = 0; c < width; c++) {
        const normalised = x[at + c]! * inverse;
        const d = dy[at + c]!;
        dweight[c]! += d * normalised;
        product += d * weight[c]! * normalised;
      }
      const slope = (product / width) * inverse * inverse;
      for (let c = 0; c < width; c++) dx[at + c] = dy[at + c]! * weight[c]! * inverse - x[at + c]! * slope;
    }
    memory.floats(outputs[1]!).set(dweight);
    return outputs;
  },
});

declareGradient<"x" | "weight", RmsNormAttributes>(rmsNormKernel, ["x", "weight"], ([dy], saved, attributes) => {
  const [x, weight] = saved as [Tensor, Tensor];
  const [dx, dweight] = rmsNormGradKernel.run({ x, weight, dy: dy! }, attributes);
  return { x: dx!, weight: dweight! };
});

function inverseRoot(x: Tensor, epsilon: number): Tensor {
  return tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), epsilon));
}

function inverseRootOf(x: Float32Array, at: number, width: number, epsilon: number): number {
  let sum = 0;
  for (let c = at; c < at + width; c++) sum += x[c]! * x[c]!;
  return 1 / Math.sqrt(sum / width + epsilon);
}

/**
 * y = x / √(mean(x²) + ε) ⊙ weight, over the last axis; differentiable in x and weight.
 *
 * @param x float32 `[…, C]`
 * @param weight float32 `[C]`
 * @throws ShapeError when the weight does not fit
 */
export function rmsNorm<T extends Tensor>(x: T, weight: Tensor, { epsilon = 1e-5 }: { epsilon?: number } = {}): T {
  expectShape("rmsNorm", "weight", weight, [x.shape.at(-1) ?? 0], "[C]");
  return rmsNormKernel.run({ x, weight }, { epsilon })[0] as T;
}
