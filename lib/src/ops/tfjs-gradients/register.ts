/**
 * Gradients of tfjs's own ops. tfjs keeps them in a file that only bundlers can load: its build for Node comes without
 * any, and `tf.grad` fails with "gradient function not found". Those that a model, an SSE variant written in a notebook,
 * or a loss may need are registered here, unless another package has done so before.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { NamedAttrMap, Tensor } from "@tensorflow/tfjs-core";

/** A gradient by input name, each computed when asked for. */
export type InputGradients = Record<string, () => Tensor>;

/** How the gradient of one kernel is made. */
export interface GradientRule {
  readonly kernel: string;
  /** inputs needed again, by name; `all` for kernels with a list of inputs */
  readonly save?: readonly string[] | "all";
  /** whether the first output is needed again; it follows the inputs */
  readonly saveOutput?: boolean;
  readonly gradient: (dy: Tensor, saved: readonly Tensor[], attributes: NamedAttrMap) => InputGradients;
}

/** Registers the rules whose kernels have no gradient yet. */
export function registerGradients(rules: readonly GradientRule[]): void {
  for (const { kernel, save = [], saveOutput = false, gradient } of rules) {
    if (tf.getGradient(kernel)) continue;
    tf.registerGradient({
      kernelName: kernel,
      ...(save === "all" ? { saveAllInputs: true } : { inputsToSave: [...save] }),
      outputsToSave: [saveOutput],
      gradFunc: (dy, saved, attributes) => gradient(dy as Tensor, saved, attributes),
    });
  }
}

/** Sums over the axes along which a value of `shape` was broadcast; the very tensor where there are none. */
export function sumTo(gradient: Tensor, shape: readonly number[]): Tensor {
  if (tf.util.arraysEqual(gradient.shape, [...shape])) return gradient;
  const axes = tf.broadcast_util.getReductionAxes([...shape], gradient.shape);
  return tf.reshape(axes.length > 0 ? tf.sum(gradient, axes) : gradient, [...shape]);
}
