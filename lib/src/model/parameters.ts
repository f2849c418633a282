/**
 * A model's parameters: a flat, ordered map from name to variable, with the names and shapes of RWKV-7 checkpoints
 * (`blocks.0.att.r_k`); what the SSE adds is named beside them (`blocks.0.meta.alpha_g`).
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Variable } from "@tensorflow/tfjs-core";

import { nameTensor } from "../engine/numerics-context.js";
import { ConfigurationError } from "../errors.js";
import { Random } from "../random.js";
import type { SseAxis } from "../sse/axes.js";
import { variantOf } from "../sse/registry.js";
import { attentionWidth, sseHeads, type ModelConfiguration } from "./configuration.js";
import * as initial from "./initial-values.js";
import { parameterVariable } from "./parameter-variable.js";

/** Name, shape and initial values of one parameter. */
export interface ParameterSpecification {
  readonly name: string;
  readonly shape: readonly number[];
  /** Writes the initial values. */
  readonly fill: initial.Filler;
  /** of what the SSE and the mixture add: what each axis follows when the model grows, where it is known */
  readonly axes?: readonly SseAxis[];
  /** of what an SSE variant has by itself: what its new part is when it grows; default zero */
  readonly grown?: "zero" | "initial";
}

/** The parameters of a model, in checkpoint order. */
export type Parameters = ReadonlyMap<string, Variable>;

/** All parameters of a configuration, in checkpoint order. */
export function parameterSpecifications(configuration: ModelConfiguration): ParameterSpecification[] {
  const { vocabSize, width, layers } = configuration;
  const specifications: ParameterSpecification[] = [
    { name: "emb.weight", shape: [vocabSize, width], fill: initial.uniform(0.01) },
  ];
  for (let layer = 0; layer < layers; layer++) {
    specifications.push(...block(configuration, layer));
  }
  specifications.push(...layerNorm("ln_out", width));
  specifications.push({ name: "head.weight", shape: [vocabSize, width], fill: initial.orthogonal(0.5) });
  return specifications;
}

function block(configuration: ModelConfiguration, layer: number): ParameterSpecification[] {
  const { width, parameterTokens, mixture } = configuration;
  const { parameters, metaState } = variantOf(configuration);
  const prefix = `blocks.${layer}.`;
  return [
    ...(layer === 0 ? layerNorm(`${prefix}ln0`, width) : []),
    ...layerNorm(`${prefix}ln1`, width),
    ...layerNorm(`${prefix}ln2`, width),
    ...timeMixing(configuration, layer),
    { name: `${prefix}ffn.x_k`, shape: [1, 1, width], fill: initial.channelMix(depth(configuration, layer)) },
    { name: `${prefix}ffn.key.weight`, shape: [parameterTokens, width], fill: initial.orthogonal(1) },
    { name: `${prefix}ffn.value.weight`, shape: [width, parameterTokens], fill: initial.constant(0) },
    ...parameters.map(({ name, shape, axes, fill, grown }) => ({
      name: `${prefix}meta.${name}`,
      shape: shape(configuration),
      ...{ fill, grown },
      ...(axes && { axes }),
    })),
    // R. With zeros every group of parameter tokens weighs 1: the layer starts as without a mixture.
    ...(mixture
      ? [
          {
            name: `${prefix}meta.router.weight`,
            shape: [mixture.groups, width],
            fill: initial.constant(0),
            axes: ["groups", "width"] as const,
          },
        ]
      : []),
    ...(metaState ? learnedState(configuration, learnedStateName(layer, "meta"), sseHeads(configuration)) : []),
  ];
}

/** The name of the parameter that S or M starts with; that of S as RWKV-PEFT's state tuning names it. */
export function learnedStateName(layer: number, part: "wkv" | "meta"): string {
  return `blocks.${layer}.${part === "wkv" ? "att" : "meta"}.time_state`;
}

/** One state's parameter, where the configuration has it learned: rows are value channels, columns key channels. */
function learnedState(
  { learnedState, headSize }: ModelConfiguration,
  name: string,
  heads: number,
): ParameterSpecification[] {
  return learnedState ? [{ name, shape: [heads, headSize, headSize], fill: initial.constant(0) }] : [];
}

/** How far down a layer is: from 0 at the first to 1 at the last, and from 1 at the first to almost 0. */
function depth({ layers }: ModelConfiguration, layer: number): initial.Depth {
  return { zeroToOne: layers > 1 ? layer / (layers - 1) : 0, oneToAlmostZero: 1 - layer / layers };
}

