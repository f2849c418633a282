/** The one entrance to all baselines: a kind, sizes or a parameter count, a seed. */
import { expectOptions, type OptionNames } from "../arguments.js";
import { ConfigurationError } from "../errors.js";
import { completeConfiguration, modelOptionNames, type ModelOptions } from "../model/configuration.js";
import { Model } from "../model/model.js";
import { createParameters, createVariables, parameterSpecifications } from "../model/parameters.js";
import { BaselineModel } from "./baseline-model.js";
import {
  baselineTitles,
  completeBaseline,
  type BaselineConfiguration,
  type BaselineKind,
  type BaselineSizes,
} from "./configuration.js";
import { fitSizes, type FreeSizes } from "./fit-sizes.js";
import type { MixerOptions } from "./mixer-options.js";
import type { NormName } from "./norms.js";
import { baselineParameters, countParameters } from "./parameters.js";

/** The sizes that every baseline has. */
export interface BaselineSizeOptions {
  /** V: tokens are 0 … V − 1 */
  vocabSize: number;
  /** number of blocks */
  layers: number;
  /** C: size of the residual stream. Give it, or `parameterCount`, which then chooses it, or both */
  width?: number;
  /**
   * the number of parameters wanted: what is not given of `width` and the channel mixer's inner size is chosen so that the model
   * comes nearest, the inner size near its usual multiple of the width
   */
  parameterCount?: number;
  /** N: channels a head. Default: by width, the largest of 64, 32, 16, 8, 4, 2 that makes two heads or more */
  headSize?: number;
}

/** A Transformer: causal attention with rotary positions, and two-layer channel mixing, pre-norm. */
export interface TransformerOptions extends BaselineSizeOptions {
  kind: "transformer";
  /** hidden channels of channel mixing; default 8/3 × width with `swiglu`, 4 × width with `squaredRelu` */
  hidden?: number;
  /** default `swiglu` */
  activation?: "swiglu" | "squaredRelu";
  /** default `rms` */
  norm?: NormName;
  /** of the rotary positions; default 10,000 */
  ropeBase?: number;
  /** the most tokens a row may see, an error beyond; default none */
  maximumContext?: number;
}

/** TokenFormer (arXiv 2410.23168): a Transformer whose matrices are parameter tokens that tokens attend to. */
export interface TokenformerOptions extends BaselineSizeOptions {
  kind: "tokenformer";
  /** parameter tokens of channel mixing; default 4 × width */
  hidden?: number;
  /** parameter tokens each of queries, keys, values and output; default width */
  attentionTokens?: number;
  /** default `plain`, as published: a layer norm without parameters */
  norm?: NormName;
  /** of the rotary positions; default 10,000 */
  ropeBase?: number;
  /** the most tokens a row may see, an error beyond; default none */
  maximumContext?: number;
}

/** RWKV-4 (arXiv 2305.13048), with the names and initial values of its published training code. */
export interface Rwkv4Options extends Omit<BaselineSizeOptions, "headSize"> {
  kind: "rwkv4";
  /** hidden channels of channel mixing; default 4 × width */
  hidden?: number;
}

/** A combination of mixers, one's own among them. */
export interface MixersOptions extends BaselineSizeOptions {
  kind: "mixers";
  /** name of a token mixer: `ms.baselines.tokenMixers()` lists them */
  tokenMixer: string;
  /** name of a channel mixer: `ms.baselines.channelMixers()` lists them; default `swiglu` */
  channelMixer?: string;
  /** the channel mixer's inner size; default 8/3 × width with `swiglu`, else 4 × width */
  hidden?: number;
  /** default `rms` */
  norm?: NormName;
  /** whether the embedding is normalised before the first block; default no */
  embeddingNorm?: boolean;
  /** options of the mixers' own; default theirs */
  options?: MixerOptions;
}

/** RWKV-7 or Meta-State, as `ms.createModel` makes them, by parameter count too (`parameterTokens` is the inner size). */
export interface RecurrentOptions extends Omit<ModelOptions, "width">, BaselineSizeOptions {
  kind: "rwkv7" | "meta-state";
}

/** What {@link createBaseline} can make. */
export type BaselineOptions = TransformerOptions | Rwkv4Options | TokenformerOptions | MixersOptions | RecurrentOptions;

