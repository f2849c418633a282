/** Training, as an async iterator of metrics. */
import { expectModel } from "../arguments.js";
import { DivergenceError } from "../errors.js";
import type { LanguageModel } from "../model/language-model.js";
import { Owned } from "./owned.js";
import { TrainingRun } from "./training-run.js";
import { checkTrainOptions, type TrainBatches, type TrainMetrics, type TrainOptions } from "./training-options.js";

export type { TrainMetrics, TrainOptions } from "./training-options.js";

/** Trainings whose iterator nobody can reach any more, as when their cell was terminated: nothing else would free them. */
const unreachable = new FinalizationRegistry<Owned>((owned) => owned.dispose());

/**
 * Trains a model, one update a step. Iterate over it with `for await`; leaving the loop early, or aborting, frees the
 * optimiser, leaves the model as trained so far and, where checkpoints are written, writes one. The event loop runs between
 * steps. What a training holds that nobody can end any more, its cell having been terminated, is freed with the
 * garbage. With the same model seed, batches and engine, the metrics are the same.
 *
 * @param model changed in place
 * @param batches batches of any shapes, sync or async. Training takes what it needs of them and leaves an iterator where it
 *   is, so that the next training goes on with it; when they end before, training ends
 * @throws DivergenceError when loss or gradient are no longer finite, or the loss has jumped up and stays there; names
 *   step, parameter and the last good checkpoint. The parameters are those before the bad update
 * @throws ConfigurationError naming an option that makes no sense, or what keeps a checkpoint from being gone on from
 * @throws ModelFileError when a checkpoint is damaged, or cannot be written
 *
 * @example
 * ```ts
 * const text = ms.byteTokenizer().encode(ms.data.mobyDick());
 * const batches = ms.data.batches(text, { batchSize: 4, length: 128, seed: 1 });
 * const history: ms.TrainMetrics[] = [];
 * for await (const metrics of ms.train(model, batches, { steps: 600 })) history.push(metrics);
 * display(ms.plots.loss(history));
 * ```
 */
export function train(
  model: LanguageModel,
  batches: TrainBatches,
  options: TrainOptions,
): AsyncGenerator<TrainMetrics, void, undefined> {
  const owned = new Owned();
  const training = steps(model, batches, options, owned);
  unreachable.register(training, owned);
  return training;
}

async function* steps(
  model: LanguageModel,
  batches: TrainBatches,
  options: TrainOptions,
  owned: Owned,
): AsyncGenerator<TrainMetrics, void, undefined> {
  expectModel("train", model);
  checkTrainOptions(options);
  options.signal?.throwIfAborted();
  const run = await TrainingRun.start(model, batches, options, owned);
  let failure: unknown;
  try {
    while (!run.isOver) {
      const metrics = await run.step();
      if (!metrics) break;
      yield metrics;
    }
    await run.complete();
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    // What a diverged training has become is not worth a checkpoint.
    await run.close({ save: !(failure instanceof DivergenceError), failed: failure !== undefined });
  }
}
