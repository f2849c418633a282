/** A batch's loss and its gradient with respect to the parameters. */
import * as tf from "@tensorflow/tfjs-core";
import type { Scalar, Tensor } from "@tensorflow/tfjs-core";

import type { Batch } from "../data/batch.js";
import type { LanguageModel, SequenceState } from "../model/language-model.js";
import { parameter } from "../model/parameters.js";
import { tokenTensor } from "../model/tokens.js";
import { globalNorm } from "../ops/adamw/adamw.js";
import { differentiate } from "../ops/differentiate.js";
import { batchLoss } from "./loss.js";
import { forwardStreams } from "./carried-state.js";

/** The tensors of one step; the caller disposes of them. */
export interface LossGradients {
  /** of the tokens */
  readonly loss: Scalar;
  /** what the model adds to it, as an SSE variant may; the gradients are those of the sum */
  readonly addedLoss?: Scalar;
  /** by parameter name; parameters that the loss does not depend on are absent */
  readonly gradients: ReadonlyMap<string, Tensor>;
  /** the global norm of all gradients */
  readonly norm: Scalar;
  /** the state after the batch, when it was asked for; a value, without a way back to the parameters */
  readonly state?: SequenceState;
}

/** What is differentiated, and from where. */
export interface LossGradientsOptions {
  /** the parameters that gradients are wanted of; default all. No work is done for what only others need */
  parameters?: readonly string[];
  /** the state before the batch, a constant; default the beginning of a text */
  state?: SequenceState | undefined;
  /** whether the state after the batch is wanted, with fresh states where `batch.starts` says a document begins */
  carryState?: boolean;
  /** of parameters that are trained in part, where; elsewhere the gradient is 0, and adds nothing to the norm */
  masks?: ReadonlyMap<string, Tensor>;
  /** a factor on the loss, and so on the gradients; default 1 */
  weight?: number;
}

/** Runs the model forward and back on a batch; the loss is of the positions that its mask counts. */
export function lossGradients(
  model: LanguageModel,
  batch: Batch,
  {
    parameters = [...model.parameters.keys()],
    state: before,
    carryState = false,
    masks,
    weight = 1,
  }: LossGradientsOptions = {},
): LossGradients {
  const engine = tf.engine();
  engine.startScope("lossGradients");
  let state: SequenceState | undefined;
  const losses: { loss?: Scalar; addedLoss?: Scalar } = {};
  const own: Scalar[] = [];
  try {
    const { grads } = differentiate(
      () =>
        tf.tidy(() => {
          const targets = tokenTensor("train (targets)", batch.targets, model.configuration.vocabSize);
          const addLoss = (added: Scalar): void => void own.push(tf.keep(added));
          const after = carryState
            ? forwardStreams(model, batch, before, addLoss)
            : model.forward(batch.inputs, before, { addLoss });
          if (carryState) state = kept(after.state);
          const weighted = (value: Scalar): Scalar => tf.keep(weight === 1 ? value : tf.mul(value, weight));
          const loss = (losses.loss = weighted(batchLoss(after.logits, targets, batch.mask)));
          if (own.length === 0) return loss;
          losses.addedLoss = weighted(tf.addN(own));
          return tf.add<Scalar>(loss, losses.addedLoss);
        }),
      parameters.map((name) => parameter(model.parameters, name)),
    );
    const gradients = new Map<string, Tensor>();
    parameters.forEach((name, i) => {
      const gradient = grads[i];
      const mask = masks?.get(name);
      if (gradient) gradients.set(name, tf.keep(mask ? tf.where(mask, gradient, tf.zerosLike(gradient)) : gradient));
    });
    const norm = tf.keep(globalNorm([...gradients.values()]));
    return { ...(losses as { loss: Scalar; addedLoss?: Scalar }), gradients, norm, ...(state && { state }) };
  } catch (error) {
    state?.dispose();
    tf.dispose(losses);
    throw error;
  } finally {
    tf.dispose(own);
    engine.endScope();
  }
}

function kept<S extends SequenceState>(state: S): S {
  for (const tensor of state.tensors()) tf.keep(tensor);
  return state;
}

/** Frees what {@link lossGradients} gave, but for the state. */
export function disposeGradients({ loss, addedLoss, gradients, norm }: LossGradients): void {
  tf.dispose([loss, addedLoss, norm, ...gradients.values()]);
}
