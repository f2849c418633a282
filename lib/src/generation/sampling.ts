/** Choosing a token from logits. */
import { ConfigurationError } from "../errors.js";
import type { Random } from "../random.js";

/** How a token is chosen. */
export interface SamplingOptions {
  /** logits are divided by it; 0 takes the most likely token. Default 1 */
  temperature?: number;
  /** only the k most likely tokens; default all */
  topK?: number;
  /** only the most likely tokens that together have this probability (at least one); default 1, all */
  topP?: number;
}

/**
 * Checks sampling options.
 *
 * @throws ConfigurationError naming the option
 */
export function checkSampling({ temperature = 1, topK = Infinity, topP = 1 }: SamplingOptions): void {
  if (!(temperature >= 0)) throw new ConfigurationError(`temperature is ${temperature}, wanted 0 or more`);
  if (!(topK >= 1)) throw new ConfigurationError(`topK is ${topK}, wanted 1 or more`);
  if (!(topP > 0 && topP <= 1)) throw new ConfigurationError(`topP is ${topP}, wanted a probability in (0, 1]`);
}

/**
 * One token by its probability under the options. Ties keep the order of the vocabulary, so that a seed decides alone.
 *
 * @param logits one value a token
 */
export function sampleToken(logits: Float32Array, random: Random, options: SamplingOptions = {}): number {
  const { temperature = 1, topK = Infinity, topP = 1 } = options;
  if (temperature === 0) return largest(logits);
  const order = Array.from(logits.keys());
  if (topK < logits.length || topP < 1) order.sort((i, j) => logits[j]! - logits[i]! || i - j);
  if (topK < order.length) order.length = Math.floor(topK);
  const top = logits[largest(logits)]!;
  const weights = order.map((token) => Math.exp((logits[token]! - top) / temperature));
  const kept = topP < 1 ? nucleus(weights, topP) : weights;
  const total = kept.reduce((sum, weight) => sum + weight, 0);
  let rest = random.uniform() * total;
  for (let i = 0; i < kept.length; i++) {
    rest -= kept[i]!;
    if (rest < 0) return order[i]!;
  }
  return order[kept.length - 1]!;
}

/** The first weights, largest first, that make up this portion of all. */
function nucleus(weights: readonly number[], portion: number): number[] {
  const wanted = portion * weights.reduce((sum, weight) => sum + weight, 0);
  let sum = 0;
  const count = weights.findIndex((weight) => (sum += weight) >= wanted);
  return count < 0 ? [...weights] : weights.slice(0, count + 1);
}

function largest(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}
