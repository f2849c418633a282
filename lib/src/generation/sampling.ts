/**
 * Choosing a token from logits. The rules apply in this order: penalties, the allowed tokens, temperature, top-k, top-p,
 * min-p; then one of the tokens that are left is drawn by its probability.
 */
import { ConfigurationError } from "../errors.js";
import type { Random } from "../random.js";
import { penalised, type PenaltyOptions, type TokenHistory } from "./penalties.js";
import { nthLargest } from "./nth-largest.js";

/** How a token is chosen. */
export interface SamplingOptions extends PenaltyOptions {
  /** logits are divided by it; 0 takes the most likely token. Default 1 */
  temperature?: number;
  /** only the k most likely tokens; default all */
  topK?: number;
  /** only the most likely tokens that together have this probability, of those top-k left (at least one); default 1, all */
  topP?: number;
  /** only tokens at least this portion as likely as the most likely one; default 0, all */
  minP?: number;
}

/** What {@link sampleToken} may need to know of the place where the token is to stand. */
export interface SamplingPlace {
  /** what was there before, for penalties; default nothing */
  history?: TokenHistory;
  /** the tokens to choose from; default all */
  allowed?: Iterable<number>;
}

/** Tokens that may be drawn, in the order of the vocabulary, and the probability of each. */
export interface TokenDistribution {
  readonly tokens: Int32Array;
  /** sums to 1 */
  readonly probabilities: Float64Array;
}

/**
 * Checks sampling options.
 *
 * @throws ConfigurationError naming the option
 */
export function checkSampling(options: SamplingOptions): void {
  const { temperature = 1, topK = Infinity, topP = 1, minP = 0 } = options;
  const { repetitionPenalty = 1, presencePenalty = 0, frequencyPenalty = 0 } = options;
  const check = (name: string, value: number, good: boolean, wanted: string): void => {
    if (!good) throw new ConfigurationError(`${name} is ${value}, wanted ${wanted}`);
  };
  check(
    "temperature",
    temperature,
    temperature >= 0 && temperature < Infinity,
    "0 or more (0 takes the most likely token)",
  );
  check("topK", topK, topK >= 1 && (topK === Infinity || Number.isInteger(topK)), "an integer of 1 or more");
  check("topP", topP, topP > 0 && topP <= 1, "a probability in (0, 1]");
  check("minP", minP, minP >= 0 && minP <= 1, "a portion from 0 to 1");
  const positive = repetitionPenalty > 0 && repetitionPenalty < Infinity;
  check("repetitionPenalty", repetitionPenalty, positive, "a positive number (1 changes nothing)");
  check("presencePenalty", presencePenalty, Number.isFinite(presencePenalty), "a number (0 changes nothing)");
  check("frequencyPenalty", frequencyPenalty, Number.isFinite(frequencyPenalty), "a number (0 changes nothing)");
}

/**
 * The probabilities that tokens are drawn with under the options. Of equal tokens, those that come first in the
 * vocabulary are kept, so that a seed alone decides.
 *
 * @param logits one value a token; −∞ rules a token out
 * @throws ConfigurationError when an option makes no sense, or the allowed tokens are none, or not all in the vocabulary
 * @throws RangeError when a logit is NaN or +∞, or no token is left
 */
export function tokenDistribution(
  logits: Float32Array,
  options: SamplingOptions = {},
  { history, allowed }: SamplingPlace = {},
): TokenDistribution {
  checkSampling(options);
  const { temperature = 1, topK = Infinity, topP = 1, minP = 0 } = options;
  const scores = history ? penalised(logits, options, history) : logits;
  const candidates = allowed === undefined ? everyToken(scores.length) : allowedTokens(allowed, scores.length);
  const best = mostLikely(scores, candidates);
  if (temperature === 0) return { tokens: Int32Array.of(best), probabilities: Float64Array.of(1) };
  let kept = topK < candidates.length ? largest(scores, candidates, topK) : candidates;
  let weights = new Float64Array(kept.length);
  kept.forEach((token, i) => (weights[i] = Math.exp((scores[token]! - scores[best]!) / temperature)));
  const keep = (chosen: (weight: number, i: number) => boolean): void => {
    kept = kept.filter((_, i) => chosen(weights[i]!, i));
    weights = weights.filter(chosen);
  };
  if (topP < 1) {
    const nucleus = nucleusOf(weights, topP);
    keep((_, i) => nucleus.has(i));
  }
  if (minP > 0) keep((weight) => weight >= minP);
  const total = sum(weights);
  return { tokens: kept, probabilities: weights.map((weight) => weight / total) };
}

