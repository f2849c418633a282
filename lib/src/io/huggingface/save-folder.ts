/**
 * A model's folder in the layout of Hugging Face and flash-linear-attention. Each file is written atomically, and the
 * order of steps makes the folder as a whole hold the old model or the new one at any moment.
 */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";

import { ModelFileError } from "../../errors.js";
import type { Model } from "../../model/model.js";
import { writeAtomically } from "../atomic-write.js";
import { makeFolder } from "../make-folder.js";
import { transpose } from "../model-tensors.js";
import { message, openFile } from "../random-access.js";
import { indexName, readIndex } from "../safetensors/sharded.js";
import { byteLength, writeSafetensors, type OnBytes, type TensorToWrite } from "../safetensors/write.js";
import { configName, makeConfig } from "./config.js";
import { toFla } from "./names.js";

const singleName = "model.safetensors";

/** What {@link saveFolder} needs besides the parameters. */
export interface SaveFolderOptions {
  metadata: Readonly<Record<string, string>>;
  dtype: string;
  maxShardBytes: number;
  onBytes: OnBytes;
  signal?: AbortSignal | undefined;
}

/** Writes the folder. */
export async function saveFolder(
  path: string,
  model: Model,
  parameters: readonly TensorToWrite[],
  { metadata, dtype, maxShardBytes, ...writing }: SaveFolderOptions,
): Promise<void> {
  await makeFolder(path).catch((error: unknown) => {
    const remedy = "Give a path at which a folder can be made, or that ends in .safetensors or .pth.";
    throw new ModelFileError(path, null, `cannot be made a folder (${message(error)})`, remedy, { cause: error });
  });
  const shards = split(parameters.map(inFla), maxShardBytes);
  const before = await readdir(path);
  const oldShards = await shardsOf(path, before);
  const text = (name: string, content: string): Promise<void> =>
    writeAtomically(join(path, name), (sink) => sink.write(new TextEncoder().encode(content)));
  const write = (name: string, tensors: readonly TensorToWrite[]): Promise<void> =>
    writeAtomically(join(path, name), (sink) => writeSafetensors(sink, tensors, metadata, writing));

  // Where there are both, one file comes before an index. So the file's appearance, or its removal, is what switches.
  if (shards.length === 1) {
    await write(singleName, shards[0]!);
    await rm(join(path, indexName), { force: true });
  } else {
    const names = freeNames(shards.length, before);
    for (const [i, tensors] of shards.entries()) await write(names[i]!, tensors);
    const places = shards.flatMap((tensors, i) => tensors.map(({ name }) => [name, names[i]!] as const));
    const total = shards.flat().reduce((sum, tensor) => sum + byteLength(tensor), 0);
    const index = { metadata: { total_size: total, ...metadata }, weight_map: Object.fromEntries(places) };
    await text(indexName, `${JSON.stringify(index, null, 2)}\n`);
    await rm(join(path, singleName), { force: true });
  }
  for (const name of oldShards) await rm(join(path, name), { force: true });
  // Last: the configuration in the weights themselves is the one that counts.
  await text(configName, makeConfig(model.configuration, dtype));
}

/** A parameter under fla's name, in its shape and orientation. */
function inFla(parameter: TensorToWrite): TensorToWrite {
  const { name, transposed } = toFla(parameter.name);
  const { shape } = parameter;
  if (!transposed) return { ...parameter, name, shape: flaShape(name, shape) };
  const [rows, columns] = shape as [number, number];
  return {
    ...parameter,
    name,
    shape: [columns, rows],
    values: async () => transpose((await parameter.values()) as Float32Array<ArrayBuffer>, columns, rows),
  };
}

/** The mixes of time mixing are [1, 1, C] there too; every other vector has one axis. */
function flaShape(name: string, shape: readonly number[]): readonly number[] {
  const isVector = shape.length === 3 && shape[0] === 1 && shape[1] === 1;
  return isVector && !/\.attn\.x_.$/.test(name) ? shape.slice(2) : shape;
}

/** In order, as many as fit into each file, at least one. */
function split(tensors: readonly TensorToWrite[], maxShardBytes: number): TensorToWrite[][] {
  const shards: TensorToWrite[][] = [];
  let room = 0;
  for (const tensor of tensors) {
    const size = byteLength(tensor);
    if (shards.length === 0 || size > room) {
      shards.push([]);
      room = maxShardBytes;
    }
    shards.at(-1)!.push(tensor);
    room -= size;
  }
  return shards;
}

/** Names for new shards beside the ones that are there, which an index may still need. */
function freeNames(count: number, taken: readonly string[]): string[] {
  const number = (n: number): string => String(n).padStart(5, "0");
  for (let round = 0; ; round++) {
    const series = round === 0 ? "model" : `model-v${round}`;
    const names = Array.from({ length: count }, (_, i) => `${series}-${number(i + 1)}-of-${number(count)}.safetensors`);
    if (!names.some((name) => taken.includes(name))) return names;
  }
}

/** The files of the index that is there, if there is one and it can be read. */
async function shardsOf(path: string, names: readonly string[]): Promise<readonly string[]> {
  if (!names.includes(indexName)) return [];
  const file = await openFile(join(path, indexName));
  try {
    return [...new Set((await readIndex(file)).places.values())];
  } catch {
    return [];
  } finally {
    await file.close();
  }
}
