/** Models into files. */
import { extname } from "node:path";

import type { Tensor } from "@tensorflow/tfjs-core";

import { expectModel, expectOptions, type OptionNames } from "../arguments.js";
import { BaselineModel } from "../baselines/baseline-model.js";
import { baselineTitles } from "../baselines/configuration.js";
import { ConfigurationError } from "../errors.js";
import { attentionWidth, type ModelConfiguration } from "../model/configuration.js";
import type { LanguageModel } from "../model/language-model.js";
import type { Model } from "../model/model.js";
import { Snapshot } from "../model/parameter-snapshot.js";
import { writeAtomically } from "./atomic-write.js";
import type { SavedDtype } from "./float-formats.js";
import { saveFolder } from "./huggingface/save-folder.js";
import { ProgressCounter, type FileProgress } from "./progress.js";
import { writePth } from "./pth/write.js";
import { variantToSave } from "./saved-variant.js";
import { byteLength, writeSafetensors, type TensorToWrite } from "./safetensors/write.js";

/** Options of {@link saveModel}. */
export interface SaveModelOptions {
  /**
   * `safetensors`: one file with RWKV-7's names. `pth`: what RWKV-LM and PyTorch load. `huggingface`: a folder with
   * `config.json` and `model.safetensors` in flash-linear-attention's names. By default what the path ends in says, and
   * a folder where that is no kind of file.
   */
  format?: "safetensors" | "pth" | "huggingface";
  /** rounds to nearest; default float32, which loses nothing */
  dtype?: "float32" | "float16" | "bfloat16";
  /** `huggingface`: the most bytes a file has, unless one parameter has more; default 5e9 */
  maxShardBytes?: number;
  /** called while the file is written */
  onProgress?: (progress: FileProgress) => void;
  /** ends saving with its reason; the old file stays */
  signal?: AbortSignal;
}

const optionNames: OptionNames<SaveModelOptions> = {
  ...{ format: true, dtype: true, maxShardBytes: true, onProgress: true, signal: true },
};

const dtypes = { float32: "F32", float16: "F16", bfloat16: "BF16" } as const;

/** A parameter to be written. */
export type ParameterToWrite = TensorToWrite & { readonly dtype: SavedDtype };

/** What a file says of the model in it, as JSON. */
export function describeModel({ configuration }: Pick<LanguageModel, "configuration">): string {
  return JSON.stringify({ version: 1, configuration, variant: variantToSave(configuration) });
}

/**
 * Saves a model as it is at the call, also where a training goes on meanwhile. The file is replaced at once when it is complete:
 * whatever happens before, the old one stays whole.
 *
 * @param path the file, or for `huggingface` the folder, which is made when there is none; its other files stay
 * @throws ConfigurationError when a value does not fit float16, when an option is unknown, or when the format is `pth` and
 *   the model has an `aScale` or an `activation` that RWKV-7 does not have, or when it is a baseline and the format is not
 *   `safetensors`
 */
export async function saveModel(
  model: Model | BaselineModel,
  path: string,
  options: SaveModelOptions = {},
): Promise<void> {
  expectModel("saveModel", model);
  if (typeof path !== "string") {
    throw new ConfigurationError(`saveModel: the path is ${typeof path}, wanted a text, such as "model.safetensors"`);
  }
  expectOptions("saveModel", options, optionNames);
  // Taken now, at no cost: a training that nobody waits with would change some parameters before they are written.
  const now = Snapshot.take(model.parameters);
  try {
    await writeModel(model, now.values, path, options);
  } finally {
    now.dispose();
  }
}

