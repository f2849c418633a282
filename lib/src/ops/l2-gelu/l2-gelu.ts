/** The op `l2Gelu`: what TokenFormer has in place of a softmax over its parameter tokens (arXiv 2410.23168, Pattention). */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, TensorInfo } from "@tensorflow/tfjs-core";

import { ConfigurationError } from "../../errors.js";
import {
  normalDensities,
  normalDensity,
  normalProbabilities,
  normalProbability,
} from "../gelu-l2/normal-distribution.js";
import { declareGradient, declareKernel } from "../kernel.js";

/** Added to the sum of squares, so that a row of zeros stays one. */
const epsilon = 1e-12;

interface Attributes {
  readonly scale: number;
  readonly [key: string]: number;
}

/** Kernel `L2Gelu`: input `x` `[…, n]`; output of its shape. */
export const l2GeluKernel = declareKernel<"x", Attributes>({
  name: "L2Gelu",
  composed({ x }, { scale }) {
    const z = tf.mul(x, inverseLength(x, scale));
    return [tf.mul(z, normalProbabilities(z))];
  },
  host(inputs, memory, { scale }): TensorInfo[] {
    const output = memory.make(inputs.x.shape);
    const x = memory.floats(inputs.x);
    const y = memory.floats(output);
    const size = inputs.x.shape.at(-1)!;
    for (let start = 0; start < x.length; start += size) {
      const factor = scale / lengthAt(x, start, size);
      for (let i = start; i < start + size; i++) {
        const z = x[i]! * factor;
        y[i] = z * normalProbability(z);
      }
    }
    return [output];
  },
});

/** Kernel `L2GeluGrad`: inputs `x`, `dy`; output `dx`. */
export const l2GeluGradKernel = declareKernel<"x" | "dy", Attributes>({
  name: "L2GeluGrad",
  composed({ x, dy }, { scale }) {
    const factor = inverseLength(x, scale);
    const z = tf.mul(x, factor);
    const dz = tf.mul(dy, tf.add(normalProbabilities(z), tf.mul(z, normalDensities(z))));
    const along = tf.div(tf.sum(tf.mul(dz, z), -1, true), scale ** 2);
    return [tf.mul(factor, tf.sub(dz, tf.mul(z, along)))];
  },
  host(inputs, memory, { scale }): TensorInfo[] {
    const output = memory.make(inputs.x.shape);
    const x = memory.floats(inputs.x);
    const dy = memory.floats(inputs.dy);
    const dx = memory.floats(output);
    const size = inputs.x.shape.at(-1)!;
    const dz = new Float64Array(size);
    for (let start = 0; start < x.length; start += size) {
      const factor = scale / lengthAt(x, start, size);
      let product = 0;
      for (let i = 0; i < size; i++) {
        const z = x[start + i]! * factor;
        const d = dy[start + i]! * (normalProbability(z) + z * normalDensity(z));
        dz[i] = d;
        product += d * z;
      }
      const along = (product / scale ** 2) * factor;
      for (let i = 0; i < size; i++) dx[start + i] = factor * (dz[i]! - x[start + i]! * along);
    }
    return [output];
  },
});

declareGradient<"x", Attributes>(l2GeluKernel, ["x"], ([dy], saved, attributes) => {
  const [dx] = l2GeluGradKernel.run({ x: saved[0]!, dy: dy! }, attributes);
  return { x: dx! };
});

function inverseLength(x: Tensor, scale: number): Tensor {
  return tf.mul(tf.rsqrt(tf.add(tf.sum(tf.square(x), -1, true), epsilon)), scale);
}

function lengthAt(x: Float32Array, start: number, size: number): number {
  let square = epsilon;
  for (let i = start; i < start + size; i++) square += x[i]! * x[i]!;
  return Math.sqrt(square);
}

/**
 * GeLU of rows that are brought to one length, differentiable:
 *
 *     z = scale · x / √(Σ_i x_i² + 1e−12)        y = z Φ(z)
 *
 * TokenFormer's scale is √n, so that z has a mean square of 1. Elements that are 0 add nothing to the sum and give 0: with the
 * scale kept, parameter tokens with zero keys change nothing.
 *
 * @param x float32 `[…, n]`
 * @param scale the length of z
 * @throws ConfigurationError when the scale is not a positive number
 */
export function l2Gelu<T extends Tensor>(x: T, scale: number): T {
  if (!(scale > 0 && scale < Infinity)) throw new ConfigurationError(`l2Gelu: scale is ${scale}, wanted above 0`);
  return l2GeluKernel.run({ x }, { scale })[0] as T;
}
