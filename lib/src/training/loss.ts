/** The loss of a batch from its logits, of the positions that count. */
import * as tf from "@tensorflow/tfjs-core";
import type { Scalar, Tensor2D, Tensor3D } from "@tensorflow/tfjs-core";

import type { PositionMask } from "../data/batch.js";
import { ConfigurationError, ShapeError } from "../errors.js";
import { crossEntropy } from "../ops/cross-entropy/cross-entropy.js";
import { embedding } from "../ops/embedding/embedding.js";

/**
 * Mean cross-entropy over the positions that the mask counts, in nats; differentiable in the logits. Logits elsewhere have
 * no part in it, and a gradient of exactly 0.
 *
 * @param logits `[B, T, V]`
 * @param targets int32 `[B, T]`
 * @param mask left out, all positions count
 * @throws ShapeError when the mask's shape is another; ConfigurationError when it counts no position
 */
export function batchLoss(logits: Tensor3D, targets: Tensor2D, mask?: PositionMask): Scalar {
  const positions = mask && countedPositions(mask, targets.shape);
  if (!positions || positions.length === targets.size) return crossEntropy(logits, targets);
  return tf.tidy(() => {
    const [batch, time, vocabulary] = logits.shape;
    const indices: Tensor2D = tf.tensor2d(positions, [1, positions.length], "int32");
    // Rows by their number is what an embedding is; its gradient runs on every backend.
    const chosen = embedding(tf.reshape(logits, [batch * time, vocabulary]), indices);
    const wanted = tf.gather(tf.reshape(targets, [batch * time]), tf.reshape(indices, [positions.length]));
    return crossEntropy(chosen, tf.reshape(wanted, [1, positions.length]));
  });
}

/**
 * The numbers of the positions that count, row-major.
 *
 * @throws ShapeError when the mask's shape is another; ConfigurationError when it counts none
 */
export function countedPositions({ data, shape }: PositionMask, wanted: readonly number[]): Int32Array {
  if (shape[0] !== wanted[0] || shape[1] !== wanted[1] || data.length !== shape[0] * shape[1]) {
    const given = `[${shape.join(", ")}] with ${data.length} values`;
    throw new ShapeError("batch", "mask", given, `[${wanted.join(", ")}], as the targets`);
  }
  const positions: number[] = [];
  data.forEach((counts, i) => counts !== 0 && positions.push(i));
  if (positions.length === 0) {
    throw new ConfigurationError("the batch's mask counts no position: there is nothing to learn or to measure");
  }
  return Int32Array.from(positions);
}
