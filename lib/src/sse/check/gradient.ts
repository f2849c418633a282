/** The variant's gradient: tfjs's own against differences of the function, and whether it reaches every parameter. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Variable } from "@tensorflow/tfjs-core";

import { sseHeads } from "../../model/configuration.js";
import { LayerRun } from "../../model/tap.js";
import { tokenMatrix } from "../../model/tokens.js";
import { differentiate } from "../../ops/differentiate.js";
import { Random } from "../../random.js";
import { disposeGradients, lossGradients } from "../../training/gradients.js";
import type { TimeMixCoefficients } from "../context.js";
import { runSse, type SseInputs } from "../layer-context.js";
import { variantOf } from "../registry.js";
import { messageOf } from "./behaviour.js";
import type { SseCheck } from "./report.js";
import { figure, randomModel, randomTokens, type CheckSubject } from "./subject.js";

type Answer = Omit<SseCheck, "name">;

/** Steps of the differences, the largest first: the best of them is where truncation meets rounding. */
const steps = [1 / 64, 1 / 128, 1 / 256, 1 / 512, 1 / 1024];

/**
 * The share of directions in which a function may jump, or leave its tangent by half over a wide step. Measured: at most
 * 0.31 (a head of 4 channels; mostly 0) over the shipped variants, from 0.39 with `floor` in the place of a smooth function.
 */
const lost = 0.35;

/** What the variant gets, by name; the names are those of the context. */
interface Operand {
  readonly name: string;
  readonly tensor: Tensor;
  /** whether it is a parameter of the variant, which may be named as something else is */
  readonly isParameter?: true;
}

/**
 * Σ c ⊙ (z, states, added loss) with random c, differentiated by the tape and by central differences, for everything that the variant gets:
 * its parameters, x, x̂, time mixing's coefficients and the states; in the gradient's own direction, and in random ones.
 *
 * The function is in float32, so that a difference over 2h is off by its rounding / h, by its curvature · h², and where it
 * has a corner (relu) by half the corner's angle. All are measured: by the size of what is summed, by comparing with the
 * difference at twice the step, and with the slopes to either side. The step at which their sum is least is taken, and the
 * tape may differ by twice that sum and by 0.2 % of the gradient. A function that goes in steps is flat between them and
 * equals its gradient there; it shows over a wide step.
 */
export function checkGradient(subject: CheckSubject): Answer {
  const random = Random.at(subject.seed, 2);
  const operands = makeOperands(subject, random);
  try {
    return compare(subject, random, operands);
  } catch (error) {
    const measured = messageOf(error).split("\n")[0]!.slice(0, 160);
    const gone = operands.find(({ tensor }) => tensor.isDisposed);
    if (gone) {
      return {
        ...{ result: "failed", measured: `apply disposes of ${gone.name}` },
        meaning:
          "The gradient needs what apply computes with: dispose of nothing in apply, neither of what it gets nor of what it " +
          "makes; that is done for it",
      };
    }
    return {
      ...{ result: "failed", measured },
      meaning:
        "tfjs could not differentiate apply: use ops that have a gradient (topk, argMax and sorting have none: give them " +
        "ms.stopGradient(x), or weigh smoothly), and no dataSync or numbers read out of tensors",
    };
  } finally {
    tf.dispose(operands.map(({ tensor }) => tensor));
  }
}

