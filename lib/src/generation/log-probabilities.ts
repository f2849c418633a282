/** What the model itself thought of a token, before temperature, penalties and all other rules. */
import { nthLargest } from "./nth-largest.js";

/** A token and the logarithm (natural) of its probability. */
export interface TokenLogProbability {
  readonly token: number;
  readonly logProbability: number;
}

/** The log-probability of a token, and the `count` most likely tokens, most likely first. */
export function logProbabilities(
  logits: Float32Array,
  token: number,
  count: number,
): { logProbability: number; mostLikely: TokenLogProbability[] } {
  let largest = -Infinity;
  for (const logit of logits) if (logit > largest) largest = logit;
  let total = 0;
  for (const logit of logits) total += Math.exp(logit - largest);
  const normaliser = largest + Math.log(total);
  const mostLikely: TokenLogProbability[] = [];
  if (count > 0) {
    const least = nthLargest(Float32Array.from(logits), Math.min(count, logits.length));
    logits.forEach((logit, id) => {
      if (logit >= least) mostLikely.push({ token: id, logProbability: logit - normaliser });
    });
    mostLikely.sort((a, b) => b.logProbability - a.logProbability || a.token - b.token);
    mostLikely.length = Math.min(count, mostLikely.length);
  }
  return { logProbability: logits[token]! - normaliser, mostLikely };
}
