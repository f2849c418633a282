/**
 * The tfjs kernels `Wkv7` and `Wkv7Grad` on the native addon: the recurrence of RWKV-7
 *
 *     S_t = S_{t-1} diag(w_t) + (S_{t-1} a_t) b_t^T + v_t k_t^T        y_t = S_t r_t
 *
 * and its gradients. The mathematics and how it is laid out for the CPU is told in `cpp/wkv7/`.
 */
import type { KernelConfig, NamedAttrMap, NamedTensorInfoMap, TensorInfo } from "@tensorflow/tfjs-core";
import type { NativeBinding, Wkv7Shape } from "../addon/binding.js";
import { tensorMemory } from "../tensor-memory.js";

/** Every kernel of this file for one tfjs backend. */
export function wkv7Kernels(backendName: string, binding: NativeBinding): KernelConfig[] {
  return [
    {
      kernelName: "Wkv7",
      backendName,
      kernelFunc: ({ inputs, attrs, backend }) => forward(binding, backendName, backend, inputs, attrs),
    },
    {
      kernelName: "Wkv7Grad",
      backendName,
      kernelFunc: ({ inputs, attrs, backend }) => backward(binding, backendName, backend, inputs, attrs),
    },
  ];
}

/**
 * inputs r, w, k, v, a, b `[B, T, H, N]`, state `[B, H, N, N]`; attribute checkpointInterval;
 * outputs y, finalState, and with an interval above 0 checkpoints `[B, H, ceil(T / interval), N, N]`.
 */
function forward(
  binding: NativeBinding,
  backendName: string,
  backend: unknown,
  inputs: NamedTensorInfoMap,
  attrs: NamedAttrMap | undefined,
): TensorInfo[] {
  const memory = tensorMemory(backendName, backend);
  const { r, w, k, v, a, b, state } = inputs as Record<"r" | "w" | "k" | "v" | "a" | "b" | "state", TensorInfo>;
  const shape = shapeOf("Wkv7", r, attrs);
  // All outputs before any view: making one may move the memory that a view shows.
  const y = memory.make(r.shape);
  const finalState = memory.make(state.shape);
  const checkpoints = shape.checkpointInterval > 0 ? memory.make(checkpointsShape(shape)) : undefined;
  binding.wkv7Forward(
    shape,
    memory.views({ r, w, k, v, a, b, state }),
    memory.views({ y, finalState, ...(checkpoints && { checkpoints }) }),
  );
  return checkpoints ? [y, finalState, checkpoints] : [y, finalState];
}

/**
 * inputs r, w, k, v, a, b, dy `[B, T, H, N]`, checkpoints as `Wkv7` gave them, dFinalState `[B, H, N, N]`; attribute
 * checkpointInterval; outputs dr, dw, dk, dv, da, db, dState.
 */
function backward(
  binding: NativeBinding,
  backendName: string,
  backend: unknown,
  inputs: NamedTensorInfoMap,
  attrs: NamedAttrMap | undefined,
): TensorInfo[] {
  const memory = tensorMemory(backendName, backend);
  const { r, w, k, v, a, b, checkpoints, dy, dFinalState } = inputs as Record<
    "r" | "w" | "k" | "v" | "a" | "b" | "checkpoints" | "dy" | "dFinalState",
    TensorInfo
  >;
  const shape = shapeOf("Wkv7Grad", r, attrs);
  const gradients = [r, w, k, v, a, b, dFinalState].map((of) => memory.make(of.shape));
  const [dr, dw, dk, dv, da, db, dState] = gradients as [
    TensorInfo,
    TensorInfo,
    TensorInfo,
    TensorInfo,
    TensorInfo,
    TensorInfo,
    TensorInfo,
  ];
  binding.wkv7Backward(
    shape,
    memory.views({ r, w, k, v, a, b, checkpoints, dy, dFinalState }),
    memory.views({ dr, dw, dk, dv, da, db, dState }),
  );
  return gradients;
}

/** B, T, H, N of the operands and the interval of the attributes; throws on other shapes. */
export function shapeOf(kernel: string, r: TensorInfo, attrs: NamedAttrMap | undefined): Wkv7Shape {
  const [batch, time, heads, headSize] = r.shape;
  if (r.shape.length !== 4 || !batch || !time || !heads || !headSize) {
    throw new RangeError(`${kernel}: r must be [B, T, H, N] with no length 0, not [${r.shape.join(", ")}]`);
  }
  const { checkpointInterval } = (attrs ?? {}) as { checkpointInterval?: number };
  return { batch, time, heads, headSize, checkpointInterval: checkpointInterval ?? 0 };
}

/** Of the states that are kept for a gradient. */
export function checkpointsShape({ batch, time, heads, headSize, checkpointInterval }: Wkv7Shape): number[] {
  return [batch, heads, Math.ceil(time / checkpointInterval), headSize, headSize];
}
