/** What the tests of inspection share. Not exported from the package. */
import * as tf from "@tensorflow/tfjs-core";

import type { ModelOptions } from "../model/configuration.js";
import { createModel, type Model } from "../model/model.js";
import { awayFromInitialValues } from "../testing.js";

/** Two texts of six tokens. */
export const inputs = [
  [1, 5, 2, 2, 6, 0],
  [3, 3, 0, 4, 1, 5],
];

/** A small model whose parameters are all away from their initial zeros and constants. */
export function randomModel(options: Partial<ModelOptions> = {}): Model {
  const tiny = { vocabSize: 7, width: 8, layers: 2, headSize: 4, parameterTokens: 12 };
  return awayFromInitialValues(createModel({ ...tiny, ...options }, { seed: 3 }));
}

/** The values of a pass: logits and states. */
export function valuesOf({ logits, state }: { logits: tf.Tensor; state: { tensors(): tf.Tensor[] } }): Float32Array[] {
  return [logits, ...state.tensors()].map((tensor) => tensor.dataSync<"float32">());
}
