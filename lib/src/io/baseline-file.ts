/** Baselines out of files: the configuration is what the file says of itself, checked against the tensors that are there. */
import * as tf from "@tensorflow/tfjs-core";
import type { Variable } from "@tensorflow/tfjs-core";

import { BaselineModel } from "../baselines/baseline-model.js";
import { baselineTitles, completeBaseline, type BaselineConfiguration } from "../baselines/configuration.js";
import type { NormName } from "../baselines/norms.js";
import { baselineParameters } from "../baselines/parameters.js";
import { ConfigurationError, ModelFileError } from "../errors.js";
import { parameterVariable } from "../model/parameter-variable.js";
import type { ParameterSpecification } from "../model/parameters.js";
import { readParameter } from "./model-tensors.js";
import { ProgressCounter, type FileProgress } from "./progress.js";
import { message } from "./random-access.js";
import { isObject, parseObject } from "./safetensors/header.js";
import type { TensorFile } from "./tensor-file.js";

const incomplete = "The file is damaged, or was changed: ms.inspectFile(path) lists what it holds.";

/**
 * The configuration of the baseline in a file.
 *
 * @returns undefined when the file does not say that it holds one
 * @throws ModelFileError when it says so, but what it says is impossible, or its tensors are others
 */
export function baselineInFile(file: TensorFile): BaselineConfiguration | undefined {
  const declared = file.metadata.get("metastate");
  if (declared === undefined) return undefined;
  const said = parseObject(file.path, declared);
  const { configuration } = said;
  if (!isObject(configuration) || typeof configuration.kind !== "string") return undefined;
  if (!Object.hasOwn(baselineTitles, configuration.kind)) return undefined;
  if (typeof said.version === "number" && said.version > 1) {
    throw new ModelFileError(file.path, null, "was written by a newer version of metastate", "Install that version.");
  }
  return checked(file, configuration);
}

/** Nothing is made of the sizes before the tensors are seen to have them. */
function checked(file: TensorFile, said: Record<string, unknown>): BaselineConfiguration {
  const fail = (problem: string, remedy = incomplete, tensor: string | null = null, cause?: unknown): never => {
    throw new ModelFileError(file.path, tensor, problem, remedy, { cause });
  };
  const number = (name: string): number => {
    const value = said[name];
    return typeof value === "number" ? value : fail(`says no ${name}`);
  };
  const text = (name: string): string => {
    const value = said[name];
    return typeof value === "string" ? value : fail(`says no ${name}`);
  };
  const options = isObject(said.mixerOptions) ? said.mixerOptions : {};
  const plain = Object.values(options).every((value) => ["number", "string", "boolean"].includes(typeof value));
  if (!plain) fail("has mixerOptions that are no numbers, strings or booleans");
  const layers = number("layers");
  if (layers > file.tensors.size) fail(`says it has ${layers} layers, more than it has tensors`);
  let configuration: BaselineConfiguration;
  try {
    configuration = completeBaseline({
      kind: said.kind as BaselineConfiguration["kind"],
      vocabSize: number("vocabSize"),
      width: number("width"),
      layers,
      headSize: number("headSize"),
      hidden: number("hidden"),
      norm: text("norm") as NormName,
      embeddingNorm: said.embeddingNorm === true,
      embeddingScale: number("embeddingScale"),
      tokenMixer: text("tokenMixer"),
      channelMixer: text("channelMixer"),
      mixerOptions: options as Record<string, number | string | boolean>,
    });
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    const remedy = "If it has a mixer of your own, define that first; else the file was changed.";
    return fail(`describes a model that cannot be made: ${message(error)}`, remedy, null, error);
  }
  const specifications = baselineParameters(configuration);
  for (const { name, shape } of specifications) {
    const found = file.tensors.get(name);
    if (!found) return fail("is missing", incomplete, name);
    const fits = found.shape.length === shape.length && found.shape.every((size, axis) => size === shape[axis]);
    if (!fits) fail(`is [${found.shape.join(", ")}], wanted [${shape.join(", ")}]`, incomplete, name);
  }
  if (file.tensors.size > specifications.length) {
    const known = new Set(specifications.map(({ name }) => name));
    const other = [...file.tensors.keys()].find((name) => !known.has(name))!;
    fail(`is no parameter of this ${baselineTitles[configuration.kind]}`, incomplete, other);
  }
  return configuration;
}

/** The baseline of an open file, which stays open. */
export async function readBaseline(
  file: TensorFile,
  configuration: BaselineConfiguration,
  { onProgress, signal }: { onProgress?: (progress: FileProgress) => void; signal?: AbortSignal },
): Promise<BaselineModel> {
  const specifications: readonly ParameterSpecification[] = baselineParameters(configuration);
  const tensorOf = (name: string) => file.tensors.get(name)!;
  const total = specifications.reduce((sum, { name }) => sum + tensorOf(name).byteLength, 0);
  const progress = new ProgressCounter(total, onProgress);
  const parameters = new Map<string, Variable>();
  try {
    for (const { name, shape } of specifications) {
      progress.parameter = name;
      const tensor = tensorOf(name);
      const values = await readParameter(file, { tensor, shape, transposed: false }, { onBytes: progress.add, signal });
      parameters.set(name, parameterVariable(tf.tensor(values, [...shape], "float32")));
    }
    return new BaselineModel(configuration, parameters);
  } catch (error) {
    for (const variable of parameters.values()) variable.dispose();
    throw error;
  }
}
