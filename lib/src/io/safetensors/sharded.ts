/** Models in several `.safetensors` files, tied together by an index: Hugging Face's `model.safetensors.index.json`. */
import { dirname, join } from "node:path";

import { ModelFileError } from "../../errors.js";
import { openFile, readBytes, show, type RandomAccess } from "../random-access.js";
import type { FileTensor, ReadOptions, TensorFile } from "../tensor-file.js";
import { isObject, parseObject } from "./header.js";
import { openSafetensors } from "./read.js";

/** The index's name in a model's folder. */
export const indexName = "model.safetensors.index.json";

/** Enough for 200,000 tensors. */
const largestIndex = 25_000_000;

const remedy = "Download the model's folder again.";

/**
 * Opens all files of an index.
 *
 * @param index the index file; it is closed here
 * @param openShard how a file of the same folder is opened; for tests
 * @throws ModelFileError when a file is missing, is no plain name, or does not hold what the index says
 */
export async function openSharded(
  index: RandomAccess,
  openShard: (name: string) => Promise<RandomAccess> = (name) => openFile(join(dirname(index.path), name)),
): Promise<TensorFile> {
  const { places, metadata } = await readIndex(index).finally(() => index.close());
  const shards = new Map<string, TensorFile>();
  const close = async (): Promise<void> => {
    for (const shard of shards.values()) await shard.close();
  };
  try {
    for (const name of new Set(places.values())) {
      const file = await openShard(name);
      try {
        shards.set(name, await openSafetensors(file));
      } catch (error) {
        await file.close();
        throw error;
      }
    }
    const tensors = new Map<string, FileTensor>();
    for (const [tensor, name] of places) {
      const found = shards.get(name)!.tensors.get(tensor);
      if (!found) throw new ModelFileError(index.path, tensor, `is not in ${name}, where the index says`, remedy);
      tensors.set(tensor, found);
    }
    for (const shard of shards.values()) {
      for (const name of shard.tensors.keys()) {
        // Two shards with the same tensor, or one more than the index knows: which is meant cannot be told.
        if (shards.get(places.get(name) ?? "") !== shard) {
          throw new ModelFileError(shard.path, name, "is in this file, which the index does not say", remedy);
        }
      }
      // A model's configuration is the same in each.
      for (const [key, value] of shard.metadata) if (!metadata.has(key)) metadata.set(key, value);
    }
    return {
      path: index.path,
      container: "sharded safetensors",
      metadata,
      tensors,
      async read(name: string, options?: ReadOptions) {
        const shard = shards.get(places.get(name) ?? "");
        if (!shard) throw new RangeError(`${index.path} has no tensor "${name}"`);
        return shard.read(name, options);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What an index says: the file of each tensor, and texts. */
export async function readIndex(
  index: RandomAccess,
): Promise<{ places: Map<string, string>; metadata: Map<string, string> }> {
  const fail = (tensor: string | null, problem: string): never => {
    throw new ModelFileError(index.path, tensor, problem, remedy);
  };
  if (index.size > largestIndex) fail(null, `is ${index.size} bytes long, more than an index can be`);
  const bytes = await readBytes(index, 0, index.size);
  const { weight_map: map, metadata: texts } = parseObject(index.path, new TextDecoder().decode(bytes));
  if (!isObject(map)) return fail(null, "has no weight_map, which an index of shards must have");
  const places = new Map<string, string>();
  for (const [tensor, file] of Object.entries(map)) {
    if (typeof file !== "string" || !isPlainName(file)) {
      fail(tensor, `is said to be in ${show(file)}, which is no name of a file beside the index`);
    }
    places.set(tensor, file as string);
  }
  const metadata = new Map<string, string>();
  for (const [key, value] of Object.entries(isObject(texts) ? texts : {})) {
    if (typeof value === "string") metadata.set(key, value);
  }
  return { places, metadata };
}

/** A file of the same folder: no path, nothing that leads out. */
function isPlainName(name: string): boolean {
  return name.endsWith(".safetensors") && name.length <= 255 && !/[/\\:\0]/.test(name) && !name.startsWith(".");
}
