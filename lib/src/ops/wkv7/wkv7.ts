/** The op `wkv7`: RWKV-7's recurrence, differentiable, with initial and final state. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Tensor4D } from "@tensorflow/tfjs-core";

import { declareGradient, differentiable } from "../kernel.js";
import { expectRank, expectShape } from "../shape.js";
import { wkv7Kernel, type Wkv7Attributes, type Wkv7Input } from "./forward.js";
import { wkv7GradKernel } from "./gradient.js";

/** A state is kept every so many steps for the gradient: memory N/16 of keeping all, one forward pass recomputed. */
export const checkpointInterval = 16;

declareGradient<Wkv7Input, Wkv7Attributes>(
  wkv7Kernel,
  ["r", "w", "k", "v", "a", "b"],
  ([dy, dFinalState], saved, attributes) => {
    const [r, w, k, v, a, b, checkpoints] = saved as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
    const [dr, dw, dk, dv, da, db, dState] = wkv7GradKernel.run(
      { r, w, k, v, a, b, checkpoints, dy: dy!, dFinalState: dFinalState! },
      attributes,
    );
    return { r: dr!, w: dw!, k: dk!, v: dv!, a: da!, b: db!, state: dState! };
  },
  [false, false, true],
);

/**
 * RWKV-7's state recurrence (arXiv 2503.14456), for each head:
 *
 *     S_t = S_{t−1} diag(w_t) + (S_{t−1} a_t) b_tᵀ + v_t k_tᵀ
 *     y_t = S_t r_t
 *
 * Rows of S index value channels, columns key channels. In RWKV-7 a = −κ̂ and b = κ̂ ⊙ (in-context learning rate).
 * Differentiable in every argument. The operands stay the caller's, and so are the results.
 *
 * @param r receptance, float32 `[B, T, H, N]`, T ≥ 1
 * @param w decay, the factor itself, in (0, 1], `[B, T, H, N]`
 * @param k replacement key, `[B, T, H, N]`
 * @param v value, `[B, T, H, N]`
 * @param a removal direction, `[B, T, H, N]`
 * @param b removal write, `[B, T, H, N]`
 * @param state the state before the first step, `[B, H, N, N]`; zeros when left out
 * @returns `y` `[B, T, H, N]` and the state after the last step `[B, H, N, N]`
 * @throws ShapeError naming the argument, its shape and the shape wanted
 */
export function wkv7(
  r: Tensor,
  w: Tensor,
  k: Tensor,
  v: Tensor,
  a: Tensor,
  b: Tensor,
  state?: Tensor,
): { y: Tensor4D; state: Tensor4D } {
  expectRank("wkv7", "r", r, 4, "[B, T, H, N]");
  for (const [name, operand] of Object.entries({ w, k, v, a, b })) {
    expectShape("wkv7", name, operand, r.shape, "[B, T, H, N]");
  }
  const [batch, , heads, size] = r.shape as [number, number, number, number];
  const initial = state ?? tf.zeros([batch, heads, size, size]);
  expectShape("wkv7", "state", initial, [batch, heads, size, size], "[B, H, N, N]");
  // Checkpoints cost memory and time: only a run that is recorded for a gradient makes them.
  const interval = tf.engine().isTapeOn() ? checkpointInterval : 0;
  const outputs = wkv7Kernel.run({ r, w, k, v, a, b, state: initial }, { checkpointInterval: interval });
  if (!state) initial.dispose();
  const [y, after] = differentiable(outputs, 2);
  return { y: y as Tensor4D, state: after as Tensor4D };
}
