/** Values without a way back for the gradient. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

/**
 * The same values, as a constant to the gradient: what is computed of them passes no gradient to `x`. So ops without a gradient may
 * be used for a choice, and a step may pass the gradient of something smooth:
 *
 * ```ts
 * const least = tf.min(tf.topk(ms.stopGradient(x), 4).values, -1, true); // a threshold, without a gradient
 * const straightThrough = tf.add(x, ms.stopGradient(tf.sub(tf.step(x), x))); // the value of the step, the gradient of x
 * ```
 *
 * @returns a tensor of the caller's, which shares the memory of `x`
 */
export function stopGradient<T extends Tensor>(x: T): T {
  const { state } = tf.engine();
  // tfjs records what runs outside of kernels.
  state.kernelDepth++;
  try {
    return tf.clone(x);
  } finally {
    state.kernelDepth--;
  }
}
