/** A batch's loss and its gradient with respect to every parameter. */
import * as tf from "@tensorflow/tfjs-core";
import type { Scalar, Tensor } from "@tensorflow/tfjs-core";

import type { Batch } from "../data/batch.js";
import type { LanguageModel } from "../model/language-model.js";
import { tokenTensor } from "../model/tokens.js";
import { globalNorm } from "../ops/adamw/adamw.js";
import { batchLoss } from "./loss.js";

/** The tensors of one step; the caller disposes of them. */
export interface LossGradients {
  readonly loss: Scalar;
  /** by parameter name; parameters that the loss does not depend on are absent */
  readonly gradients: ReadonlyMap<string, Tensor>;
  /** the global norm of all gradients */
  readonly norm: Scalar;
}

/** Runs the model forward and back on a batch; the loss is of the positions that its mask counts. */
export function lossGradients(model: LanguageModel, batch: Batch): LossGradients {
  const entries = [...model.parameters];
  const engine = tf.engine();
  engine.startScope("lossGradients");
  try {
    const { value, grads } = engine.gradients(
      () =>
        tf.tidy(() => {
          const targets = tokenTensor("train (targets)", batch.targets, model.configuration.vocabSize);
          return batchLoss(model.forward(batch.inputs).logits, targets, batch.mask);
        }),
      entries.map(([, variable]) => variable),
      undefined,
      true,
    );
    const gradients = new Map<string, Tensor>();
    entries.forEach(([name], i) => {
      // tfjs gives null where its types promise a tensor.
      const gradient = grads[i] as Tensor | null;
      if (gradient) gradients.set(name, tf.keep(gradient));
    });
    return { loss: tf.keep(value), gradients, norm: tf.keep(globalNorm([...gradients.values()])) };
  } finally {
    engine.endScope();
  }
}

/** Frees what {@link lossGradients} gave. */
export function disposeGradients({ loss, gradients, norm }: LossGradients): void {
  tf.dispose([loss, norm, ...gradients.values()]);
}
