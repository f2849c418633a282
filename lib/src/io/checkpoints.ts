/** Which checkpoints a folder has, which is the last, and which can be read where one cannot. */
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { ModelFileError } from "../errors.js";
import { readRecord } from "./training-record.js";
import { bestCheckpointName, checkpointName } from "./training-tensors.js";

/** A checkpoint in a folder. */
export interface CheckpointEntry {
  readonly path: string;
  /** the last step that was made */
  readonly step: number;
  /** whether it is kept as the one of the best evaluation */
  readonly isBest: boolean;
}

/** The path of a step's checkpoint. */
export function checkpointPath(folder: string, step: number): string {
  return join(folder, `step-${String(step).padStart(8, "0")}.safetensors`);
}

/** The path of the best evaluation's. */
export function bestPath(folder: string): string {
  return join(folder, bestCheckpointName);
}

/**
 * The checkpoints in a folder, by step; none when there is no such folder. A `best.safetensors` that cannot be read is not
 * among them: nothing else tells of which step it is. `ms.inspectFile` says what is wrong with it.
 */
export async function checkpoints(folder: string): Promise<CheckpointEntry[]> {
  return (await entriesOf(folder)).entries;
}

/** The checkpoints of a folder, and what is wrong with `best.safetensors` where that cannot be read. */
async function entriesOf(folder: string): Promise<{ entries: CheckpointEntry[]; damage?: ModelFileError }> {
  const names = await namesIn(folder);
  const entries = stepsOf(folder, names);
  let damage: ModelFileError | undefined;
  if (names.includes(bestCheckpointName)) {
    const path = bestPath(folder);
    try {
      entries.push({ path, step: (await readRecord(path)).step, isBest: true });
    } catch (error) {
      if (!(error instanceof ModelFileError)) throw error;
      damage = error;
    }
  }
  entries.sort((a, b) => a.step - b.step || Number(a.isBest) - Number(b.isBest));
  return { entries, ...(damage && { damage }) };
}

/**
 * The last checkpoint of a folder, if there is one.
 *
 * @throws ModelFileError when there is only a `best.safetensors`, and that cannot be read: a training that begins anew would
 *   hide it
 */
export async function lastCheckpoint(folder: string): Promise<CheckpointEntry | undefined> {
  const { entries, damage } = await entriesOf(folder);
  if (entries.length === 0 && damage) throw damage;
  return entries.at(-1);
}

/**
 * Reads a checkpoint. When it cannot be read, and the folder has an earlier one that can, the error names that one.
 *
 * @param remedy what to do with the earlier one
 * @throws ModelFileError as `read`
 */
export async function readOrNameEarlier<T>(
  path: string,
  read: (path: string) => Promise<T>,
  remedy = "to go on from there, take this file out of its folder.",
): Promise<T> {
  try {
    return await read(path);
  } catch (error) {
    if (!(error instanceof ModelFileError)) throw error;
    // A folder was given, perhaps: the error knows which of its files it is about.
    const earlier = await wholeBefore(error.path);
    if (!earlier) throw error;
    throw withMore(error, `${earlier.path}, of step ${earlier.step}, is whole: ${remedy}`);
  }
}

/** The same error, with a further sentence on what to do. */
export function withMore(error: ModelFileError, more: string): ModelFileError {
  const { path, tensor, problem, remedy } = error;
  return new ModelFileError(path, tensor, problem, `${remedy} ${more}`, { cause: error });
}

/** The last checkpoint before a file that can be read; none before what is not there, or is no checkpoint by its name. */
async function wholeBefore(path: string): Promise<CheckpointEntry | undefined> {
  const [folder, name] = [dirname(path), basename(path)];
  const step = name === bestCheckpointName ? Infinity : Number(checkpointName.exec(name)?.[1]);
  if (Number.isNaN(step)) return undefined;
  const entries = (await stat(path).catch(() => undefined)) ? await checkpoints(folder) : [];
  const earlier = entries.filter((entry) => entry.step < step && basename(entry.path) !== name);
  for (const entry of earlier.reverse()) {
    if (await readRecord(entry.path).then(Boolean, () => false)) return entry;
  }
  return undefined;
}

/** The checkpoints of a folder but for the best, by step; no file is looked into. */
export async function checkpointsOfSteps(folder: string): Promise<CheckpointEntry[]> {
  return stepsOf(folder, await namesIn(folder));
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
}

function stepsOf(folder: string, names: readonly string[]): CheckpointEntry[] {
  const steps = names.flatMap((name) => checkpointName.exec(name)?.[1] ?? []).map(Number);
  return steps.sort((a, b) => a - b).map((step) => ({ path: checkpointPath(folder, step), step, isBest: false }));
}

/**
 * The checkpoint that a path means: the file itself, or a folder's latest.
 *
 * @throws ModelFileError when there is none, or only a `best.safetensors` that cannot be read
 */
export async function findCheckpoint(path: string): Promise<string> {
  const info = await stat(path).catch(() => undefined);
  if (!info?.isDirectory()) return path;
  const latest = await lastCheckpoint(path);
  if (latest) return latest.path;
  throw new ModelFileError(path, null, "is a folder without a checkpoint", "Give the folder that ms.train wrote to.");
}
