/**
 * The op `groupNorm`: normalisation over groups of the last axis. One group is layer normalisation; one group a head is
 * RWKV-7's `ln_x` and the Meta-State layer's GN.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, TensorInfo } from "@tensorflow/tfjs-core";

import type { HostMemory } from "../host.js";
import { declareGradient, declareKernel } from "../kernel.js";
import { expectShape, sizeOf } from "../shape.js";
import { ConfigurationError } from "../../errors.js";

interface GroupNormAttributes {
  readonly groups: number;
  readonly epsilon: number;
  readonly [key: string]: number;
}

/** Kernel `GroupNorm`: inputs `x` `[…, A]`, `weight` `[A]`, `bias` `[A]`; output of x's shape. */
export const groupNormKernel = declareKernel<"x" | "weight" | "bias", GroupNormAttributes>({
  name: "GroupNorm",
  composed({ x, weight, bias }, attributes) {
    const { normalised } = normalise(x, attributes);
    return [tf.add(tf.mul(tf.reshape(normalised, x.shape), weight), bias)];
  },
  host({ x, weight, bias }, memory, attributes) {
    const output = memory.make(x.shape);
    forward(memory, attributes, x, memory.floats(weight), memory.floats(bias), memory.floats(output));
    return [output];
  },
});

/** Kernel `GroupNormGrad`: inputs `x`, `weight`, `dy`; outputs `[dx, dweight, dbias]`. */
export const groupNormGradKernel = declareKernel<"x" | "weight" | "dy", GroupNormAttributes>({
  name: "GroupNormGrad",
  composed({ x, weight, dy }, attributes) {
    const { normalised, inverse } = normalise(x, attributes);
    const width = weight.shape[0];
    const rows = [sizeOf(x.shape) / width, width] as const;
    const dn = tf.reshape(tf.mul(dy, weight), normalised.shape);
    const mean = (y: Tensor): Tensor => tf.mean(y, -1, true);
    const dx = tf.mul(inverse, tf.sub(tf.sub(dn, mean(dn)), tf.mul(normalised, mean(tf.mul(normalised, dn)))));
    const flatDy = tf.reshape(dy, [...rows]);
    const dweight = tf.sum(tf.mul(flatDy, tf.reshape(normalised, [...rows])), 0);
    return [tf.reshape(dx, x.shape), dweight, tf.sum(flatDy, 0)];
  },
  host({ x, weight, dy }, memory, attributes) {
    const outputs = [memory.make(x.shape), memory.make(weight.shape), memory.make(weight.shape)];
    backward(memory, attributes, x, memory.floats(weight), memory.floats(dy), outputs);
    return outputs;
  },
});

declareGradient<"x" | "weight" | "bias", GroupNormAttributes>(
  groupNormKernel,
  ["x", "weight"],
  ([dy], saved, attributes) => {
    const [x, weight] = saved as [Tensor, Tensor];
    const [dx, dweight, dbias] = groupNormGradKernel.run({ x, weight, dy: dy! }, attributes);
    return { x: dx!, weight: dweight!, bias: dbias! };
  },
);

/** The groups with zero mean and unit variance `[rows, groups, size]`, and what they were multiplied by. */
function normalise(x: Tensor, { groups, epsilon }: GroupNormAttributes): { normalised: Tensor; inverse: Tensor } {
  const size = x.shape.at(-1)! / groups;
  const grouped = tf.reshape(x, [sizeOf(x.shape) / (groups * size), groups, size]);
  const centred = tf.sub(grouped, tf.mean(grouped, -1, true));
  const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), epsilon));
  return { normalised: tf.mul(centred, inverse), inverse };
}

/**
 * 1/√(variance + ε) of x[start, start + size), given its sum. Squares of float32 values are exact in float64, so that
 * the difference of mean square and squared mean loses nothing that matters.
 */
function inverseDeviation(x: Float32Array, start: number, size: number, mean: number, epsilon: number): number {
  const end = start + size;
  let even = 0;
  let odd = 0;
  let j = start;
  for (; j + 1 < end; j += 2) {
    const a = x[j]!;
    const b = x[j + 1]!;
    even += a * a;
    odd += b * b;
  }
  if (j < end) even += x[j]! * x[j]!;
  return 1 / Math.sqrt(Math.max(0, (even + odd) / size - mean * mean) + epsilon);
}

