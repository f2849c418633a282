/**
 * The tfjs kernels `Wkv7` and `Wkv7Grad`: the recurrence of RWKV-7
 *
 *     S_t = S_{t-1} diag(w_t) + (S_{t-1} a_t) b_t^T + v_t k_t^T        y_t = S_t r_t
 *
 * and its gradients. The mathematics and how it is laid out is told in `cpp/wkv7/` for the CPU and in `cuda/wkv7/` for the
 * GPU: like the ops of the library, these bodies run on both. They run on any backend whose tensors can be reached, so all
 * outputs are made before any values are asked for: making one may move the memory of the others.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { RecurrenceSizes } from "../addon/recurrence-calls.js";
import type { Attributes, KernelMemory, NativeBodies } from "./native-kernel.js";

type Infos<Name extends string> = Record<Name, TensorInfo>;

export const wkv7Kernels: NativeBodies<KernelMemory> = {
  /**
   * inputs r, w, k, v, a, b `[B, T, H, N]`, state `[B, H, N, N]`; attribute checkpointInterval;
   * outputs y, finalState, and with an interval above 0 checkpoints `[B, H, ceil(T / interval), N, N]`.
   */
  Wkv7(binding, memory, inputs, attributes) {
    const { r, w, k, v, a, b, state } = inputs as Infos<"r" | "w" | "k" | "v" | "a" | "b" | "state">;
    const sizes = recurrenceSizes("Wkv7", r, attributes);
    const y = memory.makeFloats(r.shape).info;
    const finalState = memory.makeFloats(state.shape).info;
    const checkpoints = sizes[4] > 0 ? memory.makeFloats(checkpointsShape(sizes)).info : undefined;
    const of = (tensor: TensorInfo): Float32Array => memory.floats(tensor);
    binding.wkv7(
      ...sizes,
      ...([of(r), of(w), of(k), of(v), of(a), of(b), of(state)] as const),
      ...([of(y), of(finalState), checkpoints ? of(checkpoints) : null] as const),
    );
    return checkpoints ? [y, finalState, checkpoints] : [y, finalState];
  },

  /**
   * inputs r, w, k, v, a, b, dy `[B, T, H, N]`, checkpoints as `Wkv7` gave them, dFinalState `[B, H, N, N]`; attribute
   * checkpointInterval; outputs dr, dw, dk, dv, da, db, dState.
   */
  Wkv7Grad(binding, memory, inputs, attributes) {
    const { r, w, k, v, a, b, checkpoints, dy, dFinalState } = inputs as Infos<
      "r" | "w" | "k" | "v" | "a" | "b" | "checkpoints" | "dy" | "dFinalState"
    >;
    const sizes = recurrenceSizes("Wkv7Grad", r, attributes);
    const make = (like: TensorInfo): TensorInfo => memory.makeFloats(like.shape).info;
    const [dr, dw, dk, dv, da, db, dState] = [make(r), make(w), make(k), make(v), make(a), make(b), make(dFinalState)];
    const of = (tensor: TensorInfo): Float32Array => memory.floats(tensor);
    binding.wkv7Grad(
      ...sizes,
      ...([of(r), of(w), of(k), of(v), of(a), of(b), of(checkpoints), of(dy), of(dFinalState)] as const),
      ...([of(dr), of(dw), of(dk), of(dv), of(da), of(db), of(dState)] as const),
    );
    return [dr, dw, dk, dv, da, db, dState];
  },
};

/** B, T, H, N of r and the interval of the attributes; throws RangeError on other shapes. */
export function recurrenceSizes(kernel: string, r: TensorInfo, attributes: Attributes): RecurrenceSizes {
  const [batch, time, heads, headSize] = r.shape;
  if (r.shape.length !== 4 || !batch || !time || !heads || !headSize) {
    throw new RangeError(`${kernel}: r must be [B, T, H, N] with no length 0, not [${r.shape.join(", ")}]`);
  }
  const { checkpointInterval = 0 } = attributes as { checkpointInterval?: number };
  return [batch, time, heads, headSize, checkpointInterval];
}

/** Of the states that are kept for a gradient: `[B, H, ⌈T/interval⌉, N, N]`. */
export function checkpointsShape([batch, time, heads, headSize, interval]: RecurrenceSizes): number[] {
  return [batch, heads, Math.ceil(time / interval), headSize, headSize];
}
