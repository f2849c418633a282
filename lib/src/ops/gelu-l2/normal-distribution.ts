/** The normal distribution's Φ and φ, of tensors and of plain numbers; those to float32's rounding: JavaScript has no error function. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

/** Coefficients of a Chebyshev fit to ln(erfc(x) e^{x²} / t), t = 1/(1 + x/2) (Press et al., Numerical Recipes, 6.2). */
const fit = [
  -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223,
  0.17087277,
];

/** Φ(x), the probability of a normal value below x; relative error below 1.2e−7, in the far left tail too. */
export function normalProbability(x: number): number {
  const z = Math.abs(x) * Math.SQRT1_2;
  const t = 1 / (1 + 0.5 * z);
  let exponent = 0;
  for (let i = fit.length - 1; i >= 0; i--) exponent = exponent * t + fit[i]!;
  const tail = 0.5 * t * Math.exp(exponent - z * z);
  return x < 0 ? tail : 1 - tail;
}

/** φ(x), the density at x. */
export function normalDensity(x: number): number {
  return Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
}

/** Φ of each element. */
export function normalProbabilities(x: Tensor): Tensor {
  return tf.mul(tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1), 0.5);
}

/** φ of each element. */
export function normalDensities(x: Tensor): Tensor {
  return tf.mul(tf.exp(tf.mul(tf.square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
}
