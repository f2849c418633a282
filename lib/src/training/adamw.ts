/** AdamW over a model's parameters, in the groups that RWKV-7 is trained with. */
import * as tf from "@tensorflow/tfjs-core";
import type { Scalar, Tensor } from "@tensorflow/tfjs-core";

import type { Parameters } from "../model/parameters.js";
import { adamW } from "../ops/adamw/adamw.js";

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
 * The published groups: matrices named `*.weight` decay; the decay's base `att.w0` learns at twice the rate; all the rest
 * (vectors, norms, low-rank parts) neither.
 */
export function parameterGroups(parameters: Parameters, weightDecay: number): ParameterGroup[] {
  const groups = { matrices: [] as string[], decayBases: [] as string[], others: [] as string[] };
  for (const [name, { shape }] of parameters) {
    const isMatrix = name.endsWith(".weight") && shape.length === 2;
    (name.endsWith("att.w0") ? groups.decayBases : isMatrix ? groups.matrices : groups.others).push(name);
  }
  return [
    { name: "matrices", parameters: groups.matrices, learningRateFactor: 1, weightDecay },
    { name: "decay bases", parameters: groups.decayBases, learningRateFactor: 2, weightDecay: 0 },
    { name: "others", parameters: groups.others, learningRateFactor: 1, weightDecay: 0 },
  ];
}

/** The optimiser's memory: step count and two moments a parameter. */
export class AdamW {
  private step = 0;
  private readonly moments = new Map<string, [first: Tensor, second: Tensor]>();

  constructor(
    private readonly parameters: Parameters,
    private readonly groups: readonly ParameterGroup[],
    private readonly options: AdamWOptions,
  ) {
    for (const [name, { shape }] of parameters) this.moments.set(name, [tf.zeros(shape), tf.zeros(shape)]);
  }

  /**
   * One step. Assigns new values to the variables.
   *
   * @param gradients by parameter name; a parameter without one keeps its value
   * @param norm the global norm of all gradients
   */
  update(gradients: ReadonlyMap<string, Tensor>, norm: Scalar, learningRate: number): void {
    this.step++;
    const [beta1, beta2] = this.options.betas;
    for (const group of this.groups) {
      const attributes = {
        learningRate: learningRate * group.learningRateFactor,
        beta1,
        beta2,
        epsilon: this.options.epsilon,
        weightDecay: group.weightDecay,
        step: this.step,
        clip: this.options.clip,
      };
      for (const name of group.parameters) {
        const gradient = gradients.get(name);
        if (!gradient) continue;
        const variable = this.parameters.get(name)!;
        const [first, second] = this.moments.get(name)!;
        const [value, ...moments] = adamW(variable, gradient, first, second, norm, attributes);
        variable.assign(value);
        tf.dispose([value, first, second]);
        this.moments.set(name, moments);
      }
    }
  }

  /** Frees the moments. */
  dispose(): void {
    for (const moments of this.moments.values()) tf.dispose(moments);
    this.moments.clear();
  }
}
