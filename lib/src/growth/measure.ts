/** Two models on the same input, and how far their logits and states are apart. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

import type { LanguageModel, SequenceState } from "../model/language-model.js";
import { Model } from "../model/model.js";
import { ModelState } from "../model/state.js";
import { differenceOf, type Difference } from "../model/state-distance.js";
import { tensorNamesOf, valuesOf } from "../model/state-layers.js";
import type { TokenMatrix } from "../model/tokens.js";
import { tidyValue } from "../ops/tidy.js";
import type { GrowthMeasurement } from "./growth-report.js";
import { growState } from "./grow-state.js";

/** Both models on the whole input. */
export function whole(
  before: LanguageModel,
  after: LanguageModel,
  input: string,
  tokens: TokenMatrix,
): GrowthMeasurement {
  return tidyValue(() => {
    const [small, large] = [before.forward(tokens), after.forward(tokens)];
    const states = stateDifference(small.state, large.state);
    return { input, tokens: tokens.data.length, ...logitDifference(small.logits, large.logits), ...states };
  });
}

/**
 * The smaller model on the first half; then both go on, the larger from the grown state. Undefined where states cannot grow:
 * when width or head size differ, and for baselines.
 */
export function continued(
  before: LanguageModel,
  after: LanguageModel,
  input: string,
  tokens: TokenMatrix,
): GrowthMeasurement | undefined {
  if (!(before instanceof Model && after instanceof Model)) return undefined;
  const [rows, length] = tokens.shape;
  const half = Math.floor(length / 2);
  const sameHeads = before.configuration.headSize === after.configuration.headSize;
  if (half === 0 || !sameHeads || before.configuration.width !== after.configuration.width) return undefined;
  const part = (start: number, end: number): number[][] =>
    Array.from({ length: rows }, (_, b) => Array.from(tokens.data.subarray(b * length + start, b * length + end)));
  return tidyValue(() => {
    const { state } = before.forward(part(0, half));
    const small = before.forward(part(half, length), state);
    const large = after.forward(part(half, length), growState(state, after));
    const states = stateDifference(small.state, large.state);
    const name = `${input}, larger model from the middle on`;
    return { input: name, tokens: rows * (length - half), ...logitDifference(small.logits, large.logits), ...states };
  });
}

/** Of the tokens that both models have. */
function logitDifference(small: Tensor, large: Tensor): { logits: Difference; largestLogit: number } {
  const values = valuesOf(small);
  const largestLogit = values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  return { logits: differenceOf(values, valuesOf(corner(large, small.shape))), largestLogit };
}

/** Of the layers, channels and heads that both models have; absent when a last axis is longer: heads are of another size. */
function stateDifference(small: SequenceState, large: SequenceState): { state?: Difference } {
  const differences: Difference[] = [];
  for (const [here, there] of tensorPairs(small, large)) {
    const longer = here.shape.some((size, axis) => size > (there.shape[axis] ?? 0));
    if (longer || here.rank !== there.rank || here.shape.at(-1) !== there.shape.at(-1)) return {};
    differences.push(differenceOf(valuesOf(here), valuesOf(corner(there, here.shape))));
  }
  const most = (key: keyof Difference): number => Math.max(0, ...differences.map((difference) => difference[key]));
  return { state: { largest: most("largest"), relative: most("relative") } };
}

/** Tensors of the same layer and name; of states that list them layer by layer, the first ones are those. */
function tensorPairs(small: SequenceState, large: SequenceState): [Tensor, Tensor][] {
  if (small instanceof ModelState && large instanceof ModelState) {
    return small.layers.flatMap((layer, i) =>
      tensorNamesOf(layer).flatMap((name): [Tensor, Tensor][] => {
        const there = large.layers[i]?.[name];
        return there ? [[layer[name]!, there]] : [];
      }),
    );
  }
  const there = large.tensors();
  return small.tensors().flatMap((tensor, i): [Tensor, Tensor][] => (there[i] ? [[tensor, there[i]]] : []));
}

function corner(tensor: Tensor, shape: readonly number[]): Tensor {
  return tf.slice(tensor, new Array<number>(shape.length).fill(0), [...shape]);
}
