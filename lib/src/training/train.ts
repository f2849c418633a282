/** The training loop, as an async iterator of metrics. */
import { setImmediate } from "node:timers/promises";

import type { Tensor } from "@tensorflow/tfjs-core";

import type { Batch } from "../data/batch.js";
import { ConfigurationError, DivergenceError } from "../errors.js";
import type { LanguageModel } from "../model/language-model.js";
import { AdamW, parameterGroups } from "./adamw.js";
import { evaluate, type EvaluationData } from "./evaluate.js";
import { disposeGradients, lossGradients, type LossGradients } from "./gradients.js";
import { scheduleFactor, type ScheduleName } from "./schedules.js";

/** Measuring the loss on held-out data now and then. */
export interface TrainEvaluation {
  /** held-out tokens, a corpus, or batches (of a task) */
  data: EvaluationData;
  /** every so many steps, and after the last */
  every: number;
  /** tokens a sequence; default: as the training batches */
  length?: number;
  /** of batches: how many each time; default 8 */
  batches?: number;
  /** at most so many tokens each time, spread over the data; default 16,384 */
  tokens?: number;
}

/** What {@link train} does. */
export interface TrainOptions {
  /** how many batches to learn from */
  steps: number;
  /** the highest rate of the schedule; 5e−3 to 8e−3 suit models of 0.03 to 0.7 M parameters. Default 6e−3 */
  learningRate?: number;
  /** after the warm-up; default `cosine` */
  schedule?: ScheduleName;
  /** steps of warm-up; default a twentieth of all, at most 100 */
  warmup?: number;
  /** the schedule's last factor; default 0.05 */
  floor?: number;
  /** decoupled decay of the matrices; default 0.1 */
  weightDecay?: number;
  /** default (0.9, 0.99) */
  betas?: readonly [number, number];
  /** AdamW's epsilon; default 1e−10: float32 holds squares of gradients down to 1e−38 */
  epsilon?: number;
  /** gradients are scaled down to this global norm; default 1 */
  clip?: number;
  evaluate?: TrainEvaluation;
  /** ends the training between steps; the iterator then throws the signal's reason */
  signal?: AbortSignal;
}

/** One step's metrics. */
export interface TrainMetrics {
  /** from 1 */
  readonly step: number;
  /** how many there will be */
  readonly steps: number;
  /** mean cross-entropy of the step's batch before its update, nats a token */
  readonly loss: number;
  /** global norm of the gradient before clipping */
  readonly gradientNorm: number;
  readonly learningRate: number;
  /** tokens learned from per second, over the last steps, evaluation left out */
  readonly tokensPerSecond: number;
  /** estimated time to the last step, evaluation left out */
  readonly secondsLeft: number;
  /** loss on held-out data, on the steps that measure it */
  readonly validationLoss?: number;
}

/**
 * Trains a model, one batch a step. Iterate over it with `for await`; leaving the loop early, or aborting, frees the
 * optimiser and leaves the model as trained so far. The event loop runs between steps. With the same model seed, batches
 * and engine, the metrics are the same.
 *
 * @param model changed in place
 * @param batches batches of any shapes, sync or async. Training takes `steps` of them and leaves an iterator where it is,
 *   so that the next training goes on with it; when they end before, training ends
 * @throws DivergenceError when loss or gradient are no longer finite, naming step and parameter; the update is not made
 * @throws ConfigurationError naming an option that makes no sense
 */
