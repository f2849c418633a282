/** Reading PyTorch's `.pth`: a zip with a pickle that describes the tensors, and an entry for each storage. */
import { crc32 } from "node:zlib";

import { ModelFileError } from "../../errors.js";
import { itemSizes, type FileDtype, type TensorData } from "../float-formats.js";
import { readBytes, type RandomAccess } from "../random-access.js";
import { elementCount, readElements, type FileTensor, type ReadOptions, type TensorFile } from "../tensor-file.js";
import { torchWorld } from "./globals.js";
import { PickleError, readPickle } from "./pickle.js";
import { Dictionary, TensorReference, type PickleValue } from "./pickle-values.js";
import { gather, isContiguous, spanOf } from "./strides.js";
import { readZip, type ZipEntry } from "./zip-reader.js";

/** The entry beside the pickle that holds what the library adds. Torch does not look at it. */
export const metadataEntry = "metastate.json";

/** A pickle of 100,000 tensors has about 20 MB. */
const largestPickle = 64 * 1024 * 1024;

const again = "Copy or download it again.";

/** Options of {@link openPth}. */
export interface PthOptions {
  /** whether the bytes of storages are compared with the checksums of the zip; default true */
  checksum?: boolean | undefined;
}

/**
 * Opens a `.pth`: a state dictionary, or a checkpoint with one under `state_dict`, `model` or `module`.
 *
 * @param file is closed with the result
 * @throws ModelFileError when it is damaged, or asks for anything else than tensors
 */
export async function openPth(file: RandomAccess, { checksum = true }: PthOptions = {}): Promise<TensorFile> {
  const entries = await readZip(file);
  const folder = topFolder(file.path, entries);
  await expectLittleEndian(file, entries.get(`${folder}byteorder`));
  const references = tensorsOf(file, await readEntry(file, entries.get(`${folder}data.pkl`)!));
  const storageOf = (name: string, { storage }: TensorReference): ZipEntry => {
    const entry = entries.get(`${folder}data/${storage.key}`);
    if (!entry) throw new ModelFileError(file.path, name, `needs data/${storage.key}, which the zip lacks`, again);
    const size = storage.count * itemSizes[storage.dtype];
    if (entry.size !== size) {
      const problem = `has a storage of ${entry.size} bytes where its ${storage.count} ${storage.dtype} need ${size}`;
      throw new ModelFileError(file.path, name, problem, again);
    }
    return entry;
  };
  const tensors = new Map<string, FileTensor>();
  let total = 0;
  for (const [name, reference] of references) {
    const tensor = describe(file.path, name, reference);
    storageOf(name, reference);
    tensors.set(name, tensor);
    total += tensor.byteLength;
  }
  // Tensors may share a storage, as tied weights do; a small file must not become a large model so.
  if (total > 2 * file.size) {
    const problem = `describes ${total} bytes of tensors in a file of ${file.size}: many share the same numbers`;
    throw new ModelFileError(file.path, null, problem, "Save copies: {k: v.clone() for k, v in state_dict.items()}.");
  }
  const text = entries.get(`${folder}${metadataEntry}`);
  return {
    path: file.path,
    container: "pth",
    metadata: new Map(text ? [["metastate", new TextDecoder().decode(await readEntry(file, text))]] : []),
    tensors,
    async read(name, options) {
      const reference = references.get(name);
      if (!reference) throw new RangeError(`${file.path} has no tensor "${name}"`);
      return readTensor(file, name, reference, storageOf(name, reference), { ...options, checksum });
    },
    close: () => file.close(),
  };
}

/** The folder that everything is in, with its slash: the name of the file when it was saved, or `archive`. */
function topFolder(path: string, entries: ReadonlyMap<string, ZipEntry>): string {
  for (const name of entries.keys()) {
    if (/^[^/]*\/?data\.pkl$/.test(name)) return name.slice(0, -"data.pkl".length);
  }
  throw new ModelFileError(
    path,
    null,
    "is a zip without data.pkl: not a file of torch.save",
    "Give the .pth itself; unpack an archive first.",
  );
}

