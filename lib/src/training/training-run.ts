/** One training from its first step, or from a checkpoint, to its end: all that changes from step to step. */
import { setImmediate } from "node:timers/promises";

import * as tf from "@tensorflow/tfjs-core";

import type { Batch } from "../data/batch.js";
import { noteStep } from "../engine/numerics-context.js";
import type { DivergenceDetails } from "../errors.js";
import { readOrNameEarlier } from "../io/checkpoints.js";
import type { TrainingRecord } from "../io/training-record.js";
import type { LanguageModel, SequenceState } from "../model/language-model.js";
import { Snapshot } from "../model/parameter-snapshot.js";
import { libraryVersion } from "../version.js";
import { adamW, type AdamW } from "./adamw.js";
import { BatchSource } from "./batch-source.js";
import { restoredState } from "./carried-state.js";
import {
  disposeCheckpoint,
  readCheckpoint,
  writeCheckpoint,
  type PastStep,
  type SavedTraining,
} from "./checkpoint-file.js";
import { CheckpointFolder, checkpointToResume } from "./checkpoint-folder.js";
import { notFiniteError, SpikeDetector, spikeError } from "./divergence.js";
import { BestSoFar } from "./early-stop.js";
import { ExponentialMovingAverage } from "./ema.js";
import { evaluate, expectSequence } from "./evaluate.js";
import { disposeGradients, type LossGradients } from "./gradients.js";
import type { Owned } from "./owned.js";
import { comparedOptions, expectOwn, expectSameModel, expectSameOptions } from "./same-training.js";
import { chosenSchedule, scheduleFactor, type Schedule } from "./schedules.js";
import { Speedometer } from "./speedometer.js";
import { stepGradients } from "./step-gradients.js";
import { learningRateDefault, type TrainBatches, type TrainMetrics, type TrainOptions } from "./training-options.js";

/** A training under way. Made by {@link TrainingRun.start}; {@link TrainingRun.close} ends it, whatever happened. */
export class TrainingRun {
  private steps = 0;
  /** the checkpoint's step that this goes on from */
  private began = 0;
  private savedStep = 0;
  private overdue = false;
  private source!: BatchSource;
  private folder: CheckpointFolder | undefined;
  private carried: SequenceState | undefined;
  private history: PastStep[] = [];
  /** parameters before the last update that may turn out to be bad, and after which step that was */
  private before: { readonly step: number; readonly parameters: Snapshot } | undefined;
  private bestParameters: Snapshot | undefined;
  readonly schedule: Schedule;
  readonly optimizer: AdamW;
  private readonly names: readonly string[];
  readonly ema: ExponentialMovingAverage | undefined;
  private readonly spikes: SpikeDetector | undefined;
  private readonly best: BestSoFar;
  private readonly speed = new Speedometer();

  private constructor(
    readonly model: LanguageModel,
    private readonly options: TrainOptions,
    private readonly owned: Owned,
  ) {
    expectOwn(model, options);
    this.schedule = chosenSchedule(options);
    this.spikes = options.spike === false ? undefined : new SpikeDetector(options.spike);
    this.best = new BestSoFar(options.earlyStop);
    this.optimizer = options.optimizer ?? owned.add(adamW(model, options));
    this.names = this.optimizer.groups.flatMap(({ parameters }) => parameters);
    this.ema =
      typeof options.ema === "number"
        ? owned.add(new ExponentialMovingAverage(model.parameters, this.names, options.ema))
        : options.ema;
  }

  /**
   * Begins a training, or goes on from a checkpoint.
   *
   * @param owned takes all tensors that the training has of its own; disposed of when it ends
   */
  static async start(
    model: LanguageModel,
    batches: TrainBatches,
    options: TrainOptions,
    owned: Owned,
  ): Promise<TrainingRun> {
    let saved: SavedTraining | undefined;
    try {
      const run = new TrainingRun(model, options, owned);
      const found = await checkpointToResume(options);
      if (found) {
        saved = await readOrNameEarlier(found.from, readCheckpoint);
        expectSameModel(saved, model);
        expectSameOptions(saved, comparedOptions(options, run), found.allow);
      }
      if (options.checkpoint) run.folder = await CheckpointFolder.open(options.checkpoint, saved?.record.step ?? 0);
      run.source = await BatchSource.open(batches, saved?.record, options.signal);
      // Only now, when nothing can refuse any more: a refused training leaves the model as it was.
      if (saved) run.restore(saved);
      return run;
    } catch (error) {
      owned.dispose();
      throw error;
    } finally {
      if (saved) disposeCheckpoint(saved);
    }
  }

  /** Whether there is nothing left to do. */
  get isOver(): boolean {
    return this.steps >= this.options.steps || this.best.isOver;
  }

