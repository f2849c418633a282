/** Several models, several seeds, one table: the same tokens for all, finished runs kept, progress as it goes. */
import { expectOptions, type OptionNames } from "../arguments.js";
import { createBaseline, type BaselineOptions } from "../baselines/create-baseline.js";
import { checkIntegers } from "../data/batch.js";
import { ConfigurationError } from "../errors.js";
import type { ModelOptions } from "../model/configuration.js";
import type { LanguageModel } from "../model/language-model.js";
import { createModel } from "../model/model.js";
import type { Task } from "../tasks/task.js";
import type { TrainMetrics } from "../training/train.js";
import { Comparison, type ComparedMeasure, type ComparedRun } from "./comparison.js";
import { fileCache, type RunCache } from "./run-cache.js";
import { run, runKey, trainingNames, type ComparedText, type CompareTraining, type RunPlan } from "./run.js";

/** Options without `vocabSize`, which a task knows. */
export type WithoutVocabulary<O> = O extends { vocabSize: number }
  ? Omit<O, "vocabSize"> & { vocabSize?: number }
  : never;

/**
 * A model that takes part: options of `ms.createModel`; options of `ms.createBaseline`, which have a `kind`; or a function
 * that makes a new model by a seed. Of options, `vocabSize` may be left out when the data are a task's.
 */
export type ComparedModel =
  WithoutVocabulary<ModelOptions> | WithoutVocabulary<BaselineOptions> | ((seed: number) => LanguageModel);

/** What {@link compare} does. Give `text` or `task`. */
export interface CompareOptions {
  /** by name; the first is the one that the others are tested against */
  models: Readonly<Record<string, ComparedModel>>;
  /** a text, cut in two */
  text?: ComparedText;
  /** a task, whose examples are endless */
  task?: Task;
  /** B: sequences a batch */
  batchSize: number;
  /**
   * whole numbers, or how many: 3 are 1, 2 and 3. A seed draws the model's first values and its batches, so that all models
   * learn from the same ones. Default 3
   */
  seeds?: number | readonly number[];
  /** the same for all models; see `ms.train` */
  train: CompareTraining;
  /** measuring on held-out data, always at the end too */
  evaluate?: {
    /** every so many steps; default only at the end of a text, twenty times in a task */
    every?: number;
    /** of a text: at most so many tokens, spread over what is held out; default 65,536 */
    tokens?: number;
    /** of a task: how many batches; default 8 */
    batches?: number;
  };
  /** what models are compared by; default the loss on a text, the accuracy in a task */
  measure?: ComparedMeasure;
  /** what losses are in, for table and plot; default `nats a token` */
  unit?: string;
  /** of a task: the accuracy whose first step is told; default 0.9 */
  threshold?: number;
  /** parameter counts further apart, as a portion of the first model's, are pointed out; default 0.02 */
  parameterTolerance?: number;
  /** where finished runs are kept, so that the same comparison goes on where it was: a path for a JSON file, or your own */
  cache?: string | RunCache;
  /** ends the comparison between steps with its reason; finished runs are in the cache */
  signal?: AbortSignal;
}

const optionNames: OptionNames<CompareOptions> = {
  ...{ models: true, text: true, task: true, batchSize: true, seeds: true, train: true, evaluate: true, measure: true },
  ...{ unit: true, threshold: true, parameterTolerance: true, cache: true, signal: true },
};

/**
 * What a comparison says as it goes: after every step of every run, and once for a run that the cache had, or that diverged.
 */
export interface CompareProgress {
  /** the model that runs */
  readonly model: string;
  readonly seed: number;
  /** the number of the run, from 1 */
  readonly run: number;
  /** how many there will be */
  readonly runs: number;
  /** the step's metrics; left out for a run that the cache had, and for the end of one that diverged */
  readonly metrics?: TrainMetrics;
  /** the run, when it has just finished */
  readonly finished?: ComparedRun;
  /** estimated from the steps made so far; left out before the first */
  readonly secondsLeft?: number;
  /** the runs that have finished */
  readonly comparison: Comparison;
}

/** A comparison under way, or the same when it is over. Iterate over it once, or ask for the result. */
export class Comparing implements AsyncIterableIterator<CompareProgress, void, undefined> {
  private readonly progress: AsyncGenerator<CompareProgress, void, undefined>;
  private latest: Comparison | undefined;

  constructor(start: () => AsyncGenerator<CompareProgress, void, undefined>) {
    this.progress = start();
  }

  /** Itself: a comparison is iterated over once. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Goes one step; what a `for await` asks for. */
  async next(): Promise<IteratorResult<CompareProgress, void>> {
    const result = await this.progress.next();
    if (!result.done) this.latest = result.value.comparison;
    return result;
  }

  /** Ends it and frees the model that trains; what leaving a `for await` does. */
  return(): Promise<IteratorResult<CompareProgress, void>> {
    return this.progress.return();
  }

  /** Runs to the end, or what is left of it, and gives the table. */
  async result(): Promise<Comparison> {
    while (!(await this.next()).done);
    return this.latest!;
  }
}

/**
 * Trains several models over several seeds, at equal tokens and in turn, and says what the differences are worth.
 *
 * ```ts
 * const text = { ...ms.data.split(tokens), length: 128 };
 * const comparing = ms.compare({ models: { "RWKV-7": { ...sizes, sse: "none" }, "Meta-State": sizes }, text, ... });
 * for await (const { model, seed, metrics } of comparing) ...   // or: await comparing.result()
 * ```
 *
 * Each model's line has mean and sample standard deviation over the seeds, and its difference from the first model with the
 * p value of a paired t-test; above 0.05 it says "within noise". Nothing is corrected for the number of models.
 *
 * @returns a {@link Comparing}: progress for a `for await`, and `result()`, a {@link Comparison} that displays itself
 * @throws ConfigurationError naming an option that makes no sense; of a model that cannot be made, naming the model
 */
