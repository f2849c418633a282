/**
 * The header of a `.safetensors` file (https://github.com/huggingface/safetensors): eight bytes of length, then JSON
 * from names to dtype, shape and place. Everything in it is checked before it is believed.
 */
import { ModelFileError } from "../../errors.js";
import { isFileDtype, itemSizes } from "../float-formats.js";
import { message, readBytes, show, type RandomAccess } from "../random-access.js";
import { elementCount, type FileTensor } from "../tensor-file.js";
import { depthOf, duplicateKey } from "./json-structure.js";

/** A tensor and where its elements begin, in bytes from the beginning of the file. */
export interface PlacedTensor extends FileTensor {
  readonly position: number;
}

/** What a header says. */
export interface SafetensorsHeader {
  readonly metadata: ReadonlyMap<string, string>;
  readonly tensors: ReadonlyMap<string, PlacedTensor>;
}

/**
 * A header of a model with 10,000 tensors has about 1 MB. The format allows 100 MB; parsed, JSON takes up to twenty times
 * its size, which a process must be able to hold.
 */
const largestHeader = 25_000_000;

const again = "Copy or download it again.";
const damaged = "The file is damaged or was not written by a safetensors library: write it again.";

/**
 * Reads and checks the header.
 *
 * @throws ModelFileError when the file is not, as a whole, what the format asks for
 */
export async function readHeader(file: RandomAccess): Promise<SafetensorsHeader> {
  const fail = (problem: string, remedy = damaged): never => {
    throw new ModelFileError(file.path, null, problem, remedy);
  };
  if (file.size < 8) fail(`is ${file.size} bytes long, too short for a .safetensors file`, again);
  const lengthBytes = await readBytes(file, 0, 8);
  const length = Number(new DataView(lengthBytes.buffer).getBigUint64(0, true));
  if (length > largestHeader) fail(`claims a header of ${length} bytes, at most ${largestHeader} are allowed`);
  if (8 + length > file.size)
    fail(`claims a header of ${length} bytes, but has ${file.size - 8} after its length`, again);
  const text = decodeText(file.path, await readBytes(file, 8, length));
  const start = 8 + length;

  const metadata = new Map<string, string>();
  const tensors = new Map<string, PlacedTensor>();
  for (const [name, entry] of Object.entries(parseObject(file.path, text))) {
    if (name === "__metadata__") {
      for (const [key, value] of Object.entries(isObject(entry) ? entry : fail("has metadata that is no object"))) {
        if (typeof value !== "string") fail("has metadata that is not text");
        metadata.set(key, value as string);
      }
    } else {
      tensors.set(name, placed(file.path, name, entry, start));
    }
  }
  checkCover(file, tensors, start);
  return { metadata, tensors };
}

function decodeText(path: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new ModelFileError(path, null, "has a header that is not UTF-8", damaged, { cause: error });
  }
}

/** Headers nest three deep, and `config.json` not much more. Parsing deeper ones takes a hundred times their size. */
const deepest = 100;

/**
 * A JSON object, with no name twice in any object of it: JSON.parse would keep the last and hide the first.
 *
 * @throws ModelFileError
 */
export function parseObject(path: string, text: string): Record<string, unknown> {
  if (depthOf(text) > deepest) throw new ModelFileError(path, null, "holds JSON that is nested too deeply", damaged);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ModelFileError(path, null, `is not valid JSON where JSON should be (${message(error)})`, damaged, {
      cause: error,
    });
  }
  if (!isObject(value)) throw new ModelFileError(path, null, "holds JSON that is no object", damaged);
  const twice = duplicateKey(text);
  if (twice !== undefined) throw new ModelFileError(path, twice, "is there twice", damaged);
  return value;
}

/** Whether a JSON value is an object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function placed(path: string, name: string, entry: unknown, start: number): PlacedTensor {
  const fail = (problem: string, remedy = damaged): never => {
    throw new ModelFileError(path, name, problem, remedy);
  };
  if (!isObject(entry)) return fail("has no description");
  const { dtype, shape, data_offsets: offsets } = entry;
  if (!isFileDtype(dtype)) {
    return fail(
      `has dtype ${show(dtype)}, which is unknown`,
      `Known are ${Object.keys(itemSizes).join(", ")}: save it in one of these.`,
    );
  }
  const count = Array.isArray(shape) ? elementCount(shape) : undefined;
  if (count === undefined) return fail(`has shape ${show(shape)}, wanted a list of sizes`);
  const [begin, end] = Array.isArray(offsets) && offsets.length === 2 ? (offsets as unknown[]) : [];
  if (!isPosition(begin) || !isPosition(end)) return fail(`has offsets ${show(offsets)}, wanted a begin and an end`);
  const byteLength = count * itemSizes[dtype];
  if (end - begin !== byteLength) {
    return fail(`has ${end - begin} bytes, but ${byteLength} are needed for shape ${show(shape)} of ${dtype}`);
  }
  return { name, dtype, shape: shape as number[], byteLength, position: start + begin };
}

function isPosition(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** The tensors must fill the rest of the file: no overlap, no gap, nothing behind. */
function checkCover(file: RandomAccess, tensors: ReadonlyMap<string, PlacedTensor>, start: number): void {
  const inOrder = [...tensors.values()].sort((a, b) => a.position - b.position || a.byteLength - b.byteLength);
  let end = start;
  for (const { name, position, byteLength } of inOrder) {
    if (position + byteLength > file.size) {
      throw new ModelFileError(
        file.path,
        name,
        `ends at byte ${position + byteLength}, but the file is ${file.size} bytes long`,
        again,
      );
    }
    if (position !== end) {
      const problem = position < end ? "overlaps the tensor before it" : `leaves a gap of ${position - end} bytes`;
      throw new ModelFileError(file.path, name, problem, damaged);
    }
    end = position + byteLength;
  }
  if (end !== file.size) {
    throw new ModelFileError(file.path, null, `has ${file.size - end} bytes that belong to no tensor`, damaged);
  }
}
