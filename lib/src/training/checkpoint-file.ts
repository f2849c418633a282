/**
 * A checkpoint: all that a training needs to go on as if nothing had happened, in one `.safetensors` file. The model's
 * parameters have their own names in it, so that `ms.loadModel` loads it; everything else is named `training.…`.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

import { ModelFileError } from "../errors.js";
import { writeAtomically } from "../io/atomic-write.js";
import { openTensorFile } from "../io/open-model-file.js";
import { openFile } from "../io/random-access.js";
import { isObject, parseObject } from "../io/safetensors/header.js";
import { writeSafetensors, type TensorToWrite } from "../io/safetensors/write.js";
import { describeModel } from "../io/save-model.js";
import { toFloat32, type TensorFile } from "../io/tensor-file.js";
import { emaPrefix, trainingKey, trainingPrefix } from "../io/training-tensors.js";
import type { LanguageModel } from "../model/language-model.js";
import type { RandomSnapshot } from "../random.js";
import type { Moments } from "./adamw.js";
import type { BestEvaluation } from "./early-stop.js";
import type { ComparedOptions } from "./same-training.js";
import type { ScheduleName } from "./schedules.js";
import type { TrainOptions } from "./training-options.js";

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

/** A step as a checkpoint remembers it. */
export interface PastStep {
  readonly step: number;
  readonly loss: number;
  readonly gradientNorm: number;
  readonly learningRate: number;
  readonly validationLoss?: number;
}

/** What goes into a checkpoint, or came out of one: the tensors beside the parameters, and the steps so far. */
export interface TrainingTensors {
  readonly moments: ReadonlyMap<string, Moments>;
  readonly ema?: ReadonlyMap<string, Tensor> | undefined;
  /** the parameters of the best evaluation, where the training is to end with them */
  readonly best?: ReadonlyMap<string, Tensor> | undefined;
  /** of the state that is carried over, in its own order */
  readonly state?: readonly Tensor[] | undefined;
  readonly history: readonly PastStep[];
}

/** A checkpoint that was read. Its tensors are the caller's. */
export interface SavedTraining extends TrainingTensors {
  readonly path: string;
  readonly record: TrainingRecord;
  /** what the file says of the model: JSON */
  readonly model: string;
  readonly parameters: ReadonlyMap<string, Tensor>;
}

const prefixes = {
  first: `${trainingPrefix}optimizer.first.`,
  second: `${trainingPrefix}optimizer.second.`,
  ema: emaPrefix,
  best: `${trainingPrefix}best.`,
  state: `${trainingPrefix}state.`,
  history: `${trainingPrefix}history.`,
} as const;

const columns = ["loss", "gradientNorm", "learningRate", "validationLoss"] as const;

