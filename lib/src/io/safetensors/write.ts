/** Writing `.safetensors`. */
import { encodeHalves, isHalf, itemSizes, type FileDtype } from "../float-formats.js";
import type { FileSink } from "../atomic-write.js";
import { ConfigurationError } from "../../errors.js";
import { elementCount } from "../tensor-file.js";

/** A tensor to be written; its values are fetched when it is its turn. */
export interface TensorToWrite {
  readonly name: string;
  readonly dtype: FileDtype;
  readonly shape: readonly number[];
  /** row-major; for F16 and BF16 float32, which is rounded, for the others an array of that format */
  values(): Promise<ArrayBufferView<ArrayBuffer>>;
}

/** Called with the bytes that were written since the last call. */
export type OnBytes = (bytes: number) => void;

/**
 * Writes a whole file. Tensors are placed in the order given, from a multiple of eight bytes on.
 *
 * @param metadata short texts by name
 */
export async function writeSafetensors(
  sink: FileSink,
  tensors: readonly TensorToWrite[],
  metadata: Readonly<Record<string, string>> = {},
  { onBytes, signal }: { onBytes?: OnBytes; signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const header: [string, unknown][] = Object.keys(metadata).length > 0 ? [["__metadata__", metadata]] : [];
  let offset = 0;
  const names = new Set<string>();
  for (const tensor of tensors) {
    const { name, dtype, shape } = tensor;
    if (names.has(name) || name === "__metadata__") throw new ConfigurationError(`two tensors are named "${name}"`);
    names.add(name);
    const end = offset + byteLength(tensor);
    header.push([name, { dtype, shape, data_offsets: [offset, end] }]);
    offset = end;
  }
  // Not Object.fromEntries: an object would move names like "7" to the front, and "__proto__" out of sight.
  const json = `{${header.map(([name, entry]) => `${JSON.stringify(name)}:${JSON.stringify(entry)}`).join(",")}}`;
  const text = new TextEncoder().encode(json);
  const padded = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20);
  padded.set(text, 8);
  new DataView(padded.buffer).setBigUint64(0, BigInt(padded.length - 8), true);
  await sink.write(padded);
  for (const tensor of tensors) await writeElements(sink, tensor, { onBytes, signal });
}

/** Bytes of a tensor's elements. */
export function byteLength({ name, dtype, shape }: TensorToWrite): number {
  const count = elementCount(shape);
  if (count === undefined) throw new ConfigurationError(`tensor "${name}" has shape [${shape.join(", ")}]`);
  return count * itemSizes[dtype];
}

/** Elements that are converted and written at a time. */
const chunk = 1 << 20;

/** Writes a tensor's elements in its format. */
export async function writeElements(
  sink: FileSink,
  tensor: TensorToWrite,
  {
    onBytes,
    onChunk,
    signal,
  }: { onBytes?: OnBytes | undefined; onChunk?: (bytes: Uint8Array) => void; signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const { name, dtype } = tensor;
  signal?.throwIfAborted();
  const values = await tensor.values();
  const put = async (bytes: Uint8Array): Promise<void> => {
    signal?.throwIfAborted();
    await sink.write(bytes);
    onChunk?.(bytes);
    onBytes?.(bytes.length);
  };
  const rounded = isHalf(dtype);
  const size = rounded ? 4 : 1;
  if (values.byteLength !== byteLength(tensor) * (rounded ? 2 : 1)) {
    throw new ConfigurationError(`tensor "${name}" has ${values.byteLength} bytes, not those of its shape and dtype`);
  }
  for (let done = 0; done < values.byteLength; done += chunk * size) {
    const length = Math.min(chunk * size, values.byteLength - done);
    if (rounded) {
      const part = new Float32Array(values.buffer, values.byteOffset + done, length / 4);
      const bytes = encodeHalves(dtype, part);
      if (dtype === "F16") refuseOverflow(name, part, bytes);
      await put(bytes);
    } else {
      await put(new Uint8Array(values.buffer, values.byteOffset + done, length));
    }
  }
}

/** A finite value that float16 cannot hold would be infinite when the file is loaded. */
function refuseOverflow(name: string, values: Float32Array, bytes: Uint8Array): void {
  const halves = new Uint16Array(bytes.buffer);
  for (let i = 0; i < halves.length; i++) {
    if ((halves[i]! & 0x7fff) === 0x7c00 && Number.isFinite(values[i])) {
      throw new ConfigurationError(
        `"${name}" has the value ${values[i]}, which float16 cannot hold (at most 65504): save as bfloat16 or float32`,
      );
    }
  }
}
