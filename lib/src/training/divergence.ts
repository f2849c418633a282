/** When a training has gone wrong: numbers that are not finite, and a loss that jumped up and stays there. */
import type { Tensor } from "@tensorflow/tfjs-core";

import { ConfigurationError } from "../errors.js";

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

/** The first of the tensors with a value that is not finite. */
export async function firstNotFinite(
  tensors: Iterable<readonly [name: string, tensor: Tensor]>,
): Promise<string | undefined> {
  for (const [name, tensor] of tensors) {
    const values = await tensor.data<"float32">();
    if (!values.every(Number.isFinite)) return name;
  }
  return undefined;
}

/** The gradient that is the most of the global norm, and its portion of the norm's square. */
export async function largestGradient(
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
