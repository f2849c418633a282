/** Gradients by tfjs's tape that leave nothing behind when what is differentiated fails. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

/**
 * A value and its gradients. Where the function or its gradient throws, the tensors that the tape keeps for the way back are
 * freed: tfjs frees them at the end of the way back alone, and a step that failed would leave all its activations behind.
 *
 * @param f from the `xs` to a scalar
 * @returns tensors of the scope around; `null` for what the value does not depend on
 */
export function differentiate<T extends Tensor>(
  f: () => T,
  xs: readonly Tensor[],
): { readonly value: T; readonly grads: readonly (Tensor | null)[] } {
  const engine = tf.engine();
  try {
    // Not tf.grads: it refuses where some of the xs are unused. tfjs gives null for those, where its types promise a tensor.
    return engine.gradients(f, [...xs], undefined, true);
  } catch (error) {
    // Inside another gradient, the tape is that one's.
    if (engine.state.gradientDepth === 0) freeTape();
    throw error;
  }
}

function freeTape(): void {
  const { state } = tf.engine();
  for (const { saved } of state.activeTape ?? []) if (saved) tf.dispose(saved);
  state.activeTape = [];
}
