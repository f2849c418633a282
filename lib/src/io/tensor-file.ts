/** What every format of tensor files gives: names, shapes and metadata at once, values when they are asked for. */
import { ModelFileError } from "../errors.js";
import { decodeHalves, isHalf, itemSizes, view, type FileDtype, type TensorData } from "./float-formats.js";
import type { RandomAccess } from "./random-access.js";

/** A tensor in a file, before its values are read. */
export interface FileTensor {
  readonly name: string;
  readonly dtype: FileDtype;
  readonly shape: readonly number[];
  /** bytes of its elements */
  readonly byteLength: number;
}

/** How values are read. */
export interface ReadOptions {
  /** called with the number of bytes that were read since the last call */
  onBytes?: (bytes: number) => void;
  /** ends reading with its reason */
  signal?: AbortSignal | undefined;
}

/** An open file of tensors, or several that belong together. */
export interface TensorFile {
  /** the file as the caller named it */
  readonly path: string;
  readonly container: "safetensors" | "sharded safetensors" | "pth";
  /** short texts by name that the file carries beside the tensors */
  readonly metadata: ReadonlyMap<string, string>;
  readonly tensors: ReadonlyMap<string, FileTensor>;
  /**
   * The values of a tensor, row-major: F32, F16 and BF16 as float32, the others as they are.
   *
   * @throws ModelFileError when the file does not hold them
   */
  read(name: string, options?: ReadOptions): Promise<TensorData>;
  close(): Promise<void>;
}

/**
 * The product of a shape's sizes.
 *
 * @returns undefined when a size is no count, or the product too large to be exact
 */
export function elementCount(shape: readonly unknown[]): number | undefined {
  let count = 1;
  for (const size of shape) {
    if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) return undefined;
    count *= size;
  }
  // A zero among sizes whose product overflows: no element, but also no sensible tensor.
  return Number.isSafeInteger(count) ? count : undefined;
}

/** Bytes that are converted at a time: they fit a cache, and a large tensor needs no second copy of itself. */
const chunkBytes = 1 << 20;

/** Elements that stand in a row in a file. The range must have been checked against the file's size. */
export async function readElements(
  file: RandomAccess,
  tensor: string,
  { position, dtype, count }: { position: number; dtype: FileDtype; count: number },
  { onBytes, signal, onChunk }: ReadOptions & { onChunk?: (bytes: Uint8Array) => void } = {},
): Promise<TensorData> {
  const total = count * itemSizes[dtype];
  const halves = isHalf(dtype);
  const output = allocate(file.path, tensor, halves ? 2 * total : total);
  const floats = halves ? new Float32Array(output) : undefined;
  const scratch = new Uint8Array(halves ? Math.min(total, chunkBytes) : 0);
  const step = halves ? chunkBytes : 64 * chunkBytes;
  for (let done = 0; done < total; done += step) {
    signal?.throwIfAborted();
    const length = Math.min(step, total - done);
    // Never one view of all the bytes: arrays have fewer elements than buffers may have bytes.
    const chunk = halves ? scratch.subarray(0, length) : new Uint8Array(output, done, length);
    await file.read(chunk, position + done);
    if (halves) decodeHalves(dtype, chunk, floats!, done / 2);
    onChunk?.(chunk);
    onBytes?.(length);
  }
  return floats ?? view(dtype, output);
}

/** Memory for a tensor's values; where there is not enough, an error that names the tensor. */
function allocate(path: string, tensor: string, bytes: number): ArrayBuffer {
  try {
    return new ArrayBuffer(bytes);
  } catch (error) {
    throw new ModelFileError(
      path,
      tensor,
      `needs ${(bytes / 2 ** 30).toFixed(1)} GiB at once, which cannot be had`,
      "Use a machine with more memory, or a smaller model.",
      { cause: error },
    );
  }
}

/** Values as float32: what parameters and states are made of. */
export function toFloat32(file: TensorFile, name: string, data: TensorData): Float32Array<ArrayBuffer> {
  if (data instanceof Float32Array) return data;
  if (data instanceof Float64Array) return Float32Array.from(data);
  throw new ModelFileError(
    file.path,
    name,
    `holds ${file.tensors.get(name)!.dtype}, not floating-point numbers`,
    "Save it as float32, float16 or bfloat16.",
  );
}
