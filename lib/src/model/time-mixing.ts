/** RWKV-7's time mixing (arXiv 2503.14456), unchanged. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Tensor2D, Tensor3D, Tensor4D } from "@tensorflow/tfjs-core";

import { bonusGate } from "../ops/bonus-gate/bonus-gate.js";
import { biasedSigmoid } from "../ops/gates/biased-sigmoid.js";
import { decay } from "../ops/gates/decay.js";
import { interpolate } from "../ops/gates/interpolate.js";
import { groupNorm } from "../ops/group-norm/group-norm.js";
import { prepareKeys } from "../ops/key-preparation/key-preparation.js";
import { linear } from "../ops/linear/linear.js";
import { tokenShift } from "../ops/token-shift/token-shift.js";
import { wkv7 } from "../ops/wkv7/wkv7.js";
import type { TimeMixCoefficients } from "../sse/context.js";
import { attentionWidth, type ModelConfiguration } from "./configuration.js";
import type { LayerRun } from "./tap.js";

/** What time mixing gives: its output, the states after the last token, and what the Meta-State layer reuses. */
export interface TimeMixing {
  /** to be added to the residual stream, `[B, T, C]` */
  readonly output: Tensor3D;
  /** S after the last token, `[B, H, N, N]` */
  readonly wkv: Tensor4D;
  /** r, w, k, v, −κ̂, κ̂ ⊙ a of all heads, `[B, T, H, N]` */
  readonly coefficients: TimeMixCoefficients;
  /** the first layer's value, `[B, T, A]`, which later layers mix into theirs */
  readonly firstValue: Tensor3D;
}

/** The first half of a block: the residual stream after time mixing, and what else that gives. */
export interface MixedStream extends Omit<TimeMixing, "output"> {
  /** `[B, T, C]` */
  readonly stream: Tensor3D;
  /** the last row of what went in, layer-normalised, `[B, C]`: what the next token is shifted with */
  readonly shift: Tensor2D;
}

/**
 * @param x the layer-normalised residual stream `[B, T, C]`
 * @param shift the row before the first, `[B, C]`
 * @param wkv S before the first token, `[B, H, N, N]`
 * @param firstValue the first layer's value; left out in the first layer
 */
export function timeMixing(
  configuration: ModelConfiguration,
  run: LayerRun,
  x: Tensor3D,
  shift: Tensor2D,
  wkv: Tensor4D,
  firstValue?: Tensor3D,
): TimeMixing {
  const { heads, headSize, aScale } = configuration;
  const [batch, time] = x.shape;
  const p = (name: string): Tensor => run.parameter(`att.${name}`);
  const lowRank = (input: Tensor3D, name: string, inner: (hidden: Tensor3D) => Tensor3D = (h) => h): Tensor3D =>
    linear(inner(linear(input, p(`${name}1`), "inOut")), p(`${name}2`), "inOut");

  const mixes = ["x_r", "x_w", "x_k", "x_v", "x_a", "x_g"].map(p);
  const [xr, xw, xk, xv, xa, xg] = tokenShift(x, shift, mixes) as Sextuple;
  const perHead = (y: Tensor3D): Tensor4D => tf.reshape(y, [batch, time, heads, headSize]);
  const flat = (y: Tensor4D): Tensor3D => tf.reshape(y, [batch, time, attentionWidth(configuration)]);
  /** Shown with an axis of heads, which it does not have yet. */
  const tapHeads = (name: string, y: Tensor3D): Tensor3D => (run.isTapped ? flat(run.tap(name, perHead(y))) : y);
  /** aScale reaches the transition alone, not the replacement key. */
  const scaled = (y: Tensor4D): Tensor4D => (aScale === 1 ? y : tf.mul(y, aScale));
  const r = tapHeads("att.r", linear(xr, p("receptance.weight")));
  const rawKey = linear(xk, p("key.weight"));
  const ownValue = linear(xv, p("value.weight"));
  const w = tapHeads("att.w", decay(lowRank(xw, "w", tf.tanh), p("w0")));
  const rate = tapHeads("att.a", biasedSigmoid(lowRank(xa, "a"), p("a0")));
  const gate = run.tap("att.g", lowRank(xg, "g", tf.sigmoid));
  const mixedValue = firstValue
    ? interpolate(ownValue, firstValue, biasedSigmoid(lowRank(xv, "v"), p("v0")))
    : ownValue;
  const v = tapHeads("att.v", mixedValue);
  const prepared = prepareKeys(rawKey, p("k_k"), rate, p("k_a"), heads);
  const k = tapHeads("att.k", prepared.key);
  const coefficients: TimeMixCoefficients = {
    r: perHead(r),
    w: perHead(w),
    k: perHead(k),
    v: perHead(v),
    ...tapRemovalKey(run, perHead(prepared.alpha), scaled(perHead(prepared.beta)), scaled(perHead(rate))),
  };
  const { y, state } = runWkv7(coefficients, wkv);
  const read = flat(run.tap("att.wkv", y));
  const norm = { groups: heads, epsilon: readEpsilon(configuration) };
  const normalised = run.tap("att.ln_x", groupNorm(read, p("ln_x.weight"), p("ln_x.bias"), norm));
  const output = run.tap("att.out", linear(bonusGate(normalised, r, k, v, gate, p("r_k")), p("output.weight")));
  return { output, wkv: state, coefficients, firstValue: firstValue ?? v };
}

/** Of the normalisation of the read. Published 64e-5 is for heads of 64: it follows the head size. */
export function readEpsilon({ headSize }: ModelConfiguration): number {
  return headSize * 1e-5;
}

/** Shows κ̂ = −α; α and β = κ̂ ⊙ a follow it when a tap replaces it, and stay what they are, bit for bit, when none does. */
function tapRemovalKey(
  run: LayerRun,
  alpha: Tensor4D,
  beta: Tensor4D,
  rate: Tensor4D,
): { alpha: Tensor4D; beta: Tensor4D } {
  if (!run.isTapped) return { alpha, beta };
  const own: Tensor4D = tf.neg(alpha);
  const kappa = run.tap("att.kappa", own);
  return kappa === own ? { alpha, beta } : { alpha: tf.neg(kappa), beta: tf.mul(kappa, rate) };
}

type Sextuple = [Tensor3D, Tensor3D, Tensor3D, Tensor3D, Tensor3D, Tensor3D];

/** {@link wkv7} with the coefficients of time mixing, or with some replaced: other queries, other values. */
function runWkv7({ r, w, k, v, alpha, beta }: TimeMixCoefficients, state: Tensor4D): { y: Tensor4D; state: Tensor4D } {
  return wkv7(r, w, k, v, alpha, beta, state);
}
