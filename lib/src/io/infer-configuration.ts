/**
 * The configuration of a model in a file: sizes from the shapes of its tensors, which cannot lie about what there is to
 * load; the rest from what the file says of itself, and from the caller.
 */
import { ConfigurationError, ModelFileError } from "../errors.js";
import {
  completeConfiguration,
  type LowRank,
  type ModelConfiguration,
  type ModelOptions,
} from "../model/configuration.js";
import { learnedStateName, parameterSpecifications } from "../model/parameters.js";
import { expectNeutral } from "../sse/neutral.js";
import { hasSse, isShipped, sseVariant, sseVariants } from "../sse/registry.js";
import type { SseVariant } from "../sse/variant.js";
import { unknownTensor, type ModelTensor } from "./model-tensors.js";
import { savedVariant, type SavedVariant } from "./saved-variant.js";
import { isObject, parseObject } from "./safetensors/header.js";
import { message, show } from "./random-access.js";

/** What a caller may say of a file. */
export interface SseChoice {
  /** the SSE variant; by default the file's, for an RWKV-7 `none` */
  sse?: string | undefined;
  /** the portion of heads that carry it; by default the file's, or 1 */
  rho?: number | undefined;
}

/** A configuration, and whether the gains of its SSE are to be zero because the file has none. */
export interface InferredConfiguration {
  readonly configuration: ModelConfiguration;
  readonly zeroGains: boolean;
  /** how the file says that its SSE variant was defined, where that is none of the library's */
  readonly variant: SavedVariant | undefined;
}

const incomplete = "The file is damaged, or of another kind of model: ms.inspectFile(path) lists what it holds.";

/** Of the first layer in files of RWKV-LM; it has no value residual, and nothing reads them. */
const unused = new Set(["blocks.0.att.v0", "blocks.0.att.v1", "blocks.0.att.v2"]);

/**
 * Finds the configuration and checks that the file has each of its parameters, in the right shape, and no others.
 *
 * @param declared our configuration where the file has it: JSON, as text or parsed
 * @throws ModelFileError naming the tensor that does not fit
 * @throws ConfigurationError when the caller's choice does not fit the file
 */
export function inferConfiguration(
  path: string,
  tensors: ReadonlyMap<string, ModelTensor>,
  declared: unknown,
  choice: SseChoice = {},
): InferredConfiguration {
  const about = parseDeclared(path, declared);
  const said: Partial<Record<string, unknown>> = isObject(about.configuration) ? about.configuration : about;
  const variant = savedVariant(about);
  const sizes = inferSizes(path, tensors, said);
  for (const name of ["vocabSize", "width", "layers", "heads", "headSize", "parameterTokens"] as const) {
    if (said[name] !== undefined && said[name] !== sizes[name]) {
      throw new ModelFileError(
        path,
        null,
        `says its ${name} is ${show(said[name])}, but its tensors have ${sizes[name]}`,
        "Its tensors and its configuration are of different models: copy both again.",
      );
    }
  }
  const sse = chooseSse(path, tensors, sizes, said, choice, variant);
  let configuration: ModelConfiguration;
  try {
    const mixture = inferMixture(path, tensors, said);
    configuration = completeConfiguration({ ...said, ...sizes, ...mixture, sse: sse.name, rho: sse.rho });
  } catch (error) {
    if (!(error instanceof ConfigurationError) || choice.rho !== undefined) throw error;
    throw new ModelFileError(path, null, `describes an impossible model: ${message(error)}`, incomplete, {
      cause: error,
    });
  }
  checkTensors(path, tensors, configuration, sse.zeroGains);
  return { configuration, zeroGains: sse.zeroGains, variant };
}

type Sizes = Required<
  Pick<
    ModelOptions,
    "vocabSize" | "width" | "layers" | "heads" | "headSize" | "parameterTokens" | "lowRank" | "learnedState"
  >
>;

