/**
 * What the addon offers to TypeScript: the declaration of `cpp/node/addon.cpp`. Not for users: it takes raw
 * arrays. It checks their sizes and throws; it never crashes the process on a wrong one.
 */

/** Raised with every change of this interface, here and in `addon.cpp`. */
export const interfaceVersion = 1;

/** Sizes of a call of the WKV-7 recurrence. */
export interface Wkv7Shape {
  /** B, T, H, N: each at least 1. */
  batch: number;
  time: number;
  heads: number;
  headSize: number;
  /** Steps from one checkpoint of the state to the next; 0 for none (forward only). */
  checkpointInterval: number;
}

/** r, w, k, v, a, b `[B, T, H, N]`, of which w is the decay itself; `state` `[B, H, N, N]`. */
export type Wkv7Inputs = Record<"r" | "w" | "k" | "v" | "a" | "b" | "state", Float32Array>;

/** y `[B, T, H, N]`, finalState `[B, H, N, N]`, checkpoints `[B, H, ceil(T / interval), N, N]`. */
export interface Wkv7Outputs {
  y: Float32Array;
  finalState: Float32Array;
  /** Needed when the interval is not 0. */
  checkpoints?: Float32Array;
}

export type Wkv7GradInputs = Record<
  "r" | "w" | "k" | "v" | "a" | "b" | "checkpoints" | "dy" | "dFinalState",
  Float32Array
>;

export type Wkv7Gradients = Record<"dr" | "dw" | "dk" | "dv" | "da" | "db" | "dState", Float32Array>;

/** What runs, and what could. */
export interface NativeInfo {
  /** Instruction set in use. */
  simd: string;
  /** Those this CPU can run, slowest first. */
  simdAvailable: string[];
  /** Those in the addon. */
  simdCompiled: string[];
  threads: number;
  /** Compiler that built the addon. */
  compiler: string;
}

export interface NativeBinding {
  readonly interfaceVersion: number;
  /** Writes all of the outputs. Throws TypeError or RangeError naming the array that does not fit `shape`. */
  wkv7Forward(shape: Wkv7Shape, inputs: Wkv7Inputs, outputs: Wkv7Outputs): void;
  /** Writes all of the gradients; `shape.checkpointInterval` is at least 1. Throws as `wkv7Forward` does. */
  wkv7Backward(shape: Wkv7Shape, inputs: Wkv7GradInputs, gradients: Wkv7Gradients): void;
  info(): NativeInfo;
  /** Threads 1 to 1024; an instruction set of `info().simdAvailable`. Throws on others. */
  configure(options: { threads?: number; simd?: string }): void;
  /** float32 multiply-adds in registers, of all threads with the instruction set in use: GFLOP/s. */
  measurePeak(milliseconds: number): number;
}
