/** The paired t-test: what may be said of the difference of two models. */
import { ConfigurationError } from "../errors.js";
import { mean, sampleDeviation } from "../spread.js";

/** What {@link pairedTest} finds. */
export interface PairedTest {
  /** of the differences */
  readonly mean: number;
  /** of the differences, sample standard deviation; NaN of one */
  readonly deviation: number;
  /** how many pairs */
  readonly pairs: number;
  /**
   * the probability of a mean this far from 0, or further, if the differences came from a normal distribution around 0
   * (Student's t, two sides); NaN of fewer than two pairs
   */
  readonly p: number;
}

/**
 * The paired t-test of differences, one a seed. Seeds differ from each other far more than models do, and alike for both:
 * pairs take that out.
 */
export function pairedTest(differences: readonly number[]): PairedTest {
  const pairs = differences.length;
  const [middle, deviation] = [mean(differences), sampleDeviation(differences)];
  const p = deviation === 0 ? (middle === 0 ? 1 : 0) : tTails(middle / (deviation / Math.sqrt(pairs)), pairs - 1);
  return { mean: middle, deviation, pairs, p };
}

/**
 * P(|t| ≥ |given|) for Student's t, by the finite sums that there are for whole degrees of freedom (Abramowitz and Stegun
 * 1964, 26.7.3 and 26.7.4).
 *
 * @param freedom degrees of freedom, an integer from 1; NaN comes of 0
 */
export function tTails(t: number, freedom: number): number {
  if (!(Number.isSafeInteger(freedom) && freedom >= 0)) {
    throw new ConfigurationError(`tTails: freedom is ${freedom}, wanted an integer of 0 or more`);
  }
  if (freedom === 0 || Number.isNaN(t)) return NaN;
  const angle = Math.atan(Math.abs(t) / Math.sqrt(freedom));
  const [sin, cos] = [Math.sin(angle), Math.cos(angle)];
  const odd = freedom % 2 === 1;
  // cos, or 1; then each term is the one before times cos² · 2/3, · 4/5, … (odd), or · 1/2, · 3/4, … (even)
  let term = odd ? cos : 1;
  let sum = freedom === 1 ? 0 : term;
  for (let k = odd ? 3 : 2; k < freedom; k += 2) {
    term *= (cos * cos * (k - 1)) / k;
    sum += term;
  }
  const within = odd ? (2 / Math.PI) * (angle + sin * sum) : sin * sum;
  return Math.max(0, 1 - within);
}
