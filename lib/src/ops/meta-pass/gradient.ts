/**
 * The kernel `MetaPassGrad`: back through the normalised read of M, through M, through the normalised read of S, through S
 * (META_STATE's gradients). Both recurrences share r's neighbours w, k, a and b, so that their gradients add.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

import { groupNormGradKernel } from "../group-norm/group-norm.js";
import { declareKernel } from "../kernel.js";
import { wkv7GradKernel } from "../wkv7/gradient.js";
import { normalised, type MetaPassAttributes, type MetaPassInput } from "./forward.js";

/** The inputs of `MetaPassGrad` by name. */
export type MetaPassGradInput =
  Exclude<MetaPassInput, "wkv" | "meta"> | "u" | "o" | "wkvCheckpoints" | "metaCheckpoints" | "dAdded" | "dMetaAfter";

/**
 * Kernel `MetaPassGrad`: inputs those of `MetaPass` but for the states, its outputs `u`, `o`, `wkvCheckpoints` and
 * `metaCheckpoints`, and the adjoints `dAdded` `[B, T, H, N]` and `dMetaAfter` `[B, H, N, N]`; attributes as of `MetaPass`, the
 * interval above 0. Outputs `[dr, dw, dk, dv, da, db, dx, dq, dReadGain, dMemoryGain, dWkv, dMeta]`, each shaped as what it is
 * the gradient of.
 */
export const metaPassGradKernel = declareKernel<MetaPassGradInput, MetaPassAttributes>({
  name: "MetaPassGrad",
  composed: metaPassGradComposed,
});

/** `MetaPassGrad` in `Wkv7Grad` and `GroupNormGrad`. */
function metaPassGradComposed(
  inputs: Readonly<Record<MetaPassGradInput, Tensor>>,
  { epsilon, checkpointInterval }: MetaPassAttributes,
): Tensor[] {
  const { r, w, k, v, a, b, x, q, u, o, readGain, memoryGain, dAdded, dMetaAfter } = inputs;
  const attributes = { checkpointInterval };
  const [dO, dMemoryGain] = normalisedGrad(o, memoryGain, dAdded, epsilon);
  const m = tf.add(x, normalised(u, readGain, epsilon));
  const [dr, dw, dk, dx, da, db, dMeta] = wkv7GradKernel.run(
    { r, w, k, v: m, a, b, checkpoints: inputs.metaCheckpoints, dy: dO!, dFinalState: dMetaAfter },
    attributes,
  );
  // The read of S is added to the token twice: as what is written to M, and as it is.
  const [dU, dReadGain] = normalisedGrad(u, readGain, tf.add(dAdded, dx!), epsilon);
  const [dq, dwOfS, dkOfS, dv, daOfS, dbOfS, dWkv] = wkv7GradKernel.run(
    { r: q, w, k, v, a, b, checkpoints: inputs.wkvCheckpoints, dy: dU!, dFinalState: tf.zeros(dMetaAfter.shape) },
    attributes,
  );
  const both = [
    [dw, dwOfS],
    [dk, dkOfS],
    [da, daOfS],
    [db, dbOfS],
  ].map(([ofM, ofS]) => tf.add(ofM!, ofS!)) as [Tensor, Tensor, Tensor, Tensor];
  const [dwBoth, dkBoth, daBoth, dbBoth] = both;
  return [dr!, dwBoth, dkBoth, dv!, daBoth, dbBoth, dx!, dq!, dReadGain!, dMemoryGain!, dWkv!, dMeta!];
}

/** The gradients of {@link normalised} in the read and in the gain. */
function normalisedGrad(read: Tensor, gain: Tensor, dy: Tensor, epsilon: number): Tensor[] {
  const [batch, time, heads, size] = read.shape as [number, number, number, number];
  const flat = (y: Tensor): Tensor => tf.reshape(y, [batch, time, heads * size]);
  const [dx, dgain] = groupNormGradKernel.run(
    { x: flat(read), weight: gain, dy: flat(dy) },
    { groups: heads, epsilon },
  );
  return [tf.reshape(dx!, read.shape), dgain!];
}
