/** A folder of checkpoints: which there are, which is the last, which go. */
import { mkdtemp, readdir, rm, rmdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { ConfigurationError, ModelFileError } from "../errors.js";
import { makeFolder } from "../io/make-folder.js";
import { message } from "../io/random-access.js";
import { bestCheckpointName, checkpointName } from "../io/training-tensors.js";
import { readRecord } from "./checkpoint-file.js";
import type { ResumeOptions, TrainOptions } from "./training-options.js";

/** Where checkpoints go, and which stay. */
export interface CheckpointOptions {
  /** made when there is none; one training a folder */
  folder: string;
  /** a checkpoint every so many steps, and after the last; default 100 */
  every?: number;
  /** how many stay, the last ones; default 2 */
  keep?: number;
  /** whether the one of the best evaluation stays too, as `best.safetensors`; default true where there is `evaluate` */
  best?: boolean;
}

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
async function lastCheckpoint(folder: string): Promise<CheckpointEntry | undefined> {
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
function withMore(error: ModelFileError, more: string): ModelFileError {
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

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
}

/** The checkpoints among some names but for the best, by step; no file is looked into. */
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

/** The checkpoint that the options say to go on from. */
export async function checkpointToResume({ resume, checkpoint }: TrainOptions): Promise<ResumeOptions | undefined> {
  if (resume === undefined || resume === false) return undefined;
  if (resume === true) {
    if (!checkpoint) {
      throw new ConfigurationError(
        "train: resume is true, wanted checkpoint: {folder} with it, or the path in its place",
      );
    }
    const last = await lastCheckpoint(checkpoint.folder);
    return last && { from: last.path };
  }
  const { from, allow = [] } = typeof resume === "string" ? { from: resume } : resume;
  return { from: await findCheckpoint(from), allow };
}

/** Writes a training's checkpoints, and removes those that are not to stay. */
export class CheckpointFolder {
  private constructor(
    private readonly folder: string,
    private readonly keep: number,
  ) {}

  /**
   * Prepares the folder.
   *
   * @param resumed the checkpoint's step that the training goes on from; 0 for a new training
   * @throws ConfigurationError when the folder holds checkpoints that this training would overwrite; ModelFileError when it
   *   cannot be made, or nothing can be written there
   */
  static async open({ folder, keep = 2 }: CheckpointOptions, resumed: number): Promise<CheckpointFolder> {
    await makeFolder(folder).catch((error: unknown) => {
      const remedy = "Give checkpoint: {folder} a path at which a folder can be made.";
      throw new ModelFileError(folder, null, `cannot be made a folder (${message(error)})`, remedy, { cause: error });
    });
    // Not after the first hundred steps.
    await expectWritable(folder);
    const later = (await checkpoints(folder)).filter(({ step }) => step > resumed);
    if (later.length > 0) {
      const what = `${folder} has checkpoints of steps up to ${later.at(-1)!.step}`;
      throw new ConfigurationError(
        resumed === 0
          ? `train: ${what}, of another training: go on with that one (resume: true), give another folder, or delete it`
          : `train: ${what}, later than step ${resumed}, from which this training is to go on: delete the later ones, ` +
              `or give another folder`,
      );
    }
    return new CheckpointFolder(folder, keep);
  }

  /**
   * Writes the checkpoint of a step by `write`, then removes the oldest.
   *
   * @throws ConfigurationError when another training writes to the folder: of both, each would remove the other's;
   *   ModelFileError when it cannot be written
   */
  async save(step: number, write: (path: string) => Promise<void>): Promise<string> {
    const path = checkpointPath(this.folder, step);
    const earlier = stepsOf(this.folder, await namesIn(this.folder));
    const last = earlier.at(-1)?.step ?? 0;
    if (last >= step) {
      throw new ConfigurationError(
        `train: ${this.folder} has a checkpoint of step ${last}, which this training, at step ${step}, has not written: another ` +
          `one writes there. Give each a folder of its own`,
      );
    }
    await write(path).catch((error: unknown) => {
      if (!(error instanceof ModelFileError)) throw error;
      const before = earlier.at(-1);
      const goesOn = before ? `; resume goes on from ${before.path}` : "";
      throw withMore(error, `The model is as it was trained up to step ${step}${goesOn}.`);
    });
    for (const old of earlier.slice(0, Math.max(0, earlier.length + 1 - this.keep)))
      await rm(old.path, { force: true });
    return path;
  }

  /** Writes the checkpoint of the best evaluation in place of the one before. */
  async saveBest(write: (path: string) => Promise<void>): Promise<string> {
    const path = bestPath(this.folder);
    await write(path);
    return path;
  }

  /** The last checkpoint that was made no later than this step. */
  async lastUpTo(step: number): Promise<CheckpointEntry | undefined> {
    return (await checkpoints(this.folder)).filter((entry) => entry.step <= step).at(-1);
  }
}

/** Makes something and removes it: permissions alone do not say it of every file system. */
async function expectWritable(folder: string): Promise<void> {
  try {
    await rmdir(await mkdtemp(join(folder, ".writable-")));
  } catch (error) {
    const remedy = "Give checkpoint: {folder} a path that may be written to, on a disk that has room.";
    throw new ModelFileError(folder, null, `cannot be written to (${message(error)})`, remedy, { cause: error });
  }
}
