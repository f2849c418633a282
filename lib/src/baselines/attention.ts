/** The token mixer of Transformers: causal multi-head attention (arXiv 1706.03762) with rotary positions (arXiv 2104.09864). */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Tensor3D, Tensor4D } from "@tensorflow/tfjs-core";

import type { ActivationDescription } from "../model/activation-names.js";
import { ConfigurationError } from "../errors.js";
import { causalAttention } from "../ops/attention/attention.js";
import { linear } from "../ops/linear/linear.js";
import { rotary } from "../ops/rotary/rotary.js";
import type { BaselineConfiguration } from "./configuration.js";
import { unitVariance } from "./feed-forward.js";
import { numberOption, type MixerOptions } from "./mixer-options.js";
import type { Mixer, MixerContext, MixerResult, MixerStatePart } from "./mixer.js";

/** What every attention shows to taps. */
export const attentionActivations: readonly ActivationDescription[] = [
  { name: "q", shape: "[B, T, H, N]", description: "queries, turned to their positions" },
  { name: "k", shape: "[B, T, H, N]", description: "keys, turned to their positions" },
  { name: "v", shape: "[B, T, H, N]", description: "values" },
  { name: "read", shape: "[B, T, H, N]", description: "the values that each head's weights add up to" },
];

/** The KV cache: keys (turned to their positions) and values of all tokens. */
export function attentionState({ heads, headSize }: BaselineConfiguration): readonly MixerStatePart[] {
  return ["keys", "values"].map((name) => ({ name, shape: [heads, headSize], grows: true }));
}

/**
 * Checks and completes `ropeBase` and `maximumContext`.
 *
 * @throws ConfigurationError naming the option; when heads have an odd number of channels
 */
export function attentionOptions(options: MixerOptions, { headSize }: { readonly headSize: number }): MixerOptions {
  if (headSize % 2 !== 0) {
    throw new ConfigurationError(`headSize is ${headSize}, wanted an even number: positions turn pairs of channels`);
  }
  return {
    ropeBase: numberOption(options, "ropeBase", 10_000),
    ...(options.maximumContext !== undefined && {
      maximumContext: numberOption(options, "maximumContext", 0, { integer: true }),
    }),
  };
}

/**
 * Attention of queries, keys and values `[B, T, C]` over the cache and themselves.
 *
 * @throws ConfigurationError when a row would see more than `maximumContext` tokens
 */
export function attend(
  context: MixerContext,
  query: Tensor3D,
  key: Tensor3D,
  value: Tensor3D,
): { read: Tensor3D; state: Readonly<Record<string, Tensor>> } {
  const { configuration, positions, tap } = context;
  const { heads, headSize, mixerOptions } = configuration;
  const [batch, time, width] = query.shape;
  checkContext(positions, time, mixerOptions.maximumContext as number | undefined);
  const perHead = (x: Tensor3D): Tensor4D => tf.reshape(x, [batch, time, heads, headSize]);
  const turns = context.rotations(headSize, mixerOptions.ropeBase as number);
  const q = tap("q", rotary(perHead(query), turns));
  const k = tap("k", rotary(perHead(key), turns));
  const v = tap("v", perHead(value));
  const keys = context.append("keys", k);
  const values = context.append("values", v);
  const read = tap("read", causalAttention(q, keys, values, context.starts));
  return { read: tf.reshape(read, [batch, time, width]), state: { keys, values } };
}

function checkContext(positions: readonly number[], time: number, maximum: number | undefined): void {
  const row = positions.findIndex((seen) => seen + time > (maximum ?? Infinity));
  if (row < 0) return;
  throw new ConfigurationError(
    `forward: row ${row} has seen ${positions[row]} tokens and gets ${time} more, the model's maximumContext is ${maximum}: ` +
      `pass fewer tokens, begin with a new state, or make the model with a larger maximumContext`,
  );
}

/** Attention with a matrix each for queries, keys, values and output; the output starts at zero. */
export const attention: Mixer = {
  name: "attention",
  description: "causal softmax attention with rotary positions",
  activations: attentionActivations,
  options: attentionOptions,
  parameters: ({ width }) => [
    ...["query", "key", "value"].map((name) => ({
      name: `${name}.weight`,
      shape: [width, width],
      initial: unitVariance(width),
    })),
    { name: "output.weight", shape: [width, width], initial: 0 },
  ],
  state: attentionState,
  apply(context): MixerResult {
    const { x, parameter } = context;
    const { read, state } = attend(
      context,
      linear(x, parameter("query.weight")),
      linear(x, parameter("key.weight")),
      linear(x, parameter("value.weight")),
    );
    return { output: linear(read, parameter("output.weight")), state };
  },
};
