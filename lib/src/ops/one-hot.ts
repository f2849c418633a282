/** One-hot rows as float32, on any backend. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Tensor1D, Tensor2D } from "@tensorflow/tfjs-core";

import { sizeOf } from "./shape.js";

/**
 * @param indices int32, any shape, taken as one list
 * @returns float32 `[indices.size, depth]`
 */
export function oneHot(indices: Tensor, depth: number): Tensor2D {
  // tfjs refuses a depth of 1, of which the only index is 0.
  if (depth === 1) return tf.ones([sizeOf(indices.shape), 1]);
  const list: Tensor1D = tf.reshape(indices, [sizeOf(indices.shape)]);
  // Asked for float32, tfjs's wasm backend labels int32 values so: cast them instead.
  return tf.cast(tf.oneHot(list, depth, 1, 0, "int32"), "float32") as Tensor2D;
}
