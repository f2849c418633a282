/** Whether growth kept the function: measured, not assumed. */
import { setImmediate } from "node:timers/promises";

import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Tensor4D } from "@tensorflow/tfjs-core";

import { ConfigurationError } from "../errors.js";
import type { Model } from "../model/model.js";
import type { ModelState } from "../model/state.js";
import { differenceOf, type Difference } from "../model/state-distance.js";
import { tensorNamesOf, valuesOf } from "../model/state-layers.js";
import { tokenMatrix, type TokenMatrix } from "../model/tokens.js";
import { tidyValue } from "../ops/tidy.js";
import { Random } from "../random.js";
import type { Tokenizer } from "../tokenizers/tokenizer.js";
import { GrowthReport, type GrowthMeasurement, type GrowthVerdict, type ParameterChange } from "./growth-report.js";
import { growState } from "./grow-state.js";
import { growthPlan, valuesBefore, type ParameterGrowth } from "./plan.js";

/** Options of {@link growthReport}. */
export interface GrowthReportOptions {
  /** real input as tokens; at most `length` of them are used */
  tokens?: readonly number[];
  /** real input as text; needs `tokenizer` */
  text?: string;
  /** the models' tokenizer */
  tokenizer?: Tokenizer;
  /** tokens a sequence; default 128 */
  length?: number;
  /** sequences of random tokens; default 2 */
  rows?: number;
  /** of the random tokens; default 0 */
  seed?: number;
  /**
   * what still counts as rounding: the largest difference of logits, and of states, as a part of the largest magnitude.
   * Default 1e−5: differences of 2e−6 were measured where only the order of summation differs (float32)
   */
  tolerance?: number;
  /** ends the measurement with its reason */
  signal?: AbortSignal;
}

/**
 * Compares a model with the one that it grew into: what was added, and how far logits and states are apart on random and on real
 * input, as a whole and where a conversation changes models halfway.
 *
 * @param before the smaller model
 * @param after the larger one; after training it is another function, and the report says so
 * @throws ConfigurationError when `after` is not larger in every way, or options do not fit each other
 */
export async function growthReport(
  before: Model,
  after: Model,
  options: GrowthReportOptions = {},
): Promise<GrowthReport> {
  const { length = 128, rows = 2, seed = 0, tolerance = 1e-5, signal } = options;
  const [from, to] = [before.configuration, after.configuration];
  for (const name of ["vocabSize", "width", "headSize", "heads", "layers", "parameterTokens"] as const) {
    if (to[name] >= from[name]) continue;
    throw new ConfigurationError(
      `growthReport: ${name} is ${from[name]} before and ${to[name]} after: give the smaller model first`,
    );
  }
  const random = new Random(seed);
  const inputs: [string, TokenMatrix][] = [
    [
      "random tokens",
      tokenMatrix(
        "growthReport",
        Array.from({ length: rows }, () => Array.from({ length }, () => random.integer(from.vocabSize))),
      ),
    ],
  ];
  const real = realTokens(options).slice(0, length);
  if (real.length > 0) inputs.push(["real input", tokenMatrix("growthReport", [real])]);
  const measurements: GrowthMeasurement[] = [];
  for (const [name, input] of inputs) {
    for (const measure of [whole, continued]) {
      signal?.throwIfAborted();
      const measured = measure(before, after, name, input);
      if (measured) measurements.push(measured);
      await setImmediate();
    }
  }
  const changes = growthPlan(from, to).map((plan) => parameterChange(plan, before, after));
  return new GrowthReport({
    ...{ changes, measurements, tolerance },
    parameterCount: { before: before.parameterCount, after: after.parameterCount },
    verdict: verdictOf(measurements, tolerance),
  });
}

function realTokens({ tokens, text, tokenizer }: GrowthReportOptions): readonly number[] {
  if (text === undefined) return tokens ?? [];
  if (tokens) throw new ConfigurationError("growthReport: tokens and text are both given, wanted one of them");
  if (!tokenizer) throw new ConfigurationError("growthReport: text needs the models' tokenizer: {text, tokenizer}");
  return Array.from(tokenizer.encode(text));
}

/** Both models on the whole input. */
function whole(before: Model, after: Model, input: string, tokens: TokenMatrix): GrowthMeasurement {
  return tidyValue(() => {
    const [small, large] = [before.forward(tokens), after.forward(tokens)];
    const states = stateDifference(small.state, large.state);
    return { input, tokens: tokens.data.length, ...logitDifference(small.logits, large.logits), ...states };
  });
}

/** The smaller model on the first half; then both go on, the larger from the grown state. */
function continued(before: Model, after: Model, input: string, tokens: TokenMatrix): GrowthMeasurement | undefined {
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
  const shared = tf.slice(large, [0, 0, 0], small.shape);
  const values = valuesOf(small);
  const largestLogit = values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  return { logits: differenceOf(values, valuesOf(shared)), largestLogit };
}

/** Of the layers, channels and heads that both models have; absent when heads have another size. */
function stateDifference(small: ModelState, large: ModelState): { state?: Difference } {
  const differences: Difference[] = [];
  for (const [i, layer] of small.layers.entries()) {
    for (const name of tensorNamesOf(layer)) {
      const [here, there] = [layer[name]!, large.layers[i]![name]];
      if (!there || here.shape.at(-1) !== there.shape.at(-1)) return {};
      const shared = tf.slice(there as Tensor4D, new Array<number>(here.rank).fill(0), here.shape);
      differences.push(differenceOf(valuesOf(here), valuesOf(shared)));
    }
  }
  const most = (key: keyof Difference): number => Math.max(...differences.map((difference) => difference[key]));
  return { state: { largest: most("largest"), relative: most("relative") } };
}

function parameterChange(plan: ParameterGrowth, before: Model, after: Model): ParameterChange {
  const { name, before: old, after: shape, steps, filling } = plan;
  const common = { name, before: old, after: shape };
  if (!old) return { ...common, filled: filling.description, kept: true };
  const was = valuesOf(before.parameters.get(name)!);
  const is = valuesBefore(plan, valuesOf(after.parameters.get(name)!));
  const filled = [...new Set(steps.map((step) => step.filling.description))].join(", ");
  return { ...common, filled, kept: was.every((value, i) => Object.is(value, is[i])) };
}

function verdictOf(measurements: readonly GrowthMeasurement[], tolerance: number): GrowthVerdict {
  const all = (f: (measurement: GrowthMeasurement) => boolean): boolean => measurements.every(f);
  if (all(({ logits, state }) => logits.largest === 0 && (state?.largest ?? 0) === 0)) return "exact";
  const rounding = all(
    ({ logits, largestLogit, state }) =>
      logits.largest <= tolerance * largestLogit && (state?.relative ?? 0) <= tolerance,
  );
  return rounding ? "equal to rounding" : "not equal";
}