function compare(subject: CheckSubject, random: Random, operands: readonly Operand[]): Answer {
  const tensors = operands.map(({ tensor }) => tensor);
  const weights = outputs(subject, operands, tensors).map(({ length }) =>
    Float32Array.from({ length }, () => random.uniform(-1, 1)),
  );
  const analytic = tapeGradients(subject, operands, weights);
  const failures: { name: string; off: number }[] = [];
  let [measured, blind, stepped, largest] = [0, 0, 0, 0];
  operands.forEach(({ name, tensor }, at) => {
    const gradient = analytic[at]!;
    const length = norm(gradient);
    const directions = [1, 2].map(() => unit(Float64Array.from({ length: tensor.size }, () => random.normal())));
    if (length > 0) directions.unshift(unit(Float64Array.from(gradient)));
    const off: number[] = [];
    for (const direction of directions) {
      const tape = direction.reduce((sum, x, i) => sum + x * gradient[i]!, 0);
      const { slope, uncertainty, secant } = differences(subject, operands, weights, at, direction);
      const size = Math.max(Math.abs(slope), length);
      measured++;
      if (Math.abs(secant - tape) > 0.5 * Math.max(Math.abs(secant), size, 1e-2)) stepped++;
      if (uncertainty > 0.2 * Math.max(size, 1e-2)) {
        blind++;
        continue;
      }
      const error = Math.abs(slope - tape);
      const relative = error / Math.max(Math.abs(slope), Math.abs(tape), 1e-2 * length, 1e-12);
      if (error > 2 * uncertainty + 2e-3 * size) off.push(relative);
      else largest = Math.max(largest, error / Math.max(size, 1e-12));
    }
    // One direction alone may lie along a corner of the function; a wrong gradient is wrong in most.
    if (off.length > 1) failures.push({ name, off: Math.max(...off) });
  });
  const worst = failures.sort((a, b) => b.off - a.off)[0];
  if (worst) {
    const others = failures.length > 1 ? `, and of ${failures.length - 1} more of what apply gets` : "";
    return {
      result: "failed",
      measured: `of ${worst.name}: off by ${(100 * worst.off).toFixed(1)} %${others}`,
      meaning:
        "tfjs's gradient is not that of the function: an op whose gradient is zero by definition (round, floor, sign, step, a " +
        "comparison), a tf.customGrad that is not right, or a value that was read out of a tensor and is a constant to tfjs",
    };
  }
  if (blind + stepped > lost * measured) {
    return {
      result: "failed",
      measured: `${Math.min(measured, blind + stepped)} of ${measured} directions: the function does not go where its gradient points`,
      meaning:
        "The function goes in steps (round, floor, sign, step, a comparison), whose gradient is zero, or is too steep to be followed in " +
        "float32; training would not find its way either: make it smooth",
    };
  }
  return {
    result: "passed",
    measured: `${measured} directions, off by at most ${figure(largest)}`,
    meaning: "the gradient of z and of the state equals differences of the function, in everything that apply gets",
  };
}

/** The derivative along a direction, at the step where it is least uncertain; and the slope over a wide step. */
function differences(
  subject: CheckSubject,
  operands: readonly Operand[],
  weights: readonly Float32Array[],
  at: number,
  direction: Float64Array,
): { slope: number; uncertainty: number; secant: number } {
  const { tensor } = operands[at]!;
  const held = tensor.dataSync<"float32">();
  // A step that every element sees alike, whatever their number.
  const scale = Math.sqrt(held.length);
  let size = 0;
  const value = (step: number): number => {
    const moved = tf.tensor(
      held.map((x, i) => x + step * scale * direction[i]!),
      tensor.shape,
    );
    const tensors = operands.map((operand, i) => (i === at ? moved : operand.tensor));
    let sum = 0;
    let square = 0;
    outputs(subject, operands, tensors).forEach((values, part) =>
      values.forEach((x, i) => {
        const term = x * weights[part]![i]!;
        sum += term;
        square += term * term;
      }),
    );
    size = Math.sqrt(square);
    moved.dispose();
    return sum;
  };
  const here = value(0);
  let best = { slope: 0, uncertainty: Infinity };
  const wide = 1 / 8;
  const secant = (value(wide) - value(-wide)) / (2 * wide * scale);
  let before: number | undefined;
  for (const step of steps) {
    const [above, below] = [value(step) - here, here - value(-step)];
    const slope = (above + below) / (2 * step * scale);
    // A few roundings of every term, which add like random numbers; what a larger step gives; what both sides give.
    const rounding = (4 * 2 ** -24 * size) / (step * scale);
    const sides = Math.abs(above - below) / (2 * step * scale);
    const uncertainty = rounding + sides + Math.abs(slope - (before ?? Infinity));
    if (uncertainty < best.uncertainty) best = { slope, uncertainty };
    before = slope;
  }
  return { ...best, secant };
}

