/**
 * What the addon offers to TypeScript: the declaration of `cpp/node/addon.cpp`. Not for users: it takes raw
 * arrays. It checks their sizes and throws; it never crashes the process on a wrong one.
 */

/** Raised with every change of this interface, here and in `addon.cpp`. */
export const interfaceVersion = 16;

/** What runs, and what could. */
export interface NativeInfo {
  /** Instruction set in use. */
  simd: string;
  /** Those this CPU can run, slowest first. */
  simdAvailable: string[];
  /** Those in the addon. */
  simdCompiled: string[];
  threads: number;
  /** The library that large matrix products go to, as it describes itself; empty when there is none. */
  blas: string;
  /** oneDNN, when it was loaded for bfloat16 products; empty otherwise. */
  oneDnn: string;
  /**
   * The CPU's instructions for products of bfloat16, "AVX-512 BF16", or "AMX", beside which there is always the former; empty when
   * it has none, or the compiler knew none.
   */
  bfloat16: string;
  /** Compiler that built the addon. */
  compiler: string;
}

type Values = Float32Array | Int32Array;

/** An argument of an op: a size or number, the values of a tensor or of several, or null for an output that is not wanted. */
export type OpArgument = number | boolean | Values | readonly Values[] | null;

type WithGradient =
  | "tokenShift"
  | "groupNorm"
  | "keyPreparation"
  | "decay"
  | "biasedSigmoid"
  | "interpolate"
  | "bonusGate"
  | "squaredRelu"
  | "crossEntropy"
  | "embedding"
  | "rmsNorm"
  | "swiGlu"
  | "l2Gelu"
  | "geluL2"
  | "wkv4"
  | "attention"
  | "wkv7"
  | "metaPass";

/** The ops of the library, and of the models that it is compared with: what a kernel may be one call of. */
export type LibraryOp =
  | WithGradient
  | `${WithGradient}Grad`
  | ("adamW" | "globalNorm" | "transposeMatrix" | "rotary" | "groupWeights" | "timeMixingToken" | "blocksToken");

/**
 * Their calls. Arguments are sizes, numbers, inputs and outputs by place, as `library_ops.h`, `baseline_ops.h`,
 * `recurrence_operands.h` and `token_operands.h` of `cpp/node/` read them; all of the outputs are written. Each throws TypeError or
 * RangeError naming the argument that does not fit.
 */
export type LibraryOps = Readonly<Record<LibraryOp, (...call: readonly OpArgument[]) => void>>;

/** The values of a float32, an int32 or a bool tensor. */
export type Cells = Float32Array | Int32Array | Uint8Array;

