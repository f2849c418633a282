/** Going on from a checkpoint: which one, and with nothing but the file. */
import type { BaselineModel } from "../baselines/baseline-model.js";
import type { BaselineKind } from "../baselines/configuration.js";
import { ConfigurationError } from "../errors.js";
import { findCheckpoint, readOrNameEarlier } from "../io/checkpoints.js";
import { readRecord } from "../io/training-record.js";
import type { LanguageModel } from "../model/language-model.js";
import type { Model } from "../model/model.js";
import { loadAs } from "./load-checkpoint.js";
import { train } from "./train.js";
import type { TrainBatches, TrainMetrics, TrainOptions } from "./training-options.js";

/** What {@link resume} is to be told: what is not in the file. */
export type ResumeTrainOptions = Omit<Partial<TrainOptions>, "resume">;

/** A training that goes on, and its model. */
export interface ResumedTraining<M extends LanguageModel = Model> {
  readonly model: M;
  /** the metrics of the steps to come: to be iterated over as those of `ms.train` */
  readonly training: AsyncGenerator<TrainMetrics, void, undefined>;
}

/**
 * Goes on with a training of which only the checkpoints are left: the model and the options that decide what is computed
 * come out of the file. What it cannot hold, the caller gives again: batches, `evaluate`, a schedule of one's own, where
 * checkpoints go.
 *
 * @param path a checkpoint, or a folder, whose last one is taken
 * @param batches from the beginning, or as a function of the batch's number
 * @param options `kind`: which model it must be of, as for `ms.loadModel`, default Meta-State; and what is not in the file; what is and shall differ goes to `ms.train(…, {resume: {from, allow}})`
 * @throws ModelFileError when there is no checkpoint, or it is damaged; ConfigurationError as `ms.train`
 */
export async function resume(
  path: string,
  batches: TrainBatches,
  options?: ResumeTrainOptions & { kind?: "meta-state" },
): Promise<ResumedTraining>;
export async function resume(
  path: string,
  batches: TrainBatches,
  options: ResumeTrainOptions & { kind: BaselineKind | "any" },
): Promise<ResumedTraining<Model | BaselineModel>>;
export async function resume(
  path: string,
  batches: TrainBatches,
  { kind = "meta-state", ...options }: ResumeTrainOptions & { kind?: "meta-state" | BaselineKind | "any" } = {},
): Promise<ResumedTraining<Model | BaselineModel>> {
  const from = await findCheckpoint(path);
  const { options: saved, schedule } = await readOrNameEarlier(from, readRecord);
  if (!schedule && !options.schedule) {
    throw new ConfigurationError(
      `resume: the schedule of ${from} was a function, which a file cannot hold: give it again`,
    );
  }
  const { ema, earlyStop, trainable, betas, schedule: _samples, ...same } = saved;
  const model = await loadAs(from, kind);
  const restored: TrainOptions = {
    ...same,
    betas: betas as [number, number],
    ...(!options.schedule && schedule),
    ...(trainable !== "all" && { trainable }),
    ...(ema !== null && { ema }),
    ...(earlyStop && { earlyStop }),
    ...options,
    resume: from,
  };
  return { model, training: train(model, batches, restored) };
}
