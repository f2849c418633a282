/**
 * What a started engine lets itself be asked, beside the kernels that tfjs knows. All of it is optional: an engine
 * states what it has, and the library goes without the rest. Kernel packages state the same types structurally, for they
 * do not import the library.
 */

/**
 * How matrix products of float32 tensors are computed. Tensors are float32 in each case, sums are kept in float32.
 *
 * - `float32`: operands as they are
 * - `tf32`: operands rounded to 10 bits of mantissa (TensorFloat-32, tensor cores)
 * - `bfloat16`: operands rounded to 7 bits of mantissa
 */
export type Precision = "float32" | "tf32" | "bfloat16";

/** All of them, the most exact first. */
export const precisions: readonly Precision[] = ["float32", "tf32", "bfloat16"];

/** The choice of precision of an engine that has one. It starts with `float32`. */
export interface PrecisionControl {
  /** what this engine can do on this device; `float32` is among them */
  readonly choices: readonly Precision[];
  /** the one in use */
  get(): Precision;
  /** Takes one of `choices`, from the next product on. */
  set(precision: Precision): void;
}

/** Memory that tensors lie in, in bytes. */
export interface EngineMemory {
  /** held by tensors */
  readonly used: number;
  /** held by the engine for tensors to come */
  readonly reserved?: number;
  /** what could still be had */
  readonly free?: number;
  /** of the device */
  readonly total?: number;
}

/** What the device can do, measured: the two roofs of its roofline. */
export interface EnginePeak {
  /** arithmetic in the precision in use, 10⁹ floating-point operations a second */
  readonly gflops: number;
  /** memory beyond the caches, 10⁹ bytes a second */
  readonly gigabytesPerSecond: number;
}

/** What a started engine may be asked. Functions must be cheap, but `peak`. */
export interface EngineControls {
  /** absent: `float32` only */
  readonly precision?: PrecisionControl;
  /** absent: what tfjs counts, and the memory that this process can still have */
  memory?(): EngineMemory;
  /** libraries, drivers and compilers by name, e.g. `{"CUDA runtime": "12.9", cuBLASLt: "12.9.1", addon: "0.1.0"}` */
  versions?(): Readonly<Record<string, string>>;
  /** threads that kernels are shared out over */
  threads?(): number;
  /** Measures the device, within a second. Throws where that cannot be done. Absent: the library measures through tfjs. */
  peak?(): Promise<EnginePeak>;
  /** Ends when every launched kernel has. Absent: kernels have ended when tfjs returns from them. */
  synchronize?(): Promise<void>;
}
