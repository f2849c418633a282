/** The context of one layer, and a variant run in it, with what it gives checked. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Tensor3D, Tensor4D } from "@tensorflow/tfjs-core";

import { ConfigurationError, ShapeError } from "../errors.js";
import { sseHeads, type ModelConfiguration } from "../model/configuration.js";
import { channelsOfHeads, headsOfChannels } from "../model/head-slices.js";
import type { LayerState } from "../model/state-layers.js";
import type { LayerRun } from "../model/tap.js";
import { groupNorm } from "../ops/group-norm/group-norm.js";
import { metaPass } from "../ops/meta-pass/meta-pass.js";
import { expectShape } from "../ops/shape.js";
import { wkv7 } from "../ops/wkv7/wkv7.js";
import type { SseContext, TimeMixCoefficients } from "./context.js";
import { variantOf } from "./registry.js";
import type { SseResult, SseStates, SseVariant } from "./variant.js";

/** What an SSE works on. */
export interface SseInputs {
  /** LN2 of the residual stream, `[B, T, C]` */
  readonly x: Tensor3D;
  /** x̂: x after the token shift, `[B, T, C]` */
  readonly shifted: Tensor3D;
  /** the layer's state before the first token */
  readonly before: LayerState;
  /** of all heads, `[B, T, H, N]` */
  readonly timeMix: TimeMixCoefficients;
}

/**
 * Runs the model's variant in one layer.
 *
 * @returns z `[B, T, C]`, and what the variant carries, after the last token: M as `meta`, and its own states
 * @throws ShapeError or ConfigurationError when the variant gives what it should not
 */
export function runSse(
  configuration: ModelConfiguration,
  run: LayerRun,
  inputs: SseInputs,
): { z: Tensor3D; after: SseStates } {
  const variant = variantOf(configuration);
  const uses = { combine: false };
  const result = variant.apply(layerContext(configuration, run, inputs, variant, uses));
  const op = `SSE variant "${variant.name}"`;
  const { z, state = {} } = outcome(op, result);
  expectShape(op, "z", z, inputs.x.shape, "[B, T, C]");
  if (configuration.mul && !uses.combine && variant.name !== "none") {
    throw new ConfigurationError(`${op} makes z without context.combine, so that mul cannot apply: leave mul out`);
  }
  return { z: z as Tensor3D, after: statesAfter(op, variant, inputs.before, state) };
}

/** The states that `apply` returned, by name, each that the definition declares and no other. */
function statesAfter(
  op: string,
  { metaState, states }: SseVariant,
  before: LayerState,
  returned: Tensor | SseStates,
): SseStates {
  const after = isTensor(returned) ? { meta: returned } : returned;
  const declared = [...(metaState ? ["meta"] : []), ...states.map(({ name }) => name)];
  const extra = Object.keys(after).find((name) => !declared.includes(name));
  if (extra !== undefined) {
    const [what, lacks] = extra === "meta" ? ["", "metaState: true"] : [` "${extra}"`, `states: {${extra}: …}`];
    throw new ConfigurationError(`${op} returns a state${what}, but its definition lacks ${lacks}`);
  }
  const held = new Set(Object.values(before));
  const entries = declared.map((name): [string, Tensor] => {
    const given: unknown = after[name];
    const isMeta = name === "meta";
    if (!isTensor(given)) {
      const [has, state] = isMeta ? ["metaState: true", "state"] : [`a state "${name}"`, `state: {${name}}`];
      throw new ConfigurationError(`${op} has ${has}, so apply must return {z, ${state}}`);
    }
    expectShape(
      op,
      isMeta ? "state" : `state.${name}`,
      given,
      before[name]!.shape,
      isMeta ? "[B, Hs, N, N]" : "as before",
    );
    // One that is handed on as it came becomes a tensor of its own: whoever frees the old state keeps the new one.
    return [name, held.has(given) ? tf.clone(given) : given];
  });
  return Object.fromEntries(entries);
}

function isTensor(value: unknown): value is Tensor {
  return typeof value === "object" && value !== null && "dataId" in value;
}

/** z and state of what `apply` returned; a cell may return anything. */
function outcome(op: string, result: SseResult | undefined): Exclude<SseResult, Tensor> {
  if (isTensor(result)) return { z: result };
  if (isTensor(result?.z)) return result;
  const given = (result as unknown) instanceof Promise ? "a promise (apply must not be async)" : "no tensor z";
  throw new ShapeError(op, "what apply returned", given, "z, or {z, state}, with z [B, T, C]");
}

