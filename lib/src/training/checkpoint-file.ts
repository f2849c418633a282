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
import { writeSafetensors, type TensorToWrite } from "../io/safetensors/write.js";
import { describeModel } from "../io/save-model.js";
import { toFloat32, type TensorFile } from "../io/tensor-file.js";
import { notACheckpoint as remedy, recordOf, type TrainingRecord } from "../io/training-record.js";
import { emaPrefix, trainingKey, trainingPrefix } from "../io/training-tensors.js";
import type { LanguageModel } from "../model/language-model.js";
import type { Moments } from "./adamw.js";

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
