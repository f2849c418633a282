/** One run of a comparison: a model trained by a seed and measured on held-out data, and the key it is kept under. */
import type { OptionNames } from "../arguments.js";
import type { Batch } from "../data/batch.js";
import { batches } from "../data/batches.js";
import type { Corpus } from "../data/corpus.js";
import { DivergenceError } from "../errors.js";
import type { LanguageModel } from "../model/language-model.js";
import { mean } from "../spread.js";
import type { Task } from "../tasks/task.js";
import type { TokenIds } from "../tokenizers/tokenizer.js";
import { evaluate, type Evaluation } from "../training/evaluate.js";
import { train, type TrainMetrics, type TrainOptions } from "../training/train.js";
import type { ComparedPoint, ComparedRun } from "./comparison.js";

/** Text that models are compared on. */
export interface ComparedText {
  /** what is learned from, as `ms.data.split` gives it */
  readonly train: TokenIds | Corpus;
  /** what is held out */
  readonly validation: TokenIds | Corpus;
  /** T: tokens a sequence */
  readonly length: number;
}

/** How each model is trained: the same for all. */
export type CompareTraining = Pick<
  TrainOptions,
  "steps" | "learningRate" | "schedule" | "warmup" | "floor" | "weightDecay" | "betas" | "epsilon" | "clip"
>;

/** Their names. */
export const trainingNames: OptionNames<CompareTraining> = {
  ...{ steps: true, learningRate: true, schedule: true, warmup: true, floor: true },
  ...{ weightDecay: true, betas: true, epsilon: true, clip: true },
};

/** What every run of a comparison has in common. */
export interface RunPlan {
  readonly data: { readonly text: ComparedText } | { readonly task: Task };
  readonly batchSize: number;
  readonly training: CompareTraining;
  /** measured every so many steps, and at the end */
  readonly every: number;
  /** held-out tokens of a text; held-out batches of a task */
  readonly tokens: number;
  readonly batches: number;
  readonly threshold?: number;
}

/** Held-out examples of a task come from this seed; whole seeds, which train, never give the same. */
const heldOut = 0.5;

/** The most points that a curve keeps. */
const mostPoints = 200;

/** The batches that a seed learns from; the same for every model. */
function trainingBatches({ data, batchSize }: RunPlan, seed: number): IterableIterator<Batch> {
  if ("task" in data) return data.task.batches({ batchSize, seed });
  return batches(data.text.train, { batchSize, length: data.text.length, seed });
}

function measure(model: LanguageModel, plan: RunPlan, signal: AbortSignal | undefined): Promise<Evaluation> {
  const { data, batchSize, tokens } = plan;
  if ("task" in data) {
    const examples = data.task.batches({ batchSize, seed: heldOut });
    return evaluate(model, examples, { batches: plan.batches, signal });
  }
  return evaluate(model, data.text.validation, { length: data.text.length, batchSize, tokens, signal });
}

/** Trains and measures; yields each step's metrics, and returns the run. A model that diverges is a run too. */
export async function* run(
  name: string,
  model: LanguageModel,
  plan: RunPlan,
  seed: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<TrainMetrics, ComparedRun> {
  const { every, threshold, training } = plan;
  const started = performance.now();
  const curve: ComparedPoint[] = [];
  const interval = Math.ceil(training.steps / mostPoints);
  let losses: number[] = [];
  let tokens = 0;
  let last: Evaluation | undefined;
  let reachedAt: number | null = null;
  let diverged: string | undefined;
  try {
    for await (const metrics of train(model, counted(trainingBatches(plan, seed)), { ...training, signal })) {
      const { step, loss } = metrics;
      losses.push(loss);
      const measures = step % every === 0 || step === training.steps;
      if (measures) {
        last = await measure(model, plan, signal);
        if (threshold !== undefined && last.accuracy >= threshold) reachedAt ??= step;
      }
      if (measures || step % interval === 0) {
        const held = measures ? { validationLoss: rounded(last!.loss), accuracy: rounded(last!.accuracy) } : {};
        curve.push({ step, loss: rounded(mean(losses)), ...held });
        losses = [];
      }
      yield metrics;
    }
  } catch (error) {
    if (!(error instanceof DivergenceError)) throw error;
    diverged = error.message;
  }
  return {
    model: name,
    seed,
    parameterCount: parameterCount(model),
    tokens,
    loss: diverged === undefined ? last!.loss : null,
    accuracy: diverged === undefined ? last!.accuracy : null,
    reachedAt,
    curve,
    seconds: Math.round((performance.now() - started) / 100) / 10,
    ...(diverged !== undefined && { diverged }),
  };

  function* counted(source: Iterable<Batch>): Generator<Batch> {
    for (const batch of source) {
      tokens += batch.inputs.data.length;
      yield batch;
    }
  }
}

/** Elements of all parameters. */
function parameterCount(model: LanguageModel): number {
  let count = 0;
  for (const { size } of model.parameters.values()) count += size;
  return count;
}

/**
 * All that a run's result depends on, as JSON: the model's configuration and first values, the data, the training, the seed.
 * Not the code: whoever changes the mathematics begins a new cache.
 */
export async function runKey(model: LanguageModel, plan: RunPlan, seed: number): Promise<string> {
  const { data, training, ...settings } = plan;
  const { schedule, steps } = training;
  // A function has no name that says what it does; its factors do.
  const factors = typeof schedule === "function" && Array.from({ length: steps }, (_, i) => schedule(i + 1, steps));
  const parameters = hash();
  for (const [name, variable] of model.parameters) {
    parameters.text(name);
    parameters.floats(await variable.data<"float32">());
  }
  const examples = hash();
  for (const { inputs } of first(trainingBatches(plan, seed))) examples.integers(inputs.data);
  const source =
    "task" in data
      ? { task: data.task.name, vocabSize: data.task.vocabSize, length: data.task.length }
      : { text: sizeOf(data.text.train), heldOut: sizeOf(data.text.validation), length: data.text.length };
  return JSON.stringify({
    configuration: model.configuration,
    parameters: parameters.value(),
    data: { ...source, examples: examples.value() },
    training: factors ? { ...training, schedule: factors } : training,
    ...settings,
    seed,
  });
}

/** The first of endless batches, and their end. */
function* first(source: Iterable<Batch>): Generator<Batch> {
  for (const batch of source) {
    yield batch;
    return;
  }
}

function sizeOf(source: TokenIds | Corpus): number {
  return "tokens" in source ? source.tokens.length : source.length;
}

/** FNV-1a over 32-bit words: tells apart what chance does not make equal; no protection against intent. */
function hash(): {
  text(value: string): void;
  floats(values: Float32Array): void;
  integers(values: Int32Array): void;
  value(): string;
} {
  let state = 0x811c9dc5;
  const word = (value: number): void => void (state = Math.imul(state ^ value, 0x01000193));
  const integers = (values: Int32Array): void => values.forEach(word);
  return {
    text: (value) => [...value].forEach((character) => word(character.codePointAt(0)!)),
    floats: (values) => integers(new Int32Array(values.buffer, values.byteOffset, values.length)),
    integers,
    value: () => (state >>> 0).toString(16).padStart(8, "0"),
  };
}

function rounded(value: number): number {
  return Number(value.toPrecision(5));
}
