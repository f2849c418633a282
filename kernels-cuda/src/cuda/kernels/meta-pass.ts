/**
 * The tfjs kernels `MetaPass` and `MetaPassGrad` on the GPU: S and M side by side under one transition, in one kernel each
 * way. The equations stand in `cuda/meta/meta_pass.h`.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { Inputs } from "../../kernels/native-kernel.js";
import type { Address } from "../addon/core-binding.js";
import type { CudaBackend } from "../cuda-backend.js";
import type { CudaBodies } from "../cuda-kernel.js";
import { checkpointsOf, recurrenceSizes } from "./wkv7.js";

type Names<Name extends string> = Record<Name, TensorInfo>;
type Shared = "r" | "w" | "k" | "v" | "a" | "b" | "x" | "q" | "readGain" | "memoryGain";

/** The operands that both ways have, in the addon's order. */
function sharedOperands(backend: CudaBackend, inputs: Names<Shared>) {
  const of = (name: Shared): Address => backend.floats(inputs[name]);
  return [
    ...([of("r"), of("w"), of("k"), of("v"), of("a"), of("b"), of("x"), of("q")] as const),
    ...([of("readGain"), of("memoryGain")] as const),
  ] as const;
}

/** `MetaPass` and `MetaPassGrad`, with inputs, attributes and outputs as the library declares them. */
export const metaPassKernels: CudaBodies = {
  /**
   * inputs r, w, k, v, a, b, x, q `[B, T, H, N]`, readGain, memoryGain `[H·N]`, wkv, meta `[B, H, N, N]`; attributes epsilon and
   * checkpointInterval; outputs added, metaAfter, and with an interval above 0 u, o, wkvCheckpoints, metaCheckpoints.
   */
  MetaPass(binding, backend, given: Inputs, attributes) {
    const inputs = given as Names<Shared | "wkv" | "meta">;
    const sizes = recurrenceSizes("MetaPass", inputs.r, attributes);
    if (!sizes) return undefined;
    const { epsilon } = attributes as { epsilon: number };
    const added = backend.makeFloats(inputs.r.shape);
    const metaAfter = backend.makeFloats(inputs.meta.shape);
    const checkpoints = checkpointsOf(sizes);
    const kept = checkpoints && {
      u: backend.makeFloats(inputs.r.shape),
      o: backend.makeFloats(inputs.r.shape),
      wkv: backend.makeFloats(checkpoints),
      meta: backend.makeFloats(checkpoints),
    };
    binding.metaPass(
      ...sizes,
      epsilon,
      ...sharedOperands(backend, inputs),
      ...([backend.floats(inputs.wkv), backend.floats(inputs.meta), added.address, metaAfter.address] as const),
      ...([kept?.u.address ?? null, kept?.o.address ?? null] as const),
      ...([kept?.wkv.address ?? null, kept?.meta.address ?? null] as const),
    );
    const outputs = kept ? [added, metaAfter, kept.u, kept.o, kept.wkv, kept.meta] : [added, metaAfter];
    return outputs.map(({ info }) => info);
  },

  /**
   * inputs those of `MetaPass` but for the states, its outputs u, o, wkvCheckpoints, metaCheckpoints, and dAdded, dMetaAfter;
   * the same attributes; outputs dr, dw, dk, dv, da, db, dx, dq, dReadGain, dMemoryGain, dWkv, dMeta.
   */
  MetaPassGrad(binding, backend, given: Inputs, attributes) {
    const inputs = given as Names<Shared | "u" | "o" | "wkvCheckpoints" | "metaCheckpoints" | "dAdded" | "dMetaAfter">;
    const sizes = recurrenceSizes("MetaPassGrad", inputs.r, attributes);
    if (!sizes) return undefined;
    const { epsilon } = attributes as { epsilon: number };
    const { u, o, wkvCheckpoints, metaCheckpoints, dAdded, dMetaAfter } = inputs;
    const of = (tensor: TensorInfo) => backend.floats(tensor);
    const step = () => backend.makeFloats(inputs.r.shape);
    const [dr, dw, dk, dv, da, db, dx, dq] = [step(), step(), step(), step(), step(), step(), step(), step()];
    const gains = [backend.makeFloats(inputs.readGain.shape), backend.makeFloats(inputs.memoryGain.shape)] as const;
    const states = [backend.makeFloats(dMetaAfter.shape), backend.makeFloats(dMetaAfter.shape)] as const;
    binding.metaPassGrad(
      ...sizes,
      epsilon,
      ...sharedOperands(backend, inputs),
      ...([of(u), of(o), of(wkvCheckpoints), of(metaCheckpoints), of(dAdded), of(dMetaAfter)] as const),
      ...([dr.address, dw.address, dk.address, dv.address, da.address, db.address, dx.address, dq.address] as const),
      ...([gains[0].address, gains[1].address, states[0].address, states[1].address] as const),
    );
    return [dr, dw, dk, dv, da, db, dx, dq, ...gains, ...states].map(({ info }) => info);
  },
};
