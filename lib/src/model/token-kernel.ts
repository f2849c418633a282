/**
 * All blocks, and the halves of a block, as kernels of one token, which an engine may register. When a model writes, its ops are so
 * small that starting one costs as much as what it computes, and the memory that holds the weights waits meanwhile.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { NamedAttrMap, Tensor } from "@tensorflow/tfjs-core";

import { keepsNames } from "../engine/numerics-context.js";
import type { LayerRun } from "./tap.js";

/**
 * Whether the kernel of this name is there and computes this. Otherwise it goes op by op: for several tokens, for a gradient (the
 * kernels have none), for a tap, and while numbers are checked (an error names its op).
 *
 * @param stream the residual stream, `[B, T, C]`
 */
export function isForTokenKernel(kernelName: string, run: Pick<LayerRun, "isTapped">, stream: Tensor): boolean {
  const engine = tf.engine();
  if (stream.shape[1] !== 1 || run.isTapped || engine.isTapeOn() || keepsNames()) return false;
  return tf.getKernel(kernelName, engine.backendName) !== undefined;
}

/** Runs the kernel; its outputs in their order. */
export function runTokenKernel(
  kernelName: string,
  inputs: Record<string, Tensor>,
  attributes: NamedAttrMap,
): readonly Tensor[] {
  return tf.engine().runKernel<Tensor[]>(kernelName, inputs, attributes);
}