/** Writes a checkpoint; the file is there whole or not at all. */
export async function writeCheckpoint(
  path: string,
  model: Pick<LanguageModel, "configuration" | "parameters">,
  record: TrainingRecord,
  { moments, ema, best, state, history }: TrainingTensors,
): Promise<void> {
  const floats = (prefix: string, tensors: Iterable<readonly [string | number, Tensor]>): TensorToWrite[] =>
    Array.from(tensors, ([name, tensor]) => ({
      name: `${prefix}${name}`,
      dtype: "F32",
      shape: tensor.shape,
      values: async () => (await tensor.data<"float32">()) as Float32Array<ArrayBuffer>,
    }));
  const part = (which: keyof Moments): [string, Tensor][] => Array.from(moments, ([name, of]) => [name, of[which]]);
  const tensors = [
    ...floats("", model.parameters),
    ...floats(prefixes.first, part("first")),
    ...floats(prefixes.second, part("second")),
    ...floats(prefixes.ema, ema ?? []),
    ...floats(prefixes.best, best ?? []),
    ...floats(prefixes.state, (state ?? []).entries()),
    ...columns.map((column): TensorToWrite => ({
      name: prefixes.history + column,
      dtype: "F64",
      shape: [history.length],
      values: () => Promise.resolve(Float64Array.from(history, (step) => step[column] ?? NaN)),
    })),
  ];
  const metadata = { format: "pt", metastate: describeModel(model), [trainingKey]: JSON.stringify(record) };
  await writeAtomically(path, (sink) => writeSafetensors(sink, tensors, metadata));
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

/**
 * Reads a checkpoint whole.
 *
 * @returns tensors of the caller's
 * @throws ModelFileError when the file is damaged or no checkpoint
 */
export async function readCheckpoint(path: string): Promise<SavedTraining> {
  const file = await openTensorFile(await openFile(path));
  const made: Tensor[] = [];
  try {
    const record = recordOf(file);
    const group = async (prefix: string): Promise<Map<string, Tensor>> => {
      const tensors = new Map<string, Tensor>();
      for (const [name, { shape }] of file.tensors) {
        const belongs = prefix === "" ? !name.startsWith(trainingPrefix) : name.startsWith(prefix);
        if (!belongs) continue;
        const tensor = tf.keep(tf.tensor(toFloat32(file, name, await file.read(name)), [...shape], "float32"));
        made.push(tensor);
        tensors.set(name.slice(prefix.length), tensor);
      }
      return tensors;
    };
    const [first, second] = [await group(prefixes.first), await group(prefixes.second)];
    const moments = new Map<string, Moments>();
    for (const [name, tensor] of first) {
      moments.set(name, { first: tensor, second: second.get(name) ?? missing(file, prefixes.second + name) });
    }
    const [ema, best, state] = [await group(prefixes.ema), await group(prefixes.best), await group(prefixes.state)];
    return {
      path,
      record,
      model: file.metadata.get("metastate") ?? "{}",
      parameters: await group(""),
      moments,
      ...(ema.size > 0 && { ema }),
      ...(best.size > 0 && { best }),
      ...(state.size > 0 && { state: [...state.keys()].map((_, i) => state.get(`${i}`) ?? missing(file, `${i}`)) }),
      history: await readHistory(file),
    };
  } catch (error) {
    tf.dispose(made);
    throw error;
  } finally {
    await file.close();
  }
}

/** Frees a checkpoint's tensors that nobody took over. */
export function disposeCheckpoint({ parameters, moments, ema, best, state }: SavedTraining): void {
  for (const { first, second } of moments.values()) tf.dispose([first, second]);
  tf.dispose([...parameters.values(), ...(ema?.values() ?? []), ...(best?.values() ?? []), ...(state ?? [])]);
}

const remedy = "Give a checkpoint that ms.train wrote, or an earlier one of the same folder.";

function missing(file: TensorFile, name: string): never {
  throw new ModelFileError(file.path, name, "is missing", remedy);
}

async function readHistory(file: TensorFile): Promise<PastStep[]> {
  const values = await Promise.all(
    columns.map(async (column) => {
      const name = prefixes.history + column;
      if (!file.tensors.has(name)) missing(file, name);
      const data = await file.read(name);
      if (data instanceof Float64Array) return data;
      throw new ModelFileError(file.path, name, `holds ${file.tensors.get(name)!.dtype}, not F64`, remedy);
    }),
  );
  const [loss, gradientNorm, learningRate, validation] = values as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  if (values.some(({ length }) => length !== loss.length)) {
    throw new ModelFileError(file.path, null, "has a history whose columns differ in length", remedy);
  }
  const last = recordOf(file).step;
  return Array.from(loss, (value, i) => ({
    step: last - loss.length + 1 + i,
    loss: value,
    gradientNorm: gradientNorm[i]!,
    learningRate: learningRate[i]!,
    ...(!Number.isNaN(validation[i]!) && { validationLoss: validation[i]! }),
  }));
}

/** What a file says of the training, checked as far as it is used. */
function recordOf(file: TensorFile): TrainingRecord {
  const text = file.metadata.get(trainingKey);
  if (text === undefined) {
    throw new ModelFileError(file.path, null, "is no checkpoint of a training, though it may hold a model", remedy);
  }
  const record = parseObject(file.path, text);
  const fail = (what: string): never => {
    throw new ModelFileError(file.path, null, `says of its training ${what}`, remedy);
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
