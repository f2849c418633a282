/** One block: time mixing, then the Meta-State layer, each on the layer-normalised residual stream. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor2D, Tensor3D } from "@tensorflow/tfjs-core";

import { groupNorm } from "../ops/group-norm/group-norm.js";
import type { ModelConfiguration } from "./configuration.js";
import { metaStateLayer } from "./meta-state-layer.js";
import { parameter, type Parameters } from "./parameters.js";
import type { LayerState } from "./state.js";
import { timeMixing } from "./time-mixing.js";

/** A block's result: the residual stream after it, its state, and the first layer's value. */
export interface BlockResult {
  readonly x: Tensor3D;
  readonly state: LayerState;
  readonly firstValue: Tensor3D;
}

/** Runs block `layer` on the residual stream `[B, T, C]` from a state. */
export function block(
  configuration: ModelConfiguration,
  parameters: Parameters,
  layer: number,
  stream: Tensor3D,
  state: LayerState,
  firstValue?: Tensor3D,
): BlockResult {
  const prefix = `blocks.${layer}.`;
  const x0 = layer === 0 ? layerNorm(parameters, `${prefix}ln0`, stream) : stream;
  const x1 = layerNorm(parameters, `${prefix}ln1`, x0);
  const mixed = timeMixing(configuration, parameters, layer, x1, state.attShift, state.wkv, firstValue);
  const x: Tensor3D = tf.add(x0, mixed.output);
  const x2 = layerNorm(parameters, `${prefix}ln2`, x);
  const { output, meta } = metaStateLayer(configuration, parameters, layer, {
    x: x2,
    shift: state.ffnShift,
    wkv: state.wkv,
    timeMix: mixed.coefficients,
    ...(state.meta && { meta: state.meta }),
  });
  return {
    x: tf.add(x, output),
    state: { attShift: lastRow(x1), ffnShift: lastRow(x2), wkv: mixed.wkv, ...(meta && { meta }) },
    firstValue: mixed.firstValue,
  };
}

/** Layer normalisation with the parameters `name.weight` and `name.bias`, epsilon 1e−5 as in the checkpoints. */
export function layerNorm(parameters: Parameters, name: string, x: Tensor3D): Tensor3D {
  const weight = parameter(parameters, `${name}.weight`);
  return groupNorm(x, weight, parameter(parameters, `${name}.bias`), { groups: 1, epsilon: 1e-5 });
}

function lastRow(x: Tensor3D): Tensor2D {
  const [batch, time, width] = x.shape;
  return tf.reshape(tf.slice(x, [0, time - 1, 0], [batch, 1, width]), [batch, width]);
}
