/**
 * What training, generation, comparison and plots need of a model. Meta-State implements it, and so does every baseline: a
 * new kind of model is one more implementation.
 */
import type { Scalar, Tensor, Tensor3D } from "@tensorflow/tfjs-core";

import type { ActivationNames } from "./activation-names.js";
import type { Parameters } from "./parameters.js";
import type { Tokens } from "./tokens.js";

/**
 * What a model keeps of the tokens it has seen, for some texts side by side, as a value: passed in, a new one comes out.
 * Holds tensors: dispose of it when it is no longer needed (or work inside `tf.tidy`).
 */
export interface SequenceState {
  /** B: texts side by side, rows of the batch */
  readonly batchSize: number;
  /**
   * how many tokens each row has seen, from the beginning of its text; interventions find their positions by it. A state
   * that does not count is taken for the beginning of a text
   */
  readonly positions?: readonly number[];
  /** all tensors, in a fixed order */
  tensors(): Tensor[];
  /** A copy with a life of its own. */
  clone(): SequenceState;
  /** A new state of these rows, in this order; a row may come more than once. */
  selectRows(rows: readonly number[]): SequenceState;
  /** A new state of this one's rows and then the others'; all come from the same model. */
  joinRows(others: readonly SequenceState[]): SequenceState;
  /**
   * A state of the same kind with these tensors, in the order of `tensors()`, which it takes over; they may be of another
   * number of rows. Where a kind of state has it, a checkpoint can hold one that training carries over.
   *
   * @param positions as in `positions`, of each row
   */
  withTensors?(tensors: readonly Tensor[], positions?: readonly number[]): SequenceState;
  /** Frees the tensors. */
  dispose(): void;
}

/**
 * Sees every named activation of a forward pass as it is made, and says what the model goes on with: the value itself, or
 * another of the same shape. It runs inside the pass's `tf.tidy`: what is to outlive the pass needs `tf.keep(tf.clone(value))`.
 * Gradients flow through what it does.
 *
 * @param name e.g. `blocks.3.att.wkv`; `model.activationNames` lists them
 */
export type Tap = (name: string, value: Tensor) => Tensor;

/** How a forward pass is to run. */
export interface ForwardOptions {
  /** sees, and may replace, named activations */
  tap?: Tap;
  /** the positions that logits are wanted of: `all` (default), or only the `last` token's, which saves the head's work */
  logits?: "all" | "last";
  /** takes each number that the model itself adds to the loss, as an SSE variant may; it lives as long as the pass */
  addLoss?: (loss: Scalar) => void;
}

/** Logits for the token after each position, and the state after the last. */
export interface ForwardResult<S extends SequenceState = SequenceState> {
  /** `[B, T, V]` (or `[B, 1, V]` when only the last are wanted), natural-log units before softmax */
  readonly logits: Tensor3D;
  readonly state: S;
}

/** A model of sequences of tokens, with a state of type S. */
export interface LanguageModel<S extends SequenceState = SequenceState> {
  readonly configuration: { readonly vocabSize: number };
  /** by name, in checkpoint order */
  readonly parameters: Parameters;
  /** what a tap gets to see, in the order of a pass */
  readonly activationNames?: ActivationNames | undefined;
  /** The state before any token. */
  initialState(batchSize?: number): S;
  /** Logits and state for whole sequences or single tokens, from a state or from the beginning. */
  forward(tokens: Tokens, state?: S, options?: ForwardOptions): ForwardResult<S>;
  /** Frees the parameters. */
  dispose(): void;
}
