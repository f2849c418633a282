/**
 * The tfjs kernels `MetaPass` and `MetaPassGrad` on the native addon: S and M side by side under one transition, S read and
 * the read normalised, M written with it and read. The equations stand in `cpp/meta/meta_kernels.h`.
 */
import type { KernelConfig, NamedAttrMap, NamedTensorInfoMap, TensorInfo } from "@tensorflow/tfjs-core";
import type { MetaPassGradInputs, MetaPassInputs, MetaPassShape, NativeBinding } from "../addon/binding.js";
import { tensorMemory } from "../tensor-memory.js";
import { checkpointsShape, shapeOf } from "./wkv7.js";

/** Every kernel of this file for one tfjs backend. */
export function metaPassKernels(backendName: string, binding: NativeBinding): KernelConfig[] {
  return [
    {
      kernelName: "MetaPass",
      backendName,
      kernelFunc: ({ inputs, attrs, backend }) => forward(binding, backendName, backend, inputs, attrs),
    },
    {
      kernelName: "MetaPassGrad",
      backendName,
      kernelFunc: ({ inputs, attrs, backend }) => backward(binding, backendName, backend, inputs, attrs),
    },
  ];
}

type Infos<Names extends string> = Record<Names, TensorInfo>;

/**
 * inputs r, w, k, v, a, b, x, q `[B, T, H, N]`, readGain, memoryGain `[H·N]`, wkv, meta `[B, H, N, N]`; attributes epsilon and
 * checkpointInterval; outputs added, metaAfter, and with an interval above 0 u, o, wkvCheckpoints, metaCheckpoints.
 */
function forward(
  binding: NativeBinding,
  backendName: string,
  backend: unknown,
  inputs: NamedTensorInfoMap,
  attrs: NamedAttrMap | undefined,
): TensorInfo[] {
  const memory = tensorMemory(backendName, backend);
  const given = inputs as Infos<keyof MetaPassInputs>;
  const shape = metaShape("MetaPass", given.r, attrs);
  const added = memory.make(given.r.shape);
  const metaAfter = memory.make(given.meta.shape);
  if (shape.checkpointInterval === 0) {
    binding.metaPassForward(shape, memory.views(given), memory.views({ added, metaAfter }));
    return [added, metaAfter];
  }
  const [u, o] = [memory.make(given.r.shape), memory.make(given.r.shape)];
  const [wkvCheckpoints, metaCheckpoints] = [
    memory.make(checkpointsShape(shape)),
    memory.make(checkpointsShape(shape)),
  ];
  const outputs = { added, metaAfter, u, o, wkvCheckpoints, metaCheckpoints };
  binding.metaPassForward(shape, memory.views(given), memory.views(outputs));
  return Object.values(outputs);
}

/**
 * inputs those of `MetaPass` but for the states, its outputs u, o, wkvCheckpoints, metaCheckpoints, and dAdded, dMetaAfter; the
 * same attributes; outputs dr, dw, dk, dv, da, db, dx, dq, dReadGain, dMemoryGain, dWkv, dMeta.
 */
function backward(
  binding: NativeBinding,
  backendName: string,
  backend: unknown,
  inputs: NamedTensorInfoMap,
  attrs: NamedAttrMap | undefined,
): TensorInfo[] {
  const memory = tensorMemory(backendName, backend);
  const given = inputs as Infos<keyof MetaPassGradInputs>;
  const shape = metaShape("MetaPassGrad", given.r, attrs);
  const make = (like: TensorInfo): TensorInfo => memory.make(like.shape);
  const gradients = {
    dr: make(given.r),
    dw: make(given.w),
    dk: make(given.k),
    dv: make(given.v),
    da: make(given.a),
    db: make(given.b),
    dx: make(given.x),
    dq: make(given.q),
    dReadGain: make(given.readGain),
    dMemoryGain: make(given.memoryGain),
    dWkv: make(given.dMetaAfter),
    dMeta: make(given.dMetaAfter),
  };
  binding.metaPassBackward(shape, memory.views(given), memory.views(gradients));
  return Object.values(gradients);
}

function metaShape(kernel: string, r: TensorInfo, attrs: NamedAttrMap | undefined): MetaPassShape {
  const { epsilon } = (attrs ?? {}) as { epsilon: number };
  return { ...shapeOf(kernel, r, attrs), epsilon };
}