const sizeNames: OptionNames<BaselineSizeOptions> = {
  ...{ vocabSize: true, layers: true, width: true, parameterCount: true, headSize: true },
};

const recurrentNames: OptionNames<RecurrentOptions> = { ...sizeNames, ...modelOptionNames, kind: true };

/** What each kind may be told. */
const optionNames: { readonly [K in BaselineOptions["kind"]]: OptionNames<Extract<BaselineOptions, { kind: K }>> } = {
  transformer: {
    ...{ ...sizeNames, kind: true, hidden: true, activation: true, norm: true, ropeBase: true, maximumContext: true },
  },
  tokenformer: {
    ...{ ...sizeNames, kind: true, hidden: true, attentionTokens: true, norm: true },
    ...{ ropeBase: true, maximumContext: true },
  },
  rwkv4: { ...sizeNames, kind: true, hidden: true },
  mixers: {
    ...{ ...sizeNames, kind: true, tokenMixer: true, channelMixer: true, hidden: true, norm: true },
    ...{ embeddingNorm: true, options: true },
  },
  rwkv7: recurrentNames,
  "meta-state": recurrentNames,
};

/** The model that options make. */
export type BaselineOf<O extends BaselineOptions> = O extends RecurrentOptions ? Model : BaselineModel;

/**
 * A model to compare with, with fresh parameters; also RWKV-7 and Meta-State themselves, so that all can have the same number
 * of parameters.
 *
 * @param options the kind, its sizes or its `parameterCount`, and what the kind adds
 * @param settings `seed`: the same seed gives the same parameters on every machine
 * @throws ConfigurationError naming what does not fit; when no sizes come within 3 % of `parameterCount`
 */
export function createBaseline<O extends BaselineOptions>(options: O, settings: { seed?: number } = {}): BaselineOf<O> {
  // Of a kind that there is not, the error is that there is no such kind.
  const known = Object.hasOwn(optionNames, options.kind) ? optionNames[options.kind] : undefined;
  if (known) expectOptions<BaselineOptions>("createBaseline", options, known as OptionNames<BaselineOptions>);
  expectOptions("createBaseline's second argument", settings, { seed: true });
  const { seed = 0 } = settings;
  const made = isRecurrent(options) ? createRecurrent(options, seed) : createOfMixers(options, seed);
  return made as BaselineOf<O>;
}

function isRecurrent(options: BaselineOptions): options is RecurrentOptions {
  return options.kind === "rwkv7" || options.kind === "meta-state";
}

function createRecurrent({ kind, parameterCount, ...given }: RecurrentOptions, seed: number): Model {
  if (kind === "rwkv7" && given.sse !== undefined && given.sse !== "none") {
    throw new ConfigurationError(`createBaseline: an RWKV-7 has the sse "none", not "${given.sse}": leave it out`);
  }
  const rest = kind === "rwkv7" ? { ...given, sse: "none" } : given;
  const headSize = headSizeOf({ ...given, parameterCount });
  const { width, hidden } = chooseSizes({
    parameterCount,
    width: given.width,
    hidden: given.parameterTokens,
    ratio: 4,
    step: headSize,
    count: (sizes) => countParameters(parameterSpecifications(recurrent(rest, headSize, sizes))),
  });
  const configuration = recurrent(rest, headSize, { width, hidden });
  return new Model(configuration, createParameters(configuration, seed));
}

function recurrent(given: Omit<ModelOptions, "width">, headSize: number, { width, hidden }: FreeSizes) {
  return completeConfiguration({ ...given, headSize, width, parameterTokens: hidden });
}

function createOfMixers(options: Exclude<BaselineOptions, RecurrentOptions>, seed: number): BaselineModel {
  const configuration = baselineConfiguration(options);
  return new BaselineModel(configuration, createVariables(baselineParameters(configuration), seed));
}

/** The complete configuration that options stand for. */
function baselineConfiguration(options: Exclude<BaselineOptions, RecurrentOptions>): BaselineConfiguration {
  const { ratio, step, headSize, ...parts } = recipe(options);
  const { vocabSize, layers, parameterCount } = options;
  const complete = ({ width, hidden }: FreeSizes): BaselineConfiguration =>
    completeBaseline({ kind: options.kind, vocabSize, layers, width, hidden, headSize, ...parts });
  const sizes = chooseSizes({
    parameterCount,
    width: options.width,
    hidden: options.hidden,
    ratio,
    step,
    count: (some) => countParameters(baselineParameters(complete(some))),
  });
  return complete(sizes);
}

