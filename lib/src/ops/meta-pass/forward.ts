/**
 * The forward kernel `MetaPass`: S read with x̂, the read normalised, M written with the result and read with r. In the
 * library's other kernels it is two recurrences under one transition and two normalisations; a kernel package may do it in
 * one pass over time, for all of it is local to a head.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

import { groupNormKernel } from "../group-norm/group-norm.js";
import { declareKernel } from "../kernel.js";
import { wkv7Kernel } from "../wkv7/forward.js";

/** The inputs of `MetaPass` by name. */
export type MetaPassInput = "r" | "w" | "k" | "v" | "a" | "b" | "x" | "q" | "readGain" | "memoryGain" | "wkv" | "meta";

/** `epsilon` is added to the variances; `checkpointInterval` is 0 for inference, else states are kept every so many steps. */
export interface MetaPassAttributes {
  readonly epsilon: number;
  readonly checkpointInterval: number;
  readonly [key: string]: number;
}

/**
 * Kernel `MetaPass`: inputs `r`, `w`, `k`, `v`, `a`, `b`, `x`, `q` `[B, T, H, N]`, `readGain` and `memoryGain` `[H·N]`, `wkv` and
 * `meta` `[B, H, N, N]`; outputs `[added, metaAfter]`, `[B, T, H, N]` and `[B, H, N, N]`, and with a `checkpointInterval` above 0
 * also what `MetaPassGrad` needs: the reads `u` and `o` `[B, T, H, N]`, and `wkvCheckpoints` and `metaCheckpoints`
 * `[B, H, ⌈T/interval⌉, N, N]`, as those of `Wkv7`.
 */
export const metaPassKernel = declareKernel<MetaPassInput, MetaPassAttributes>({
  name: "MetaPass",
  composed: metaPassComposed,
});

/** `MetaPass` in `Wkv7` and `GroupNorm`, whose kernels are as fast as the backend has them. */
function metaPassComposed(
  { r, w, k, v, a, b, x, q, readGain, memoryGain, wkv, meta }: Readonly<Record<MetaPassInput, Tensor>>,
  { epsilon, checkpointInterval }: MetaPassAttributes,
): Tensor[] {
  const attributes = { checkpointInterval };
  const [u, , wkvCheckpoints] = wkv7Kernel.run({ r: q, w, k, v, a, b, state: wkv }, attributes);
  const seen = normalised(u!, readGain, epsilon);
  const m = tf.add(x, seen);
  const [o, state, metaCheckpoints] = wkv7Kernel.run({ r, w, k, v: m, a, b, state: meta }, attributes);
  const added = tf.add(seen, normalised(o!, memoryGain, epsilon));
  return checkpointInterval > 0 ? [added, state!, u!, o!, wkvCheckpoints!, metaCheckpoints!] : [added, state!];
}

/** gain ⊙ GN(read), a head's N values a group: `[B, T, H, N]`. */
export function normalised(read: Tensor, gain: Tensor, epsilon: number): Tensor {
  const [batch, time, heads, size] = read.shape as [number, number, number, number];
  const flat = tf.reshape(read, [batch, time, heads * size]);
  const bias = tf.zeros([heads * size]);
  return tf.reshape(groupNormKernel.run({ x: flat, weight: gain, bias }, { groups: heads, epsilon })[0]!, read.shape);
}
