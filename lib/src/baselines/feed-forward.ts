/** The channel mixers of Transformers: two layers with something in between. */
import type { Filler } from "../model/initial-values.js";
import { uniform } from "../model/initial-values.js";
import { linear } from "../ops/linear/linear.js";
import { squaredRelu } from "../ops/squared-relu/squared-relu.js";
import { swiGlu } from "../ops/swiglu/swiglu.js";
import type { Mixer } from "./mixer.js";

/** Uniform with the variance 1/C, so that unit inputs give unit outputs. */
export function unitVariance(width: number): Filler {
  return uniform(Math.sqrt(3 / width));
}

const hiddenActivation = {
  name: "hidden",
  shape: "[B, T, F]",
  description: "the hidden channels, after the activation",
};

/** V (silu(G x) ⊙ K x): arXiv 2002.05202. The second layer starts at zero. */
export const swiGluMixer: Mixer = {
  name: "swiglu",
  description: "linear units under SiLU gates",
  activations: [hiddenActivation],
  parameters: ({ width, hidden }) => [
    { name: "gate.weight", shape: [hidden, width], initial: unitVariance(width) },
    { name: "key.weight", shape: [hidden, width], initial: unitVariance(width) },
    { name: "value.weight", shape: [width, hidden], initial: 0 },
  ],
  apply({ x, parameter, tap }) {
    const inner = swiGlu(linear(x, parameter("gate.weight")), linear(x, parameter("key.weight")));
    return { output: linear(tap("hidden", inner), parameter("value.weight")) };
  },
};

/** V relu(K x)²: arXiv 2109.08668. The second layer starts at zero. */
export const squaredReluMixer: Mixer = {
  name: "squaredRelu",
  description: "squared ReLU",
  activations: [hiddenActivation],
  parameters: ({ width, hidden }) => [
    { name: "key.weight", shape: [hidden, width], initial: unitVariance(width) },
    { name: "value.weight", shape: [width, hidden], initial: 0 },
  ],
  apply({ x, parameter, tap }) {
    const inner = squaredRelu(linear(x, parameter("key.weight")));
    return { output: linear(tap("hidden", inner), parameter("value.weight")) };
  },
};