/** What a kind is made of, and how its sizes are chosen. */
interface Recipe extends Omit<BaselineSizes, keyof BaselineSizeOptions | "kind" | "hidden"> {
  readonly headSize: number;
  /** the usual hidden / width */
  readonly ratio: number;
  /** widths are multiples of it */
  readonly step: number;
}

/** The embedding of models without a norm after it; small, so that what blocks add soon counts (0.02 and 0.5 learned slower). */
const plainEmbedding = { embeddingNorm: false, embeddingScale: 0.05 };

function recipe(options: Exclude<BaselineOptions, RecurrentOptions>): Recipe {
  const headSize = headSizeOf(options);
  switch (options.kind) {
    case "rwkv4":
      return {
        tokenMixer: "rwkv4TimeMixing",
        channelMixer: "rwkv4ChannelMixing",
        norm: "layer",
        embeddingNorm: true,
        // Published as ± the learning rate; ln0 undoes the size, so that only the first steps' directions depend on it.
        embeddingScale: 0.01,
        mixerOptions: {},
        headSize: 1,
        step: 8,
        ratio: 4,
      };
    case "transformer": {
      const { activation = "swiglu", norm = "rms", ropeBase, maximumContext } = options;
      return {
        tokenMixer: "attention",
        channelMixer: activation,
        norm,
        ...plainEmbedding,
        mixerOptions: { ropeBase, maximumContext },
        headSize,
        step: headSize,
        ratio: usualRatio(activation),
      };
    }
    case "tokenformer": {
      const { norm = "plain", attentionTokens, ropeBase, maximumContext } = options;
      return {
        tokenMixer: "tokenAttention",
        channelMixer: "tokenFeedForward",
        norm,
        ...plainEmbedding,
        mixerOptions: { attentionTokens, ropeBase, maximumContext },
        headSize,
        step: headSize,
        ratio: 4,
      };
    }
    case "mixers": {
      const { tokenMixer, channelMixer = "swiglu", norm = "rms", embeddingNorm = false, options: own = {} } = options;
      return {
        tokenMixer,
        channelMixer,
        norm,
        ...plainEmbedding,
        embeddingNorm,
        mixerOptions: own,
        headSize,
        step: headSize,
        ratio: usualRatio(channelMixer),
      };
    }
    default: {
      const { kind } = options as { kind: unknown };
      const kinds = [...(Object.keys(baselineTitles) as BaselineKind[]), "rwkv7", "meta-state"].join(", ");
      throw new ConfigurationError(`createBaseline: kind is ${JSON.stringify(kind)}, wanted one of ${kinds}`);
    }
  }
}

/** A gated unit has three matrices where others have two: two thirds as wide, it has as many parameters. */
function usualRatio(channelMixer: string): number {
  return channelMixer === "swiglu" ? 8 / 3 : 4;
}

/** As wide as asked for, or what comes nearest to a parameter count. */
function chooseSizes(
  search: Omit<Parameters<typeof fitSizes>[0], "parameterCount"> & { parameterCount?: number | undefined },
): FreeSizes {
  const { parameterCount, width, hidden, ratio } = search;
  if (parameterCount !== undefined) return fitSizes({ ...search, parameterCount });
  if (width === undefined) {
    throw new ConfigurationError(
      "createBaseline: neither width nor parameterCount is given: give one of them, or both",
    );
  }
  return { width, hidden: hidden ?? Math.round(ratio * width) };
}

/** Heads of 64 channels as published; smaller ones in models for which that would be a single head. */
function headSizeOf({
  headSize,
  width,
  parameterCount = 0,
}: Pick<BaselineSizeOptions, "headSize" | "width"> & { parameterCount?: number | undefined }): number {
  if (headSize !== undefined) return headSize;
  if (width === undefined) return parameterCount >= 10_000_000 ? 64 : parameterCount >= 100_000 ? 32 : 16;
  return [64, 32, 16, 8, 4].find((size) => width % size === 0 && width >= 2 * size) ?? 2;
}