/**
 * One token, drawn by {@link tokenDistribution}.
 *
 * @param logits one value a token
 */
export function sampleToken(
  logits: Float32Array,
  random: Random,
  options: SamplingOptions = {},
  place: SamplingPlace = {},
): number {
  const { tokens, probabilities } = tokenDistribution(logits, options, place);
  let rest = random.uniform();
  let last = tokens[0]!;
  for (let i = 0; i < tokens.length; i++) {
    if (probabilities[i] === 0) continue;
    last = tokens[i]!;
    rest -= probabilities[i]!;
    if (rest < 0) return last;
  }
  // Rounding may leave a little.
  return last;
}

function everyToken(count: number): Int32Array {
  const tokens = new Int32Array(count);
  for (let token = 0; token < count; token++) tokens[token] = token;
  return tokens;
}

function allowedTokens(allowed: Iterable<number>, vocabSize: number): Int32Array {
  const tokens = [...new Set(allowed)].sort((a, b) => a - b);
  const wrong = tokens.find((token) => !(Number.isInteger(token) && token >= 0 && token < vocabSize));
  if (wrong !== undefined) {
    throw new ConfigurationError(`allowed has the token ${wrong}, wanted 0 to ${vocabSize - 1}`);
  }
  if (tokens.length === 0) {
    throw new ConfigurationError("allowed has no token, wanted at least one (undefined allows all)");
  }
  return Int32Array.from(tokens);
}

/** The token of the highest score, the first of equal ones. */
function mostLikely(scores: Float32Array, candidates: Int32Array): number {
  let best = candidates[0]!;
  for (const token of candidates) {
    const score = scores[token]!;
    if (Number.isNaN(score) || score === Infinity) {
      throw new RangeError(
        `the logit of token ${token} is ${score}: the model's parameters or state are not finite: load ` +
          `or train it again, or find where with ms.checkNumerics()`,
      );
    }
    if (score > scores[best]!) best = token;
  }
  if (scores[best] === -Infinity) {
    throw new RangeError("every token that is allowed has the logit −∞, wanted one that can be: allow more tokens");
  }
  return best;
}

/** The `count` candidates of the highest scores, the first of equal ones, in their order. */
function largest(scores: Float32Array, candidates: Int32Array, count: number): Int32Array {
  const values = new Float32Array(candidates.length);
  candidates.forEach((token, i) => (values[i] = scores[token]!));
  const least = nthLargest(values, count);
  let equal = count;
  for (const token of candidates) if (scores[token]! > least) equal--;
  return candidates.filter((token) => scores[token]! > least || (scores[token] === least && equal-- > 0));
}

/** Indices of the largest weights that make up this portion of all. */
function nucleusOf(weights: Float64Array, portion: number): Set<number> {
  const total = sum(weights);
  // All that are below this together lack the weight to reach into the nucleus, and need no sorting.
  const negligible = (total * (1 - portion)) / weights.length;
  const order: number[] = [];
  weights.forEach((weight, i) => weight >= negligible && order.push(i));
  order.sort((i, j) => weights[j]! - weights[i]! || i - j);
  let reached = 0;
  const count = order.findIndex((i) => (reached += weights[i]!) >= portion * total);
  return new Set(count < 0 ? order : order.slice(0, count + 1));
}

function sum(values: Float64Array): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
