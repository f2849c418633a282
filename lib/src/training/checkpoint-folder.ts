/** The folder that a training writes its checkpoints to. */
import { mkdtemp, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";

import { ConfigurationError, ModelFileError } from "../errors.js";
import {
  bestPath,
  checkpointPath,
  checkpoints,
  checkpointsOfSteps,
  findCheckpoint,
  lastCheckpoint,
  withMore,
  type CheckpointEntry,
} from "../io/checkpoints.js";
import { makeFolder } from "../io/make-folder.js";
import { message } from "../io/random-access.js";
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
   * Writes the checkpoint of a step by `write`, then removes the oldest; before it where the disk has no room for both.
   *
   * @throws ConfigurationError when another training writes to the folder: of both, each would remove the other's;
   *   ModelFileError when it cannot be written
   */
  async save(step: number, write: (path: string) => Promise<void>): Promise<string> {
    const path = checkpointPath(this.folder, step);
    const earlier = await checkpointsOfSteps(this.folder);
    const last = earlier.at(-1)?.step ?? 0;
    if (last >= step) {
      throw new ConfigurationError(
        `train: ${this.folder} has a checkpoint of step ${last}, which this training, at step ${step}, has not written: another ` +
          `one writes there. Give each a folder of its own`,
      );
    }
    const surplus = earlier.slice(0, Math.max(0, earlier.length + 1 - this.keep));
    const before = earlier.at(-1);
    await write(path)
      .catch(async (error: unknown) => {
        const early = surplus.filter((old) => old !== before);
        if (!isFull(error) || early.length === 0) throw error;
        // They would go after it. One whole checkpoint stays, whatever happens.
        for (const old of early) await rm(old.path, { force: true });
        await write(path);
      })
      .catch((error: unknown) => {
        if (!(error instanceof ModelFileError)) throw error;
        const goesOn = before ? `; resume goes on from ${before.path}` : "";
        throw withMore(error, `The model is as it was trained up to step ${step}${goesOn}.`);
      });
    for (const old of surplus) await rm(old.path, { force: true });
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

/** Whether a disk, or what may be used of it, is full. */
function isFull(error: unknown): boolean {
  const code = ((error as Error).cause as { code?: unknown } | undefined)?.code;
  return error instanceof ModelFileError && (code === "ENOSPC" || code === "EDQUOT");
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
