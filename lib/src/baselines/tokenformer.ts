/**
 * The mixers of TokenFormer (arXiv 2410.23168): wherever a Transformer has a matrix, tokens attend to parameter tokens instead
 * ("Pattention"). With n parameter tokens of keys K and values V
 *
 *     Pattention(x) = Vᵀ GeLU(τ · K x / ‖K x‖₂)
 *
 * The paper writes τ as a hyperparameter and sets it to √n; its published code takes √ of the present n, also after growth, so
 * that added tokens rescale all others. Here τ is √n of the model as it was made and stays so when it grows: then parameter
 * tokens with zero keys change nothing, exactly.
 */
import type { Tensor3D } from "@tensorflow/tfjs-core";

import { linear } from "../ops/linear/linear.js";
import { l2Gelu } from "../ops/l2-gelu/l2-gelu.js";
import type { Filler } from "../model/initial-values.js";
import { uniform } from "../model/initial-values.js";
import { attend, attentionActivations, attentionOptions, attentionState } from "./attention.js";
import { unitVariance } from "./feed-forward.js";
import { numberOption } from "./mixer-options.js";
import type { Mixer, MixerContext, MixerParameter } from "./mixer.js";

/** Value tokens whose sum, weighted by GeLUs of values of variance 1, has variance 1: E[GeLU(z)²] = 0.425. */
export function unitSum(parameterTokens: number): Filler {
  return uniform(Math.sqrt(3 / (0.425 * parameterTokens)));
}

/** The two matrices of parameter tokens, a token a row. Keys are only compared: their length does not matter. */
function parameterTokens(
  prefix: string,
  count: number,
  width: number,
  { silent }: { silent: boolean },
): MixerParameter[] {
  return [
    { name: `${prefix}keys.weight`, shape: [count, width], initial: unitVariance(width) },
    { name: `${prefix}values.weight`, shape: [count, width], initial: silent ? 0 : unitSum(count) },
  ];
}

function pattention(context: MixerContext, prefix: string, x: Tensor3D, scale: number): Tensor3D {
  const { parameter, tap } = context;
  const called = tap(`${prefix}hidden`, l2Gelu(linear(x, parameter(`${prefix}keys.weight`)), scale));
  return linear(called, parameter(`${prefix}values.weight`), "inOut");
}

/** Causal attention whose queries, keys, values and output come from parameter tokens; the output starts at zero. */
export const tokenAttention: Mixer = {
  name: "tokenAttention",
  description: "causal softmax attention by parameter tokens, with rotary positions",
  options(given, configuration) {
    const attentionTokens = numberOption(given, "attentionTokens", configuration.width, { integer: true });
    return {
      attentionTokens,
      attentionScale: numberOption(given, "attentionScale", Math.sqrt(attentionTokens)),
      ...attentionOptions(given, configuration),
    };
  },
  activations: [
    ...["query", "key", "value"].map((name) => ({
      name: `${name}.hidden`,
      shape: "[B, T, n]",
      description: `how strongly each parameter token responds in the ${name}`,
    })),
    ...attentionActivations,
    {
      name: "output.hidden",
      shape: "[B, T, n]",
      description: "how strongly each parameter token responds in the output",
    },
  ],
  parameters: ({ width, mixerOptions }) =>
    ["query", "key", "value", "output"].flatMap((name) =>
      parameterTokens(`${name}.`, mixerOptions.attentionTokens as number, width, { silent: name === "output" }),
    ),
  state: attentionState,
  apply(context) {
    const scale = context.configuration.mixerOptions.attentionScale as number;
    const project = (name: string, x: Tensor3D): Tensor3D => pattention(context, `${name}.`, x, scale);
    const { read, state } = attend(
      context,
      project("query", context.x),
      project("key", context.x),
      project("value", context.x),
    );
    return { output: project("output", read), state };
  },
};

/** Channel mixing by parameter tokens alone; values start at zero. */
export const tokenFeedForward: Mixer = {
  name: "tokenFeedForward",
  description: "attention to parameter tokens",
  options: (given, { hidden }) => ({
    feedForwardScale: numberOption(given, "feedForwardScale", Math.sqrt(hidden)),
  }),
  activations: [{ name: "hidden", shape: "[B, T, n]", description: "how strongly each parameter token responds" }],
  parameters: ({ width, hidden }) => parameterTokens("", hidden, width, { silent: true }),
  apply: (context) => ({
    output: pattention(context, "", context.x, context.configuration.mixerOptions.feedForwardScale as number),
  }),
};
