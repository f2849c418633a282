/** Whether growth kept the function: measured, not assumed. */
import { setImmediate } from "node:timers/promises";

import { expectModel, expectOptions, type OptionNames } from "../arguments.js";
import { ConfigurationError } from "../errors.js";
import type { LanguageModel } from "../model/language-model.js";
import { tokenMatrix, type TokenMatrix } from "../model/tokens.js";
import { Random } from "../random.js";
import type { Tokenizer } from "../tokenizers/tokenizer.js";
import { GrowthReport, type GrowthMeasurement, type GrowthVerdict } from "./growth-report.js";
import { continued, whole } from "./measure.js";
import { modelSizes, type ModelSizes } from "./model-sizes.js";
import { parameterChanges } from "./parameter-changes.js";

/** Options of {@link growthReport}. */
export interface GrowthReportOptions {
  /** real input as tokens; at most `length` of them are used */
  tokens?: ArrayLike<number>;
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

const optionNames: OptionNames<GrowthReportOptions> = {
  ...{ tokens: true, text: true, tokenizer: true, length: true, rows: true, seed: true, tolerance: true, signal: true },
};

/**
 * Compares a model with the one that it grew into: what was added, and how far logits and states are apart on random and on real
 * input, as a whole and where a conversation changes models halfway.
 *
 * @param before the smaller model
 * @param after the larger one; after training it is another function, and the report says so
 * @throws ConfigurationError when `after` is not larger in every way, or options do not fit each other
 */
export async function growthReport(
  before: LanguageModel,
  after: LanguageModel,
  options: GrowthReportOptions = {},
): Promise<GrowthReport> {
  expectModel("growthReport", before);
  expectModel("growthReport", after);
  expectOptions("growthReport", options, optionNames);
  const { length = 128, rows = 2, seed = 0, tolerance = 1e-5, signal } = options;
  const sizes = { before: modelSizes(before), after: modelSizes(after) };
  expectLarger(sizes.before, sizes.after);
  const random = new Random(seed);
  const inputs: [string, TokenMatrix][] = [
    [
      "random tokens",
      tokenMatrix(
        "growthReport",
        Array.from({ length: rows }, () =>
          Array.from({ length }, () => random.integer(before.configuration.vocabSize)),
        ),
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
  return new GrowthReport({
    ...{ measurements, tolerance, sizes },
    changes: parameterChanges(before, after),
    parameterCount: { before: parameterCount(before), after: parameterCount(after) },
    verdict: verdictOf(measurements, tolerance),
  });
}

function expectLarger(before: ModelSizes, after: ModelSizes): void {
  for (const name of Object.keys(before) as (keyof ModelSizes)[]) {
    const [small, large] = [before[name], after[name]];
    if (small === undefined || (large !== undefined && large >= small)) continue;
    throw new ConfigurationError(
      `growthReport: ${name} is ${small} before and ${String(large)} after: give the smaller model first`,
    );
  }
}

function parameterCount({ parameters }: LanguageModel): number {
  return [...parameters.values()].reduce((sum, { size }) => sum + size, 0);
}

function realTokens({ tokens, text, tokenizer }: GrowthReportOptions): number[] {
  if (text === undefined) return Array.from(tokens ?? []);
  if (tokens) throw new ConfigurationError("growthReport: tokens and text are both given, wanted one of them");
  if (!tokenizer) throw new ConfigurationError("growthReport: text needs the models' tokenizer: {text, tokenizer}");
  return Array.from(tokenizer.encode(text));
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
