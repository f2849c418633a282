/** Reads a fixture: a few lines, so that what the library is held against does not come through the library. */
import { readFileSync } from "node:fs";

/** A tensor of a fixture. */
export interface FixtureTensor {
  readonly shape: number[];
  readonly values: Float32Array | Int32Array;
}

/** The tensors of a safetensors file of float32 and int32, by name. */
export function readFixture(path: string): Map<string, FixtureTensor> {
  const bytes = readFileSync(path);
  const headerLength = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString("utf8", 8, 8 + headerLength)) as Record<string, HeaderEntry>;
  const tensors = new Map<string, FixtureTensor>();
  for (const [name, { dtype, shape, data_offsets: [from, to] = [0, 0] }] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const data = new Uint8Array(bytes.subarray(8 + headerLength + from, 8 + headerLength + to)).buffer;
    tensors.set(name, { shape, values: dtype === "I32" ? new Int32Array(data) : new Float32Array(data) });
  }
  return tensors;
}

interface HeaderEntry {
  dtype: "F32" | "I32";
  shape: number[];
  data_offsets?: [from: number, to: number];
}
