/** All blocks of a model as one kernel of one token. */
import type { Tensor, Tensor2D, Tensor3D, Tensor4D } from "@tensorflow/tfjs-core";

import { none } from "../sse/none.js";
import { variantOf } from "../sse/registry.js";
import { sse } from "../sse/sse.js";
import { normEpsilon } from "./block-norm.js";
import { attentionWidth, sseHeads, type ModelConfiguration } from "./configuration.js";
import { parameter, type Parameters } from "./parameters.js";
import type { LayerState } from "./state.js";
import { mixingParameters, type TimeMixingTokenAttributes } from "./time-mixing-token.js";
import { readEpsilon } from "./time-mixing.js";
import { isForTokenKernel, runTokenKernel } from "./token-kernel.js";

/**
 * The kernel that an engine may register: all blocks one after the other for a sequence of one token, with the same result. It has
 * no gradient.
 *
 * Inputs `stream` `[B, 1, C]`, what the first time mixing takes; the blocks' parameters by their names (`blocks.3.att.x_r`), without
 * `ln0`; and of each layer's state `blocks.3.attShift`, `blocks.3.ffnShift` `[B, C]`, `blocks.3.wkv` and, with the pass over both
 * states, `blocks.3.meta` `[B, H, N, N]`; attributes {@link BlocksTokenAttributes}; outputs the residual stream after the last block
 * `[B, 1, C]`, and then of each layer the state after the token, in the same order.
 */
export const blocksTokenName = "BlocksToken";

/** What the kernel takes besides tensors. */
export interface BlocksTokenAttributes extends TimeMixingTokenAttributes {
  readonly layers: number;
}

/** The names of a Meta-State layer's parameters, after `blocks.3.`. */
const layerParameters = ["ln2.weight", "ln2.bias", "ffn.x_k", "ffn.key.weight", "ffn.value.weight"];
/** ... of what the pass over both states takes besides. */
const passParameters = ["meta.alpha_g", "meta.beta_g"];

/** The names of a layer's tensors. */
interface LayerNames {
  readonly parameters: readonly string[];
  readonly state: Readonly<Record<"attShift" | "ffnShift" | "wkv" | "meta", string>>;
}

const namesOfLayers = { plain: [] as LayerNames[], withPass: [] as LayerNames[] };

/** Kept: a token asks for hundreds of names, and a name that was never looked up before is looked up more slowly. */
function namesOf(layer: number, hasPass: boolean): LayerNames {
  const prefix = `blocks.${layer}.`;
  const named = (names: readonly string[]): string[] => names.map((name) => prefix + name);
  return (namesOfLayers[hasPass ? "withPass" : "plain"][layer] ??= {
    parameters: named([...mixingParameters(layer > 0), ...layerParameters, ...(hasPass ? passParameters : [])]),
    state: {
      attShift: `${prefix}attShift`,
      ffnShift: `${prefix}ffnShift`,
      wkv: `${prefix}wkv`,
      meta: `${prefix}meta`,
    },
  });
}

/**
 * All blocks in one kernel; undefined where they have to go one by one.
 *
 * @param stream what the first block's time mixing takes, `[B, T, C]`
 */
export function blocksOfToken(
  configuration: ModelConfiguration,
  parameters: Parameters,
  stream: Tensor3D,
  given: readonly LayerState[],
  isTapped: boolean,
): { x: Tensor3D; layers: LayerState[] } | undefined {
  if (!isTheKernels(configuration) || !isForTokenKernel(blocksTokenName, { isTapped }, stream)) return undefined;
  const inputs: Record<string, Tensor> = { stream };
  for (const [layer, { attShift, ffnShift, wkv, meta }] of given.entries()) {
    const names = namesOf(layer, meta !== undefined);
    for (const name of names.parameters) inputs[name] = parameter(parameters, name);
    inputs[names.state.attShift] = attShift;
    inputs[names.state.ffnShift] = ffnShift;
    inputs[names.state.wkv] = wkv;
    if (meta) inputs[names.state.meta] = meta;
  }
  const { layers, heads, headSize, aScale } = configuration;
  const attributes: BlocksTokenAttributes = {
    ...{ layers, heads, headSize, aScale, normEpsilon },
    readEpsilon: readEpsilon(configuration),
  };
  const [x, ...states] = runTokenKernel(blocksTokenName, inputs, attributes) as [Tensor3D, ...Tensor[]];
  const ofLayer = states.length / layers;
  const after = given.map((_, layer): LayerState => {
    const [attShift, ffnShift, wkv, meta] = states.slice(layer * ofLayer, (layer + 1) * ofLayer) as StateTensors;
    return { attShift, ffnShift, wkv, ...(meta && { meta }) };
  });
  return { x, layers: after };
}

type StateTensors = [Tensor2D, Tensor2D, Tensor4D, Tensor4D | undefined];

/** Whether the Meta-State layer is RWKV-7's, or the variant `sse` of one head for each slice of the channels, without further options. */
function isTheKernels(configuration: ModelConfiguration): boolean {
  const { activation, mixture, mul, heads, width } = configuration;
  if (activation !== "squaredRelu" || mixture || mul) return false;
  const variant = variantOf(configuration);
  if (variant === none) return true;
  return variant === sse && sseHeads(configuration) === heads && attentionWidth(configuration) === width;
}
