/** Larger baselines that compute what the smaller ones do: TokenFormer's growth by parameter tokens, and layers for all. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Variable } from "@tensorflow/tfjs-core";

import { BaselineModel } from "../baselines/baseline-model.js";
import { completeBaseline, type BaselineConfiguration } from "../baselines/configuration.js";
import { unitVariance } from "../baselines/feed-forward.js";
import { baselineParameters } from "../baselines/parameters.js";
import { unitSum } from "../baselines/tokenformer.js";
import { ConfigurationError } from "../errors.js";
import type { Filler } from "../model/initial-values.js";
import { parameterVariable } from "../model/parameter-variable.js";
import { sizeOf } from "../ops/shape.js";
import { Random } from "../random.js";
import { AdamW, type Moments } from "../training/adamw.js";
import { grownGroups } from "./grow-optimizer.js";

/** What is to grow, each to its new size; what is left out stays as it is. */
export interface BaselineGrowth {
  /** the channel mixer's hidden channels or parameter tokens */
  hidden?: number;
  /** TokenFormer: parameter tokens each of queries, keys, values and output */
  attentionTokens?: number;
  /** blocks, appended with a zero output */
  layers?: number;
}

/** The channel mixers of the library that grow, and which axis of each matrix is the inner size. */
const innerAxes: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  swiglu: { "gate.weight": 0, "key.weight": 0, "value.weight": 1 },
  squaredRelu: { "key.weight": 0, "value.weight": 1 },
  rwkv4ChannelMixing: { "key.weight": 0, "value.weight": 1 },
  tokenFeedForward: { "keys.weight": 0, "values.weight": 0 },
};

/** The mixers of the library, whose output is zero at the start: a fresh layer of them adds nothing. */
const silentAtStart = new Set([...Object.keys(innerAxes), "attention", "tokenAttention", "rwkv4TimeMixing"]);

/**
 * A larger model with the same outputs, to rounding. New parameter tokens have zero keys, as TokenFormer grows (arXiv 2410.23168),
 * and random values, so that a gradient wakes the keys; their norm keeps its scale (see `tokenformer.ts`), so that the old ones
 * are called for as before. New hidden channels have random keys and zero values. New layers are as at the start of training,
 * where every mixer's output is zero.
 *
 * @param model stays as it is
 * @param settings `seed` of the random parts
 * @throws ConfigurationError when a size gets smaller, or when growth would change the outputs
 */
export function growBaseline(
  model: BaselineModel,
  growth: BaselineGrowth,
  { seed = 0 }: { seed?: number } = {},
): BaselineModel {
  const { configuration } = model;
  const grown = grownConfiguration(configuration, growth);
  const random = new Random(seed);
  const parameters = new Map<string, Variable>();
  for (const { name, shape, fill } of baselineParameters(grown)) {
    const values = new Float32Array(sizeOf(shape));
    const old = model.parameters.get(name);
    if (!old) fill(random, values, shape);
    else extend(values, shape, old, newPart(grown, name), random);
    parameters.set(name, parameterVariable(tf.tensor(values, [...shape], "float32")));
  }
  return new BaselineModel(grown, parameters);
}

/**
 * An optimiser for a grown baseline that goes on where the smaller one's is: the same settings, number of updates and moments; the
 * moments of what is new are zero.
 *
 * @param optimizer of `before`, `ms.adamW(before)`'s; stays as it is
 * @param after what `ms.growBaseline(before, …)` gave
 * @returns to be given to `ms.train(after, …, {optimizer})`, and disposed of after
 * @throws ConfigurationError when the optimiser is of another model
 */
