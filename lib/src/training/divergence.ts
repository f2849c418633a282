/** When a training has gone wrong: numbers that are not finite, and a loss that jumped up and stays there. */
import type { Tensor } from "@tensorflow/tfjs-core";

import { ConfigurationError, DivergenceError, slower, type DivergenceDetails } from "../errors.js";
import type { Parameters } from "../model/parameters.js";

/** When a loss counts as a spike. */
export interface SpikeOptions {
  /** the last losses that a new one is held against; default 200. The first 50 are never a spike */
  window?: number;
  /** how many spreads above the median of these; default 4. The spread is their 95th percentile less their median */
  factor?: number;
  /** how many nats above the median at least; default 0.5 */
  margin?: number;
  /** so many steps in a row; default 5: a single hard batch is no divergence */
  patience?: number;
}

/** How a loss looks beside those before it. */
export type LossVerdict = "normal" | "suspect" | "spike";

const fewest = 50;

/**
 * Tells a loss that has left its course from one that merely scatters. Quantiles of the last losses, so that outliers
 * among them change little.
 */
export class SpikeDetector {
  private readonly window: number;
  private readonly factor: number;
  private readonly margin: number;
  private readonly patience: number;
  private readonly normal: number[] = [];
  private suspects: number[] = [];

  /** @throws ConfigurationError naming an option that makes no sense */
  constructor({ window = 200, factor = 4, margin = 0.5, patience = 5 }: SpikeOptions = {}) {
    const least = { window: fewest, factor: 0, margin: 0, patience: 1 };
    for (const [name, value] of Object.entries({ window, factor, margin, patience })) {
      const wanted = least[name as keyof typeof least];
      if (value >= wanted) continue;
      throw new ConfigurationError(`train: spike.${name} is ${value}, wanted ${wanted} or more`);
    }
    this.window = window;
    this.factor = factor;
    this.margin = margin;
    this.patience = patience;
  }

  /** How many steps in a row, up to now, looked like a spike. */
  get suspicious(): number {
    return this.suspects.length;
  }

  /** Above this a loss is suspect. */
  get threshold(): number {
    if (this.normal.length < fewest) return Infinity;
    const sorted = [...this.normal].sort((a, b) => a - b);
    const median = sorted[Math.floor(sorted.length / 2)]!;
    const high = sorted[Math.floor(sorted.length * 0.95)]!;
    return median + Math.max(this.margin, this.factor * (high - median));
  }

  /** Takes a step's loss in. */
  add(loss: number): LossVerdict {
    if (loss > this.threshold) {
      this.suspects.push(loss);
      return this.suspects.length >= this.patience ? "spike" : "suspect";
    }
    // It came back: the hard batches in between were part of the course.
    this.normal.push(...this.suspects, loss);
    this.suspects = [];
    this.normal.splice(0, this.normal.length - this.window);
    return "normal";
  }
}

/**
 * The error for numbers that are not finite. It names a parameter that is not finite itself, or else the one nearest to
 * the loss whose gradient is not: from there it spread.
 *
 * @param at `isFirst`: whether the training has not changed a parameter yet
 */
export async function notFiniteError(
  { step, loss, isFirst }: { step: number; loss: number; isFirst: boolean },
  parameters: Parameters,
  gradients: ReadonlyMap<string, Tensor>,
  details: DivergenceDetails,
): Promise<DivergenceError> {
  const broken = await firstNotFinite(parameters);
  if (broken !== undefined) {
    const remedy = "It was so before this training: make the model anew, or load it from a good file.";
    const told = isFirst ? { ...details, remedy } : details;
    return new DivergenceError(step, broken, `the loss is ${loss}, ${broken} is not finite`, told);
  }
  const name = await firstNotFinite([...gradients].reverse());
  const detail = name === undefined ? "" : `, the gradient of ${name} is not finite`;
  return new DivergenceError(step, name ?? null, `the loss is ${loss}${detail}`, details);
}

/** A loss that jumped up and stayed there. */
export interface Spike {
  /** the first step on which it was there */
  readonly step: number;
  /** for how many steps it has been there */
  readonly steps: number;
  /** the step after which the parameters are what they are now */
  readonly lastStep: number;
  readonly loss: number;
  readonly threshold: number;
}

/** The error for a spike. It names the parameter whose gradient is the largest. */
export async function spikeError(
  { step, steps, lastStep, loss, threshold }: Spike,
  gradients: ReadonlyMap<string, Tensor>,
  details: DivergenceDetails,
): Promise<DivergenceError> {
  const largest = await largestGradient(gradients);
  const portion = Math.round(100 * (largest?.portion ?? 0));
  return new DivergenceError(
    step,
    largest?.name ?? null,
    `the loss has been above ${threshold.toPrecision(4)} for ${steps} steps, ${loss.toPrecision(4)} now; the largest ` +
      `gradient is that of ${largest?.name}, ${portion} % of the squared norm`,
    { lastStep, ...details, remedy: `${slower} Where such jumps do no harm, pass spike: false.` },
  );
}

/** The first of the tensors with a value that is not finite. */
async function firstNotFinite(tensors: Iterable<readonly [name: string, tensor: Tensor]>): Promise<string | undefined> {
  for (const [name, tensor] of tensors) {
    const values = await tensor.data<"float32">();
    if (!values.every(Number.isFinite)) return name;
  }
  return undefined;
}

/** The gradient that is the most of the global norm, and its portion of the norm's square. */
async function largestGradient(
  gradients: ReadonlyMap<string, Tensor>,
): Promise<{ name: string; portion: number } | undefined> {
  let largest: { name: string; square: number } | undefined;
  let total = 0;
  for (const [name, gradient] of gradients) {
    const square = (await gradient.data<"float32">()).reduce((sum, x) => sum + x * x, 0);
    total += square;
    if (!largest || square > largest.square) largest = { name, square };
  }
  return largest && { name: largest.name, portion: total > 0 ? largest.square / total : 0 };
}
