/** The context of one layer, and a variant run in it, with what it gives checked. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Tensor3D, Tensor4D } from "@tensorflow/tfjs-core";

import { ConfigurationError, ShapeError } from "../errors.js";
import { sseHeads, type ModelConfiguration } from "../model/configuration.js";
import { channelsOfHeads, headsOfChannels } from "../model/head-slices.js";
import type { LayerRun } from "../model/tap.js";
import { groupNorm } from "../ops/group-norm/group-norm.js";
import { metaPass } from "../ops/meta-pass/meta-pass.js";
import { expectShape } from "../ops/shape.js";
import { wkv7 } from "../ops/wkv7/wkv7.js";
import type { SseContext, TimeMixCoefficients } from "./context.js";
import { variantOf } from "./registry.js";
import type { SseResult, SseVariant } from "./variant.js";

/** What an SSE works on. */
export interface SseInputs {
  /** LN2 of the residual stream, `[B, T, C]` */
  readonly x: Tensor3D;
  /** x̂: x after the token shift, `[B, T, C]` */
  readonly shifted: Tensor3D;
  /** S before the first token, `[B, H, N, N]` */
  readonly wkv: Tensor4D;
  /** M before the first token, `[B, Hs, N, N]`, when the variant carries one */
  readonly meta?: Tensor4D;
  /** of all heads, `[B, T, H, N]` */
  readonly timeMix: TimeMixCoefficients;
}

/**
 * Runs the model's variant in one layer.
 *
 * @returns z `[B, T, C]`, and M after the last token when the variant carries one
 * @throws ShapeError or ConfigurationError when the variant gives what it should not
 */
export function runSse(
  configuration: ModelConfiguration,
  run: LayerRun,
  inputs: SseInputs,
): { z: Tensor3D; state?: Tensor4D } {
  const variant = variantOf(configuration);
  const uses = { combine: false };
  const result = variant.apply(layerContext(configuration, run, inputs, variant, uses));
  const op = `SSE variant "${variant.name}"`;
  const { z, state } = outcome(op, result);
  expectShape(op, "z", z, inputs.x.shape, "[B, T, C]");
  if (configuration.mul && !uses.combine && variant.name !== "none") {
    throw new ConfigurationError(`${op} makes z without context.combine, so that mul cannot apply: leave mul out`);
  }
  if (!variant.metaState) {
    if (!state) return { z: z as Tensor3D };
    throw new ConfigurationError(`${op} returns a state, but its definition lacks metaState: true`);
  }
  if (!state) throw new ConfigurationError(`${op} has metaState: true, so apply must return {z, state}`);
  expectShape(op, "state", state, inputs.meta!.shape, "[B, Hs, N, N]");
  return { z: z as Tensor3D, state: state as Tensor4D };
}

/** z and state of what `apply` returned; a cell may return anything. */
function outcome(op: string, result: SseResult | undefined): { z: Tensor; state?: Tensor } {
  if (typeof result === "object" && "shape" in result) return { z: result };
  if (typeof result === "object" && (result.z as Tensor | undefined)?.shape !== undefined) return result;
  const given = (result as unknown) instanceof Promise ? "a promise (apply must not be async)" : "no tensor z";
  throw new ShapeError(op, "what apply returned", given, "z, or {z, state}, with z [B, T, C]");
}