export function compare(options: CompareOptions): Comparing {
  expectOptions("compare", options, optionNames);
  const plan = planOf(options);
  const seeds = seedsOf(options.seeds ?? 3);
  const names = Object.keys(options.models);
  if (names.length === 0) throw new ConfigurationError("compare: models is empty, wanted at least one");
  return new Comparing(() => compareAll(options, plan, names, seeds));
}

async function* compareAll(
  { models, task, cache: kept, signal, ...options }: CompareOptions,
  plan: RunPlan,
  names: readonly string[],
  seeds: readonly number[],
): AsyncGenerator<CompareProgress, void, undefined> {
  const cache = typeof kept === "string" ? await fileCache(kept) : kept;
  const settings = {
    measure: options.measure ?? (task ? "accuracy" : "loss"),
    steps: plan.training.steps,
    ...(plan.threshold !== undefined && { threshold: plan.threshold }),
    ...(options.unit !== undefined && { unit: options.unit }),
    ...(options.parameterTolerance !== undefined && { parameterTolerance: options.parameterTolerance }),
  };
  // All models of a seed before the next seed: what has finished can be compared at any time.
  const all = seeds.flatMap((seed) => names.map((name) => ({ name, seed })));
  const clock = new Clock(plan.training.steps);
  let comparison = new Comparison([], settings);
  for (const [i, { name, seed }] of all.entries()) {
    signal?.throwIfAborted();
    const model = make(name, models[name]!, task, seed);
    let steps: ReturnType<typeof run> | undefined;
    try {
      const place = { model: name, seed, run: i + 1, runs: all.length };
      const key = await runKey(model, plan, seed);
      const known = await cache?.get(key);
      steps = known ? undefined : run(name, model, plan, seed, signal);
      // The cache does not know what the model is called today.
      let finished = known && { ...known, model: name };
      // The last step is told of together with the run's end: as many are told of as there are steps.
      let last: TrainMetrics | undefined;
      while (steps && !finished) {
        const next = await clock.time(steps);
        if (next.done) finished = next.value;
        else if (next.value.step === settings.steps) last = next.value;
        else yield { ...place, metrics: next.value, ...clock.left(all.length - i, next.value.step), comparison };
      }
      if (!known) await cache?.set(key, finished!);
      comparison = new Comparison([...comparison.runs, finished!], settings);
      const end = { ...(last && { metrics: last }), finished: finished! };
      yield { ...place, ...end, ...clock.left(all.length - i - 1, 0), comparison };
    } finally {
      await steps?.return(undefined as never);
      model.dispose();
    }
  }
}

function make(name: string, from: ComparedModel, task: Task | undefined, seed: number): LanguageModel {
  if (typeof from === "function") return from(seed);
  const vocabSize = from.vocabSize ?? task?.vocabSize;
  if (vocabSize === undefined) {
    throw new ConfigurationError(
      `compare: models["${name}"] has no vocabSize; a text does not say how many tokens there are`,
    );
  }
  try {
    if ("kind" in from) return createBaseline({ ...from, vocabSize }, { seed });
    return createModel({ ...from, vocabSize }, { seed });
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    throw new ConfigurationError(`compare: models["${name}"]: ${error.message}`, { cause: error });
  }
}

function planOf({ text, task, batchSize, train, evaluate = {}, threshold }: CompareOptions): RunPlan {
  if (!text === !task) {
    throw new ConfigurationError(
      `compare: ${text ? "text and task are both given" : "there is no text and no task"}: give one`,
    );
  }
  expectOptions("compare's train", train, trainingNames);
  expectOptions("compare's evaluate", evaluate, { every: true, tokens: true, batches: true });
  const { steps } = train;
  const { every = task ? Math.ceil(steps / 20) : steps, tokens = 65_536, batches = 8 } = evaluate;
  checkIntegers(
    "compare",
    { batchSize, "train.steps": steps, "evaluate.every": every, "evaluate.batches": batches },
    {},
  );
  const wanted = task ? (threshold ?? 0.9) : threshold;
  return {
    data: task ? { task } : { text: text! },
    batchSize,
    training: train,
    every,
    tokens,
    batches,
    ...(wanted !== undefined && { threshold: wanted }),
  };
}

function seedsOf(seeds: number | readonly number[]): readonly number[] {
  const list = typeof seeds === "number" ? Array.from({ length: seeds }, (_, i) => i + 1) : seeds;
  const whole = list.length > 0 && list.every(Number.isSafeInteger) && new Set(list).size === list.length;
  if (whole) return list;
  throw new ConfigurationError(
    `compare: seeds is ${JSON.stringify(seeds)}, wanted a number of 1 or more, or a list of different whole numbers`,
  );
}

/** How long the rest may take, by the steps made so far, measuring included. */
class Clock {
  private steps = 0;
  private milliseconds = 0;

  constructor(private readonly stepsPerRun: number) {}

  async time<T>(steps: { next(): Promise<T> }): Promise<T> {
    const started = performance.now();
    const result = await steps.next();
    this.milliseconds += performance.now() - started;
    this.steps++;
    return result;
  }

  /** @param runs how many are left, the one that runs among them; @param step the step that it has made */
  left(runs: number, step: number): { secondsLeft?: number } {
    if (this.steps === 0) return {};
    return { secondsLeft: (this.milliseconds / 1000 / this.steps) * (runs * this.stepsPerRun - step) };
  }
}
