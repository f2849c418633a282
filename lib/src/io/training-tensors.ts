/**
 * A checkpoint's file is a model's file with more in it: what training needs beside the parameters has names that begin
 * with `training.`. Here the two are told apart.
 */
import { ConfigurationError } from "../errors.js";
import type { FileTensor, TensorFile } from "./tensor-file.js";

/** What names of tensors that belong to the training begin with. */
export const trainingPrefix = "training.";

/** What a step's checkpoint is called; the step is in the group. */
export const checkpointName = /^step-(\d{8,15})\.safetensors$/;

/** What the checkpoint of the best evaluation is called. */
export const bestCheckpointName = "best.safetensors";

/** The key of a checkpoint's metadata under which the training's record is. */
export const trainingKey = "metastate.training";

/** The averages of parameters: this, then the parameter's name. */
export const emaPrefix = `${trainingPrefix}ema.`;

/**
 * A file as a model's alone; itself when it is no checkpoint.
 *
 * @param ema whether parameters that were averaged are to have their averages
 * @throws ConfigurationError when averages are asked for that the file does not have
 */
export function modelPart(file: TensorFile, { ema = false }: { ema?: boolean | undefined } = {}): TensorFile {
  if (!file.metadata.has(trainingKey)) {
    if (!ema) return file;
    throw new ConfigurationError(`${file.path} is no checkpoint of a training: leave the option ema out`);
  }
  const tensors = new Map<string, FileTensor>();
  const places = new Map<string, string>();
  for (const [name, tensor] of file.tensors) {
    if (name.startsWith(trainingPrefix)) continue;
    const averaged = ema ? file.tensors.get(emaPrefix + name) : undefined;
    tensors.set(name, averaged ? { ...averaged, name } : tensor);
    places.set(name, averaged ? averaged.name : name);
  }
  if (ema && ![...places].some(([name, place]) => name !== place)) {
    throw new ConfigurationError(
      `${file.path} holds no average of parameters: it was trained without the option ema: leave it out here too`,
    );
  }
  return {
    path: file.path,
    container: file.container,
    metadata: file.metadata,
    tensors,
    read: (name, options) => file.read(places.get(name) ?? name, options),
    close: () => file.close(),
  };
}