/** Mean of x[start, start + size); two sums at once, as one would wait for each addition. */
function meanOf(x: Float32Array, start: number, size: number): number {
  const end = start + size;
  let even = 0;
  let odd = 0;
  let j = start;
  for (; j + 1 < end; j += 2) {
    even += x[j]!;
    odd += x[j + 1]!;
  }
  if (j < end) even += x[j]!;
  return (even + odd) / size;
}

function forward(
  memory: HostMemory,
  { groups, epsilon }: GroupNormAttributes,
  input: TensorInfo,
  weight: Float32Array,
  bias: Float32Array,
  y: Float32Array,
): void {
  const x = memory.floats(input);
  const width = weight.length;
  const size = width / groups;
  for (let start = 0, at = 0; start < y.length; start += size, at = at + size === width ? 0 : at + size) {
    const mean = meanOf(x, start, size);
    const inverse = inverseDeviation(x, start, size, mean, epsilon);
    const offset = -mean * inverse;
    for (let j = 0; j < size; j++) y[start + j] = (x[start + j]! * inverse + offset) * weight[at + j]! + bias[at + j]!;
  }
}

function backward(
  memory: HostMemory,
  { groups, epsilon }: GroupNormAttributes,
  input: TensorInfo,
  weight: Float32Array,
  dy: Float32Array,
  outputs: readonly TensorInfo[],
): void {
  const x = memory.floats(input);
  const [dx, dweight, dbias] = outputs.map((output) => memory.floats(output)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const width = weight.length;
  const size = width / groups;
  // Sums over rows run in float64: there may be thousands of rows.
  const weightSum = new Float64Array(width);
  const biasSum = new Float64Array(width);
  for (let start = 0, at = 0; start < dx.length; start += size, at = at + size === width ? 0 : at + size) {
    const mean = meanOf(x, start, size);
    const inverse = inverseDeviation(x, start, size, mean, epsilon);
    const offset = -mean * inverse;
    let sum = 0;
    let product = 0;
    for (let j = 0; j < size; j++) {
      const normalised = x[start + j]! * inverse + offset;
      const d = dy[start + j]!;
      weightSum[at + j]! += d * normalised;
      biasSum[at + j]! += d;
      const dn = d * weight[at + j]!;
      sum += dn;
      product += dn * normalised;
    }
    // inverse (dn − mean(dn) − n̂ mean(dn ⊙ n̂)) as dy ⊙ weight · inverse + x · slope + shift.
    const slope = (-inverse * inverse * product) / size;
    const shift = (-inverse * (sum + offset * product)) / size;
    for (let j = 0; j < size; j++) {
      dx[start + j] = dy[start + j]! * weight[at + j]! * inverse + x[start + j]! * slope + shift;
    }
  }
  dweight.set(weightSum);
  dbias.set(biasSum);
}

/**
 * y = (x − mean) / √(variance + ε) ⊙ weight + bias, mean and (biased) variance over each group of the last axis.
 *
 * @param x float32 `[…, A]`; the last axis is cut into `groups` runs of A / groups
 * @param weight float32 `[A]`
 * @param bias float32 `[A]`
 * @param options `groups`, 1 for layer normalisation; `epsilon`, added to the variance
 * @throws ShapeError when weight or bias do not fit; ConfigurationError when the groups do not divide A
 */
export function groupNorm<T extends Tensor>(
  x: T,
  weight: Tensor,
  bias: Tensor,
  { groups, epsilon }: { groups: number; epsilon: number },
): T {
  const width = x.shape.at(-1) ?? 0;
  expectShape("groupNorm", "weight", weight, [width], "[A]");
  expectShape("groupNorm", "bias", bias, [width], "[A]");
  if (groups < 1 || width % groups !== 0) {
    throw new ConfigurationError(`groupNorm: ${groups} groups do not divide the last axis, ${width}`);
  }
  return groupNormKernel.run({ x, weight, bias }, { groups, epsilon })[0] as T;
}
