/** Sizes of a call. An interval of 0 keeps nothing for the gradient. */
export type RecurrenceSizes = readonly [
  batch: number,
  time: number,
  heads: number,
  headSize: number,
  checkpointInterval: number,
];

/** A read of the state, and what a step is made of. */
type Transition<Tensor> = readonly [r: Tensor, w: Tensor, k: Tensor, v: Tensor, a: Tensor, b: Tensor];
type TransitionGradients<Tensor> = readonly [dr: Tensor, dw: Tensor, dk: Tensor, dv: Tensor, da: Tensor, db: Tensor];

/** What both ways of the Meta-State pass read. */
type MetaOperands<Tensor> = readonly [
  ...Transition<Tensor>,
  ...(readonly [x: Tensor, q: Tensor, readGain: Tensor, memoryGain: Tensor]),
];

/** What the pass keeps for its gradient; null without an interval. */
type MetaKept<Kept> = readonly [u: Kept, o: Kept, wkvCheckpoints: Kept, metaCheckpoints: Kept];

/**
 * The calls of the recurrences, by place, of both addons (`cpp/node/recurrence_operands.h`): a `Tensor` is an array, or an address
 * on the GPU. Tensors are float32; r, w, k, v, a, b, x, q, y and their gradients `[B, T, H, N]`, of which w is the decay itself;
 * gains `[H·N]`, states `[B, H, N, N]`, checkpoints `[B, H, ⌈T/interval⌉, N, N]`. Without a checkpoint interval (0), which only a
 * forward pass may have, what is kept for the gradient is null. Outputs are written whole. A call throws TypeError or
 * RangeError with the name of what does not fit.
 *
 * @typeParam Form what more `wkv7` and `wkv7Grad` take
 * @typeParam Channels what more `metaPass` and `metaPassGrad` take
 */
export interface RecurrenceCalls<
  Tensor,
  Form extends readonly unknown[] = readonly [],
  Channels extends readonly unknown[] = readonly [],
> {
  wkv7(
    ...call: readonly [
      ...sizes: RecurrenceSizes,
      ...operands: Transition<Tensor>,
      state: Tensor,
      ...outputs: readonly [y: Tensor, finalState: Tensor, checkpoints: Tensor | null],
      ...form: Form,
    ]
  ): void;
  wkv7Grad(
    ...call: readonly [
      ...sizes: RecurrenceSizes,
      ...operands: Transition<Tensor>,
      ...adjoints: readonly [checkpoints: Tensor, dy: Tensor, dFinalState: Tensor],
      ...gradients: TransitionGradients<Tensor>,
      dState: Tensor,
      ...form: Form,
    ]
  ): void;
  metaPass(
    ...call: readonly [
      ...sizes: RecurrenceSizes,
      epsilon: number,
      ...operands: MetaOperands<Tensor>,
      ...states: readonly [wkv: Tensor, meta: Tensor],
      ...outputs: readonly [added: Tensor, metaAfter: Tensor],
      ...kept: MetaKept<Tensor | null>,
      ...channels: Channels,
    ]
  ): void;
  metaPassGrad(
    ...call: readonly [
      ...sizes: RecurrenceSizes,
      epsilon: number,
      ...operands: MetaOperands<Tensor>,
      ...kept: MetaKept<Tensor>,
      ...adjoints: readonly [dAdded: Tensor, dMetaAfter: Tensor],
      ...gradients: TransitionGradients<Tensor>,
      ...others: readonly [dx: Tensor, dq: Tensor, dReadGain: Tensor, dMemoryGain: Tensor],
      ...states: readonly [dWkv: Tensor, dMeta: Tensor],
      ...channels: Channels,
    ]
  ): void;
}
