import type { Address } from "./core-binding.js";

/** How `wkv7` and `wkv7Grad` are computed: `auto` is what is quicker for the shape. */
export type RecurrenceForm = "auto" | "recurrent" | "chunked";

/** Sizes of a call. An interval of 0 keeps nothing for the gradient. */
export type RecurrenceSizes = readonly [
  batch: number,
  time: number,
  heads: number,
  headSize: number,
  checkpointInterval: number,
];

/** A read of the state, and what a step is made of. */
type Transition = readonly [r: Address, w: Address, k: Address, v: Address, a: Address, b: Address];
type TransitionGradients = readonly [dr: Address, dw: Address, dk: Address, dv: Address, da: Address, db: Address];

/** What both ways of the Meta-State pass read. */
type MetaOperands = readonly [
  ...Transition,
  ...(readonly [x: Address, q: Address, readGain: Address, memoryGain: Address]),
];

/** What the pass keeps for its gradient; null without an interval. */
type MetaKept<Kept> = readonly [u: Kept, o: Kept, wkvCheckpoints: Kept, metaCheckpoints: Kept];

/**
 * The declaration of `cuda/node/wkv7_binding.cpp` and `cuda/node/meta_pass_binding.cpp`. Tensors are float32; r, w, k, v, a, b, x,
 * q, y and their gradients `[B, T, H, N]`, gains `[H·N]`, states `[B, H, N, N]`, checkpoints `[B, H, ⌈T/interval⌉, N, N]`. The head
 * size N is 16, 32, 64 or 128. Without a checkpoint interval (0), what is only kept for the gradient is null.
 */
export interface RecurrenceBinding {
  /** @throws RangeError for the chunked form with an interval other than 0 or 16; so does `wkv7Grad` */
  wkv7(
    ...call: readonly [
      ...sizes: RecurrenceSizes,
      form: RecurrenceForm,
      ...operands: Transition,
      state: Address,
      ...outputs: readonly [y: Address, finalState: Address, checkpoints: Address | null],
    ]
  ): void;
  wkv7Grad(
    ...call: readonly [
      ...sizes: RecurrenceSizes,
      form: RecurrenceForm,
      ...operands: Transition,
      ...adjoints: readonly [checkpoints: Address, dy: Address, dFinalState: Address],
      ...gradients: TransitionGradients,
      dState: Address,
    ]
  ): void;
  metaPass(
    ...call: readonly [
      ...sizes: RecurrenceSizes,
      epsilon: number,
      ...operands: MetaOperands,
      ...states: readonly [wkv: Address, meta: Address],
      ...outputs: readonly [added: Address, metaAfter: Address],
      ...kept: MetaKept<Address | null>,
    ]
  ): void;
  metaPassGrad(
    ...call: readonly [
      ...sizes: RecurrenceSizes,
      epsilon: number,
      ...operands: MetaOperands,
      ...kept: MetaKept<Address>,
      ...adjoints: readonly [dAdded: Address, dMetaAfter: Address],
      ...gradients: TransitionGradients,
      ...others: readonly [dx: Address, dq: Address, dReadGain: Address, dMemoryGain: Address],
      ...states: readonly [dWkv: Address, dMeta: Address],
    ]
  ): void;
}
