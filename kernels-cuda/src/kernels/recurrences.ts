/**
 * The tfjs kernels of the recurrences and of their gradients. `Wkv7` is that of RWKV-7
 *
 *     S_t = S_{t-1} diag(w_t) + (S_{t-1} a_t) b_t^T + v_t k_t^T        y_t = S_t r_t
 *
 * `MetaPass` has S and M side by side under one transition: S is read and the read normalised, M written with it and read. The
 * mathematics and how it is laid out is told in `cpp/wkv7/` and `cpp/meta/` for the CPU, in `cuda/wkv7/` and `cuda/meta/` for the GPU.
 */
import { addonOp } from "./addon-op.js";
import type { Attributes, Inputs, KernelMemory, NativeBodies } from "./native-kernel.js";

const transition = ["r", "w", "k", "v", "a", "b"];
const metaOperands = [...transition, "x", "q", "readGain", "memoryGain"];
const metaKept = ["u", "o", "wkvCheckpoints", "metaCheckpoints"];

/** B, T, H, N of r and the interval of the attributes; throws RangeError on other shapes. */
function recurrenceSizes(kernel: string, { r }: Inputs, attributes: Attributes): number[] {
  const { shape } = r!;
  if (shape.length !== 4 || shape.includes(0)) {
    throw new RangeError(`${kernel}: r must be [B, T, H, N] with no length 0, not [${shape.join(", ")}]`);
  }
  return [...shape, intervalOf(attributes)];
}

const wkv7Sizes =
  (kernel: string) =>
  (inputs: Inputs, attributes: Attributes): number[] =>
    recurrenceSizes(kernel, inputs, attributes);

const metaSizes =
  (kernel: string) =>
  (inputs: Inputs, attributes: Attributes): number[] => [
    ...recurrenceSizes(kernel, inputs, attributes),
    attributes["epsilon"] as number,
  ];

function intervalOf({ checkpointInterval = 0 }: { readonly checkpointInterval?: number }): number {
  return checkpointInterval;
}

/** Of the states that are kept for a gradient, `[B, H, ⌈T/interval⌉, N, N]`; null without an interval. */
function checkpoints({ r }: Inputs, attributes: Attributes): number[] | null {
  const [batch, time, heads, headSize] = r!.shape as [number, number, number, number];
  const interval = intervalOf(attributes);
  return interval > 0 ? [batch, heads, Math.ceil(time / interval), headSize, headSize] : null;
}

export const recurrenceKernels: NativeBodies<KernelMemory> = {
  /**
   * inputs r, w (the decay itself), k, v, a, b `[B, T, H, N]`, state `[B, H, N, N]`; attribute checkpointInterval;
   * outputs y, finalState, and with an interval above 0 checkpoints `[B, H, ⌈T/interval⌉, N, N]`.
   */
  Wkv7: addonOp("wkv7", wkv7Sizes("Wkv7"), [...transition, "state"], (inputs, attributes) => [
    inputs["r"]!.shape,
    inputs["state"]!.shape,
    checkpoints(inputs, attributes),
  ]),

  /**
   * inputs r, w, k, v, a, b, dy `[B, T, H, N]`, checkpoints as `Wkv7` gave them, dFinalState `[B, H, N, N]`; attribute
   * checkpointInterval; outputs dr, dw, dk, dv, da, db, dState.
   */
  Wkv7Grad: addonOp(
    "wkv7Grad",
    wkv7Sizes("Wkv7Grad"),
    [...transition, "checkpoints", "dy", "dFinalState"],
    [...transition, "dFinalState"],
  ),

  /**
   * inputs r, w, k, v, a, b, x, q `[B, T, H, N]`, readGain, memoryGain `[H·N]`, wkv, meta `[B, H, N, N]`; attributes epsilon and
   * checkpointInterval; outputs added, metaAfter, and with an interval above 0 u, o, wkvCheckpoints, metaCheckpoints.
   */
  MetaPass: addonOp("metaPass", metaSizes("MetaPass"), [...metaOperands, "wkv", "meta"], (inputs, attributes) => {
    const { shape } = inputs["r"]!;
    const kept = checkpoints(inputs, attributes);
    return [shape, inputs["meta"]!.shape, kept && shape, kept && shape, kept, kept];
  }),

  /**
   * inputs those of `MetaPass` but for the states, its outputs u, o, wkvCheckpoints, metaCheckpoints, and dAdded, dMetaAfter; the
   * same attributes; outputs dr, dw, dk, dv, da, db, dx, dq, dReadGain, dMemoryGain, dWkv, dMeta.
   */
  MetaPassGrad: addonOp(
    "metaPassGrad",
    metaSizes("MetaPassGrad"),
    [...metaOperands, ...metaKept, "dAdded", "dMetaAfter"],
    [...metaOperands, "dMetaAfter", "dMetaAfter"],
  ),
};
