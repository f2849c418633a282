/** A checkpoint as objects to work with: to grow the model, to look at the moments, to train on with other means. */
import * as tf from "@tensorflow/tfjs-core";

import type { BaselineModel } from "../baselines/baseline-model.js";
import type { BaselineKind } from "../baselines/configuration.js";
import { findCheckpoint, readOrNameEarlier } from "../io/checkpoints.js";
import { loadModel } from "../io/load-model.js";
import type { LanguageModel } from "../model/language-model.js";
import type { Model } from "../model/model.js";
import { adamW, type AdamW, type Moments } from "./adamw.js";
import { disposeCheckpoint, readCheckpoint, type PastStep } from "./checkpoint-file.js";

/** What a checkpoint holds. Dispose of the model and of the optimiser. */
export interface LoadedCheckpoint<M extends LanguageModel = Model> {
  readonly path: string;
  readonly model: M;
  /** for `ms.train(model, …, {optimizer})`, or `ms.grow` */
  readonly optimizer: AdamW;
  /** the last step that was made */
  readonly step: number;
  /** batches taken up to then: the `start` of those to come */
  readonly batches: number;
  /** all steps up to then, for `ms.plots.loss` */
  readonly history: readonly PastStep[];
}

/**
 * Loads a checkpoint of `ms.train`. To go on with the training as it was, `ms.resume` does it all; this is for those who do
 * something else with it.
 *
 * @param path a checkpoint, or a folder, whose last one is taken
 * @param options `kind`: which model it must be of, as for `ms.loadModel`; `any` for whatever it holds. Default Meta-State
 * @throws ModelFileError when there is none, or it is damaged, or of another kind of model
 */
export async function loadCheckpoint(path: string, options?: { kind?: "meta-state" }): Promise<LoadedCheckpoint>;
export async function loadCheckpoint(
  path: string,
  options: { kind: BaselineKind | "any" },
): Promise<LoadedCheckpoint<Model | BaselineModel>>;
export async function loadCheckpoint(
  path: string,
  { kind = "meta-state" }: { kind?: "meta-state" | BaselineKind | "any" } = {},
): Promise<LoadedCheckpoint<Model | BaselineModel>> {
  const file = await findCheckpoint(path);
  const saved = await readOrNameEarlier(file, readCheckpoint);
  try {
    const { record, history, moments } = saved;
    const { trainable, betas, weightDecay, epsilon, clip } = record.options;
    const model = await loadAs(file, kind);
    const [beta1 = 0.9, beta2 = 0.99] = betas;
    const optimizer = adamW(model, {
      betas: [beta1, beta2],
      weightDecay,
      epsilon,
      clip,
      ...(trainable !== "all" && { trainable }),
    });
    const copies = Array.from(moments, ([name, { first, second }]): [string, Moments] => [
      name,
      { first: tf.clone(first), second: tf.clone(second) },
    ]);
    optimizer.restore(record.optimizerSteps, new Map(copies));
    return { path: file, model, optimizer, step: record.step, batches: record.batches, history };
  } finally {
    disposeCheckpoint(saved);
  }
}

/** The model of a file, of the kind that it must be. */
export function loadAs(path: string, kind: "meta-state" | BaselineKind | "any"): Promise<Model | BaselineModel> {
  if (kind === "meta-state") return loadModel(path);
  return kind === "any" ? loadModel(path, { kind }) : loadModel(path, { kind });
}