function timeMixing(configuration: ModelConfiguration, layer: number): ParameterSpecification[] {
  const { width, heads, headSize, lowRank, layers } = configuration;
  const inner = attentionWidth(configuration);
  const place = depth(configuration, layer);
  const vector = [1, 1, inner];
  const edge = 1 / Math.sqrt(width);
  const specifications: ParameterSpecification[] = [];
  const add = (name: string, shape: readonly number[], fill: initial.Filler): void => {
    specifications.push({ name: `blocks.${layer}.att.${name}`, shape, fill });
  };
  add("x_r", [1, 1, width], initial.mix(0.2, place));
  add("x_w", [1, 1, width], initial.mix(0.9, place));
  add("x_k", [1, 1, width], initial.mix(0.7, place));
  add("x_v", [1, 1, width], initial.mix(0.7, place));
  add("x_a", [1, 1, width], initial.mix(0.9, place));
  add("x_g", [1, 1, width], initial.mix(0.2, place));
  add("w0", vector, initial.decay(headSize, place));
  add("w1", [width, lowRank.decay], initial.constant(0));
  add("w2", [lowRank.decay, inner], initial.orthogonal(0.1));
  add("a0", vector, initial.channels(headSize, { offset: -0.19, zigzag: 0.3, linear: 0.4 }));
  add("a1", [width, lowRank.rate], initial.constant(0));
  add("a2", [lowRank.rate, inner], initial.orthogonal(0.1));
  if (layer > 0) {
    // The first layer's value is what later layers mix in; it has no residual of its own.
    add("v0", vector, initial.channels(headSize, { offset: 0.73, linear: -0.4 }));
    add("v1", [width, lowRank.value], initial.constant(0));
    add("v2", [lowRank.value, inner], initial.orthogonal(0.1));
  }
  add("g1", [width, lowRank.gate], initial.constant(0));
  add("g2", [lowRank.gate, inner], initial.orthogonal(0.1));
  add("k_k", vector, initial.channels(headSize, { offset: 0.71, linear: -0.1 }));
  add("k_a", vector, initial.constant(1.02));
  add("r_k", [heads, headSize], initial.constant(-0.04));
  add("receptance.weight", [inner, width], initial.uniform(0.5 * edge));
  add("key.weight", [inner, width], initial.uniform(0.05 * edge));
  add("value.weight", [inner, width], initial.uniform(0.5 * edge));
  add("output.weight", [width, inner], initial.constant(0));
  add("ln_x.weight", [inner], initial.constant(((1 + layer) / layers) ** 0.7));
  add("ln_x.bias", [inner], initial.constant(0));
  specifications.push(...learnedState(configuration, learnedStateName(layer, "wkv"), heads));
  return specifications;
}

function layerNorm(name: string, width: number): ParameterSpecification[] {
  return [
    { name: `${name}.weight`, shape: [width], fill: initial.constant(1) },
    { name: `${name}.bias`, shape: [width], fill: initial.constant(0) },
  ];
}

/** New variables with initial values drawn by the seed. */
export function createParameters(configuration: ModelConfiguration, seed: number): Parameters {
  return createVariables(parameterSpecifications(configuration), seed);
}

/** New variables as specified, with initial values drawn by the seed. */
export function createVariables(specifications: readonly ParameterSpecification[], seed: number): Parameters {
  const random = new Random(seed);
  const parameters = new Map<string, Variable>();
  try {
    for (const { name, shape, fill } of specifications) {
      const values = emptyValues(name, shape);
      fill(random, values, shape);
      // tfjs wants variable names unique among all models, so the variable keeps a number of its own.
      parameters.set(name, parameterVariable(tf.tensor(values, [...shape], "float32")));
    }
    return parameters;
  } catch (error) {
    for (const variable of parameters.values()) variable.dispose();
    throw error;
  }
}

/** Room for a parameter's values. */
function emptyValues(name: string, shape: readonly number[]): Float32Array {
  const count = shape.reduce((product, size) => product * size, 1);
  const isShape = shape.every((size) => Number.isSafeInteger(size) && size >= 1);
  const told = `the parameter ${name} would be [${shape.join(", ")}]`;
  if (!isShape) {
    throw new ConfigurationError(`${told}, wanted integers of 1 or more: look at the function that gives its shape`);
  }
  try {
    return new Float32Array(count);
  } catch (cause) {
    const size = `${((4 * count) / 2 ** 30).toFixed(0)} GiB`;
    throw new ConfigurationError(`${told}, ${size} that cannot be had: make the model smaller`, { cause });
  }
}

/** The parameter of this name. */
export function parameter(parameters: Parameters, name: string): Tensor {
  const found = parameters.get(name);
  if (!found) throw new RangeError(`the model has no parameter "${name}": [...model.parameters.keys()] lists them`);
  nameTensor(found, "parameter", "", name);
  return found;
}
