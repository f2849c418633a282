/** The first half of a block, time mixing, as one kernel of one token. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Tensor2D, Tensor3D, Tensor4D } from "@tensorflow/tfjs-core";

import { normEpsilon } from "./block-norm.js";
import { attentionWidth, type ModelConfiguration } from "./configuration.js";
import type { LayerState } from "./state.js";
import type { LayerRun } from "./tap.js";
import { readEpsilon, type MixedStream } from "./time-mixing.js";
import { isForTokenKernel, runTokenKernel } from "./token-kernel.js";

/**
 * The kernel that an engine may register: normalisation, `timeMixing` of a sequence of one token, and the sum with the residual
 * stream, with the same result. It has no gradient.
 *
 * Inputs `stream` `[B, 1, C]`, `shift` `[B, C]`, `wkv` `[B, H, N, N]`, `ln1.weight`, `ln1.bias`, the layer's parameters by their
 * names after `att.` (`x_r`, `w1`, `receptance.weight`), and from the second layer on `firstValue` `[B, 1, A]` (the first layer
 * has no `v0`, `v1`, `v2`); attributes {@link TimeMixingTokenAttributes}; outputs the residual stream after it `[B, 1, C]`, its
 * row for the next token's shift `[B, C]`, S after the token `[B, H, N, N]`, and r, w, k, v, −κ̂, κ̂ ⊙ a (times `aScale`),
 * `[B, 1, H, N]`.
 */
export const timeMixingTokenName = "TimeMixingToken";

/** What the kernel takes besides tensors. */
export interface TimeMixingTokenAttributes {
  readonly heads: number;
  readonly headSize: number;
  readonly aScale: number;
  /** of the normalisation of the residual stream */
  readonly normEpsilon: number;
  /** of the normalisation of the read */
  readonly readEpsilon: number;
  readonly [key: string]: number;
}

/** The kernel's names, and the layer's. */
const named = (names: readonly string[]): (readonly [string, string])[] => names.map((name) => [name, `att.${name}`]);

const always = named([
  ...["x_r", "x_w", "x_k", "x_v", "x_a", "x_g", "w0", "w1", "w2", "a0", "a1", "a2", "g1", "g2", "k_k", "k_a", "r_k"],
  ...["receptance.weight", "key.weight", "value.weight", "output.weight", "ln_x.weight", "ln_x.bias"],
]);
const ofLaterLayers = named(["v0", "v1", "v2"]);

/** The names of a layer's parameters, after `blocks.3.`. */
export function mixingParameters(isLaterLayer: boolean): string[] {
  const own = isLaterLayer ? [...always, ...ofLaterLayers] : always;
  return ["ln1.weight", "ln1.bias", ...own.map(([, name]) => name)];
}

/** Time mixing in one kernel; undefined where it has to go op by op. */
export function timeMixingOfToken(
  configuration: ModelConfiguration,
  run: LayerRun,
  stream: Tensor3D,
  { attShift: shift, wkv }: LayerState,
  firstValue?: Tensor3D,
): MixedStream | undefined {
  if (!isForTokenKernel(timeMixingTokenName, run, stream)) return undefined;
  const inputs: Record<string, Tensor> = { stream, shift, wkv, ...(firstValue && { firstValue }) };
  for (const name of ["ln1.weight", "ln1.bias"]) inputs[name] = run.parameter(name);
  for (const [name, whole] of always) inputs[name] = run.parameter(whole);
  if (firstValue) for (const [name, whole] of ofLaterLayers) inputs[name] = run.parameter(whole);
  const { heads, headSize, aScale } = configuration;
  const attributes: TimeMixingTokenAttributes = {
    ...{ heads, headSize, aScale, normEpsilon },
    readEpsilon: readEpsilon(configuration),
  };
  const outputs = runTokenKernel(timeMixingTokenName, inputs, attributes);
  const [after, row, state, r, w, k, v, alpha, beta] = outputs as [Tensor3D, Tensor2D, ...Septuple];
  const value = firstValue ?? tf.reshape<tf.Rank.R3>(v, [stream.shape[0], 1, attentionWidth(configuration)]);
  return { stream: after, shift: row, wkv: state, coefficients: { r, w, k, v, alpha, beta }, firstValue: value };
}

type Septuple = [Tensor4D, Tensor4D, Tensor4D, Tensor4D, Tensor4D, Tensor4D, Tensor4D];
