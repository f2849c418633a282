/** What is checked: a variant in small models whose parameters are all away from their initial zeros and constants. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Variable } from "@tensorflow/tfjs-core";

import { changeConfiguration, type ModelConfiguration, type ModelOptions } from "../../model/configuration.js";
import { Model } from "../../model/model.js";
import { parameterVariable } from "../../model/parameter-variable.js";
import { parameterSpecifications } from "../../model/parameters.js";
import { Random } from "../../random.js";

/** What a variant is checked with: options of the models, and the seed of all that is random. */
export interface CheckSubject {
  /** binds the very variant that is checked */
  readonly configuration: ModelConfiguration;
  readonly seed: number;
}

/** How the checked model differs from the one of the configuration. */
export type Changes = Partial<Omit<ModelOptions, "sse">>;

/**
 * A model of the variant.
 *
 * @param noise added to all initial values, uniform in ± this
 */
export function randomModel({ configuration, seed }: CheckSubject, changes: Changes = {}, noise = 0.4): Model {
  const random = new Random(seed);
  const changed = changeConfiguration(configuration, changes);
  const parameters = new Map<string, Variable>();
  for (const { name, shape, fill } of parameterSpecifications(changed)) {
    const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
    fill(random, values, shape);
    for (let i = 0; i < values.length; i++) values[i]! += random.uniform(-noise, noise);
    parameters.set(name, parameterVariable(tf.tensor(values, [...shape])));
  }
  return new Model(changed, parameters);
}

/** Rows of random tokens. */
export function randomTokens({ configuration, seed }: CheckSubject, rows: number, time: number): number[][] {
  const random = Random.at(seed, 1);
  return Array.from({ length: rows }, () =>
    Array.from({ length: time }, () => random.integer(configuration.vocabSize)),
  );
}

/** Logits, and all tensors of the state after the last token, as plain numbers. */
export interface Outcome {
  readonly logits: Float32Array;
  readonly states: readonly Float32Array[];
}

/** Runs a model on tokens, whole or cut into pieces of these lengths. */
export function run(model: Model, tokens: readonly (readonly number[])[], pieces?: readonly number[]): Outcome {
  return tf.tidy(() => {
    const time = tokens[0]!.length;
    let state = model.initialState(tokens.length);
    const parts: Tensor[] = [];
    let start = 0;
    for (const length of pieces ?? [time]) {
      const piece = tokens.map((row) => row.slice(start, start + length));
      const result = model.forward(piece, state);
      parts.push(result.logits);
      state = result.state;
      start += length;
    }
    const logits = tf.concat(parts, 1).dataSync<"float32">();
    return { logits, states: state.tensors().map((tensor) => tensor.dataSync<"float32">()) } as never;
  });
}

/** The largest difference, in units of the largest expected value. NaN where either has one. */
export function difference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let largest = 1e-6;
  let apart = 0;
  for (let i = 0; i < expected.length; i++) {
    const gap = Math.abs(actual[i]! - expected[i]!);
    if (!(gap <= apart)) apart = Math.max(gap, Number.isNaN(gap) ? Infinity : gap);
    largest = Math.max(largest, Math.abs(expected[i]!));
  }
  return apart / largest;
}

/** The same over logits and states. */
export function outcomeDifference(actual: Outcome, expected: Outcome): number {
  const states = expected.states.map((values, i) => difference(actual.states[i]!, values));
  return Math.max(difference(actual.logits, expected.logits), ...states);
}

/** A number as a report shows it. */
export function figure(x: number): string {
  return x === 0 ? "0" : x.toExponential(1);
}