/** What {@link apply} gives, as numbers. */
function outputs(subject: CheckSubject, operands: readonly Operand[], tensors: readonly Tensor[]): Float32Array[] {
  let values: Float32Array[] = [];
  tf.tidy(() => {
    values = apply(subject, operands, tensors).map((tensor) => tensor.dataSync<"float32">().slice());
  });
  return values;
}

function tapeGradients(
  subject: CheckSubject,
  operands: readonly Operand[],
  weights: readonly Float32Array[],
): Float32Array[] {
  let values: Float32Array[] = [];
  tf.tidy(() => {
    const xs = operands.map(({ tensor }) => tensor);
    const { grads } = differentiate(() => {
      const sums = apply(subject, operands, xs).map((output, i) =>
        tf.sum(tf.mul(output, tf.tensor(weights[i]!, output.shape))),
      );
      return sums.reduce((a, b) => tf.add(a, b));
    }, xs);
    values = xs.map((x, i) => grads[i]?.dataSync<"float32">().slice() ?? new Float32Array(x.size));
  });
  return values;
}

/**
 * Runs the variant on the operands' tensors, in one layer after the other, which may differ: `apply` sees the layer's number,
 * and may keep something of the layer below.
 *
 * @returns of each layer z, the states after the last token and what it adds to the loss
 */
function apply({ configuration }: CheckSubject, operands: readonly Operand[], tensors: readonly Tensor[]): Tensor[] {
  const given = operands.map(({ name, isParameter }, i) => ({ name, isParameter, tensor: tensors[i]! }));
  const by = new Map(given.flatMap(({ name, isParameter, tensor }) => (isParameter ? [] : [[name, tensor] as const])));
  const own = given.filter(({ isParameter }) => isParameter);
  const timeMix = Object.fromEntries(coefficients.map((name) => [name, by.get(`time mixing's ${name}`)]));
  const { states } = variantOf(configuration);
  const before = {
    wkv: by.get("the WKV state"),
    meta: by.get("the Meta-State"),
    ...Object.fromEntries(states.map(({ name }) => [name, by.get(`the state ${name}`)])),
  };
  const inputs = { x: by.get("x"), shifted: by.get("x̂"), before, timeMix: timeMix as unknown as TimeMixCoefficients };
  return Array.from({ length: configuration.layers }, (_, layer) => {
    const parameters = new Map(own.map(({ name, tensor }) => [`blocks.${layer}.meta.${name}`, tensor as Variable]));
    const losses: Tensor[] = [];
    const run = new LayerRun(parameters, layer, undefined, (loss) => losses.push(loss));
    const { z, after } = runSse(configuration, run, inputs as SseInputs);
    return [z, ...Object.values(after), ...losses];
  }).flat();
}

const coefficients = ["r", "w", "k", "v", "alpha", "beta"] as const;

