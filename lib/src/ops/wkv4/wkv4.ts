/** The op `wkv4`: RWKV-4's weighted average of values (arXiv 2305.13048), differentiable, with initial and final state. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Tensor2D, Tensor3D } from "@tensorflow/tfjs-core";

import { declareGradient } from "../kernel.js";
import { expectRank, expectShape } from "../shape.js";
import { wkv4Kernel, type Wkv4Input } from "./forward.js";
import { wkv4GradKernel } from "./gradient.js";

/**
 * The state after some tokens, `[B, C]` each: numerator e^p a, denominator e^p b. p is the largest exponent so far, so that a and
 * b stay near 1 whatever the keys are.
 */
export interface Wkv4State {
  readonly numerator: Tensor2D;
  readonly denominator: Tensor2D;
  readonly exponent: Tensor2D;
}

/** p before any token: e^p is 0, and p stays finite in arithmetic. The published −1e38. */
export const emptyExponent = -1e38;

const saved = ["w", "u", "k", "v", "numerator", "denominator", "exponent"] as const;

declareGradient<Wkv4Input, Record<string, never>>(wkv4Kernel, saved, (dys, values) => {
  const [dy, dNumerator, dDenominator, dExponent] = dys as [Tensor, Tensor, Tensor, Tensor];
  const inputs = Object.fromEntries(saved.map((name, i) => [name, values[i]!])) as Record<Wkv4Input, Tensor>;
  const gradients = wkv4GradKernel.run({ ...inputs, dy, dNumerator, dDenominator, dExponent }, {});
  return Object.fromEntries(saved.map((name, i) => [name, gradients[i]!]));
});

/**
 * For each channel
 *
 *     y_t = (A_{t−1} + e^{u + k_t} v_t) / (B_{t−1} + e^{u + k_t})
 *     A_t = e^w A_{t−1} + e^{k_t} v_t        B_t = e^w B_{t−1} + e^{k_t}
 *
 * with A = e^p a and B = e^p b held by the state. Differentiable in every argument.
 *
 * @param w log decay, ≤ 0 (RWKV-4: −e^{time_decay}), float32 `[C]`
 * @param u what the current token's key gets added, `[C]`
 * @param k keys, `[B, T, C]`, T ≥ 1
 * @param v values, `[B, T, C]`
 * @param state the state before the first token; empty when left out
 * @returns `y` `[B, T, C]` and the state after the last token
 * @throws ShapeError naming the argument, its shape and the shape wanted
 */
export function wkv4(w: Tensor, u: Tensor, k: Tensor, v: Tensor, state?: Wkv4State): { y: Tensor3D; state: Wkv4State } {
  expectRank("wkv4", "k", k, 3, "[B, T, C]");
  const [batch, , width] = k.shape as [number, number, number];
  expectShape("wkv4", "v", v, k.shape, "[B, T, C]");
  expectShape("wkv4", "w", w, [width], "[C]");
  expectShape("wkv4", "u", u, [width], "[C]");
  const initial = state ?? emptyState(batch, width);
  for (const [name, part] of Object.entries(initial)) {
    expectShape("wkv4", `state.${name}`, part as Tensor, [batch, width], "[B, C]");
  }
  const [y, numerator, denominator, exponent] = wkv4Kernel.run({ w, u, k, v, ...initial }, {});
  if (!state) tf.dispose([initial.numerator, initial.denominator, initial.exponent]);
  return {
    y: y as Tensor3D,
    state: {
      numerator: numerator as Tensor2D,
      denominator: denominator as Tensor2D,
      exponent: exponent as Tensor2D,
    },
  };
}

/** The state before any token. */
function emptyState(batch: number, width: number): Wkv4State {
  return {
    numerator: tf.zeros([batch, width]),
    denominator: tf.zeros([batch, width]),
    exponent: tf.fill([batch, width], emptyExponent),
  };
}
