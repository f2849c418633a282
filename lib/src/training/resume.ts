/** Going on from a checkpoint: which one, and with nothing but the file. */
import { ConfigurationError } from "../errors.js";
import { loadModel } from "../io/load-model.js";
import { readRecord } from "./checkpoint-file.js";
import { findCheckpoint } from "./checkpoint-folder.js";
import { train } from "./train.js";
import type { TrainBatches, TrainMetrics, TrainOptions } from "./training-options.js";

/** A training that goes on, and its model. */
export interface ResumedTraining {
  readonly model: Awaited<ReturnType<typeof loadModel>>;
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
 * @param options what is not in the file; what is and shall differ goes to `ms.train(…, {resume: {from, allow}})`
 * @throws ModelFileError when there is no checkpoint, or it is damaged; ConfigurationError as `ms.train`
 */
export async function resume(
  path: string,
  batches: TrainBatches,
  options: Omit<Partial<TrainOptions>, "resume"> = {},
): Promise<ResumedTraining> {
  const from = await findCheckpoint(path);
  const { options: saved, schedule } = await readRecord(from);
  if (!schedule && !options.schedule) {
    throw new ConfigurationError(
      `resume: the schedule of ${from} was a function, which a file cannot hold: give it again`,
    );
  }
  const { ema, earlyStop, trainable, betas, schedule: _samples, ...same } = saved;
  const model = await loadModel(from);
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
