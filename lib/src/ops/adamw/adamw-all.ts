/**
 * One step of AdamW for many parameters: in one launch where the engine has the kernel `AdamWAll`, a parameter at a time
 * elsewhere, so that of the new tensors only one parameter's exist beside the old ones.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Scalar, Tensor } from "@tensorflow/tfjs-core";

import { expectShape } from "../shape.js";
import { adamW, type AdamWAttributes } from "./adamw.js";

/**
 * The kernel that an engine may register for all parameters at once. Inputs `norm` `[]` and, counted from 0, `parameter{i}`,
 * `gradient{i}`, `moment1_{i}`, `moment2_{i}`, four of one shape; attributes {@link AdamWAllAttributes}; outputs each
 * parameter's three new tensors, one parameter after the other. It may write them where the old ones lie when nobody else
 * holds those.
 */
export const adamWAllName = "AdamWAll";

/** The numbers of a step; lists have an entry a parameter. */
export interface AdamWAllAttributes {
  readonly learningRates: number[];
  readonly weightDecays: number[];
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly step: number;
  readonly clip: number;
  readonly [key: string]: number | number[];
}

/** A parameter of a step, with what AdamW remembers of it; `gradient` and the moments have its shape. */
export interface AdamWUpdate {
  readonly parameter: Tensor;
  readonly gradient: Tensor;
  readonly moment1: Tensor;
  readonly moment2: Tensor;
  readonly learningRate: number;
  readonly weightDecay: number;
}

/** What the parameters of a step share. */
export type AdamWShared = Pick<AdamWAttributes, "beta1" | "beta2" | "epsilon" | "step" | "clip">;

/**
 * Computes a step and hands over each update's new tensors, in the order of the updates; they are the caller's.
 *
 * @param norm the global norm of all gradients, a scalar
 * @param use takes the parameter's new value and both moments; may dispose the old ones
 * @throws ShapeError when the shapes of an update differ
 */
export function adamWAll(
  updates: readonly AdamWUpdate[],
  norm: Scalar,
  shared: AdamWShared,
  use: (update: AdamWUpdate, value: Tensor, moment1: Tensor, moment2: Tensor) => void,
): void {
  if (updates.length > 0 && tf.getKernel(adamWAllName, tf.getBackend())) {
    const results = together(updates, norm, shared);
    updates.forEach((update, i) => use(update, results[3 * i]!, results[3 * i + 1]!, results[3 * i + 2]!));
    return;
  }
  for (const update of updates) {
    const { parameter, gradient, moment1, moment2, learningRate, weightDecay } = update;
    const attributes = { ...shared, learningRate, weightDecay };
    use(update, ...adamW(parameter, gradient, moment1, moment2, norm, attributes));
  }
}

function together(updates: readonly AdamWUpdate[], norm: Scalar, shared: AdamWShared): Tensor[] {
  const inputs: Record<string, Tensor> = { norm };
  updates.forEach(({ parameter, gradient, moment1, moment2 }, i) => {
    for (const [name, tensor] of Object.entries({ gradient, moment1, moment2 })) {
      expectShape("adamW", name, tensor, parameter.shape);
    }
    inputs[`parameter${i}`] = parameter;
    inputs[`gradient${i}`] = gradient;
    inputs[`moment1_${i}`] = moment1;
    inputs[`moment2_${i}`] = moment2;
  });
  const { beta1, beta2, epsilon, step, clip } = shared;
  const attributes: AdamWAllAttributes = {
    learningRates: updates.map(({ learningRate }) => learningRate),
    weightDecays: updates.map(({ weightDecay }) => weightDecay),
    ...{ beta1, beta2, epsilon, step, clip },
  };
  return tf.engine().runKernel<Tensor[]>(adamWAllName, inputs, attributes);
}
