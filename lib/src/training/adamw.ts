/** AdamW over a model's parameters, in the groups that RWKV-7 is trained with. */
import * as tf from "@tensorflow/tfjs-core";
import type { Scalar, Tensor } from "@tensorflow/tfjs-core";

import { jupyterDisplay, tableForms, type MimeBundle } from "../display.js";
import { ConfigurationError } from "../errors.js";
import type { LanguageModel } from "../model/language-model.js";
import { parameter, type Parameters } from "../model/parameters.js";
import { adamWAll, type AdamWUpdate } from "../ops/adamw/adamw-all.js";
import { padTo } from "../ops/pad-to.js";
import { expectShape } from "../ops/shape.js";
import { ParameterMemory } from "./parameter-memory.js";
import { trainedParts, type Trainable } from "./trainable.js";

/** Parameters that share a learning-rate factor and a weight decay. */
export interface ParameterGroup {
  readonly name: string;
  readonly parameters: readonly string[];
  readonly learningRateFactor: number;
  readonly weightDecay: number;
}

/** AdamW's constants; the schedule gives the learning rate. */
export interface AdamWOptions {
  readonly betas: readonly [number, number];
  /** added to the root of the second moment */
  readonly epsilon: number;
  /** gradients are scaled down to this global norm */
  readonly clip: number;
}

/**
 * The published groups: matrices named `*.weight` decay; the decay's base `att.w0` (RWKV-4: `att.time_decay`) learns at twice the rate; all the rest
 * (vectors, norms, low-rank parts) neither.
 */
export function parameterGroups(parameters: Parameters, weightDecay: number): ParameterGroup[] {
  const groups = { matrices: [] as string[], decayBases: [] as string[], others: [] as string[] };
  for (const [name, { shape }] of parameters) {
    const isMatrix = name.endsWith(".weight") && shape.length === 2;
    (/att\.(w0|time_decay)$/.test(name) ? groups.decayBases : isMatrix ? groups.matrices : groups.others).push(name);
  }
  return [
    { name: "matrices", parameters: groups.matrices, learningRateFactor: 1, weightDecay },
    { name: "decay bases", parameters: groups.decayBases, learningRateFactor: 2, weightDecay: 0 },
    { name: "others", parameters: groups.others, learningRateFactor: 1, weightDecay: 0 },
  ];
}

/** What an optimiser remembers of a parameter, both in the parameter's shape. */
export interface Moments {
  /** the running mean of its gradients */
  readonly first: Tensor;
  /** the running mean of their squares */
  readonly second: Tensor;
}

/**
 * The optimiser: how often it has updated, and two moments a parameter. `ms.train` makes one, unless it is given one to go
 * on with.
 */
export class AdamW extends ParameterMemory<Moments> {
  private count = 0;
  private readonly ofTrained = new Map<string, Tensor>();

  /**
   * @param parameters the model's
   * @param groups which of them are updated, and how; the moments start at zero
   * @param frozen of parameters that are updated in part, the sizes of what stays as it is: the values whose place along each
   *   axis is below these
   */
  constructor(
    parameters: Parameters,
    readonly groups: readonly ParameterGroup[],
    readonly options: AdamWOptions,
    readonly frozen: ReadonlyMap<string, readonly number[]> = new Map(),
  ) {
    super(parameters);
    for (const name of groups.flatMap(({ parameters: names }) => names)) {
      const held = parameter(parameters, name);
      // Not tf.zeros, which makes them in JavaScript's memory and copies them into the engine's.
      this.held.set(name, { first: tf.keep(tf.zerosLike(held)), second: tf.keep(tf.zerosLike(held)) });
    }
    for (const [name, sizes] of frozen) this.ofTrained.set(name, trainedMask(parameter(parameters, name).shape, sizes));
  }

  /** How many updates there were. */
  get steps(): number {
    return this.count;
  }

  /** By parameter name. They change with every update; `tf.clone` what you keep. */
  get moments(): ReadonlyMap<string, Moments> {
    return this.held;
  }

  /** Of parameters that are updated in part: `bool` tensors of their shapes, 1 where values are updated. */
  get masks(): ReadonlyMap<string, Tensor> {
    return this.ofTrained;
  }

  /** Frees the tensors; it cannot be used afterwards. */
  override dispose(): void {
    super.dispose();
    tf.dispose([...this.ofTrained.values()]);
    this.ofTrained.clear();
  }

  /**
   * One step. Assigns new values to the variables.
   *
   * @param gradients by parameter name; a parameter without one keeps its value. Zero where values are frozen
   * @param norm the global norm of all gradients
   */
  update(gradients: ReadonlyMap<string, Tensor>, norm: Scalar, learningRate: number): void {
    this.count++;
    const [beta1, beta2] = this.options.betas;
    const { epsilon, clip } = this.options;
    const names: string[] = [];
    const updates: AdamWUpdate[] = [];
    // A handle of its own keeps an engine from writing the new value where the old one lies.
    const before = new Map([...this.ofTrained.keys()].map((name) => [name, tf.clone(this.parameters.get(name)!)]));
    for (const { parameters, learningRateFactor, weightDecay } of this.groups) {
      for (const name of parameters) {
        const gradient = gradients.get(name);
        if (!gradient) continue;
        const { first: moment1, second: moment2 } = this.held.get(name)!;
        const parameter = this.parameters.get(name)!;
        names.push(name);
        updates.push({
          ...{ parameter, gradient, moment1, moment2 },
          learningRate: learningRate * learningRateFactor,
          weightDecay,
        });
      }
    }
    let i = 0;
    adamWAll(updates, norm, { beta1, beta2, epsilon, step: this.count, clip }, (update, value, first, second) => {
      const name = names[i++]!;
      const mask = this.ofTrained.get(name);
      const next = mask ? tf.where(mask, value, before.get(name)!) : value;
      this.parameters.get(name)!.assign(next);
      tf.dispose([next, value, update.moment1, update.moment2]);
      // Kept: a caller's tf.tidy around an update must not free them.
      this.held.set(name, { first: tf.keep(first), second: tf.keep(second) });
    });
    tf.dispose([...before.values()]);
  }

