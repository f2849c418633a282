/** What a training can be told, and which of that decides what it computes. */
import type { BatchLike } from "../data/batch.js";
import { expectOptions, type OptionNames } from "../arguments.js";
import { ConfigurationError } from "../errors.js";
import type { Random } from "../random.js";
import type { AdamW, OptimizerOptions } from "./adamw.js";
import type { PastStep } from "./checkpoint-file.js";
import type { CheckpointOptions } from "./checkpoint-folder.js";
import type { SpikeOptions } from "./divergence.js";
import type { EarlyStopOptions } from "./early-stop.js";
import type { ExponentialMovingAverage } from "./ema.js";
import type { Evaluation, EvaluationData } from "./evaluate.js";
import type { ComparedOptions } from "./same-training.js";
import type { NamedScheduleOptions } from "./schedules.js";
import type { Trainable } from "./trainable.js";

/**
 * Batches of any shapes, sync or async; or a function that gives them from a batch's number on, so that a training that
 * goes on need not take and drop those it has had: `(start) => ms.data.batches(tokens, { …, start })`.
 */
export type TrainBatches =
  Iterable<BatchLike> | AsyncIterable<BatchLike> | ((start: number) => Iterable<BatchLike> | AsyncIterable<BatchLike>);

/** Measuring the loss on held-out data now and then. */
export interface TrainEvaluation {
  /**
   * held-out tokens, a corpus, or batches (of a task); or a function that gives them anew each time, so that an endless
   * iterator's figures are always of the same batches
   */
  data: EvaluationData | (() => EvaluationData);
  /** every so many steps, and after the last */
  every: number;
  /** tokens a sequence; default: as the training batches */
  length?: number;
  /** of batches: how many each time; default 8 */
  batches?: number;
  /** at most so many tokens each time, spread over the data; default 16,384 */
  tokens?: number;
  /** whether the averaged parameters (option `ema`) are measured rather than the last step's; default false */
  ema?: boolean;
}

/** The highest rate of the schedule when nothing is said. */
export const learningRateDefault = 6e-3;

/** What `ms.train` does. */
export interface TrainOptions extends OptimizerOptions, NamedScheduleOptions {
  /** how many updates to make */
  steps: number;
  /** the highest rate of the schedule; 5e−3 to 8e−3 suit models of 0.03 to 0.7 M parameters. Default 6e−3 */
  learningRate?: number;
  /**
   * how the rate goes: a name, one of `ms.schedules`, or a function `(step, steps) => factor` of your own. Default
   * `cosine`; `warmup` and `floor` belong to the names
   */
  schedule?: NamedScheduleOptions["schedule"];
  /** steps of warm-up; default a twentieth of all, at most 100 */
  warmup?: number;
  /** the schedule's last factor; default 0.05 */
  floor?: number;
  /** an optimiser to go on with, `ms.adamW(model)`'s; it stays yours. In place of its options and of `trainable` */
  optimizer?: AdamW;
  /**
   * the parameters to train: names or patterns (`blocks.*.att.*`, `["*", "!emb.*"]`), a test of the name, or parts:
   * `ms.onlyNew(before, after)` for what growth added. Default all
   */
  trainable?: Trainable;
  /** batches a step: their gradients add up to that of one batch with all rows. Default 1 */
  accumulate?: number;
  /**
   * whether each row goes on from the state in which the batch before left it (truncated backpropagation: no gradient
   * passes to earlier batches), for `data.streams`. Where `batch.starts` says a document begins, in the middle too, the row
   * begins anew. Default false
   */
  carryState?: boolean;
  /**
   * the decay of an exponential moving average of the parameters; or one of `ms.ema(model)`, which stays yours. Default none
   */
  ema?: number | ExponentialMovingAverage;
  /** measures the loss on held-out data now and then; default never */
  evaluate?: TrainEvaluation;
  /** ends the training when the held-out loss falls no more; default it makes all its steps */
  earlyStop?: EarlyStopOptions;
  /** when a jump of the loss ends the training; `false`: never */
  spike?: SpikeOptions | false;
  /** writes checkpoints; default none */
  checkpoint?: CheckpointOptions;
  /**
   * goes on from a checkpoint, or from a folder's last; `true`: from `checkpoint.folder`'s last if it has one. Default
   * `false`
   */
  resume?: string | boolean | ResumeOptions;
  /**
   * an array that takes the metrics of each step, for a plot: a training that goes on from a checkpoint first puts in it the
   * steps before, in place of what it holds, so that the plot of a cell that is run again shows them all
   */
  history?: PastStep[];
  /** a generator that your batches are drawn with: checkpoints hold its state, and resuming puts it back */
  random?: Random;
  /** called after each step, before the metrics are given out; awaited */
  onStep?: (metrics: TrainMetrics) => void | Promise<void>;
  /** called after each evaluation; awaited */
  onEvaluate?: (evaluation: Evaluation & { readonly step: number }) => void | Promise<void>;
  /** called after each checkpoint; awaited */
  onCheckpoint?: (checkpoint: { readonly step: number; readonly path: string }) => void | Promise<void>;
  /** ends the training between steps; the iterator then throws the signal's reason */
  signal?: AbortSignal;
}