function makeOperands({ configuration }: CheckSubject, random: Random): Operand[] {
  const { width, heads, headSize } = configuration;
  const [batch, time] = [2, 4];
  const tensor = (shape: readonly number[], make: (i: number) => number): Tensor =>
    tf.tensor(
      Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => make(i)),
      [...shape],
    );
  const uniform =
    (scale: number, centre = 0) =>
    (): number =>
      centre + random.uniform(-scale, scale);
  const perHead = [batch, time, heads, headSize];
  const states = (count: number): readonly number[] => [batch, count, headSize, headSize];
  // κ̂ has unit length, as time mixing makes it.
  const kappa = Float32Array.from({ length: batch * time * heads * headSize }, () => random.normal());
  for (let start = 0; start < kappa.length; start += headSize) {
    const length = Math.hypot(...kappa.subarray(start, start + headSize));
    for (let i = start; i < start + headSize; i++) kappa[i]! /= length;
  }
  const { parameters, metaState, states: own } = variantOf(configuration);
  return [
    ...parameters.map(({ name, shape }) => ({
      ...{ name, isParameter: true as const },
      tensor: tensor(shape(configuration), uniform(0.5, 0.5)),
    })),
    { name: "x", tensor: tensor([batch, time, width], uniform(1)) },
    { name: "x̂", tensor: tensor([batch, time, width], uniform(1)) },
    { name: "time mixing's r", tensor: tensor(perHead, uniform(1)) },
    { name: "time mixing's w", tensor: tensor(perHead, uniform(0.2, 0.8)) },
    { name: "time mixing's k", tensor: tensor(perHead, uniform(1)) },
    { name: "time mixing's v", tensor: tensor(perHead, uniform(1)) },
    { name: "time mixing's alpha", tensor: tensor(perHead, (i) => -kappa[i]!) },
    { name: "time mixing's beta", tensor: tensor(perHead, (i) => kappa[i]! * random.uniform(0.2, 0.8)) },
    { name: "the WKV state", tensor: tensor(states(heads), uniform(1)) },
    ...(metaState ? [{ name: "the Meta-State", tensor: tensor(states(sseHeads(configuration)), uniform(1)) }] : []),
    ...own.map(({ name, shape }) => ({
      name: `the state ${name}`,
      tensor: tensor([batch, ...shape(configuration)], uniform(1)),
    })),
  ];
}

/** Every parameter of the variant, in every layer, gets a gradient from the model's loss. */
export function checkReach(subject: CheckSubject): Answer {
  const model = randomModel(subject);
  try {
    const { parameters } = model.sse;
    if (parameters.length === 0) {
      return { result: "skipped", measured: "no parameters", meaning: "the variant has nothing to learn of its own" };
    }
    const [inputs, targets] = [randomTokens(subject, 2, 6), randomTokens({ ...subject, seed: subject.seed + 1 }, 2, 6)];
    const result = lossGradients(model, {
      inputs: tokenMatrix("checkSse", inputs),
      targets: tokenMatrix("checkSse", targets),
    });
    const asleep: string[] = [];
    const awake = new Set<string>();
    let count = 0;
    for (let layer = 0; layer < subject.configuration.layers; layer++) {
      for (const { name } of parameters) {
        const full = `blocks.${layer}.meta.${name}`;
        const values = result.gradients.get(full)?.dataSync();
        if (values?.some((x) => x !== 0)) awake.add(name);
        else asleep.push(full);
        count++;
      }
    }
    disposeGradients(result);
    if (asleep.length === 0) {
      return { result: "passed", measured: `${count} of ${count}`, meaning: "the loss reaches every parameter" };
    }
    const none = `none for ${asleep.slice(0, 4).join(", ")}${asleep.length > 4 ? ", …" : ""}`;
    if (awake.size === parameters.length) {
      return {
        result: "passed",
        measured: `${count - asleep.length} of ${count}, ${none}`,
        meaning:
          "the loss reaches every parameter in some layer; those without never learn, as where apply leaves a layer out",
      };
    }
    return {
      result: "failed",
      measured: none,
      meaning:
        "Such a parameter never learns: use it in apply (through tfjs ops, not read out with dataSync), or take it out of the " +
        "definition",
    };
  } catch (error) {
    const measured = messageOf(error).split("\n")[0]!.slice(0, 160);
    return { result: "failed", measured, meaning: "The model cannot be differentiated: see the gradient's line" };
  } finally {
    model.dispose();
  }
}

function norm(values: ArrayLike<number>): number {
  let square = 0;
  for (let i = 0; i < values.length; i++) square += values[i]! * values[i]!;
  return Math.sqrt(square);
}

function unit(values: Float64Array): Float64Array {
  const length = norm(values);
  return values.map((x) => x / length);
}