/** tfjs's own kernels, as `cpp/node/tensor_binding.cpp` and `movement_binding.cpp` tell them. They throw as the others do. */
export interface TensorFunctions {
  /** Functions are numbered in `cpp/tfjs/tensor_kernels.h`. */
  unary(function_: number, x: Float32Array, y: Float32Array, first: number, second: number): void;
  /** Axes are their lengths, then a's strides, then b's: 0 where an operand is broadcast, 0 or 1 along the last axis. */
  binary(function_: number, axes: Int32Array, a: Float32Array, b: Float32Array, y: Float32Array): void;
  /** The same where a and b have as many values as y, or one each. */
  binaryFlat(function_: number, a: Float32Array, b: Float32Array, y: Float32Array): void;
  /** Of int32; overflow wraps. Functions are numbered there. */
  integerBinary(function_: number, axes: Int32Array, a: Int32Array, b: Int32Array, y: Int32Array): void;
  /** a and b of one type; y of 0 and 1. */
  compare(function_: number, axes: Int32Array, a: Cells, b: Cells, y: Uint8Array): void;
  /** x `[outer, length, inner]` over its middle axis, times `scale`. */
  reduce(
    function_: number,
    outer: number,
    length: number,
    inner: number,
    x: Float32Array,
    y: Float32Array,
    scale: number,
  ): void;
  /** Where x `[outer, length, inner]` is largest (or smallest) along its middle axis; the first of equal ones. */
  extremumPlaces(
    most: boolean,
    outer: number,
    length: number,
    inner: number,
    x: Float32Array,
    places: Int32Array,
  ): void;
  softmax(rows: number, width: number, x: Float32Array, y: Float32Array): void;
  /**
   * y[i, j, …] = x[offset + i strides[0] + j strides[1] + …], x and y of one type. Axes are their lengths, then the strides, which may
   * be 0 or negative.
   */
  copyStrided(axes: Int32Array, offset: number, x: Cells, y: Cells): void;
  /** y is `value`, but y[offset + i strides[0] + …] = x[i, …]; x and y of one type, axes as those of `copyStrided`. */
  pad(axes: Int32Array, offset: number, value: number, x: Cells, y: Cells): void;
  /** y `[outer, sum of widths]` of inputs `[outer, width]`, each of its own width, all of one type. */
  concat(outer: number, inputs: readonly Cells[], y: Cells): void;
  /** y `[outer, count, width]` of x `[outer, rows, width]`, of one type; throws on an index that is no row. */
  gather(outer: number, rows: number, width: number, x: Cells, indices: Int32Array, y: Cells): void;
  /** t where the condition is 1, e elsewhere, all of one length; t, e and y of one type. */
  select(condition: Uint8Array, t: Cells, e: Cells, y: Cells): void;
  /** y `[segments, width]`, sums of the rows of x `[count, width]` by their ids. */
  segmentSum(count: number, width: number, segments: number, x: Float32Array, ids: Int32Array, y: Float32Array): void;
  oneHot(depth: number, on: number, off: number, indices: Int32Array, y: Float32Array): void;
  cumsum(rows: number, width: number, exclusive: boolean, reverse: boolean, x: Float32Array, y: Float32Array): void;
  /** The k largest of each row, largest first; of equal ones the earlier first. */
  topK(rows: number, width: number, k: number, x: Float32Array, values: Float32Array, indices: Int32Array): void;
}

export interface NativeBinding extends LibraryOps, TensorFunctions {
  readonly interfaceVersion: number;
  /**
   * c[g] = op(a[g]) op(b[g]), matrices `[m, k]` and `[k, n]` after `op` has transposed them. The lists say which matrix
   * of an operand each entry of the batch takes (broadcasting); without them, the one at its place.
   */
  matMul(
    batch: number,
    m: number,
    n: number,
    k: number,
    transposeA: boolean,
    transposeB: boolean,
    a: Float32Array,
    b: Float32Array,
    c: Float32Array,
    aMatrices?: readonly number[],
    bMatrices?: readonly number[],
  ): void;
  /** c = activation(c + bias) in place, c of rows of `columns`; activations are numbered in `matmul_kernels.h`. */
  addBias(c: Float32Array, columns: number, bias: Float32Array | null, activation: number, alpha: number): void;
  /** Uses the library at this path for large matrix products, or with "" none; returns its description. Throws why not. */
  loadBlas(path: string): string;
  /** Loads oneDNN 3 from this path; returns its version. Throws why not. */
  loadOneDnn(path: string): string;
  /**
   * Of the matrix products from now on: operands as they are, or rounded to bfloat16 and multiplied in AVX-512 BF16 (as floats where
   * the instruction set in use has it not), or by oneDNN. Small products and single rows stay float32, and so does attention.
   */
  setPrecision(precision: "float32" | "bfloat16" | "bfloat16 by oneDNN"): void;
  /** A float32 product through the calls that bfloat16 products by oneDNN take: for tests on CPUs that have none. */
  oneDnnProduct(
    m: number,
    n: number,
    k: number,
    transposeA: boolean,
    transposeB: boolean,
    a: Float32Array,
    b: Float32Array,
    c: Float32Array,
  ): void;
  /** Zeros in pages of 2 MiB where the system has them. Its memory goes when the event loop turns after the array was collected. */
  largeArray(length: number): Float32Array;
  /** Gives the memory of such an array back now, which then holds zeros; false, and nothing, for any other. */
  dropArray(array: Float32Array): boolean;
  info(): NativeInfo;
  /** Threads 1 to 1024; an instruction set of `info().simdAvailable`. Throws on others. */
  configure(options: { threads?: number; simd?: string }): void;
  /** float32 multiply-adds in registers, of all threads with the instruction set in use: GFLOP/s. */
  measurePeak(milliseconds: number): number;
  /** The fastest pass of all threads over arrays beyond the caches, reading or reading and writing: 10^9 bytes a second. */
  measureBandwidth(milliseconds: number): number;
}
