/** What becomes of each parameter when a model grows from one configuration to another. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

import type { ModelConfiguration } from "../model/configuration.js";
import type { Filler } from "../model/initial-values.js";
import { parameterSpecifications, type ParameterSpecification } from "../model/parameters.js";
import { valuesOf } from "../model/state-layers.js";
import { Random } from "../random.js";
import { extend, keptPart, withSize, type AxisGrowth } from "./extend.js";
import { asAtStart, fillingAlong, zero, type Filling } from "./fillings.js";
import { keptPlaces, nameInBlock, parameterAxes, variantAxis } from "./parameter-axes.js";

/** One longer axis, and what its new part is filled with. */
export interface GrowthStep extends AxisGrowth {
  readonly filling: Filling;
}

/** What becomes of a parameter. */
export interface ParameterGrowth {
  readonly name: string;
  /** the old shape; null when the parameter is new */
  readonly before: readonly number[] | null;
  readonly after: readonly number[];
  /** axes that get longer, one after the other; none when the parameter stays, or is new */
  readonly steps: readonly GrowthStep[];
  /** of a new parameter, and of the whole where it stays as it is */
  readonly filling: Filling;
}

/** What becomes of every parameter, in checkpoint order. */
export function growthPlan(from: ModelConfiguration, to: ModelConfiguration): ParameterGrowth[] {
  const old = new Map(parameterSpecifications(from).map((specification) => [specification.name, specification.shape]));
  return parameterSpecifications(to).map((specification): ParameterGrowth => {
    const { name, shape: after } = specification;
    const before = old.get(name) ?? null;
    const steps = before ? growthSteps(specification, before, from, to) : [];
    return { name, before, after, steps, filling: newParameter(specification, from) };
  });
}

function growthSteps(
  { name, shape, fill, axes: ofVariant, grown }: ParameterSpecification,
  before: readonly number[],
  from: ModelConfiguration,
  to: ModelConfiguration,
): GrowthStep[] {
  const axes = parameterAxes(name) ?? ofVariant?.map(variantAxis);
  const options = { width: to.width, normalisesTokens: to.activation === "geluL2" };
  return shape.flatMap((size, axis): GrowthStep[] => {
    if (size === before[axis]) return [];
    const follows = axes?.[axis] ?? "fixed";
    const kept = keptPlaces(follows, before[axis]!, from, to);
    // What a variant has by itself adds nothing where it is zero.
    const own = grown === "initial" ? asAtStart(fill) : zero;
    const filling = parameterAxes(name) ? fillingAlong(name, follows, fill, options) : own;
    return [{ axis, size, kept, filling }];
  });
}

/**
 * A parameter that the old model has not: of a new layer as at the start, but for what writes to the residual stream, which is
 * zero (a new model has zeros there too, but here the outputs depend on it); else zero, so that it adds nothing.
 */
function newParameter({ name, fill }: ParameterSpecification, from: ModelConfiguration): Filling {
  const layer = Number(/^blocks\.(\d+)\./.exec(name)?.[1] ?? -1);
  const isNewLayer = layer >= from.layers;
  const writes = ["att.output.weight", "ffn.value.weight"].includes(nameInBlock(name));
  return isNewLayer && !writes ? asAtStart(fill) : zero;
}

/**
 * The random numbers of a parameter's new part. The old size takes part, so that a model that grows twice with one seed does not
 * get the same values twice: equal parameter tokens would have equal gradients, and stay equal.
 *
 * @param index the parameter's place in the plan
 */
export function growthRandom(seed: number, { before }: ParameterGrowth, index: number): Random {
  const size = (before ?? []).reduce((product, length) => product * length, 1);
  return Random.at(seed, (Math.imul(size, 0x9e3779b1) + index) >>> 0);
}

/** The shapes that a parameter goes through, from the old one to the new. */
function shapesOf({ before, steps }: ParameterGrowth): number[][] {
  const shapes = [[...before!]];
  for (const { axis, size } of steps) shapes.push(withSize(shapes.at(-1)!, axis, size));
  return shapes;
}

/**
 * Values of a grown parameter (or of something in its shape).
 *
 * @param values the old ones; ignored when the parameter is new
 * @param filler writes the new parts; what the plan says unless given
 */
function grownValues(
  growth: ParameterGrowth,
  values: Float32Array | undefined,
  random: Random,
  filler?: Filler,
): Float32Array {
  const made = (shape: readonly number[], fill: Filler): Float32Array => {
    const part = new Float32Array(shape.reduce((product, size) => product * size, 1));
    (filler ?? fill)(random, part, shape);
    return part;
  };
  if (!growth.before || !values) return made(growth.after, growth.filling.fill);
  const shapes = shapesOf(growth);
  return growth.steps.reduce((grown, step, i) => {
    const added = made(withSize(shapes[i]!, step.axis, step.size - step.kept.length), step.filling.fill);
    return extend(grown, shapes[i]!, step, added);
  }, values);
}

/**
 * A tensor in a parameter's old shape, in its new one.
 *
 * @param tensor undefined for a parameter that is new
 * @param random draws the new values that the plan says
 * @param withZeros fills with zeros instead
 */
export function grownTensor(
  growth: ParameterGrowth,
  tensor: Tensor | undefined,
  random: Random,
  withZeros = false,
): Tensor {
  if (tensor && growth.steps.length === 0) return tf.clone(tensor);
  const values = grownValues(growth, tensor && valuesOf(tensor), random, withZeros ? zero.fill : undefined);
  return tf.tensor(values, [...growth.after]);
}

/** The old values out of those of a grown parameter. */
export function valuesBefore(growth: ParameterGrowth, values: Float32Array): Float32Array {
  const shapes = shapesOf(growth);
  return growth.steps.reduceRight((grown, step, i) => keptPart(grown, shapes[i + 1]!, step), values);
}
