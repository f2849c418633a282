/**
 * For tests of CUDA code: the emulated addon, or the GPU where `METASTATE_TEST_GPU=1`. Where `CI` or
 * `METASTATE_REQUIRE_NATIVE` is set an addon that is missing is a failure: a test that is always skipped proves nothing.
 */
import { backend, setBackend } from "@tensorflow/tfjs-core";
import { loadCudaAddon } from "../cuda/addon/load.js";
import type { CudaBinding } from "../cuda/addon/binding.js";
import type { CudaBackend } from "../cuda/cuda-backend.js";
import { useCudaEngine } from "../cuda/engine-candidate.js";

/** Whether tests run on the emulator. */
export const emulated = process.env["METASTATE_TEST_GPU"] !== "1";

const addon = loadCudaAddon({ emulated });

/** The options of a test that needs the addon: `test(name, needsCuda, () => ...)`. */
export const needsCuda: { skip: string | false } = {
  skip:
    "binding" in addon || !emulated || process.env["CI"] || process.env["METASTATE_REQUIRE_NATIVE"]
      ? false
      : `${addon.reason}; ${addon.remedy}`,
};

/** The options of a test of what only the emulator does. */
export const needsEmulator: { skip: string | false } = emulated ? needsCuda : { skip: "is about the emulator" };

/** The addon; throws why it is not there, when a test that needs it runs all the same. New memory is full of NaNs. */
export function cuda(): CudaBinding {
  if (!("binding" in addon)) throw new Error(`${addon.reason}; ${addon.remedy}`);
  addon.binding.poison(true);
  return addon.binding;
}

/** Chooses the tfjs backend `cuda` on that addon. New memory is full of NaNs. */
export async function useCuda(): Promise<CudaBackend> {
  cuda();
  useCudaEngine({ emulated });
  await setBackend("cuda");
  return backend() as CudaBackend;
}

/** A float32 buffer on the device with these values. */
export function onDevice(values: Float32Array): number {
  const address = cuda().allocate(values.byteLength);
  cuda().upload(address, values);
  return address;
}

/** Its values; it is freed. */
export function takeBack(address: number, count: number): Float32Array {
  const values = new Float32Array(count);
  cuda().download(address, values);
  cuda().free(address);
  return values;
}
