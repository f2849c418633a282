/**
 * Time mixing of one token as one kernel, on engines that have it. When a model writes, its ops are so small that starting
 * one costs as much as what it computes, and the memory that holds the weights waits meanwhile.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Tensor2D, Tensor3D, Tensor4D } from "@tensorflow/tfjs-core";

import { keepsNames } from "../engine/numerics-context.js";
import { attentionWidth, type ModelConfiguration } from "./configuration.js";
import type { LayerRun } from "./tap.js";
import { readEpsilon, type TimeMixing } from "./time-mixing.js";

/**
 * The kernel that an engine may register: `timeMixing` of a sequence of one token, with the same result. It has no gradient.
 *
 * Inputs `x` `[B, 1, C]`, `shift` `[B, C]`, `wkv` `[B, H, N, N]`, from the second layer on `firstValue` `[B, 1, A]`, and the
 * layer's parameters by their names after `att.` (`x_r`, `w1`, `receptance.weight`; the first layer has no `v0`, `v1`, `v2`);
 * attributes {@link TimeMixingTokenAttributes}; outputs what is added to the residual stream `[B, 1, C]`, S after the token
 * `[B, H, N, N]`, and r, w, k, v, −κ̂, κ̂ ⊙ a (times `aScale`), `[B, 1, H, N]`.
 */
export const timeMixingTokenName = "TimeMixingToken";

/** What the kernel takes besides tensors. */
export interface TimeMixingTokenAttributes {
  readonly heads: number;
  readonly headSize: number;
  readonly aScale: number;
  /** of the normalisation of the read */
  readonly epsilon: number;
  readonly [key: string]: number;
}

const always = [
  ...["x_r", "x_w", "x_k", "x_v", "x_a", "x_g", "w0", "w1", "w2", "a0", "a1", "a2", "g1", "g2", "k_k", "k_a", "r_k"],
  ...["receptance.weight", "key.weight", "value.weight", "output.weight", "ln_x.weight", "ln_x.bias"],
];
const ofLaterLayers = ["v0", "v1", "v2"];

/**
 * Time mixing in one kernel.
 *
 * @returns undefined where it has to go op by op: for several tokens, for a gradient, for a tap, while numbers are checked
 *   (an error names its op), and on an engine without the kernel
 */
export function timeMixingOfToken(
  configuration: ModelConfiguration,
  run: LayerRun,
  x: Tensor3D,
  shift: Tensor2D,
  wkv: Tensor4D,
  firstValue?: Tensor3D,
): TimeMixing | undefined {
  const engine = tf.engine();
  if (x.shape[1] !== 1 || run.isTapped || engine.isTapeOn() || keepsNames()) return undefined;
  if (!tf.getKernel(timeMixingTokenName, engine.backendName)) return undefined;
  const inputs: Record<string, Tensor> = { x, shift, wkv, ...(firstValue && { firstValue }) };
  for (const name of always) inputs[name] = run.parameter(`att.${name}`);
  if (firstValue) for (const name of ofLaterLayers) inputs[name] = run.parameter(`att.${name}`);
  const { heads, headSize, aScale } = configuration;
  const attributes: TimeMixingTokenAttributes = { heads, headSize, aScale, epsilon: readEpsilon(configuration) };
  const outputs = engine.runKernel<Tensor[]>(timeMixingTokenName, inputs, attributes);
  const [output, after, r, w, k, v, alpha, beta] = outputs as [Tensor3D, ...Septuple];
  const value = firstValue ?? tf.reshape<tf.Rank.R3>(v, [x.shape[0], 1, attentionWidth(configuration)]);
  return { output, wkv: after, coefficients: { r, w, k, v, alpha, beta }, firstValue: value };
}

type Septuple = [Tensor4D, Tensor4D, Tensor4D, Tensor4D, Tensor4D, Tensor4D, Tensor4D];
