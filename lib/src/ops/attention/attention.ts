/**
 * The op `causalAttention`: softmax attention (arXiv 1706.03762) of each token to itself and those before it, differentiable,
 * over a cache whose rows may have begun at different places.
 */
import type { Tensor, Tensor1D, Tensor4D } from "@tensorflow/tfjs-core";

import { ShapeError } from "../../errors.js";
import { declareGradient, differentiable } from "../kernel.js";
import { describeTensor, expectRank, expectShape } from "../shape.js";
import { attentionKernel, type AttentionInput } from "./forward.js";
import { attentionGradKernel } from "./gradient.js";

declareGradient<AttentionInput, Record<string, never>>(
  attentionKernel,
  ["q", "k", "v", "starts"],
  ([dy], saved) => {
    const [q, k, v, starts, y, logSums] = saved as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
    const [dq, dk, dv] = attentionGradKernel.run({ q, k, v, starts, y, logSums, dy: dy! }, {});
    return { q: dq!, k: dk!, v: dv! };
  },
  [true, true],
);

/**
 * For each row and head, with the queries at the end of the keys (the query t stands at key S − T + t):
 *
 *     y_t = Σ_j softmax_j(q_t · k_j / √N) v_j        over the keys j from start to S − T + t
 *
 * Differentiable in q, k and v.
 *
 * @param q queries, float32 `[B, T, H, N]`, T ≥ 1
 * @param k keys of what went before and of the queries' tokens, `[B, S, H, N]`, S ≥ T
 * @param v values, `[B, S, H, N]`
 * @param starts int32 `[B]`: each row's first key, 0 to S − T; what lies before it is padding
 * @returns `[B, T, H, N]`
 * @throws ShapeError naming the argument, its shape and the shape wanted
 */
export function causalAttention(q: Tensor, k: Tensor, v: Tensor, starts: Tensor1D): Tensor4D {
  expectRank("causalAttention", "q", q, 4, "[B, T, H, N]");
  const [batch, time, heads, size] = q.shape as [number, number, number, number];
  const keys = k.shape[1] ?? 0;
  if (k.rank !== 4 || keys < time) {
    throw new ShapeError("causalAttention", "k", describeTensor(k), `[B, S, H, N] with S of at least T = ${time}`);
  }
  expectShape("causalAttention", "k", k, [batch, keys, heads, size], "[B, S, H, N]");
  expectShape("causalAttention", "v", v, [batch, keys, heads, size], "[B, S, H, N]");
  expectShape("causalAttention", "starts", starts, [batch], "[B]", "int32");
  return differentiable(attentionKernel.run({ q, k, v, starts }, {}), 1)[0] as Tensor4D;
}
