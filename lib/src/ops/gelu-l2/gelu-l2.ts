/** The op `geluL2`: TokenFormer's activation of parameter tokens (arXiv 2410.23168), with a norm that does not average. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, TensorInfo } from "@tensorflow/tfjs-core";

import { ConfigurationError } from "../../errors.js";
import { declareGradient, declareKernel } from "../kernel.js";
import { normalDensities, normalDensity, normalProbabilities, normalProbability } from "./normal-distribution.js";

/** Added to the sum of squares, so that a token that calls for nothing gets nothing. */
const epsilon = 1e-6;

interface Attributes {
  readonly scale: number;
  readonly [key: string]: number;
}

/** Kernel `GeluL2`: input `x` `[…, n]`; output of its shape. */
export const geluL2Kernel = declareKernel<"x", Attributes>({
  name: "GeluL2",
  composed({ x }, { scale }) {
    const { gelu } = geluOf(x);
    return [tf.mul(gelu, tf.div(scale, lengthOf(gelu)))];
  },
  host(inputs, memory, { scale }): TensorInfo[] {
    const output = memory.make(inputs.x.shape);
    const x = memory.floats(inputs.x);
    const y = memory.floats(output);
    const size = inputs.x.shape.at(-1)!;
    for (let start = 0; start < x.length; start += size) {
      let square = epsilon;
      for (let i = start; i < start + size; i++) {
        const gelu = x[i]! * normalProbability(x[i]!);
        y[i] = gelu;
        square += gelu * gelu;
      }
      const factor = scale / Math.sqrt(square);
      for (let i = start; i < start + size; i++) y[i]! *= factor;
    }
    return [output];
  },
});

/** Kernel `GeluL2Grad`: inputs `x`, `dy`; output `dx`. */
export const geluL2GradKernel = declareKernel<"x" | "dy", Attributes>({
  name: "GeluL2Grad",
  composed({ x, dy }, { scale }) {
    const { gelu, probability } = geluOf(x);
    const length = lengthOf(gelu);
    const along = tf.div(tf.sum(tf.mul(gelu, dy), -1, true), tf.square(length));
    const dgelu = tf.mul(tf.sub(dy, tf.mul(gelu, along)), tf.div(scale, length));
    return [tf.mul(dgelu, tf.add(probability, tf.mul(x, normalDensities(x))))];
  },
  host(inputs, memory, { scale }): TensorInfo[] {
    const output = memory.make(inputs.x.shape);
    const x = memory.floats(inputs.x);
    const dy = memory.floats(inputs.dy);
    const dx = memory.floats(output);
    const size = inputs.x.shape.at(-1)!;
    const probabilities = new Float64Array(size);
    for (let start = 0; start < x.length; start += size) {
      let square = epsilon;
      let product = 0;
      for (let i = 0; i < size; i++) {
        const value = x[start + i]!;
        probabilities[i] = normalProbability(value);
        const gelu = value * probabilities[i]!;
        square += gelu * gelu;
        product += gelu * dy[start + i]!;
      }
      const factor = scale / Math.sqrt(square);
      const along = product / square;
      for (let i = 0; i < size; i++) {
        const value = x[start + i]!;
        const probability = probabilities[i]!;
        const dgelu = factor * (dy[start + i]! - value * probability * along);
        dx[start + i] = dgelu * (probability + value * normalDensity(value));
      }
    }
    return [output];
  },
});

declareGradient<"x", Attributes>(geluL2Kernel, ["x"], ([dy], saved, attributes) => {
  const [dx] = geluL2GradKernel.run({ x: saved[0]!, dy: dy! }, attributes);
  return { x: dx! };
});

/** x Φ(x), and Φ(x). */
function geluOf(x: Tensor): { gelu: Tensor; probability: Tensor } {
  const probability = normalProbabilities(x);
  return { gelu: tf.mul(x, probability), probability };
}

function lengthOf(gelu: Tensor): Tensor {
  return tf.sqrt(tf.add(tf.sum(tf.square(gelu), -1, true), epsilon));
}

/**
 * GeLU divided by its length over the last axis, times a scale, differentiable:
 *
 *     g_i = x_i Φ(x_i)        y = scale · g / √(Σ_i g_i² + 1e−6)
 *
 * TokenFormer's scale is √n, which makes the norm an average over n. With a scale that does not depend on n, as here, an
 * element whose x is 0 changes nothing: parameter tokens with zero keys can be added.
 *
 * @param x float32 `[…, n]`
 * @param scale the length of the result
 * @throws ConfigurationError when the scale is not a positive number
 */
export function geluL2<T extends Tensor>(x: T, scale: number): T {
  if (!(scale > 0 && scale < Infinity)) throw new ConfigurationError(`geluL2: scale is ${scale}, wanted above 0`);
  return geluL2Kernel.run({ x }, { scale })[0] as T;
}
