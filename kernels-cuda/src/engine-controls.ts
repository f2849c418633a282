/**
 * What the engines of this package can be asked, in the form in which the library looks for it (`EngineControls` there;
 * the two packages do not import each other).
 */
import type { NativeBinding } from "./addon/binding.js";
import { nativeBackendName } from "./backend/name.js";
import type { NativeBackend } from "./backend/native-backend.js";
import { precisionControl } from "./precision.js";
import { engine, findBackend } from "@tensorflow/tfjs-core";

/** How products of float32 tensors are computed. */
export type Precision = "float32" | "tf32" | "bfloat16";

/** What a started engine can be asked. */
export interface EngineControls {
  /** absent: `float32` only */
  readonly precision?: {
    readonly choices: readonly Precision[];
    get(): Precision;
    set(precision: Precision): void;
  };
  /** bytes: held by tensors, held for tensors to come, still to be had, of the device */
  memory?(): { readonly used: number; readonly reserved?: number; readonly free?: number; readonly total?: number };
  /** libraries, drivers and compilers by name */
  versions?(): Readonly<Record<string, string>>;
  threads?(): number;
  /** arithmetic in the precision in use and memory beyond the caches, measured */
  peak?(): Promise<{ readonly gflops: number; readonly gigabytesPerSecond: number }>;
  /** Ends when every launched kernel has. */
  synchronize?(): Promise<void>;
}

/** The controls of the `native` engine. */
export function nativeControls(binding: NativeBinding): EngineControls {
  return {
    precision: precisionControl(binding),
    memory: () => ({
      used: engine().memory().numBytes,
      reserved: (findBackend(nativeBackendName) as NativeBackend).pool.bytes,
      free: process.availableMemory(),
    }),
    versions() {
      const { compiler, blas, oneDnn } = binding.info();
      const libraries = { ...(blas && { BLAS: blas }), ...(oneDnn && { oneDNN: oneDnn.replace("oneDNN ", "") }) };
      return { addon: `${binding.interfaceVersion} (${compiler})`, ...libraries };
    },
    threads: () => binding.info().threads,
    peak: async () => ({
      gflops: binding.measurePeak(200),
      gigabytesPerSecond: await Promise.resolve(binding.measureBandwidth(300)),
    }),
  };
}
