/** What the tests of training share. Not exported from the package. */
import type { Batch } from "../data/batch.js";
import { batches } from "../data/batches.js";
import type { ModelOptions } from "../model/configuration.js";
import type { LanguageModel } from "../model/language-model.js";
import { createModel, type Model } from "../model/model.js";
import { train } from "./train.js";
import type { TrainBatches, TrainMetrics, TrainOptions } from "./training-options.js";

/** A text with a rule: each byte is the one before plus 1 or 2, modulo 16, by turns. */
export const ruleText = Uint8Array.from({ length: 2000 }, (_, i) => (i + Math.floor(i / 2)) % 16);

/** A model that learns the rule in a few steps. */
export function smallModel(seed = 1, options: Partial<ModelOptions> = {}): Model {
  return createModel({ vocabSize: 16, width: 16, layers: 2, headSize: 8, parameterTokens: 32, ...options }, { seed });
}

/** Batches of the text, from a batch's number on. */
export function ruleBatches(start = 0, { batchSize = 4, length = 16, seed = 1 } = {}): IterableIterator<Batch, never> {
  return batches(ruleText, { batchSize, length, seed, start });
}

/** All metrics of a training. */
export async function metricsOf(
  model: LanguageModel,
  source: TrainBatches,
  options: TrainOptions,
): Promise<TrainMetrics[]> {
  const history: TrainMetrics[] = [];
  for await (const metrics of train(model, source, options)) history.push(metrics);
  return history;
}

/** The parameters' values now, by name. */
export function valuesOf(model: LanguageModel): Map<string, Float32Array> {
  return new Map([...model.parameters].map(([name, variable]) => [name, variable.dataSync<"float32">().slice()]));
}
