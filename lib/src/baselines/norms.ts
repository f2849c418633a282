/** The norms that a baseline's blocks may have. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Tensor3D } from "@tensorflow/tfjs-core";

import { groupNorm } from "../ops/group-norm/group-norm.js";
import { rmsNorm } from "../ops/rms-norm/rms-norm.js";

/** `layer`: with weight and bias; `rms`: by the root mean square, with a weight; `plain`: a layer norm without parameters. */
export type NormName = "layer" | "rms" | "plain";

interface Norm {
  /** names of its parameters, of C values each, with their initial value */
  readonly parameters: readonly (readonly [name: string, initial: number])[];
  apply(x: Tensor3D, parameter: (name: string) => Tensor): Tensor3D;
}

/** As in the published models; an exact zero row stays zero. */
const epsilon = 1e-5;

/** The norms by name. */
export const norms: Readonly<Record<NormName, Norm>> = {
  layer: {
    parameters: [
      ["weight", 1],
      ["bias", 0],
    ],
    apply: (x, parameter) => groupNorm(x, parameter("weight"), parameter("bias"), { groups: 1, epsilon }),
  },
  rms: {
    parameters: [["weight", 1]],
    apply: (x, parameter) => rmsNorm(x, parameter("weight"), { epsilon }),
  },
  plain: {
    parameters: [],
    apply: (x) => groupNorm(x, tf.ones([x.shape[2]]), tf.zeros([x.shape[2]]), { groups: 1, epsilon }),
  },
};