function layerContext(
  configuration: ModelConfiguration,
  run: LayerRun,
  { x, shifted, before: given, timeMix: all }: SseInputs,
  { name, metaState, parameters: declared, states }: SseVariant,
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
  const toHeads = (channels: Tensor): Tensor4D => {
    expectShape(op, "the argument of toHeads", channels, x.shape, "[B, T, C]");
    return headsOfChannels(channels as Tensor3D, heads, headSize);
  };
  const toChannels = (y: Tensor): Tensor3D => channelsOfHeads(expectHeads("toChannels", y), width);
  const expectMeta = (): Tensor4D => {
    if (metaState) return given.meta!;
    throw new ConfigurationError(`${op} runs a Meta-State, but its definition lacks metaState: true`);
  };
  // S before the first token, of the heads that carry the SSE.
  const wkv = (): Tensor4D => (heads === allHeads ? given.wkv : tf.slice(given.wkv, [0, 0, 0, 0], [-1, heads, -1, -1]));
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
      const named = Object.fromEntries(declared.map((known) => [known.name, run.parameter(`meta.${known.name}`)]));
      return onlyDeclared(op, "parameter", named);
    },
    get before() {
      const own = Object.fromEntries(states.map((state) => [state.name, given[state.name]!]));
      const named = { wkv: wkv(), ...(metaState && { meta: given.meta! }), ...own };
      return onlyDeclared(op, "state", named) as SseContext["before"];
    },
    toHeads,
    toChannels,
    normalise(y, weight) {
      const flat = tf.reshape(expectHeads("normalise", y), [...x.shape.slice(0, 2), heads * headSize]);
      const isVector = weight?.size === heads * headSize;
      const scale: Tensor = isVector ? tf.reshape(weight, [heads * headSize]) : tf.ones([heads * headSize]);
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
    readState(q, when) {
      const queries = expectHeads("readState", q);
      const { w, k, v, alpha, beta } = when === "before" ? oneLater(timeMix) : timeMix;
      return wkv7(queries, w, k, v, alpha, beta, wkv()).y;
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
      const { added, meta: state } = metaPass({ ...operands, wkv: wkv(), meta: expectMeta() });
      return { added, state };
    },
    isTapped: run.isTapped,
    combine(added) {
      uses.combine = true;
      const sum = added.rank === 4 ? toChannels(added) : added;
      expectShape(op, "the argument of combine", sum, x.shape, "[B, T, C]");
      return mul ? tf.mul(shifted, tf.add(sum, 1)) : tf.add(shifted, sum);
    },
    addLoss(loss) {
      if (loss.size !== 1)
        throw new ShapeError(op, "the argument of addLoss", `[${loss.shape.join(", ")}]`, "one number");
      run.addLoss?.(tf.reshape(loss, []));
    },
    tap: (key, value) => run.tap(`meta.${key}`, value),
  };
}

/** What a definition declares, by name; to ask for anything else is an error, where tfjs would only miss a tensor. */
function onlyDeclared<T extends Readonly<Record<string, Tensor>>>(op: string, kind: string, named: T): T {
  return new Proxy(named, {
    get(target, key, receiver): unknown {
      if (typeof key === "symbol" || key in target) return Reflect.get(target, key, receiver);
      const names = Object.keys(target).join(", ") || "none";
      throw new ConfigurationError(`${op} asks for a ${kind} "${key}", which it does not declare (it has ${names})`);
    },
  });
}

/** The coefficients of the token before in the place of each token's own: a first one that changes nothing, all but the last. */
function oneLater({ r, w, k, v, alpha, beta }: TimeMixCoefficients): TimeMixCoefficients {
  const [batch, time, heads, headSize] = w.shape;
  const later = (x: Tensor4D, first: number): Tensor4D => {
    const start: Tensor4D = tf.fill([batch, 1, heads, headSize], first);
    return time === 1 ? start : tf.concat([start, tf.slice(x, [0, 0, 0, 0], [batch, time - 1, heads, headSize])], 1);
  };
  return { r, w: later(w, 1), k: later(k, 0), v: later(v, 0), alpha: later(alpha, 0), beta: later(beta, 0) };
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
