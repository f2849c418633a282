/** The layer normalisations of a block and before the head. */
import type { Tensor, Tensor3D } from "@tensorflow/tfjs-core";

import { groupNorm } from "../ops/group-norm/group-norm.js";

/** As in the checkpoints. */
export const normEpsilon = 1e-5;

/**
 * Layer normalisation with the parameters `name.weight` and `name.bias`.
 *
 * @param parameter gives parameters by name
 */
export function layerNorm(parameter: (name: string) => Tensor, name: string, x: Tensor3D): Tensor3D {
  const weight = parameter(`${name}.weight`);
  return groupNorm(x, weight, parameter(`${name}.bias`), { groups: 1, epsilon: normEpsilon });
}
