/** The sizes that growth can change, of a model of any kind. */
import type { LanguageModel } from "../model/language-model.js";
import { Model } from "../model/model.js";
import { sseHeads } from "../model/sizes.js";

/** Sizes of a model, as far as its kind has them. */
export interface ModelSizes {
  readonly vocabSize: number;
  readonly width?: number;
  readonly layers?: number;
  readonly heads?: number;
  readonly headSize?: number;
  /** heads that carry the SSE; 0 where no state is used as weights */
  readonly sseHeads?: number;
  /** n: rows of K_P and V_P in each layer; of a baseline the hidden channels of its channel mixing */
  readonly parameterTokens?: number;
}

/** The sizes that a model's configuration tells. */
export function modelSizes(model: LanguageModel): ModelSizes {
  const told = model.configuration as unknown as Readonly<Record<string, unknown>>;
  const { vocabSize } = model.configuration;
  const tokens = told["parameterTokens"] ?? told["hidden"];
  const sizes = Object.fromEntries(
    Object.entries({
      ...{ width: told["width"], layers: told["layers"], heads: told["heads"], headSize: told["headSize"] },
      parameterTokens: tokens,
    }).filter(([, size]) => typeof size === "number"),
  );
  const { sse } = told;
  const carrying = model instanceof Model && sse !== "none" ? sseHeads(model.configuration) : 0;
  return { vocabSize, ...sizes, sseHeads: carrying };
}