/** What a file says of its model, parsed where it is text. */
export function parseDeclared(path: string, declared: unknown): Record<string, unknown> {
  const said = typeof declared === "string" ? parseObject(path, declared) : isObject(declared) ? declared : {};
  if (typeof said.version === "number" && said.version > 1) {
    throw new ModelFileError(path, null, "was written by a newer version of metastate", "Install that version.");
  }
  return said;
}

function inferSizes(path: string, tensors: ReadonlyMap<string, ModelTensor>, said: Partial<ModelOptions>): Sizes {
  const matrix = (name: string): [number, number] => {
    const found = tensors.get(name);
    if (!found) throw new ModelFileError(path, name, "is missing", incomplete);
    const { shape, tensor } = found;
    if (shape.length === 2) return [shape[0]!, shape[1]!];
    throw new ModelFileError(path, tensor.name, `is [${shape.join(", ")}], wanted a matrix`, incomplete);
  };
  let layers = 0;
  while (tensors.has(`blocks.${layers}.ln1.weight`)) layers++;
  const [vocabSize, width] = matrix("emb.weight");
  const [heads, headSize] = matrix("blocks.0.att.r_k");
  // With one layer there is no value residual; RWKV-LM keeps an unused one in the first layer.
  const value = layers > 1 ? "blocks.1.att.v1" : "blocks.0.att.v1";
  // Without such a tensor the file's word is taken, within reason: saving makes a tensor of this size.
  const rank = said.lowRank?.value;
  const lowRank: Partial<LowRank> = {
    decay: matrix("blocks.0.att.w1")[1],
    rate: matrix("blocks.0.att.a1")[1],
    gate: matrix("blocks.0.att.g1")[1],
    ...(tensors.has(value)
      ? { value: matrix(value)[1] }
      : Number.isSafeInteger(rank) && rank! <= width && { value: rank! }),
  };
  const parameterTokens = matrix("blocks.0.ffn.key.weight")[0];
  const learnedState = tensors.has(learnedStateName(0, "wkv"));
  return { vocabSize, width, layers, heads, headSize, parameterTokens, lowRank, learnedState };
}

const router = "router.weight";

/** The mixture: its groups are the router's rows; without a word of the file on it, all of them count. */
function inferMixture(
  path: string,
  tensors: ReadonlyMap<string, ModelTensor>,
  { mixture }: Partial<ModelOptions>,
): Pick<ModelOptions, "mixture"> {
  const name = `blocks.0.meta.${router}`;
  const groups = tensors.get(name)?.shape[0];
  const saidGroups: unknown = isObject(mixture) ? mixture.groups : undefined;
  if (saidGroups !== undefined && groups === undefined) {
    throw new ModelFileError(path, name, "is missing", incomplete);
  }
  if (groups === undefined) return { mixture: null };
  if (saidGroups !== undefined && saidGroups !== groups) {
    throw new ModelFileError(path, name, `has ${groups} groups, but the file says ${show(saidGroups)}`, incomplete);
  }
  return { mixture: { ...mixture, groups } };
}

