/** The Meta-State layer, which takes the place of RWKV-7's channel mixing. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor2D, Tensor3D, Tensor4D } from "@tensorflow/tfjs-core";

import { groupNorm } from "../ops/group-norm/group-norm.js";
import { linear } from "../ops/linear/linear.js";
import { squaredRelu } from "../ops/squared-relu/squared-relu.js";
import { tokenShift } from "../ops/token-shift/token-shift.js";
import type { SseContext, TimeMixCoefficients } from "../sse/context.js";
import { sseVariant } from "../sse/registry.js";
import { sseHeads, type ModelConfiguration } from "./configuration.js";
import { channelsOfHeads, headsOfChannels } from "./head-slices.js";
import type { LayerRun } from "./tap.js";
import { runWkv7 } from "./time-mixing.js";

/** What the layer needs besides the token: the states before the first token and time mixing's coefficients. */
export interface MetaStateInputs {
  /** LN2 of the residual stream, `[B, T, C]` */
  readonly x: Tensor3D;
  /** the row before the first, `[B, C]` */
  readonly shift: Tensor2D;
  /** S before the first token, `[B, H, N, N]` */
  readonly wkv: Tensor4D;
  /** M before the first token, `[B, Hs, N, N]`, when the variant carries one */
  readonly meta?: Tensor4D;
  readonly timeMix: TimeMixCoefficients;
}

/**
 * Token shift, the SSE, and the token–parameter interaction V_Pᵀ relu(K_P z)².
 *
 * @returns the output `[B, T, C]`, to be added to the residual stream, and M after the last token
 */
export function metaStateLayer(
  configuration: ModelConfiguration,
  run: LayerRun,
  inputs: MetaStateInputs,
): { output: Tensor3D; meta?: Tensor4D } {
  const [rawShifted] = tokenShift(inputs.x, inputs.shift, [run.parameter("ffn.x_k")]) as [Tensor3D];
  const shifted = run.tap("meta.shifted", rawShifted);
  const { z: rawZ, state } = sseVariant(configuration.sse).apply(sseContext(configuration, run, inputs, shifted));
  const z = run.tap("meta.z", rawZ);
  const activated = run.tap("ffn.hidden", squaredRelu(linear(z, run.parameter("ffn.key.weight"))));
  const output = run.tap("ffn.out", linear(activated, run.parameter("ffn.value.weight")));
  return { output, ...(state && { meta: state }) };
}

function sseContext(
  configuration: ModelConfiguration,
  run: LayerRun,
  { x, wkv, meta, timeMix: all }: MetaStateInputs,
  shifted: Tensor3D,
): SseContext {
  const heads = sseHeads(configuration);
  const { width, headSize } = configuration;
  const timeMix = heads === configuration.heads ? all : firstHeads(all, heads);
  return {
    configuration,
    layer: run.layer,
    x,
    shifted,
    timeMix,
    parameter: (name) => run.parameter(`meta.${name}`),
    tap: (name, value) => run.tap(`meta.${name}`, value),
    toHeads: (channels) => headsOfChannels(channels, heads, headSize),
    toChannels: (perHead) => channelsOfHeads(perHead, width),
    normalise(perHead, weight) {
      const flat = tf.reshape(perHead, [...perHead.shape.slice(0, 2), heads * headSize]);
      const zeros = tf.zeros([heads * headSize]);
      const options = { groups: heads, epsilon: headSize * 1e-5 };
      return tf.reshape(groupNorm(flat, weight, zeros, options), perHead.shape);
    },
    readState(queries) {
      const states = heads === configuration.heads ? wkv : tf.slice(wkv, [0, 0, 0, 0], [-1, heads, -1, -1]);
      return runWkv7({ ...timeMix, r: queries }, states).y;
    },
    runMetaState(values) {
      if (!meta) throw new RangeError(`SSE "${configuration.sse}" runs a Meta-State but declares metaState: false`);
      const { y, state } = runWkv7({ ...timeMix, v: values }, meta);
      return { read: y, state };
    },
  };
}

/** The coefficients of the first heads, which carry the SSE when ρ < 1. */
function firstHeads(all: TimeMixCoefficients, heads: number): TimeMixCoefficients {
  const first = (x: Tensor4D): Tensor4D => tf.slice(x, [0, 0, 0, 0], [-1, -1, heads, -1]);
  return {
    r: first(all.r),
    w: first(all.w),
    k: first(all.k),
    v: first(all.v),
    alpha: first(all.alpha),
    beta: first(all.beta),
  };
}
