/** What the tests of inspection share. Not exported from the package. */
import * as tf from "@tensorflow/tfjs-core";

export { randomModel } from "../model/testing.js";

/** Two texts of six tokens. */
export const inputs = [
  [1, 5, 2, 2, 6, 0],
  [3, 3, 0, 4, 1, 5],
];

/** The values of a pass: logits and states. */
export function valuesOf({ logits, state }: { logits: tf.Tensor; state: { tensors(): tf.Tensor[] } }): Float32Array[] {
  return [logits, ...state.tensors()].map((tensor) => tensor.dataSync<"float32">());
}