async function expectLittleEndian(file: RandomAccess, entry: ZipEntry | undefined): Promise<void> {
  if (!entry) return; // Before PyTorch 2.1 there was no other order.
  const order = new TextDecoder().decode(await readEntry(file, entry));
  if (order === "little") return;
  throw new ModelFileError(
    file.path,
    null,
    order === "big" ? "was saved in big-endian byte order, which is not read" : "has an unknown byte order",
    "Save it on a little-endian machine (x86-64, ARM): torch.save(torch.load(path), path).",
  );
}

/** A small entry as a whole. */
async function readEntry(file: RandomAccess, entry: ZipEntry): Promise<Uint8Array> {
  if (entry.size > largestPickle) {
    throw new ModelFileError(
      file.path,
      null,
      `has ${entry.name} of ${entry.size} bytes, more than a model needs`,
      again,
    );
  }
  const bytes = await readBytes(file, await entry.position(), entry.size);
  if (crc32(bytes) !== entry.crc32) {
    throw new ModelFileError(file.path, null, `has ${entry.name} that differs from its checksum`, again);
  }
  return bytes;
}

/** The tensors of a pickle by name. */
function tensorsOf(file: RandomAccess, bytes: Uint8Array): ReadonlyMap<string, TensorReference> {
  let value: PickleValue;
  try {
    value = readPickle(bytes, torchWorld);
  } catch (error) {
    if (!(error instanceof PickleError)) throw error;
    throw new ModelFileError(file.path, null, error.message, error.remedy, { cause: error });
  }
  const found = pick(value);
  if (found.size > 0) return found;
  for (const wrapper of ["state_dict", "model", "module"]) {
    const inner = value instanceof Dictionary ? pick(value.items.get(wrapper) ?? null) : found;
    if (inner.size > 0) return inner;
  }
  throw new ModelFileError(
    file.path,
    null,
    "holds no dictionary of tensors",
    "Save one: torch.save(model.state_dict(), path).",
  );
}

function pick(value: PickleValue): Map<string, TensorReference> {
  const tensors = new Map<string, TensorReference>();
  if (!(value instanceof Dictionary)) return tensors;
  for (const [key, item] of value.items) {
    if (typeof key === "string" && item instanceof TensorReference) tensors.set(key, item);
  }
  return tensors;
}

function describe(path: string, name: string, reference: TensorReference): FileTensor {
  const { storage, shape } = reference;
  const count = elementCount(shape)!;
  const span = spanOf(reference);
  if (!Number.isSafeInteger(span.end) || span.end > storage.count) {
    const problem = `reaches to element ${span.end} of a storage of ${storage.count}`;
    throw new ModelFileError(path, name, problem, again);
  }
  if (count > storage.count) {
    throw new ModelFileError(
      path,
      name,
      `has ${count} elements, but its storage only ${storage.count}: it was expanded`,
      "Save a copy of it: tensor.clone().",
    );
  }
  return { name, dtype: storage.dtype, shape, byteLength: count * itemSizes[storage.dtype] };
}

async function readTensor(
  file: RandomAccess,
  name: string,
  reference: TensorReference,
  entry: ZipEntry,
  { checksum, ...options }: ReadOptions & { checksum: boolean },
): Promise<TensorData> {
  const { dtype, count } = reference.storage;
  const { begin, end } = spanOf(reference);
  const start = await entry.position();
  if (start + entry.size > file.size)
    throw new ModelFileError(file.path, name, "reaches beyond the end of the file", again);
  let sum = 0;
  const whole = begin === 0 && end === count;
  const data = await readElements(
    file,
    name,
    { position: start + begin * itemSizes[dtype satisfies FileDtype], dtype, count: end - begin },
    { ...options, ...(checksum && whole && { onChunk: (bytes: Uint8Array) => (sum = crc32(bytes, sum)) }) },
  );
  if (checksum && whole && sum !== entry.crc32) {
    throw new ModelFileError(
      file.path,
      name,
      "differs from its checksum in the zip",
      "Copy or download the file again; if it was saved without checksums, load it with checksum: false.",
    );
  }
  return isContiguous(reference) ? data : gather(data, reference);
}