function layerContext(
  configuration: ModelConfiguration,
  run: LayerRun,
  { x, shifted, wkv, meta, timeMix: all }: SseInputs,
  { name, metaState, parameters: declared }: SseVariant,
  uses: { combine: boolean },
): SseContext {
  const { width, headSize, heads: allHeads, mul } = configuration;
  const heads = sseHeads(configuration);
  const timeMix = heads === allHeads ? all : firstHeads(all, heads);
  const perHead = [...x.shape.slice(0, 2), heads, headSize];
  const op = `SSE variant "${name}"`;
  const expectHeads = (call: string, tensor: Tensor): Tensor4D => {
    expectShape(op, `the argument of ${call}`, tensor, perHead, "[B, T, Hs, N]");
    return tensor as Tensor4D;
  };
  const parameter = (key: string): Tensor => {
    if (declared.some((known) => known.name === key)) return run.parameter(`meta.${key}`);
    const names = declared.map((known) => known.name).join(", ") || "none";
    throw new ConfigurationError(
      `${op} asks for a parameter "${key}", which it does not declare (it declares ${names})`,
    );
  };
  const toHeads = (channels: Tensor): Tensor4D => {
    expectShape(op, "the argument of toHeads", channels, x.shape, "[B, T, C]");
    return headsOfChannels(channels as Tensor3D, heads, headSize);
  };
  const toChannels = (y: Tensor): Tensor3D => channelsOfHeads(expectHeads("toChannels", y), width);
  const expectMeta = (): Tensor4D => {
    if (metaState && meta) return meta;
    throw new ConfigurationError(`${op} runs a Meta-State, but its definition lacks metaState: true`);
  };
  // S before the first token, of the heads that carry the SSE.
  const states = (): Tensor4D => (heads === allHeads ? wkv : tf.slice(wkv, [0, 0, 0, 0], [-1, heads, -1, -1]));
  let shiftedHeads: Tensor4D | undefined;
  const queries = (): Tensor4D => (shiftedHeads ??= toHeads(shifted));
  return {
    configuration,
    layer: run.layer,
    x,
    shifted,
    get queries() {
      return queries();
    },
    timeMix,
    get parameters() {
      return Object.fromEntries(declared.map((known) => [known.name, parameter(known.name)]));
    },
    parameter,
    toHeads,
    toChannels,
    normalise(y, weight) {
      const flat = tf.reshape(expectHeads("normalise", y), [...x.shape.slice(0, 2), heads * headSize]);
      const isVector = weight?.size === heads * headSize;
      const scale = isVector ? weight : tf.ones([heads * headSize]);
      const options = { groups: heads, epsilon: headSize * 1e-5 };
      const normalised = tf.reshape(groupNorm(flat, scale, tf.zeros([heads * headSize]), options), perHead);
      if (isVector || !weight) return normalised as Tensor4D;
      if (weight.size !== heads && weight.size !== 1) {
        throw new ShapeError(
          op,
          "the weight of normalise",
          `of ${weight.size} values`,
          `Hs·N = ${heads * headSize}, Hs = ${heads}, or 1`,
        );
      }
      return tf.mul(normalised, tf.reshape(weight, [weight.size, 1]));
    },
    readState(q) {
      const { w, k, v, alpha, beta } = timeMix;
      return wkv7(expectHeads("readState", q), w, k, v, alpha, beta, states()).y;
    },
    runMetaState(values, { queries: q = timeMix.r, keys = timeMix.k } = {}) {
      const before = expectMeta();
      const read = expectHeads("runMetaState's queries", q);
      const write = expectHeads("runMetaState's keys", keys);
      const { w, alpha, beta } = timeMix;
      const { y, state } = wkv7(read, w, write, expectHeads("runMetaState", values), alpha, beta, before);
      return { read: y, state };
    },
    runBothStates(readGain, memoryGain) {
      const { r, w, k, v, alpha: a, beta: b } = timeMix;
      const operands = { r, w, k, v, a, b, x: toHeads(x), q: queries(), readGain, memoryGain };
      const { added, meta: state } = metaPass({ ...operands, wkv: states(), meta: expectMeta() });
      return { added, state };
    },
    isTapped: run.isTapped,
    combine(added) {
      uses.combine = true;
      const sum = added.rank === 4 ? toChannels(added) : added;
      expectShape(op, "the argument of combine", sum, x.shape, "[B, T, C]");
      return mul ? tf.mul(shifted, tf.add(sum, 1)) : tf.add(shifted, sum);
    },
    tap: (key, value) => run.tap(`meta.${key}`, value),
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
