/** Models out of files. */
import * as tf from "@tensorflow/tfjs-core";
import type { Variable } from "@tensorflow/tfjs-core";

import { expectOptions, type OptionNames } from "../arguments.js";
import type { BaselineModel } from "../baselines/baseline-model.js";
import { baselineTitles, type BaselineKind } from "../baselines/configuration.js";
import { ConfigurationError, ModelFileError } from "../errors.js";
import { Model } from "../model/model.js";
import type { ModelConfiguration, SseName } from "../model/configuration.js";
import { parameterVariable } from "../model/parameter-variable.js";
import { parameterSpecifications } from "../model/parameters.js";
import { baselineInFile, readBaseline } from "./baseline-file.js";
import { readOrNameEarlier } from "./checkpoints.js";
import { inferConfiguration, type SseChoice } from "./infer-configuration.js";
import { modelTensors, readParameter, type ModelTensor } from "./model-tensors.js";
import { openModelFile, type OpenModelFile } from "./open-model-file.js";
import { ProgressCounter, type FileProgress } from "./progress.js";
import { warnIfRedefined } from "./saved-variant.js";
import type { TensorFile } from "./tensor-file.js";
import { modelPart } from "./training-tensors.js";

/** Options of {@link loadModel}. */
export interface LoadModelOptions extends SseChoice {
  /** what the file must hold; default an RWKV-7 or Meta-State model */
  kind?: "meta-state";
  /**
   * the SSE variant that an RWKV-7 model gets, with zero gains, so that its outputs stay equal; for a Meta-State model it
   * must be the file's own. Default what the file holds
   */
  sse?: SseName;
  /** ρ, the portion of heads that carry the SSE, when an RWKV-7 model gets one; default 1 */
  rho?: number;
  /** whether the checksums in a `.pth` are compared; default true */
  checksum?: boolean;
  /** of a checkpoint: the averaged parameters rather than the last step's; default false */
  ema?: boolean;
  /** called while the file is read */
  onProgress?: (progress: FileProgress) => void;
  /** ends loading with its reason */
  signal?: AbortSignal;
}

/** Options of {@link loadModel} for a baseline. */
export interface LoadBaselineOptions<K extends BaselineKind | "any" = BaselineKind | "any"> {
  /** which baseline the file must hold; `any`: whatever it holds, an RWKV-7 or Meta-State model too */
  kind: K;
  /** of a checkpoint: the averaged parameters rather than the last step's; default false */
  ema?: boolean;
  /** called while the file is read */
  onProgress?: (progress: FileProgress) => void;
  /** ends loading with its reason */
  signal?: AbortSignal;
}

const optionNames: OptionNames<LoadModelOptions | LoadBaselineOptions> = {
  ...{ kind: true, sse: true, rho: true, checksum: true, ema: true, onProgress: true, signal: true },
};

/**
 * Loads a model: RWKV-7 or Meta-State, from `.safetensors`, RWKV's or our `.pth`, a folder in the layout of Hugging Face
 * (flash-linear-attention), in shards or not; or a baseline that `ms.saveModel` wrote, when `kind` names it. The format is told
 * by the content, the sizes by the shapes. float16 and bfloat16 become float32 exactly.
 *
 * Reads by range: besides the parameters, no more than the largest of them is in memory.
 *
 * @param path a file or a folder; a checkpoint of a training too
 * @throws ModelFileError when the file is damaged, hostile, or of another kind of model; says which tensor and what to do, and
 *   of a checkpoint which earlier one of its folder is whole
 * @throws ConfigurationError when the options do not fit the file
 *
 * @example
 * ```ts
 * const model = await ms.loadModel("model.safetensors");
 * ```
 */
export async function loadModel(path: string, options?: LoadModelOptions): Promise<Model>;
export async function loadModel(path: string, options: LoadBaselineOptions<BaselineKind>): Promise<BaselineModel>;
export async function loadModel(path: string, options: LoadBaselineOptions<"any">): Promise<Model | BaselineModel>;
export async function loadModel(
  path: string,
  options: LoadModelOptions | LoadBaselineOptions = {},
): Promise<Model | BaselineModel> {
  const { kind: wanted = "meta-state" } = options;
  const kinds = ["meta-state", ...Object.keys(baselineTitles), "any"];
  if (!kinds.includes(wanted)) {
    throw new ConfigurationError(`loadModel: kind is ${JSON.stringify(wanted)}, wanted one of ${kinds.join(", ")}`);
  }
  expectOptions("loadModel", options, optionNames);
  const open = (file: string): Promise<OpenModelFile> => openModelFile(file, options as LoadModelOptions);
  const opened = await readOrNameEarlier(path, open, "load that one.");
  try {
    const file = modelPart(opened.file, options);
    const baseline = baselineInFile(file);
    if (wanted !== "any" && wanted !== (baseline?.kind ?? "meta-state")) {
      const held = baseline ? `a baseline (${baselineTitles[baseline.kind]})` : "no baseline that ms.saveModel wrote";
      throw new ModelFileError(
        path,
        null,
        `holds ${held}, wanted ${wanted}`,
        baseline
          ? `Pass {kind: "${baseline.kind}"}, or {kind: "any"}.`
          : `Leave kind out for an RWKV-7 or Meta-State model, or pass {kind: "any"}.`,
      );
    }
    if (baseline) return await readBaseline(file, baseline, options);
    return await readModel(opened, options as LoadModelOptions);
  } finally {
    await opened.file.close();
  }
}

/** A model out of an open file, which stays open. */
export async function readModel(
  { file: opened, config }: OpenModelFile,
  options: LoadModelOptions = {},
): Promise<Model> {
  const file = modelPart(opened, options);
  const { tensors } = modelTensors(file, config);
  const declared = file.metadata.get("metastate") ?? config?.metastate;
  const { configuration, variant } = inferConfiguration(file.path, tensors, declared, options);
  warnIfRedefined(file.path, variant, configuration);
  return new Model(configuration, await readParameters(file, tensors, configuration, options));
}

async function readParameters(
  file: TensorFile,
  tensors: ReadonlyMap<string, ModelTensor>,
  configuration: ModelConfiguration,
  { onProgress, signal }: LoadModelOptions,
): Promise<ReadonlyMap<string, Variable>> {
  const specifications = parameterSpecifications(configuration);
  const total = specifications.reduce((sum, { name }) => sum + (tensors.get(name)?.tensor.byteLength ?? 0), 0);
  const progress = new ProgressCounter(total, onProgress);
  const parameters = new Map<string, Variable>();
  try {
    for (const { name, shape } of specifications) {
      progress.parameter = name;
      const found = tensors.get(name);
      // The gains that an RWKV-7 model gets: with zeros its outputs stay what they are.
      const values = found && (await readParameter(file, found, { onBytes: progress.add, signal }));
      const tensor = values ? tf.tensor(values, [...shape], "float32") : tf.zeros([...shape]);
      parameters.set(name, parameterVariable(tensor));
    }
    return parameters;
  } catch (error) {
    for (const variable of parameters.values()) variable.dispose();
    throw error;
  }
}