  /**
   * Goes on from another optimiser's memory: a checkpoint's, or that of a smaller model, grown.
   *
   * @param steps how often it had updated
   * @param moments by parameter name, for the parameters that have some; the others' become zero. The optimiser owns the
   *   tensors from here on
   * @throws ShapeError when one has not its parameter's shape; RangeError when it is of no parameter that is updated
   */
  restore(steps: number, moments: ReadonlyMap<string, Moments>): void {
    for (const [name, { first, second }] of moments) {
      const held = this.held.get(name);
      if (!held) throw new RangeError(`AdamW.restore: the optimiser does not update a parameter "${name}"`);
      expectShape("AdamW.restore", `${name}'s first moment`, first, held.first.shape);
      expectShape("AdamW.restore", `${name}'s second moment`, second, held.first.shape);
    }
    this.count = steps;
    for (const [name, before] of this.held) {
      const after = moments.get(name) ?? { first: tf.zerosLike(before.first), second: tf.zerosLike(before.second) };
      this.held.set(name, { first: tf.keep(after.first), second: tf.keep(after.second) });
      tf.dispose([before.first, before.second]);
    }
  }

  [jupyterDisplay](): MimeBundle {
    const { betas, epsilon, clip } = this.options;
    const rows = [
      ["AdamW", `${this.count.toLocaleString("en")} updates${this.isDisposed ? ", disposed of" : ""}`],
      ...this.groups
        .filter(({ parameters }) => parameters.length > 0)
        .map(({ name, parameters, learningRateFactor, weightDecay }) => [
          name,
          `${parameters.length} parameters, learning rate × ${learningRateFactor}, weight decay ${weightDecay}`,
        ]),
      ["betas", betas.join(", ")],
      ["epsilon", `${epsilon}`],
      ["clip", `gradients of a global norm above ${clip}`],
      ...(this.frozen.size > 0 ? [["frozen", `a part of ${this.frozen.size} parameters`]] : []),
    ];
    return tableForms(rows);
  }
}

/** AdamW's constants as a caller gives them. */
export interface OptimizerOptions {
  /** decoupled decay of the matrices; default 0.1 */
  weightDecay?: number;
  /** default (0.9, 0.99) */
  betas?: readonly [number, number];
  /** added to the root of the second moment, positive; default 1e−10: float32 holds squares of gradients down to 1e−38 */
  epsilon?: number;
  /** gradients are scaled down to this global norm; default 1 */
  clip?: number;
}

/** What those constants are when the caller says nothing. */
const optimizerDefaults = { weightDecay: 0.1, betas: [0.9, 0.99], epsilon: 1e-10, clip: 1 } as const;

/**
 * An optimiser for a model, to be given to several trainings one after the other: its moments go on. Dispose of it after.
 *
 * @param trainable which parameters it updates, or which part of them; default all
 * @throws ConfigurationError naming an option that makes no sense
 */
export function adamW(
  model: Pick<LanguageModel, "parameters">,
  {
    trainable,
    weightDecay = optimizerDefaults.weightDecay,
    betas = optimizerDefaults.betas,
    epsilon = optimizerDefaults.epsilon,
    clip = optimizerDefaults.clip,
  }: OptimizerOptions & { trainable?: Trainable } = {},
): AdamW {
  checkNumber("clip", clip, clip > 0, "a positive number");
  checkNumber("weightDecay", weightDecay, weightDecay >= 0, "0 or more");
  // Of a gradient of 0, as that of a token that does not come, only epsilon keeps the step from being 0 / 0.
  checkNumber("epsilon", epsilon, Math.fround(epsilon) > 0, "a positive number that float32 can hold, as 1e-10");
  const { length }: readonly number[] = betas;
  if (length !== 2) throw new ConfigurationError(`train: betas has ${length} numbers, wanted two`);
  for (const beta of betas) checkNumber("betas", beta, beta >= 0 && beta < 1, "numbers in [0, 1)");
  const { names, frozen } = trainedParts(model.parameters, trainable);
  const trained = new Set(names);
  const groups = parameterGroups(model.parameters, weightDecay).map((group) => ({
    ...group,
    parameters: group.parameters.filter((name) => trained.has(name)),
  }));
  return new AdamW(model.parameters, groups, { betas, epsilon, clip }, frozen);
}

/** 0 at places below the sizes, 1 elsewhere; the caller's, also within a tidy. */
function trainedMask(shape: number[], sizes: readonly number[]): Tensor {
  return tf.tidy(() => {
    const frozen = tf.ones([...sizes], "bool");
    return tf.keep(tf.equal(padTo(tf.cast(frozen, "int32"), shape), 0));
  });
}

function checkNumber(option: string, value: number, fits: boolean, wanted: string): void {
  if (!fits) throw new ConfigurationError(`train: ${option} is ${value}, wanted ${wanted}`);
}
