/** What a checkpoint says of its training in words and numbers, beside its tensors. */
import { ModelFileError } from "../errors.js";
import type { RandomSnapshot } from "../random.js";
import type { BestEvaluation } from "../training/early-stop.js";
import type { ComparedOptions } from "../training/same-training.js";
import type { ScheduleName } from "../training/schedules.js";
import type { TrainOptions } from "../training/training-options.js";
import { openTensorFile } from "./open-model-file.js";
import { openFile } from "./random-access.js";
import { isObject, parseObject } from "./safetensors/header.js";
import type { TensorFile } from "./tensor-file.js";
import { trainingKey } from "./training-tensors.js";

/** What to do about a file that is no whole checkpoint. */
export const notACheckpoint = "Give a checkpoint that ms.train wrote, or an earlier one of the same folder.";

/** What a checkpoint says in words and numbers. */
export interface TrainingRecord {
  readonly version: 1;
  /** the last step that was made */
  readonly step: number;
  /** batches taken up to then */
  readonly batches: number;
  /** tokens in these; not in checkpoints of earlier versions */
  readonly tokens?: number;
  /** updates the optimiser has made, of earlier trainings too */
  readonly optimizerSteps: number;
  /** steps averaged by the exponential moving average, where there is one */
  readonly emaSteps?: number;
  /** the best evaluation up to then */
  readonly best?: BestEvaluation;
  /** the options that decide what the training computes */
  readonly options: ComparedOptions;
  /** the schedule as it was asked for, unless by a function */
  readonly schedule?: Pick<TrainOptions, "warmup" | "floor"> & { readonly schedule?: ScheduleName };
  /** the caller's own generator, when it was given one */
  readonly random?: RandomSnapshot;
  /** how many tokens each row of the state that is carried over has seen, where there is such a state */
  readonly positions?: readonly number[];
  /** version of the library, tfjs backend, and when: for people */
  readonly library: string;
  readonly engine: string;
  readonly savedAt: string;
}

/**
 * A checkpoint's record alone, from the head of the file.
 *
 * @throws ModelFileError when the file is damaged or no checkpoint
 */
export async function readRecord(path: string): Promise<TrainingRecord> {
  const file = await openTensorFile(await openFile(path));
  return Promise.resolve()
    .then(() => recordOf(file))
    .finally(() => file.close());
}

/** What a file says of the training, checked as far as it is used. */
export function recordOf(file: TensorFile): TrainingRecord {
  const text = file.metadata.get(trainingKey);
  if (text === undefined) {
    throw new ModelFileError(
      file.path,
      null,
      "is no checkpoint of a training, though it may hold a model",
      notACheckpoint,
    );
  }
  const record = parseObject(file.path, text);
  const fail = (what: string): never => {
    throw new ModelFileError(file.path, null, `says of its training ${what}`, notACheckpoint);
  };
  if (Number(record.version) > 1) {
    throw new ModelFileError(file.path, null, "was written by a newer version of metastate", "Install that version.");
  }
  if (record.version !== 1) fail(`that it is of version ${JSON.stringify(record.version)}, which this library is not`);
  const counts: [string, unknown][] = ["step", "batches", "optimizerSteps"].map((name) => [name, record[name]]);
  if (record.tokens !== undefined) counts.push(["tokens", record.tokens]);
  if (record.emaSteps !== undefined) counts.push(["emaSteps", record.emaSteps]);
  for (const [name, value] of counts) {
    if (!(Number.isSafeInteger(value) && (value as number) >= 0)) fail(`that ${name} is ${JSON.stringify(value)}`);
  }
  if (!isObject(record.options)) fail("nothing of its options");
  const { best, random, positions } = record;
  if (best !== undefined && !(isObject(best) && [best.step, best.loss, best.waited].every(Number.isFinite))) {
    fail("something else than a step and a loss to be the best evaluation");
  }
  if (random !== undefined && !(isObject(random) && Array.isArray(random.words) && random.words.length === 4)) {
    fail("something else than four words to be the state of a generator");
  }
  if (positions !== undefined && !(Array.isArray(positions) && positions.every(Number.isSafeInteger))) {
    fail("something else than counts to be the positions of its state");
  }
  return record as unknown as TrainingRecord;
}
