/**
 * What a baseline is put together from. A *mixer* is half a block: a token mixer lets tokens see those before them, a channel
 * mixer works on each token. Both read the normalised residual stream and give what is added to it; embedding, norms, residual
 * stream, head, states, files, training and generation are the skeleton's. A new mixer is one file.
 */
import type { Tensor, Tensor1D, Tensor3D } from "@tensorflow/tfjs-core";

import type { ActivationDescription } from "../model/activation-names.js";
import type { Filler } from "../model/initial-values.js";
import type { Rotations } from "../ops/rotary/rotary.js";
import type { BaselineConfiguration } from "./configuration.js";
import type { MixerOptions } from "./mixer-options.js";

/** A parameter of a mixer. Matrices whose names end in `.weight` get weight decay in training. */
export interface MixerParameter {
  /** without the layer and the half, e.g. `query.weight` for `blocks.3.att.query.weight` */
  readonly name: string;
  /** matrices are `[out, in]`, as in checkpoints */
  readonly shape: readonly number[];
  /** writes the initial values; a number stands for all of them */
  readonly initial: number | Filler;
}

/** A tensor that a mixer keeps of the tokens it has seen. */
export interface MixerStatePart {
  /** unique in a layer, e.g. `keys`; seen by taps as `blocks.3.state.keys` */
  readonly name: string;
  /** of one row, without the batch axis; of a part that grows, of one token in a row */
  readonly shape: readonly number[];
  /** whether it has an entry a token: `[B, S, …shape]` after S tokens, where rows that have seen fewer have theirs at the end */
  readonly grows?: boolean;
  /** before any token; default 0 */
  readonly initial?: number;
}

/** What a mixer gets of a pass. */
export interface MixerContext {
  readonly configuration: BaselineConfiguration;
  /** the layer's number, from 0 */
  readonly layer: number;
  /** the normalised residual stream, `[B, T, C]` */
  readonly x: Tensor3D;
  /** the mixer's state before the first token, by part */
  readonly state: Readonly<Record<string, Tensor>>;
  /** the mixer's parameter of this name, without layer and half */
  readonly parameter: (name: string) => Tensor;
  /** Shows an activation of this name to whoever looks, and gives what to go on with. */
  readonly tap: <T extends Tensor>(name: string, value: T) => T;
  /** how many tokens each row has seen before */
  readonly positions: readonly number[];
  /** int32 `[B]`: where in a grown part each row begins; what lies before is padding */
  readonly starts: Tensor1D;
  /** A growing part with the entries of this pass's tokens, `[B, T, …]`, at its end. */
  readonly append: (part: string, entries: Tensor) => Tensor;
  /** The rotations of this pass's positions for heads of this size; made once a pass. */
  readonly rotations: (size: number, base: number) => Rotations;
}

/** What a mixer makes of a pass. */
export interface MixerResult {
  /** `[B, T, C]`, to be added to the residual stream */
  readonly output: Tensor3D;
  /** the state after the last token, each part in its shape; nothing when it has none */
  readonly state?: Readonly<Record<string, Tensor>>;
}

/** Half a block: see the file's head. */
export interface Mixer {
  /** what configurations and files call it */
  readonly name: string;
  /** one line for a person */
  readonly description: string;
  /** Checks the options that are the mixer's own, and fills in what they leave out; what it gives is kept with the model. */
  options?(given: MixerOptions, configuration: Omit<BaselineConfiguration, "mixerOptions">): MixerOptions;
  /** The parameters of a layer, in the order of files. */
  parameters(configuration: BaselineConfiguration, layer: number): readonly MixerParameter[];
  /** What it keeps between tokens; nothing when left out. */
  state?(configuration: BaselineConfiguration): readonly MixerStatePart[];
  /** what it shows to taps, besides its output `out`; for lists, not needed to look */
  readonly activations?: readonly ActivationDescription[];
  /**
   * Runs it on a sequence from a state. Made of differentiable ops, causal, and the same for a sequence at once, token by token
   * or cut anywhere.
   */
  apply(context: MixerContext): MixerResult;
}

/** The half of a block that a mixer is: it names parameters and activations. */
export type MixerHalf = "att" | "ffn";
