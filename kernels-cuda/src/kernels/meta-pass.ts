/**
 * The tfjs kernels `MetaPass` and `MetaPassGrad`: S and M side by side under one transition, S read and the read normalised, M
 * written with it and read. The equations stand in `cpp/meta/meta_kernels.h` and `cuda/meta/meta_pass.h`; where these bodies run
 * is told in `wkv7.ts`.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelMemory, NativeBodies } from "./native-kernel.js";
import { checkpointsShape, recurrenceSizes } from "./wkv7.js";

type Infos<Names extends string> = Record<Names, TensorInfo>;
type Shared = "r" | "w" | "k" | "v" | "a" | "b" | "x" | "q" | "readGain" | "memoryGain";

/** The values of the operands that both ways have, in the addon's order. */
function sharedOperands(memory: KernelMemory, inputs: Infos<Shared>) {
  const of = (name: Shared): Float32Array => memory.floats(inputs[name]);
  return [
    ...([of("r"), of("w"), of("k"), of("v"), of("a"), of("b"), of("x"), of("q")] as const),
    ...([of("readGain"), of("memoryGain")] as const),
  ] as const;
}

export const metaPassKernels: NativeBodies<KernelMemory> = {
  /**
   * inputs r, w, k, v, a, b, x, q `[B, T, H, N]`, readGain, memoryGain `[H·N]`, wkv, meta `[B, H, N, N]`; attributes epsilon and
   * checkpointInterval; outputs added, metaAfter, and with an interval above 0 u, o, wkvCheckpoints, metaCheckpoints.
   */
  MetaPass(binding, memory, given, attributes) {
    const inputs = given as Infos<Shared | "wkv" | "meta">;
    const sizes = recurrenceSizes("MetaPass", inputs.r, attributes);
    const { epsilon } = attributes as { epsilon: number };
    const make = (shape: readonly number[]): TensorInfo => memory.makeFloats(shape).info;
    const [added, metaAfter] = [make(inputs.r.shape), make(inputs.meta.shape)];
    const { shape } = inputs.r;
    const checkpoints = checkpointsShape(sizes);
    const kept = sizes[4] > 0 ? [make(shape), make(shape), make(checkpoints), make(checkpoints)] : [];
    const [u, o, wkvCheckpoints, metaCheckpoints] = kept;
    const of = (tensor: TensorInfo): Float32Array => memory.floats(tensor);
    const ofKept = (tensor: TensorInfo | undefined): Float32Array | null => (tensor ? of(tensor) : null);
    binding.metaPass(
      ...sizes,
      epsilon,
      ...sharedOperands(memory, inputs),
      ...([of(inputs.wkv), of(inputs.meta), of(added), of(metaAfter)] as const),
      ...([ofKept(u), ofKept(o), ofKept(wkvCheckpoints), ofKept(metaCheckpoints)] as const),
    );
    return [added, metaAfter, ...kept];
  },

  /**
   * inputs those of `MetaPass` but for the states, its outputs u, o, wkvCheckpoints, metaCheckpoints, and dAdded, dMetaAfter; the
   * same attributes; outputs dr, dw, dk, dv, da, db, dx, dq, dReadGain, dMemoryGain, dWkv, dMeta.
   */
  MetaPassGrad(binding, memory, given, attributes) {
    const inputs = given as Infos<Shared | "u" | "o" | "wkvCheckpoints" | "metaCheckpoints" | "dAdded" | "dMetaAfter">;
    const sizes = recurrenceSizes("MetaPassGrad", inputs.r, attributes);
    const { epsilon } = attributes as { epsilon: number };
    const { u, o, wkvCheckpoints, metaCheckpoints, dAdded, dMetaAfter } = inputs;
    const make = (like: TensorInfo): TensorInfo => memory.makeFloats(like.shape).info;
    const step = (): TensorInfo => make(inputs.r);
    const [dr, dw, dk, dv, da, db, dx, dq] = [step(), step(), step(), step(), step(), step(), step(), step()];
    const [dReadGain, dMemoryGain] = [make(inputs.readGain), make(inputs.memoryGain)];
    const [dWkv, dMeta] = [make(dMetaAfter), make(dMetaAfter)];
    const of = (tensor: TensorInfo): Float32Array => memory.floats(tensor);
    binding.metaPassGrad(
      ...sizes,
      epsilon,
      ...sharedOperands(memory, inputs),
      ...([of(u), of(o), of(wkvCheckpoints), of(metaCheckpoints), of(dAdded), of(dMetaAfter)] as const),
      ...([of(dr), of(dw), of(dk), of(dv), of(da), of(db), of(dx), of(dq)] as const),
      ...([of(dReadGain), of(dMemoryGain), of(dWkv), of(dMeta)] as const),
    );
    return [dr, dw, dk, dv, da, db, dx, dq, dReadGain, dMemoryGain, dWkv, dMeta];
  },
};
