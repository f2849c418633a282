/** In-context linear regression (Garg et al. 2022, arXiv 2208.01066), on values cut into bins. */
import { expectOptions } from "../arguments.js";
import { checkIntegers } from "../data/batch.js";
import { ConfigurationError } from "../errors.js";
import { defineTask, nextTokenExample, type Task } from "./task.js";

/** The sizes of `ms.tasks.regression`. */
export interface RegressionOptions {
  /** d: numbers in x; default 1 */
  dimensions?: number;
  /** pairs of x and y a sequence; default 16 */
  examples?: number;
  /** tokens for numbers of x, and as many for y; default 16 */
  bins?: number;
  /** the answers of the first so many examples do not count: w is not known by then. Default d */
  warmup?: number;
}

/**
 * `x y x y …` with y = w · x and a w drawn for each sequence, uniform in [−1, 1]^d. Numbers of x are middles of equal bins
 * of [−1, 1], so that the tokens say them exactly; y is the bin of [−√d, √d] that it falls into (of the outermost, if it is
 * beyond), and is the answer. Tokens: bins of x, then bins of y.
 *
 * @throws ConfigurationError naming a size that makes no sense
 */
export function regression(options: RegressionOptions = {}): Task {
  expectOptions("regression", options, { dimensions: true, examples: true, bins: true, warmup: true });
  const { dimensions = 1, examples = 16, bins = 16, warmup = dimensions } = options;
  checkIntegers("regression", { dimensions, examples, bins }, { warmup });
  if (warmup >= examples) {
    throw new ConfigurationError(`regression: warmup is ${warmup}, wanted less than examples, ${examples}`);
  }
  const range = Math.sqrt(dimensions);
  const stride = dimensions + 1;
  return defineTask({
    name: "regression",
    vocabSize: 2 * bins,
    length: examples * stride - 1,
    chance: 1 / bins,
    word: (token) => (token < bins ? `x${token}` : `y${token - bins}`),
    example(random) {
      const weights = Array.from({ length: dimensions }, () => random.uniform(-1, 1));
      const tokens: number[] = [];
      for (let i = 0; i < examples; i++) {
        let y = 0;
        for (const weight of weights) {
          const bin = random.integer(bins);
          tokens.push(bin);
          y += weight * ((2 * bin + 1) / bins - 1);
        }
        const bin = Math.floor(((y / range + 1) / 2) * bins);
        tokens.push(bins + Math.min(bins - 1, Math.max(0, bin)));
      }
      return nextTokenExample(
        tokens,
        (position) => position % stride === dimensions && position >= warmup * stride + dimensions,
      );
    },
  });
}