export async function* train(
  model: LanguageModel,
  batches: Iterable<Batch> | AsyncIterable<Batch>,
  options: TrainOptions,
): AsyncGenerator<TrainMetrics, void, undefined> {
  const {
    steps,
    learningRate: peak = 6e-3,
    schedule = "cosine",
    warmup = Math.min(100, Math.round(steps / 20)),
    floor = 0.05,
    weightDecay = 0.1,
    betas = [0.9, 0.99],
    epsilon = 1e-10,
    clip = 1,
    evaluate: evaluation,
    signal,
  } = options;
  checkOptions({ steps, learningRate: peak, clip }, { warmup, floor, weightDecay, epsilon });
  const optimizer = new AdamW(model.parameters, parameterGroups(model.parameters, weightDecay), {
    betas,
    epsilon,
    clip,
  });
  const speed = new Speedometer();
  let step = 0;
  try {
    // Not for await: that would close the caller's iterator, and a second training with it would get nothing.
    const iterator = Symbol.asyncIterator in batches ? batches[Symbol.asyncIterator]() : batches[Symbol.iterator]();
    while (step < steps) {
      signal?.throwIfAborted();
      const next = await iterator.next();
      if (next.done) return;
      const batch = next.value;
      step++;
      const started = performance.now();
      const learningRate = peak * scheduleFactor(step, steps, { schedule, warmup, floor });
      const { loss, gradientNorm } = await learn(model, optimizer, batch, step, learningRate);
      const [rows, length] = batch.inputs.shape;
      speed.add(rows * length, performance.now() - started);
      const validationLoss =
        evaluation && (step % evaluation.every === 0 || step === steps)
          ? (await evaluate(model, evaluation.data, { length, tokens: 16384, batchSize: rows, signal, ...evaluation }))
              .loss
          : undefined;
      // Output, interrupts and other cells get their turn.
      await setImmediate();
      yield {
        step,
        steps,
        loss,
        gradientNorm,
        learningRate,
        tokensPerSecond: speed.tokensPerSecond,
        secondsLeft: speed.secondsPerStep * (steps - step),
        ...(validationLoss !== undefined && { validationLoss }),
      };
    }
  } finally {
    optimizer.dispose();
  }
}

async function learn(
  model: LanguageModel,
  optimizer: AdamW,
  batch: Batch,
  step: number,
  learningRate: number,
): Promise<{ loss: number; gradientNorm: number }> {
  const result = lossGradients(model, batch);
  try {
    const [[loss], [gradientNorm]] = await Promise.all([result.loss.data(), result.norm.data()]);
    if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) throw await divergence(model, step, result, loss!);
    optimizer.update(result.gradients, result.norm, learningRate);
    return { loss: loss!, gradientNorm: gradientNorm! };
  } finally {
    disposeGradients(result);
  }
}

/**
 * The error for numbers that are not finite. It names a parameter that is not finite itself, or else the one nearest to
 * the loss whose gradient is not: from there it spread.
 */
async function divergence(
  model: LanguageModel,
  step: number,
  { gradients }: LossGradients,
  loss: number,
): Promise<DivergenceError> {
  const broken = await firstNotFinite(model.parameters);
  if (broken !== undefined) return new DivergenceError(step, broken, `the loss is ${loss}, ${broken} is not finite`);
  const name = await firstNotFinite([...gradients].reverse());
  if (name === undefined) return new DivergenceError(step, null, `the loss is ${loss}`);
  return new DivergenceError(step, name, `the loss is ${loss}, the gradient of ${name} is not finite`);
}

async function firstNotFinite(tensors: Iterable<readonly [string, Tensor]>): Promise<string | undefined> {
  for (const [name, tensor] of tensors) {
    const values = await tensor.data<"float32">();
    if (!values.every(Number.isFinite)) return name;
  }
  return undefined;
}

function checkOptions(positive: Record<string, number>, notNegative: Record<string, number>): void {
  for (const [name, value] of Object.entries(positive)) {
    if (!(value > 0)) throw new ConfigurationError(`train: ${name} is ${value}, wanted a positive number`);
  }
  for (const [name, value] of Object.entries(notNegative)) {
    if (!(value >= 0)) throw new ConfigurationError(`train: ${name} is ${value}, wanted 0 or more`);
  }
}

/** Tokens per second over the last steps, so that one slow step does not tell the future. */
class Speedometer {
  private readonly steps: { tokens: number; seconds: number }[] = [];

  add(tokens: number, milliseconds: number): void {
    this.steps.push({ tokens, seconds: milliseconds / 1000 });
    if (this.steps.length > 20) this.steps.shift();
  }

  get tokensPerSecond(): number {
    return this.total("tokens") / this.total("seconds");
  }

  get secondsPerStep(): number {
    return this.total("seconds") / this.steps.length;
  }

  private total(key: "tokens" | "seconds"): number {
    return this.steps.reduce((sum, step) => sum + step[key], 0);
  }
}