export function growBaselineOptimizer(optimizer: AdamW, before: BaselineModel, after: BaselineModel): AdamW {
  const random = new Random(0);
  const moments = new Map<string, Moments>();
  for (const [name, { first, second }] of optimizer.moments) {
    const target = after.parameters.get(name);
    if (!target || before.parameters.get(name)?.shape.join() !== first.shape.join()) {
      for (const made of moments.values()) tf.dispose([made.first, made.second]);
      throw new ConfigurationError(
        `growBaselineOptimizer: the optimiser has moments of ${name}, which the models do not have so: ` +
          `give the model that it was made for, and the one that this grew into`,
      );
    }
    const { axis } = newPart(after.configuration, name);
    const grown = (held: Tensor): Tensor => {
      const values = new Float32Array(target.size);
      extend(values, target.shape, held, { axis, fill: 0 }, random);
      return tf.tensor(values, target.shape, "float32");
    };
    moments.set(name, { first: grown(first), second: grown(second) });
  }
  const groups = grownGroups(optimizer, before, after);
  const result = new AdamW(after.parameters, groups, optimizer.options, optimizer.frozen);
  result.restore(optimizer.steps, moments);
  return result;
}

function grownConfiguration(configuration: BaselineConfiguration, growth: BaselineGrowth): BaselineConfiguration {
  const { mixerOptions, tokenMixer, channelMixer } = configuration;
  const was: Required<BaselineGrowth> = {
    hidden: configuration.hidden,
    layers: configuration.layers,
    attentionTokens: typeof mixerOptions.attentionTokens === "number" ? mixerOptions.attentionTokens : 0,
  };
  for (const [name, value] of Object.entries(growth) as [keyof BaselineGrowth, number | undefined][]) {
    if (value === undefined) continue;
    if (!Object.hasOwn(was, name)) {
      throw new ConfigurationError(`growBaseline: ${name} cannot grow, wanted hidden, attentionTokens or layers`);
    }
    if (!Number.isSafeInteger(value) || value < was[name]) {
      throw new ConfigurationError(`growBaseline: ${name} is ${value}, wanted an integer of at least ${was[name]}`);
    }
  }
  const { hidden = was.hidden, layers = was.layers, attentionTokens } = growth;
  if (hidden > was.hidden && !innerAxes[channelMixer]) {
    throw new ConfigurationError(
      `growBaseline: how the channel mixer "${channelMixer}" keeps its outputs when hidden grows is not known: leave hidden out`,
    );
  }
  if (attentionTokens !== undefined && tokenMixer !== "tokenAttention") {
    throw new ConfigurationError(
      `growBaseline: attentionTokens are TokenFormer's, the token mixer is "${tokenMixer}": leave them out`,
    );
  }
  const loud = [tokenMixer, channelMixer].find((name) => !silentAtStart.has(name));
  if (layers > was.layers && loud !== undefined) {
    throw new ConfigurationError(
      `growBaseline: whether a fresh layer of the mixer "${loud}" adds nothing is not known: leave layers out`,
    );
  }
  return completeBaseline({
    ...configuration,
    hidden,
    layers,
    mixerOptions: { ...mixerOptions, ...(attentionTokens !== undefined && { attentionTokens }) },
  });
}

interface NewPart {
  readonly axis: number;
  readonly fill: Filler | 0;
}

/** Which axis of a parameter may be longer than before, and what the new part is. */
function newPart({ width, hidden, channelMixer, mixerOptions }: BaselineConfiguration, name: string): NewPart {
  const [, half, part = ""] = /^blocks\.\d+\.(att|ffn)\.(.*)$/.exec(name) ?? [];
  const last = part.split(".").slice(-2).join(".");
  if (last === "keys.weight") return { axis: 0, fill: 0 };
  const tokens = half === "att" ? mixerOptions.attentionTokens : hidden;
  if (last === "values.weight") return { axis: 0, fill: unitSum(tokens as number) };
  const axis = half === "ffn" ? (innerAxes[channelMixer]?.[part] ?? 0) : 0;
  return { axis, fill: part === "value.weight" ? 0 : unitVariance(width) };
}

/** Writes the old values, and the new part after them along the axis. */
function extend(
  values: Float32Array,
  shape: readonly number[],
  old: Tensor,
  { axis, fill }: NewPart,
  random: Random,
): void {
  const before = old.dataSync<"float32">();
  if (before.length === values.length) return values.set(before);
  if (fill) fill(random, values, shape);
  const inner = sizeOf(shape.slice(axis + 1));
  const [from, to] = [old.shape[axis]! * inner, shape[axis]! * inner];
  for (let row = 0; row * to < values.length; row++)
    values.set(before.subarray(row * from, (row + 1) * from), row * to);
}
