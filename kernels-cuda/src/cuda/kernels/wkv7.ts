/**
 * The tfjs kernels `Wkv7` and `Wkv7Grad` on the GPU: the recurrence of RWKV-7 and its gradients. The mathematics and how it
 * is laid out for the GPU is told in `cuda/wkv7/`.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { Attributes, Inputs } from "../../kernels/native-kernel.js";
import type { RecurrenceSizes } from "../addon/recurrence-binding.js";
import type { CudaBodies } from "../cuda-kernel.js";

/**
 * The sizes of a recurrence, from its r `[B, T, H, N]`.
 *
 * @returns undefined for a head size that the GPU has no kernel for: the CPU's runs then
 * @throws RangeError for a shape that is none
 */
export function recurrenceSizes(kernel: string, r: TensorInfo, attributes: Attributes): RecurrenceSizes | undefined {
  const [batch, time, heads, headSize] = r.shape;
  if (r.shape.length !== 4 || !batch || !time || !heads || !headSize) {
    throw new RangeError(`${kernel}: r must be [B, T, H, N] with no length 0, not [${r.shape.join(", ")}]`);
  }
  const { checkpointInterval = 0 } = attributes as { checkpointInterval?: number };
  return [16, 32, 64, 128].includes(headSize) ? [batch, time, heads, headSize, checkpointInterval] : undefined;
}

/** `[B, H, ⌈T/interval⌉, N, N]`; no checkpoints without an interval. */
export function checkpointsOf([batch, time, heads, headSize, interval]: RecurrenceSizes): number[] | undefined {
  return interval > 0 ? [batch, heads, Math.ceil(time / interval), headSize, headSize] : undefined;
}

type Names<Name extends string> = Record<Name, TensorInfo>;

/** `Wkv7` and `Wkv7Grad`, with inputs, attributes and outputs as the native kernels have them. */
export const wkv7Kernels: CudaBodies = {
  /**
   * inputs r, w, k, v, a, b `[B, T, H, N]`, state `[B, H, N, N]`; attribute checkpointInterval; outputs y, finalState, and
   * with an interval above 0 checkpoints.
   */
  Wkv7(binding, backend, inputs: Inputs, attributes) {
    const { r, w, k, v, a, b, state } = inputs as Names<"r" | "w" | "k" | "v" | "a" | "b" | "state">;
    const sizes = recurrenceSizes("Wkv7", r, attributes);
    if (!sizes) return undefined;
    const of = (tensor: TensorInfo) => backend.floats(tensor);
    const y = backend.makeFloats(r.shape);
    const finalState = backend.makeFloats(state.shape);
    const shape = checkpointsOf(sizes);
    const checkpoints = shape && backend.makeFloats(shape);
    binding.wkv7(
      ...sizes,
      "auto",
      ...([of(r), of(w), of(k), of(v), of(a), of(b), of(state)] as const),
      ...([y.address, finalState.address, checkpoints?.address ?? null] as const),
    );
    return checkpoints ? [y.info, finalState.info, checkpoints.info] : [y.info, finalState.info];
  },

  /**
   * inputs r, w, k, v, a, b, dy `[B, T, H, N]`, checkpoints as `Wkv7` gave them, dFinalState `[B, H, N, N]`; attribute
   * checkpointInterval; outputs dr, dw, dk, dv, da, db, dState.
   */
  Wkv7Grad(binding, backend, inputs: Inputs, attributes) {
    const { r, w, k, v, a, b, checkpoints, dy, dFinalState } = inputs as Names<
      "r" | "w" | "k" | "v" | "a" | "b" | "checkpoints" | "dy" | "dFinalState"
    >;
    const sizes = recurrenceSizes("Wkv7Grad", r, attributes);
    if (!sizes) return undefined;
    const of = (tensor: TensorInfo) => backend.floats(tensor);
    const made = (like: TensorInfo) => backend.makeFloats(like.shape);
    const [dr, dw, dk, dv, da, db, dState] = [made(r), made(w), made(k), made(v), made(a), made(b), made(dFinalState)];
    binding.wkv7Grad(
      ...sizes,
      "auto",
      ...([of(r), of(w), of(k), of(v), of(a), of(b), of(checkpoints), of(dy), of(dFinalState)] as const),
      ...([dr.address, dw.address, dk.address, dv.address, da.address, db.address, dState.address] as const),
    );
    return [dr, dw, dk, dv, da, db, dState].map(({ info }) => info);
  },
};
