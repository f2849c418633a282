/** What the tests of models share. Not exported from the package. */
import { awayFromInitialValues } from "../testing.js";
import type { ModelOptions } from "./configuration.js";
import type { LanguageModel } from "./language-model.js";
import { createModel, type Model } from "./model.js";

/** The sizes of a small model. */
export const tiny = { vocabSize: 7, width: 8, layers: 2, headSize: 4, parameterTokens: 12 };

/** A small model whose parameters are all away from their initial zeros and constants. */
export function randomModel(options: Partial<ModelOptions> = {}): Model {
  return awayFromInitialValues(createModel({ ...tiny, ...options }, { seed: 3 }));
}

/** The parameters as the float64 reference takes them. */
export function float64({ parameters }: Pick<LanguageModel, "parameters">): Map<string, Float64Array> {
  return new Map([...parameters].map(([name, variable]) => [name, Float64Array.from(variable.dataSync())]));
}
