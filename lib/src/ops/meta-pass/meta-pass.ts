/** The op `metaPass`: the Meta-State pass of the variant `sse`, differentiable, with the states before and M after. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Tensor4D } from "@tensorflow/tfjs-core";

import { declareGradient, differentiable } from "../kernel.js";
import { expectRank, expectShape } from "../shape.js";
import { checkpointInterval } from "../wkv7/wkv7.js";
import { metaPassKernel, type MetaPassAttributes, type MetaPassInput } from "./forward.js";
import { metaPassGradKernel } from "./gradient.js";

const saved = ["r", "w", "k", "v", "a", "b", "x", "q", "readGain", "memoryGain"] as const;
const gradients = [...saved, "wkv", "meta"] as const;

declareGradient<MetaPassInput, MetaPassAttributes>(
  metaPassKernel,
  saved,
  ([dAdded, dMetaAfter], values, attributes) => {
    const inputs = Object.fromEntries(saved.map((name, i) => [name, values[i]!])) as Record<
      (typeof saved)[number],
      Tensor
    >;
    const [u, o, wkvCheckpoints, metaCheckpoints] = values.slice(saved.length) as [Tensor, Tensor, Tensor, Tensor];
    const results = metaPassGradKernel.run(
      { ...inputs, u, o, wkvCheckpoints, metaCheckpoints, dAdded: dAdded!, dMetaAfter: dMetaAfter! },
      attributes,
    );
    return Object.fromEntries(gradients.map((name, i) => [name, results[i]!]));
  },
  [false, false, true, true, true, true],
);

/** The operands of {@link metaPass}. B batch, T tokens, at least 1, H heads that carry the SSE, N channels a head; float32. */
export interface MetaPassOperands {
  /** time mixing's receptance, with which M is read, `[B, T, H, N]` */
  readonly r: Tensor;
  /** time mixing's decay, the factor itself, `[B, T, H, N]` */
  readonly w: Tensor;
  /** time mixing's replacement key, under which both states are written, `[B, T, H, N]` */
  readonly k: Tensor;
  /** time mixing's value, which is written to S, `[B, T, H, N]` */
  readonly v: Tensor;
  /** removal direction, −κ̂, `[B, T, H, N]` */
  readonly a: Tensor;
  /** removal write, κ̂ ⊙ (in-context learning rate), `[B, T, H, N]` */
  readonly b: Tensor;
  /** the token as the heads see it, `[B, T, H, N]` */
  readonly x: Tensor;
  /** x̂, the token after its shift as the heads see it, with which S is read, `[B, T, H, N]` */
  readonly q: Tensor;
  /** β_g, of H·N values: the gain of S's read */
  readonly readGain: Tensor;
  /** α_g, of H·N values: the gain of M's read */
  readonly memoryGain: Tensor;
  /** S before the first token, `[B, H, N, N]` */
  readonly wkv: Tensor;
  /** M before the first token, `[B, H, N, N]` */
  readonly meta: Tensor;
}

/**
 * The pass of the Meta-State layer over both states, for each head (META_STATE's equations):
 *
 *     S_t = S_{t−1} T_t + v_t k_tᵀ        T_t = diag(w_t) + a_t b_tᵀ
 *     u_t = S_t q_t                       m_t = x_t + readGain ⊙ GN(u_t)
 *     M_t = M_{t−1} T_t + m_t k_tᵀ        o_t = M_t r_t
 *     added_t = readGain ⊙ GN(u_t) + memoryGain ⊙ GN(o_t)
 *
 * GN normalises a head's N values to mean 0 and variance 1, epsilon N·10⁻⁵ added to the variance. Differentiable in every
 * argument. The operands stay the caller's, and so are the results.
 *
 * @returns `added` `[B, T, H, N]`, what the heads add to x̂, and M after the last token `[B, H, N, N]`. S after it is time
 *   mixing's to give
 * @throws ShapeError naming the argument, its shape and the shape wanted
 */
export function metaPass(operands: MetaPassOperands): { added: Tensor4D; meta: Tensor4D } {
  const { r, w, k, v, a, b, x, q, readGain, memoryGain, wkv, meta } = operands;
  expectRank("metaPass", "r", r, 4, "[B, T, H, N]");
  const [batch, , heads, size] = r.shape as [number, number, number, number];
  for (const [name, operand] of Object.entries({ w, k, v, a, b, x, q })) {
    expectShape("metaPass", name, operand, r.shape, "[B, T, H, N]");
  }
  for (const [name, state] of Object.entries({ wkv, meta })) {
    expectShape("metaPass", name, state, [batch, heads, size, size], "[B, H, N, N]");
  }
  expectShape("metaPass", "readGain", readGain, [heads * size], "[H·N]");
  expectShape("metaPass", "memoryGain", memoryGain, [heads * size], "[H·N]");
  // As in wkv7: only a run that is recorded for a gradient keeps what the gradient needs.
  const outputs = metaPassKernel.run(
    { r, w, k, v, a, b, x, q, readGain, memoryGain, wkv, meta },
    { epsilon: size * 1e-5, checkpointInterval: tf.engine().isTapeOn() ? checkpointInterval : 0 },
  );
  const [added, after] = differentiable(outputs, 2);
  return { added: added as Tensor4D, meta: after as Tensor4D };
}
