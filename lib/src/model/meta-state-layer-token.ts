/** The second half of a block, the Meta-State layer or RWKV-7's channel mixing, as one kernel of one token. */
import type { Tensor, Tensor2D, Tensor3D, Tensor4D } from "@tensorflow/tfjs-core";

import { none } from "../sse/none.js";
import { variantOf } from "../sse/registry.js";
import { sse } from "../sse/sse.js";
import { normEpsilon } from "./block-norm.js";
import { attentionWidth, sseHeads, type ModelConfiguration } from "./configuration.js";
import type { ChangedStream } from "./meta-state-layer.js";
import type { LayerState } from "./state.js";
import type { LayerRun } from "./tap.js";
import { readEpsilon, type MixedStream } from "./time-mixing.js";
import { isForTokenKernel, runTokenKernel } from "./token-kernel.js";

/**
 * The kernel that an engine may register: normalisation, `metaStateLayer` of a sequence of one token, and the sum with the
 * residual stream, with the same result. It has no gradient.
 *
 * Inputs `stream` `[B, 1, C]`, `shift` `[B, C]`, `ln2.weight`, `ln2.bias`, the layer's parameters by their names after `ffn.`
 * (`x_k`, `key.weight`, `value.weight`), and for the pass over both states `r`, `w`, `k`, `v`, `alpha`, `beta` `[B, 1, H, N]`,
 * `wkv`, `meta` `[B, H, N, N]` before the token, `alpha_g`, `beta_g` `[H·N]`, H·N = C; attributes
 * {@link MetaStateLayerTokenAttributes}; outputs the residual stream after it `[B, 1, C]`, its row for the next token's shift
 * `[B, C]`, and with the pass M after the token `[B, H, N, N]`.
 */
export const metaStateLayerTokenName = "MetaStateLayerToken";

/** What the kernel takes besides tensors. */
export interface MetaStateLayerTokenAttributes {
  readonly heads: number;
  readonly headSize: number;
  /** of the normalisation of the residual stream */
  readonly normEpsilon: number;
  /** of the normalisation of both reads */
  readonly readEpsilon: number;
  readonly [key: string]: number;
}

/** The names of a layer's parameters, after `blocks.3.`. */
export const layerParameters = ["ln2.weight", "ln2.bias", "ffn.x_k", "ffn.key.weight", "ffn.value.weight"] as const;
/** ... of what the pass over both states takes besides. */
export const passParameters = ["meta.alpha_g", "meta.beta_g"] as const;

/** The Meta-State layer in one kernel; undefined where it has to go op by op, as the variants other than `sse` and `none` do. */
export function metaStateLayerOfToken(
  configuration: ModelConfiguration,
  run: LayerRun,
  { stream, coefficients }: Pick<MixedStream, "stream" | "coefficients">,
  { ffnShift: shift, wkv, meta }: LayerState,
): ChangedStream | undefined {
  if (!isTheKernels(configuration) || !isForTokenKernel(metaStateLayerTokenName, run, stream)) return undefined;
  const inputs: Record<string, Tensor> = { stream, shift };
  for (const name of ["ln2.weight", "ln2.bias"]) inputs[name] = run.parameter(name);
  for (const name of ["x_k", "key.weight", "value.weight"]) inputs[name] = run.parameter(`ffn.${name}`);
  if (meta) {
    Object.assign(inputs, coefficients, { wkv, meta });
    for (const name of ["alpha_g", "beta_g"]) inputs[name] = run.parameter(`meta.${name}`);
  }
  const { heads, headSize } = configuration;
  const attributes: MetaStateLayerTokenAttributes = {
    ...{ heads, headSize, normEpsilon },
    readEpsilon: readEpsilon(configuration),
  };
  const outputs = runTokenKernel(metaStateLayerTokenName, inputs, attributes);
  const [after, row, state] = outputs as [Tensor3D, Tensor2D, Tensor4D | undefined];
  return { stream: after, shift: row, ...(state && { meta: state }) };
}

/** Whether the layer is RWKV-7's, or the variant `sse` of one head for each slice of the channels, without further options. */
export function isTheKernels(configuration: ModelConfiguration): boolean {
  const { activation, mixture, mul, heads, width } = configuration;
  if (activation !== "squaredRelu" || mixture || mul) return false;
  const variant = variantOf(configuration);
  if (variant === none) return true;
  return variant === sse && sseHeads(configuration) === heads && attentionWidth(configuration) === width;
}
