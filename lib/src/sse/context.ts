/**
 * What an SSE variant is, and what it gets to see. A variant replaces the lines of META_STATE's layer from the read of
 * the WKV state to the token that meets the parameter tokens.
 */
import type { Tensor, Tensor3D, Tensor4D } from "@tensorflow/tfjs-core";

import type { ActivationDescription } from "../model/activation-names.js";
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
  /** κ̂ ⊙ in-context learning rate */
  readonly beta: Tensor4D;
}

/** A read of the Meta-State, and the state after the last token. */
export interface MetaRead {
  /** o_t = M_t r_t, `[B, T, Hs, N]` */
  readonly read: Tensor4D;
  /** M after the last token, `[B, Hs, N, N]` */
  readonly state: Tensor4D;
}

/** What a variant's `apply` works with. Everything is differentiable. */
export interface SseContext {
  readonly configuration: ModelConfiguration;
  /** the layer's number, from 0 */
  readonly layer: number;
  /** x: the layer-normalised residual stream, `[B, T, C]` */
  readonly x: Tensor3D;
  /** x̂: x after the token shift, `[B, T, C]` */
  readonly shifted: Tensor3D;
  readonly timeMix: TimeMixCoefficients;
  /** the variant's parameter of this name, in this layer */
  parameter(name: string): Tensor;
  /** Shows an activation, `blocks.3.meta.` and this name, to traces and interventions; go on with what it returns. */
  tap<T extends Tensor>(name: string, value: T): T;
  /** Channels as the SSE's heads see them, `[B, T, C]` → `[B, T, Hs, N]`: head h takes slice h mod (C / N). */
  toHeads(channels: Tensor3D): Tensor4D;
  /** The reverse, `[B, T, Hs, N]` → `[B, T, C]`: heads that share a slice add, slices without a head are zero. */
  toChannels(heads: Tensor4D): Tensor3D;
  /** weight ⊙ GN(x) with each head's N values normalised; weight is a parameter of Hs·N values. */
  normalise(heads: Tensor4D, weight: Tensor): Tensor4D;
  /** S_t q_t for every t: the WKV state as weights on the queries, `[B, T, Hs, N]`. */
  readState(queries: Tensor4D): Tensor4D;
  /** Runs M_t = M_{t−1} (transition of time mixing) + value_t k_tᵀ and reads it with r. */
  runMetaState(values: Tensor4D): MetaRead;
}

/** A parameter of a variant; every layer has one. */
export interface SseParameter {
  /** its name in the layer, e.g. `alpha_g`; in the model `blocks.3.meta.alpha_g` */
  readonly name: string;
  /** its shape in a model of this configuration */
  shape(configuration: ModelConfiguration): readonly number[];
  /** the value all its elements start with */
  readonly initial: number;
}

/** A use of the WKV state in the Meta-State layer. */
export interface SseVariant {
  readonly name: string;
  /** one line for a person */
  readonly description: string;
  readonly parameters: readonly SseParameter[];
  /** whether the variant carries a Meta-State M beside the WKV state */
  readonly metaState: boolean;
  /** what `apply` taps, in its order; `read` is listed as `blocks.3.meta.read` */
  readonly activations?: readonly ActivationDescription[];
  /** z `[B, T, C]`, which meets the parameter tokens, and M's state after the last token when there is one */
  apply(context: SseContext): { z: Tensor3D; state?: Tensor4D };
}