  /** One update, with what belongs to it; nothing when the batches have ended. */
  async step(): Promise<TrainMetrics | undefined> {
    const { options } = this;
    options.signal?.throwIfAborted();
    const batches = await this.source.take(options.accumulate ?? 1);
    if (batches.length === 0) return undefined;
    if (this.steps === this.began) this.expectEvaluable(batches[0]!);
    const started = performance.now();
    noteStep(this.steps + 1);
    const learned = await this.learn(batches).finally(() => noteStep(undefined));
    const tokens = batches.reduce((sum, { inputs }) => sum + inputs.shape[0] * inputs.shape[1], 0);
    this.speed.add(tokens, performance.now() - started);
    const validationLoss = await this.evaluateWhenDue(batches[0]!);
    if (options.checkpoint) this.history.push({ ...learned, ...(validationLoss !== undefined && { validationLoss }) });
    const checkpoint = await this.saveWhenDue(validationLoss !== undefined && this.best.best?.step === this.steps);
    const metrics: TrainMetrics = {
      ...learned,
      steps: options.steps,
      tokensPerSecond: this.speed.tokensPerSecond,
      secondsLeft: this.speed.secondsPerStep * (options.steps - this.steps),
      ...(validationLoss !== undefined && { validationLoss }),
      ...(checkpoint !== undefined && { checkpoint }),
      ...(this.best.isOver && this.steps < options.steps && { stoppedEarly: true as const }),
    };
    options.history?.push(metrics);
    await options.onStep?.(metrics);
    // Output, interrupts and other cells get their turn.
    await setImmediate();
    return metrics;
  }

  /** Ends a training that ran its course. */
  async complete(): Promise<void> {
    await this.saveUnsaved();
    this.bestParameters?.restore(this.model.parameters);
  }

  /** Frees everything; writes what is not in a checkpoint yet unless told not to. */
  async close({ save, failed }: { save: boolean; failed: boolean }): Promise<void> {
    try {
      if (save) await this.saveUnsaved();
    } catch (error) {
      // The error that ended the training says more.
      if (!failed) throw error;
    } finally {
      this.owned.dispose();
    }
  }

  private async learn(
    batches: readonly Batch[],
  ): Promise<Pick<TrainMetrics, "step" | "loss" | "addedLoss" | "gradientNorm" | "learningRate">> {
    const { options, model, owned } = this;
    const step = this.steps + 1;
    const learningRate =
      (options.learningRate ?? learningRateDefault) * scheduleFactor(this.schedule, step, options.steps);
    const { carryState = false, signal } = options;
    const result = await stepGradients(model, batches, {
      parameters: this.names,
      masks: this.optimizer.masks,
      carryState,
      state: this.carried,
      signal,
      owned,
    });
    const gradients = owned.add({ dispose: () => disposeGradients(result) });
    let state = result.state && owned.add(result.state);
    try {
      const [[loss], [gradientNorm], [addedLoss]] = await Promise.all([
        result.loss.data<"float32">(),
        result.norm.data<"float32">(),
        result.addedLoss?.data<"float32">() ?? [],
      ]);
      await this.expectSound(step, loss!, gradientNorm!, result);
      this.optimizer.update(result.gradients, result.norm, learningRate);
      this.ema?.update();
      this.steps = step;
      owned.free(this.carried);
      [this.carried, state] = [state, undefined];
      const added = addedLoss === undefined ? {} : { addedLoss };
      return { step, loss: loss!, ...added, gradientNorm: gradientNorm!, learningRate };
    } finally {
      owned.free(state);
      owned.free(gradients);
    }
  }

