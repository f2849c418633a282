/**
 * The optimiser's arithmetic as kernels: one call a parameter instead of some fifteen tfjs ops, and the global norm of all
 * gradients in one. Neither is differentiable.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Scalar, Tensor, TensorInfo } from "@tensorflow/tfjs-core";

import { declareKernel } from "../kernel.js";
import { expectShape } from "../shape.js";

/** The numbers of one AdamW step for one parameter. */
export interface AdamWAttributes {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** decoupled: the parameter shrinks by learningRate × weightDecay */
  readonly weightDecay: number;
  /** how often the moments were updated, this step included: their bias correction */
  readonly step: number;
  /** gradients are scaled so that their global norm is at most this */
  readonly clip: number;
  readonly [key: string]: number;
}

/** Kernel `AdamW`: inputs `parameter`, `gradient`, `moment1`, `moment2` of one shape, `norm` `[]`; outputs the first three anew. */
export const adamWKernel = declareKernel<"parameter" | "gradient" | "moment1" | "moment2" | "norm", AdamWAttributes>({
  name: "AdamW",
  composed({ parameter, gradient, moment1, moment2, norm }, attributes) {
    const { learningRate, beta1, beta2, epsilon, weightDecay, step, clip } = attributes;
    const scaled = tf.mul(gradient, tf.minimum(1, tf.div(clip, tf.maximum(norm, 1e-30))));
    const first = tf.add(tf.mul(moment1, beta1), tf.mul(scaled, 1 - beta1));
    const second = tf.add(tf.mul(moment2, beta2), tf.mul(tf.square(scaled), 1 - beta2));
    const mean = tf.div(first, 1 - beta1 ** step);
    const deviation = tf.add(tf.sqrt(tf.div(second, 1 - beta2 ** step)), epsilon);
    const kept = tf.mul(parameter, 1 - learningRate * weightDecay);
    return [tf.sub(kept, tf.mul(tf.div(mean, deviation), learningRate)), first, second];
  },
  host(inputs, memory, attributes): TensorInfo[] {
    const { learningRate, beta1, beta2, epsilon, weightDecay, step, clip } = attributes;
    const outputs = [0, 1, 2].map(() => memory.make(inputs.parameter.shape));
    const [next, first, second] = outputs.map((output) => memory.floats(output)) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    const parameter = memory.floats(inputs.parameter);
    const gradient = memory.floats(inputs.gradient);
    const moment1 = memory.floats(inputs.moment1);
    const moment2 = memory.floats(inputs.moment2);
    const scale = Math.min(1, clip / Math.max(memory.floats(inputs.norm)[0]!, 1e-30));
    const kept = 1 - learningRate * weightDecay;
    const rate = learningRate / (1 - beta1 ** step);
    const correction = 1 / (1 - beta2 ** step);
    for (let i = 0; i < next.length; i++) {
      const g = gradient[i]! * scale;
      const m = moment1[i]! * beta1 + g * (1 - beta1);
      const s = moment2[i]! * beta2 + g * g * (1 - beta2);
      first[i] = m;
      second[i] = s;
      next[i] = parameter[i]! * kept - (rate * m) / (Math.sqrt(s * correction) + epsilon);
    }
    return outputs;
  },
});

/** Kernel `GlobalNorm`: any number of inputs; output `[]`, the square root of the sum of all squares. */
export const globalNormKernel = declareKernel<string, Record<string, never>>({
  name: "GlobalNorm",
  composed: (inputs) => [tf.sqrt(tf.addN(Object.values(inputs).map((x) => tf.sum(tf.square(x)))))],
  host(inputs, memory): TensorInfo[] {
    const output = memory.make([]);
    let sum = 0;
    for (const input of Object.values(inputs)) {
      const x = memory.floats(input);
      for (let i = 0; i < x.length; i++) sum += x[i]! * x[i]!;
    }
    memory.floats(output)[0] = Math.sqrt(sum);
    return [output];
  },
});

/**
 * One step of AdamW (arXiv 1711.05101) with the gradient clipped by the global norm of all gradients.
 *
 * @param parameter float32, any shape; `gradient`, `moment1`, `moment2` have the same
 * @param norm the global norm of all gradients, a scalar
 * @returns new tensors for the parameter and both moments
 * @throws ShapeError when the shapes differ
 */
export function adamW(
  parameter: Tensor,
  gradient: Tensor,
  moment1: Tensor,
  moment2: Tensor,
  norm: Scalar,
  attributes: AdamWAttributes,
): [parameter: Tensor, moment1: Tensor, moment2: Tensor] {
  for (const [name, tensor] of Object.entries({ gradient, moment1, moment2 })) {
    expectShape("adamW", name, tensor, parameter.shape);
  }
  return adamWKernel.run({ parameter, gradient, moment1, moment2, norm }, attributes) as [Tensor, Tensor, Tensor];
}

/** √(Σ over all tensors of Σ x²), a scalar. */
export function globalNorm(tensors: readonly Tensor[]): Scalar {
  return globalNormKernel.run(Object.fromEntries(tensors.map((x, i) => [`x${i}`, x])), {})[0] as Scalar;
}