/** The SSE variant: of the file, or of the caller where the file is an RWKV-7. */
function chooseSse(
  path: string,
  tensors: ReadonlyMap<string, ModelTensor>,
  { heads, headSize }: Sizes,
  said: Partial<ModelOptions>,
  { sse: asked, rho }: SseChoice,
  saved: SavedVariant | undefined,
): { name: string; rho: number; zeroGains: boolean } {
  const prefix = "blocks.0.meta.";
  const gains = [...tensors.keys()]
    .filter((name) => name.startsWith(prefix) && name !== learnedStateName(0, "meta"))
    .map((name) => name.slice(prefix.length))
    .filter((name) => name !== router);
  if (gains.length === 0 && (said.sse === undefined || said.sse === "none")) {
    const name = asked ?? "none";
    expectNeutral(`${path} with sse "${name}"`, sseVariant(name));
    return { name, rho: rho ?? 1, zeroGains: name !== "none" };
  }
  const inFile = typeof said.sse === "string" ? said.sse : guessSse(path, gains, asked);
  if (!hasSse(inFile)) {
    throw new ModelFileError(
      path,
      null,
      `holds a model with the SSE variant ${show(inFile)}, which is not defined here`,
      `Define it first, ms.defineSse({name: ${show(inFile)}, …}) with the parameters ` +
        `${gains.slice(0, 8).join(", ") || "it had"}, then load the model again.` +
        (saved ? ` ms.inspectFile(${JSON.stringify(path)}) shows its code as it was saved.` : ""),
    );
  }
  if (asked !== undefined && asked !== inFile) {
    throw new ConfigurationError(
      `${path} holds a model with sse "${inFile}", which is not "${asked}": leave the option sse out (only an RWKV-7 ` +
        `can become another variant without a change of its outputs)`,
    );
  }
  // A parameter that has a value for each channel of the heads tells how many heads those are.
  const perChannel = sseVariant(inFile).parameters.find(({ axes }) => axes?.join() === "headChannels");
  const vector = perChannel && tensors.get(prefix + perChannel.name);
  const carried = (vector?.shape.reduce((product, size) => product * size, 1) ?? 0) / headSize;
  const inferred = carried >= 1 && carried <= heads ? carried / heads : 1;
  const portion = typeof said.rho === "number" ? said.rho : inferred;
  if (rho !== undefined && Math.round(rho * heads) !== Math.round(portion * heads)) {
    throw new ConfigurationError(`${path} holds a model with rho ${portion}, not ${rho}: leave the option rho out`);
  }
  return { name: inFile, rho: portion, zeroGains: false };
}

/** The one variant that has these gains, when the file does not say. */
function guessSse(path: string, gains: readonly string[], asked: string | undefined): string {
  const has = ({ parameters }: SseVariant): boolean =>
    parameters.length === gains.length && parameters.every(({ name }) => gains.includes(name));
  const fitting = sseVariants().filter(has);
  const chosen = fitting.find(({ name }) => name === asked) ?? (fitting.length === 1 ? fitting[0] : undefined);
  if (chosen) return chosen.name;
  const names = fitting.map(({ name }) => `"${name}"`).join(" or ");
  throw new ModelFileError(
    path,
    null,
    `holds a Meta-State model with the gains ${gains.slice(0, 8).join(", ")}, but not the name of its SSE variant`,
    names ? `Say which: loadModel(path, {sse: …}) with ${names}.` : "Define its variant first, then load it.",
  );
}

function checkTensors(
  path: string,
  tensors: ReadonlyMap<string, ModelTensor>,
  configuration: ModelConfiguration,
  zeroGains: boolean,
): void {
  const known = new Set<string>();
  const own = !isShipped(configuration.sse);
  const isOfOwnVariant = (name: string): boolean => own && name.includes(".meta.");
  const redefined =
    `The SSE variant "${configuration.sse}" is defined with other parameters than when the model was saved: ` +
    `define it as it was, then load the model again.`;
  for (const { name, shape } of parameterSpecifications(configuration)) {
    known.add(name);
    const found = tensors.get(name);
    if (!found) {
      if (zeroGains && name.includes(".meta.")) continue;
      throw new ModelFileError(path, name, "is missing", isOfOwnVariant(name) ? redefined : incomplete);
    }
    if (!sameUpToOnes(found.shape, shape)) {
      const problem = `is [${found.shape.join(", ")}] as "${name}", wanted [${shape.join(", ")}]`;
      throw new ModelFileError(path, found.tensor.name, problem, isOfOwnVariant(name) ? redefined : incomplete);
    }
  }
  for (const [name, { tensor }] of tensors) {
    if (known.has(name) || unused.has(name)) continue;
    if (!isOfOwnVariant(name)) throw unknownTensor(path, tensor.name);
    const problem = `is no parameter of the SSE variant "${configuration.sse}" as it is defined now`;
    throw new ModelFileError(path, tensor.name, problem, redefined);
  }
}

function sameUpToOnes(a: readonly number[], b: readonly number[]): boolean {
  const [left, right] = [a, b].map((shape) => shape.filter((size) => size !== 1)) as [number[], number[]];
  return left.length === right.length && left.every((size, i) => size === right[i]);
}
