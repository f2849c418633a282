/** The gradient of a step: of one batch, or of several small ones as if they were one large. */
import { setImmediate } from "node:timers/promises";

import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

import type { Batch } from "../data/batch.js";
import type { LanguageModel, SequenceState } from "../model/language-model.js";
import { globalNorm } from "../ops/adamw/adamw.js";
import { disposeGradients, lossGradients, type LossGradients } from "./gradients.js";
import { countedPositions } from "./loss.js";
import type { Owned } from "./owned.js";

/** What {@link stepGradients} is to do. */
export interface StepGradientsOptions {
  /** the parameters that are trained */
  parameters: readonly string[];
  /** where, of those that are trained in part */
  masks: ReadonlyMap<string, Tensor>;
  /** whether each batch goes on from the state of the one before */
  carryState: boolean;
  /** the state before the first batch; stays the caller's */
  state: SequenceState | undefined;
  /** ends the step between two of its batches */
  signal: AbortSignal | undefined;
  /** holds what there is until all batches are done: a step that is terminated in its middle frees nothing itself */
  owned: Owned;
}

/**
 * Loss and gradient over all positions that count in all batches: each batch weighs as much as it has of them, so that
 * they are those of one batch with all rows, to rounding. Other work gets its turn between batches.
 *
 * @returns tensors of the caller's, the state after the last batch among them
 */
export async function stepGradients(
  model: LanguageModel,
  batches: readonly Batch[],
  { parameters, masks, carryState, state, signal, owned }: StepGradientsOptions,
): Promise<LossGradients> {
  const counts = batches.map(({ inputs, mask }) =>
    mask ? countedPositions(mask, inputs.shape).length : inputs.shape[0] * inputs.shape[1],
  );
  const total = counts.reduce((sum, count) => sum + count, 0);
  let sum: LossGradients | undefined;
  const gathered = owned.add({
    dispose() {
      if (sum) disposeGradients(sum);
      sum?.state?.dispose();
    },
  });
  try {
    for (const [i, batch] of batches.entries()) {
      if (sum) {
        await setImmediate();
        signal?.throwIfAborted();
      }
      const weight = counts[i]! / total;
      const part = lossGradients(model, batch, {
        ...{ parameters, masks, carryState, weight },
        state: sum?.state ?? state,
      });
      sum = sum ? added(sum, part) : part;
    }
    owned.release(gathered);
    return sum!;
  } catch (error) {
    owned.free(gathered);
    throw error;
  }
}

/** The sum of both, which it frees; the state of the later. */
function added(sum: LossGradients, part: LossGradients): LossGradients {
  const gradients = new Map<string, Tensor>();
  for (const name of new Set([...sum.gradients.keys(), ...part.gradients.keys()])) {
    const [a, b] = [sum.gradients.get(name), part.gradients.get(name)];
    gradients.set(name, a && b ? tf.add(a, b) : tf.clone((a ?? b)!));
  }
  const [here, there] = [sum.addedLoss, part.addedLoss];
  const both = {
    loss: tf.add(sum.loss, part.loss),
    ...(here && there && { addedLoss: tf.add(here, there) }),
    gradients,
    norm: globalNorm([...gradients.values()]),
    ...(part.state && { state: part.state }),
  };
  sum.state?.dispose();
  disposeGradients(sum);
  disposeGradients(part);
  return both as LossGradients;
}