async function writeModel(
  model: Model | BaselineModel,
  values: ReadonlyMap<string, Tensor>,
  path: string,
  options: SaveModelOptions,
): Promise<void> {
  const { format = formatOf(path), dtype: dtypeName = "float32", maxShardBytes = 5e9, onProgress, signal } = options;
  const dtype = Object.hasOwn(dtypes, dtypeName) ? dtypes[dtypeName] : undefined;
  if (!dtype) throw wrong("dtype", dtypeName, Object.keys(dtypes));
  const held = [...values].map(([name, tensor]): ParameterToWrite => ({
    name,
    dtype,
    shape: tensor.shape,
    values: async () => {
      progress.parameter = name;
      return (await tensor.data<"float32">()) as Float32Array<ArrayBuffer>;
    },
  }));
  const parameters = format === "pth" ? withUnused(rwkv7Of(model, format), held) : held;
  const total = parameters.reduce((sum, parameter) => sum + byteLength(parameter), 0);
  const progress = new ProgressCounter(total, onProgress);
  const writing = { onBytes: progress.add, signal };
  const description = describeModel(model);
  const metadata = { format: "pt", metastate: description };
  switch (format) {
    case "safetensors":
      return writeAtomically(path, (sink) => writeSafetensors(sink, parameters, metadata, writing));
    case "pth":
      expectPublishedEquations(rwkv7Of(model, format).configuration);
      return writeAtomically(path, (sink) => writePth(sink, parameters, description, writing));
    case "huggingface":
      if (!(maxShardBytes > 0)) {
        throw new ConfigurationError(`saveModel: maxShardBytes is ${maxShardBytes}, wanted a number of bytes above 0`);
      }
      return saveFolder(path, rwkv7Of(model, format), parameters, {
        metadata,
        dtype: dtypeName,
        maxShardBytes,
        ...writing,
      });
    default:
      throw wrong("format", format, ["safetensors", "pth", "huggingface"]);
  }
}

/** The model, where a format can hold it. */
function rwkv7Of(model: Model | BaselineModel, format: string): Model {
  if (!(model instanceof BaselineModel)) return model;
  throw new ConfigurationError(
    `saveModel: the format ${format} is for RWKV-7 and Meta-State, this is a ${baselineTitles[model.configuration.kind]}: ` +
      `save it as .safetensors`,
  );
}

/** RWKV-LM reads a `.pth` by RWKV-7's equations, whatever else is in the file. */
function expectPublishedEquations({ aScale, activation }: ModelConfiguration): void {
  const changed =
    aScale !== 1 ? `aScale ${aScale}` : activation !== "squaredRelu" ? `activation "${activation}"` : null;
  if (changed === null) return;
  throw new ConfigurationError(
    `saveModel: a .pth is read by RWKV-LM as RWKV-7, which has no ${changed}, and would silently compute something else: ` +
      `save as .safetensors, or as a folder in the layout of Hugging Face`,
  );
}

/** What other programs call their files of models: a folder by such a name is not what was meant. */
const foreign = /^\.(bin|ckpt|gguf|h5|json|keras|model|npy|npz|onnx|pb|pickle|pkl|safetensor|tar|tflite|zip)$/i;

function formatOf(path: string): NonNullable<SaveModelOptions["format"]> {
  const ending = extname(path);
  if (foreign.test(ending)) {
    throw new ConfigurationError(
      `saveModel: ${path} ends with "${ending}", wanted .safetensors, .pth or .pt for a file, or the name of a folder for ` +
        `Hugging Face's layout (format: "huggingface" makes one of any name)`,
    );
  }
  return ending === ".safetensors" ? "safetensors" : [".pth", ".pt"].includes(ending) ? "pth" : "huggingface";
}

function wrong(option: string, given: unknown, wanted: readonly string[]): ConfigurationError {
  return new ConfigurationError(`saveModel: ${option} is ${JSON.stringify(given)}, wanted ${wanted.join(", ")}`);
}

/**
 * The parameters as RWKV-LM's training code wants them: it has a value residual in the first layer too, which nothing
 * reads, and refuses a file without it.
 */
function withUnused(model: Model, parameters: readonly ParameterToWrite[]): readonly ParameterToWrite[] {
  const { width, lowRank } = model.configuration;
  const inner = attentionWidth(model.configuration);
  const dtype = parameters[0]!.dtype;
  const zeros = (name: string, shape: readonly number[]): ParameterToWrite => ({
    name: `blocks.0.att.${name}`,
    dtype,
    shape,
    values: () => Promise.resolve(new Float32Array(shape.reduce((product, size) => product * size, 1))),
  });
  const unused = [zeros("v0", [1, 1, inner]), zeros("v1", [width, lowRank.value]), zeros("v2", [lowRank.value, inner])];
  const before = parameters.findIndex(({ name }) => name === "blocks.0.att.g1");
  return [...parameters.slice(0, before), ...unused, ...parameters.slice(before)];
}
