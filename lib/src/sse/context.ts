/**
 * What an SSE variant gets to see. A variant replaces the lines of META_STATE's layer from the read of the WKV state to the
 * token that meets the parameter tokens.
 */
import type { Tensor, Tensor3D, Tensor4D } from "@tensorflow/tfjs-core";

import type { ModelConfiguration } from "../model/configuration.js";

/** Time mixing's own coefficients of this layer, of the heads that carry the SSE: `[B, T, Hs, N]` each. */
export interface TimeMixCoefficients {
  /** receptance */
  readonly r: Tensor4D;
  /** decay, a factor */
  readonly w: Tensor4D;
  /** replacement key */
  readonly k: Tensor4D;
  /** value */
  readonly v: Tensor4D;
  /** −κ̂ */
  readonly alpha: Tensor4D;
  /** κ̂ ⊙ in-context learning rate (times `aScale`) */
  readonly beta: Tensor4D;
}

/** A read of the Meta-State, and the state after the last token. */
export interface MetaRead {
  /** o_t = M_t q_t, `[B, T, Hs, N]` */
  readonly read: Tensor4D;
  /** M after the last token, `[B, Hs, N, N]` */
  readonly state: Tensor4D;
}

/** What a Meta-State is written and read with in place of time mixing's own; `[B, T, Hs, N]` each. */
export interface MetaStateOperands {
  /** M is read with these; default r */
  queries?: Tensor;
  /** values are written under these; default k */
  keys?: Tensor;
}

/**
 * What a variant's `apply` works with, for one layer and all tokens of a call at once. Everything is differentiable; the
 * functions may be taken out of the context: `apply({ queries, readState, combine }) { … }`.
 *
 * B batch, T tokens, C width, Hs heads that carry the SSE, N channels a head.
 */
export interface SseContext<Name extends string = string, State extends string = string> {
  readonly configuration: ModelConfiguration;
  /** the layer's number, from 0 */
  readonly layer: number;
  /** x: the layer-normalised residual stream, `[B, T, C]` */
  readonly x: Tensor3D;
  /** x̂: x after the token shift, `[B, T, C]` */
  readonly shifted: Tensor3D;
  /** x̂ as the heads see it, `[B, T, Hs, N]`: the shipped variants' queries */
  readonly queries: Tensor4D;
  readonly timeMix: TimeMixCoefficients;
  /** the variant's parameters in this layer */
  readonly parameters: Readonly<Record<Name, Tensor>>;
  /**
   * the states before the first token of the call: S, M where the variant carries it (`[B, Hs, N, N]`, of the heads that carry
   * the SSE), and the variant's own, `[B, …]`
   */
  readonly before: Readonly<Record<State, Tensor>> & { readonly wkv: Tensor4D; readonly meta?: Tensor4D };
  /** Channels as the heads see them, `[B, T, C]` → `[B, T, Hs, N]`: head h takes slice h mod (C / N). */
  readonly toHeads: (channels: Tensor) => Tensor4D;
  /** The reverse, `[B, T, Hs, N]` → `[B, T, C]`: heads that share a slice add, slices without a head are zero. */
  readonly toChannels: (heads: Tensor) => Tensor3D;
  /**
   * weight ⊙ GN(x): each head's N values to mean 0 and variance 1.
   *
   * @param weight of Hs·N values (`"headChannels"` or `["heads", "headSize"]`), of Hs (`"heads"`), or a single one; default 1
   */
  readonly normalise: (heads: Tensor, weight?: Tensor) => Tensor4D;
  /**
   * S_t q_t for every t: the WKV state as weights on the queries, `[B, T, Hs, N]`.
   *
   * @param when `"before"`: S_{t−1} q_t, what the state held before token t changed it
   */
  readonly readState: (queries: Tensor, when?: "before") => Tensor4D;
  /**
   * Runs M_t = M_{t−1} (transition of time mixing) + value_t k_tᵀ and reads it, o_t = M_t r_t. The variant must say
   * `metaState: true` and return the state.
   */
  readonly runMetaState: (values: Tensor, operands?: MetaStateOperands) => MetaRead;
  /**
   * The shipped variant `sse` in one op, which is faster than its parts and shows nothing inside to a tap:
   * weight ⊙ GN(S q) is added to the token, the sum written to the Meta-State, and weight ⊙ GN(M r) added to that read.
   * Both weights are of Hs·N values (`headChannels`). The variant must say `metaState: true` and return the state.
   */
  readonly runBothStates: (readWeight: Tensor, memoryWeight: Tensor) => { added: Tensor4D; state: Tensor4D };
  /** Whether anybody looks at the activations of this pass: then taps must be shown what they were promised. */
  readonly isTapped: boolean;
  /**
   * z from what the heads (`[B, T, Hs, N]`) or the channels (`[B, T, C]`) add: x̂ + added, or x̂ ⊙ (1 + added) where the
   * model's `mul` says so.
   */
  readonly combine: (added: Tensor) => Tensor3D;
  /**
   * Adds a number to the loss that training goes down, e.g. `addLoss(tf.mul(0.01, tf.mean(tf.abs(read))))`; outside of training
   * it does nothing. What `ms.train` reports as the loss, and what `ms.evaluate` measures, stays that of the tokens.
   */
  readonly addLoss: (loss: Tensor) => void;
  /** Shows an activation, `blocks.3.meta.` and this name, to traces and interventions; go on with what it returns. */
  readonly tap: <T extends Tensor>(name: string, value: T) => T;
}