  /**
   * Throws when a step's numbers are not finite, or its loss is one too many far above those before, and then puts the
   * parameters back to before the update that led there.
   */
  private async expectSound(step: number, loss: number, gradientNorm: number, result: LossGradients): Promise<void> {
    const { model, spikes, owned } = this;
    if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) {
      // Parameters that give no loss are not sound, nor is a checkpoint of them; those that only lack a gradient are.
      const isSound = Number.isFinite(loss);
      const earlier = isSound ? undefined : this.before;
      const good = await this.lastGood(isSound ? step - 1 : (earlier?.step ?? step - 2));
      const details = { lastStep: earlier?.step ?? step - 1, ...good };
      const isFirst = step === this.began + 1;
      const error = await notFiniteError({ step, loss, isFirst }, model.parameters, result.gradients, details);
      earlier?.parameters.restore(model.parameters);
      throw error;
    }
    if (!spikes) return;
    const { threshold } = spikes;
    const verdict = spikes.add(loss);
    // Gone on from a checkpoint that was made while the loss was suspect, there is nothing from before.
    if (verdict === "normal" || !this.before) {
      owned.free(this.before?.parameters);
      this.before = { step: step - 1, parameters: owned.add(Snapshot.take(model.parameters, this.names)) };
    }
    if (verdict !== "spike") return;
    const { step: lastStep, parameters } = this.before;
    parameters.restore(model.parameters);
    const first = step - spikes.suspicious + 1;
    // The update before the first of these steps is what led there.
    const good = await this.lastGood(Math.min(lastStep, first - 2));
    const spike = { step: first, lastStep, loss, threshold, steps: spikes.suspicious };
    throw await spikeError(spike, result.gradients, good);
  }

  /** What is said of the last checkpoint from up to a step. */
  private async lastGood(step: number): Promise<Pick<DivergenceDetails, "checkpoint">> {
    if (!this.folder) return {};
    return { checkpoint: (await this.folder.lastUpTo(step))?.path ?? null };
  }

  /** Before the first step, not when hundreds are made: held-out data that are too short. */
  private expectEvaluable({ inputs }: Batch): void {
    const { evaluate: evaluation } = this.options;
    if (!evaluation || typeof evaluation.data === "function") return;
    expectSequence(evaluation.data, evaluation.length ?? inputs.shape[1]);
  }

  private async evaluateWhenDue(batch: Batch): Promise<number | undefined> {
    const { model, options } = this;
    const evaluation = options.evaluate;
    const step = this.steps;
    if (!evaluation || (step % evaluation.every !== 0 && step !== options.steps)) return undefined;
    const [rows, length] = batch.inputs.shape;
    const { data: given, every: _, ema: averaged = false, ...wanted } = evaluation;
    const data = typeof given === "function" ? given() : given;
    const defaults = { length, tokens: 16384, batchSize: rows, signal: options.signal };
    const measure = async () => {
      const result = await evaluate(model, data, { ...defaults, ...wanted });
      if (this.best.add(step, result.loss) && options.earlyStop?.restoreBest) {
        this.owned.free(this.bestParameters);
        this.bestParameters = this.owned.add(Snapshot.take(model.parameters, this.names));
      }
      return result;
    };
    const result = averaged ? await this.ema!.use(measure) : await measure();
    await options.onEvaluate?.({ ...result, step });
    return result.loss;
  }

  /** While the loss is suspect, a checkpoint waits until it is known whether it would be a good one. */
  private async saveWhenDue(isBest: boolean): Promise<string | undefined> {
    const { folder, options, steps: step } = this;
    if (!folder) return undefined;
    const { every = 100, best = true } = options.checkpoint!;
    let path: string | undefined;
    if (isBest && best) {
      path = await folder.saveBest((to) => this.write(to));
      await options.onCheckpoint?.({ step, path });
    }
    this.overdue ||= step % every === 0;
    const mayWait = (this.spikes?.suspicious ?? 0) > 0 && !this.isOver;
    return this.isOver || (this.overdue && !mayWait) ? this.save() : path;
  }

  private async save(): Promise<string> {
    const { steps: step } = this;
    const path = await this.folder!.save(step, (to) => this.write(to));
    this.savedStep = step;
    this.overdue = false;
    await this.options.onCheckpoint?.({ step, path });
    return path;
  }

  private async saveUnsaved(): Promise<void> {
    if (this.folder && this.steps > this.savedStep) await this.save();
  }

  private async write(path: string): Promise<void> {
    const { optimizer, ema, carried, best, history } = this;
    const { schedule = "cosine", warmup, floor } = this.options;
    const random = this.options.random?.snapshot;
    const record: TrainingRecord = {
      version: 1,
      step: this.steps,
      ...this.source.taken,
      optimizerSteps: optimizer.steps,
      ...(ema && { emaSteps: ema.steps }),
      ...(best.best && { best: best.best }),
      options: comparedOptions(this.options, this),
      ...(typeof schedule !== "function" && { schedule: { schedule, warmup, floor } }),
      ...(random && { random }),
      ...(carried?.withTensors && { positions: carried.positions ?? new Array<number>(carried.batchSize).fill(0) }),
      library: libraryVersion(),
      engine: tf.getBackend(),
      savedAt: new Date().toISOString(),
    };
    await writeCheckpoint(path, this.model, record, {
      moments: optimizer.moments,
      ema: ema?.values,
      best: this.bestParameters?.values,
      ...(carried?.withTensors && { state: carried.tensors() }),
      history,
    });
  }

  /** Goes on from a checkpoint, whose tensors stay the caller's. */
  private restore({ record, parameters, moments, ema, best, state, history }: SavedTraining): void {
    const { model, optimizer, owned } = this;
    const trained = new Set(this.names);
    const copies = (tensors: ReadonlyMap<string, tf.Tensor>): Map<string, tf.Tensor> =>
      new Map([...tensors].filter(([name]) => trained.has(name)).map(([name, tensor]) => [name, tf.clone(tensor)]));
    Snapshot.of(parameters).restore(model.parameters);
    const [first, second] = (["first", "second"] as const).map((which) =>
      copies(new Map(Array.from(moments, ([name, of]) => [name, of[which]]))),
    );
    optimizer.restore(
      record.optimizerSteps,
      new Map(Array.from(first!, ([name, tensor]) => [name, { first: tensor, second: second!.get(name)! }])),
    );
    if (this.ema && ema) this.ema.restore(record.emaSteps ?? 0, copies(ema));
    if (best && this.options.earlyStop?.restoreBest) this.bestParameters = owned.add(Snapshot.of(copies(best)));
    this.best.restore(record.best);
    if (state && record.positions && this.options.carryState)
      this.carried = owned.add(restoredState(model, state, record.positions));
    if (record.random) this.options.random?.restore(record.random);
    for (const { loss } of history) this.spikes?.add(loss);
    this.history = [...history];
    const shown = this.options.history;
    if (shown) {
      shown.length = 0;
      for (const past of history) shown.push(past);
    }
    this.steps = this.began = this.savedStep = record.step;
  }
}