const names: OptionNames<TrainOptions> = {
  ...{ steps: true, learningRate: true, schedule: true, warmup: true, floor: true, optimizer: true, weightDecay: true },
  ...{ betas: true, epsilon: true, clip: true, trainable: true, accumulate: true, carryState: true, ema: true },
  ...{ evaluate: true, earlyStop: true, spike: true, checkpoint: true, resume: true, history: true, random: true },
  ...{ onStep: true, onEvaluate: true, onCheckpoint: true, signal: true },
};

/** Going on from a checkpoint with other options than it was made with. */
export interface ResumeOptions {
  /** a checkpoint, or a folder, whose last one is taken */
  from: string;
  /** options that may differ, for example `["steps"]` */
  allow?: readonly (keyof ComparedOptions)[];
}

/** One step's metrics. */
export interface TrainMetrics {
  /** from 1 */
  readonly step: number;
  /** how many there will be */
  readonly steps: number;
  /** mean cross-entropy of the step's batches before its update, nats a token */
  readonly loss: number;
  /** what the model added to it, as an SSE variant's `addLoss` does; the gradients are those of the sum */
  readonly addedLoss?: number;
  /** the global norm of the gradients, before clipping */
  readonly gradientNorm: number;
  readonly learningRate: number;
  /** tokens learned from per second, over the last steps */
  readonly tokensPerSecond: number;
  readonly secondsLeft: number;
  /** the held-out loss, on the steps that measure it */
  readonly validationLoss?: number;
  /** the checkpoint, on the steps that write one */
  readonly checkpoint?: string;
  /** on the last step, when the training ends before its time because the held-out loss falls no more */
  readonly stoppedEarly?: true;
}

/**
 * Checks the options that are plain numbers.
 *
 * @throws ConfigurationError naming an option that makes no sense
 */
export function checkTrainOptions(options: TrainOptions): void {
  expectOptions("train", options, names);
  const { steps, learningRate = 1, accumulate = 1, evaluate, checkpoint, earlyStop, spike, ema } = options;
  if (evaluate) {
    const known = { data: true, every: true, length: true, batches: true, tokens: true, ema: true } as const;
    expectOptions<TrainEvaluation>("train's evaluate", evaluate, known);
  }
  if (checkpoint) {
    const known = { folder: true, every: true, keep: true, best: true } as const;
    expectOptions<CheckpointOptions>("train's checkpoint", checkpoint, known);
  }
  if (earlyStop) {
    const known = { patience: true, minDelta: true, restoreBest: true } as const;
    expectOptions<EarlyStopOptions>("train's earlyStop", earlyStop, known);
  }
  if (spike) {
    const known = { window: true, factor: true, margin: true, patience: true } as const;
    expectOptions<SpikeOptions>("train's spike", spike, known);
  }
  const fail = (name: string, value: unknown, wanted: string): never => {
    throw new ConfigurationError(`train: ${name} is ${String(value)}, wanted ${wanted}`);
  };
  const counts: Record<string, number | undefined> = {
    accumulate,
    "evaluate.every": evaluate?.every,
    "checkpoint.every": checkpoint?.every,
    "checkpoint.keep": checkpoint?.keep,
  };
  const fitting = (value: number) => Number.isSafeInteger(value) && value >= 1;
  if (!fitting(steps)) fail("steps", steps, "an integer of 1 or more");
  for (const [name, value] of Object.entries(counts)) {
    if (value !== undefined && !fitting(value)) fail(name, value, "an integer of 1 or more");
  }
  if (!(learningRate > 0 && learningRate < Infinity)) fail("learningRate", learningRate, "a positive number");
  if (earlyStop && !evaluate) fail("earlyStop", "given", "evaluate with it, which it watches");
  if (checkpoint?.best && !evaluate) fail("checkpoint.best", "true", "evaluate with it, which says what is best");
  if (evaluate?.ema && ema === undefined) fail("evaluate.ema", "true", "the option ema with it");
  if (options.optimizer) {
    for (const name of ["weightDecay", "betas", "epsilon", "clip", "trainable"] as const) {
      if (options[name] !== undefined) fail(name, "given", "it to be given to the optimizer, which has its own");
    }
  }
}
