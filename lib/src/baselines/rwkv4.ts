/**
 * The mixers of RWKV-4 (arXiv 2305.13048), with the names, shapes and initial values of its published training code. All they keep
 * are vectors: the last token as each mixer saw it, and per channel a weighted average's numerator and denominator.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Tensor2D, Tensor3D } from "@tensorflow/tfjs-core";

import { orthogonal, type Filler } from "../model/initial-values.js";
import { linear } from "../ops/linear/linear.js";
import { squaredRelu } from "../ops/squared-relu/squared-relu.js";
import { tokenShift } from "../ops/token-shift/token-shift.js";
import { emptyExponent, wkv4 } from "../ops/wkv4/wkv4.js";
import type { BaselineConfiguration } from "./configuration.js";
import type { Mixer, MixerContext } from "./mixer.js";

/** From 0 at the first layer to 1 at the last, and from 1 at the first to almost 0. */
function depth({ layers }: BaselineConfiguration, layer: number): { zeroToOne: number; oneToAlmostZero: number } {
  return { zeroToOne: layers > 1 ? layer / (layers - 1) : 0, oneToAlmostZero: 1 - layer / layers };
}

/** The share of the current token in each channel: (c / C)^power + offset. */
function share(power: number, offset = 0): Filler {
  return (_random, values) => {
    for (let c = 0; c < values.length; c++) values[c] = (c / values.length) ** power + offset;
  };
}

/** ln of the decay's speed: from long memory, −5, in the first channels to short, 3, bent by depth. */
function decaySpeed(zeroToOne: number): Filler {
  return (_random, values) => {
    const last = Math.max(1, values.length - 1);
    for (let c = 0; c < values.length; c++) values[c] = -5 + 8 * (c / last) ** (0.7 + 1.3 * zeroToOne);
  };
}

/** The current token's bonus: ln 0.3, by turns a half more and less. */
const bonus: Filler = (_random, values) => {
  for (let c = 0; c < values.length; c++) values[c] = Math.log(0.3) + 0.5 * (((c + 1) % 3) - 1);
};

/** RWKV-4 writes the share of the current token, the op takes that of the one before. */
function shifted(context: MixerContext, previous: Tensor2D, names: readonly string[]): Tensor3D[] {
  const mixes = names.map((name): Tensor => tf.sub(1, context.parameter(`time_mix_${name}`)));
  return tokenShift(context.x, previous, mixes);
}

function lastToken(x: Tensor3D): Tensor2D {
  const [batch, time, width] = x.shape;
  return tf.reshape(tf.slice(x, [0, time - 1, 0], [batch, 1, width]), [batch, width]);
}

/** σ(R x_r) ⊙ the average of values, weighted by e^key and decayed by their distance; the output starts at zero. */
export const rwkv4TimeMixing: Mixer = {
  name: "rwkv4TimeMixing",
  description: "an average of values with weights e^key that decay with their distance",
  activations: [
    { name: "r", shape: "[B, T, C]", description: "receptance, 0 to 1: how much of the average is taken" },
    { name: "k", shape: "[B, T, C]", description: "key: the logarithm of the value's weight" },
    { name: "v", shape: "[B, T, C]", description: "value" },
    { name: "wkv", shape: "[B, T, C]", description: "the average" },
  ],
  parameters(configuration, layer) {
    const { width } = configuration;
    const { zeroToOne, oneToAlmostZero } = depth(configuration, layer);
    const vector = [1, 1, width];
    const matrix = [width, width];
    return [
      { name: "time_decay", shape: [width], initial: decaySpeed(zeroToOne) },
      { name: "time_first", shape: [width], initial: bonus },
      { name: "time_mix_k", shape: vector, initial: share(oneToAlmostZero) },
      { name: "time_mix_v", shape: vector, initial: share(oneToAlmostZero, 0.3 * zeroToOne) },
      { name: "time_mix_r", shape: vector, initial: share(0.5 * oneToAlmostZero) },
      { name: "key.weight", shape: matrix, initial: 0 },
      { name: "value.weight", shape: matrix, initial: orthogonal(1) },
      { name: "receptance.weight", shape: matrix, initial: 0 },
      { name: "output.weight", shape: matrix, initial: 0 },
    ];
  },
  state: ({ width }) => [
    { name: "attShift", shape: [width] },
    { name: "numerator", shape: [width] },
    { name: "denominator", shape: [width] },
    { name: "exponent", shape: [width], initial: emptyExponent },
  ],
  apply(context) {
    const { x, parameter, tap, state } = context;
    const [xk, xv, xr] = shifted(context, state.attShift as Tensor2D, ["k", "v", "r"]) as [
      Tensor3D,
      Tensor3D,
      Tensor3D,
    ];
    const r = tap("r", tf.sigmoid(linear(xr, parameter("receptance.weight"))));
    const k = tap("k", linear(xk, parameter("key.weight")));
    const v = tap("v", linear(xv, parameter("value.weight")));
    const decay = tf.neg(tf.exp(parameter("time_decay")));
    const held = state as Record<"numerator" | "denominator" | "exponent", Tensor2D>;
    const { y, state: after } = wkv4(decay, parameter("time_first"), k, v, {
      numerator: held.numerator,
      denominator: held.denominator,
      exponent: held.exponent,
    });
    const taken: Tensor3D = tf.mul(r, tap("wkv", y));
    const output = linear(taken, parameter("output.weight"));
    return { output, state: { attShift: lastToken(x), ...after } };
  },
};

/** σ(R x_r) ⊙ V relu(K x_k)²; V and R start at zero. */
export const rwkv4ChannelMixing: Mixer = {
  name: "rwkv4ChannelMixing",
  description: "squared ReLU under a receptance",
  activations: [
    { name: "hidden", shape: "[B, T, F]", description: "the hidden channels, after the activation" },
    { name: "r", shape: "[B, T, C]", description: "receptance, 0 to 1" },
  ],
  parameters(configuration, layer) {
    const { width, hidden } = configuration;
    const { oneToAlmostZero } = depth(configuration, layer);
    return [
      { name: "time_mix_k", shape: [1, 1, width], initial: share(oneToAlmostZero) },
      { name: "time_mix_r", shape: [1, 1, width], initial: share(oneToAlmostZero) },
      { name: "key.weight", shape: [hidden, width], initial: orthogonal(1) },
      { name: "receptance.weight", shape: [width, width], initial: 0 },
      { name: "value.weight", shape: [width, hidden], initial: 0 },
    ];
  },
  state: ({ width }) => [{ name: "ffnShift", shape: [width] }],
  apply(context) {
    const { x, parameter, tap, state } = context;
    const [xk, xr] = shifted(context, state.ffnShift as Tensor2D, ["k", "r"]) as [Tensor3D, Tensor3D];
    const hidden = tap("hidden", squaredRelu(linear(xk, parameter("key.weight"))));
    const r = tap("r", tf.sigmoid(linear(xr, parameter("receptance.weight"))));
    return { output: tf.mul(r, linear(hidden, parameter("value.weight"))), state: { ffnShift: lastToken(x) } };
  },
};
