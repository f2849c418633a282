/** For tests: the kernels of one token in float64, of the references of the library's ops. */
import { metaReferenceForward } from "./meta-pass-reference.js";
import {
  biasedSigmoidReference,
  bonusGateReference,
  decayReference,
  groupNormReference,
  interpolateReference,
  keyPreparationReference,
  linearReference,
  squaredReluReference,
  tokenShiftReference,
  type Operands,
} from "./op-references.js";
import { blocksByHalves, tokenNormEpsilon, type TokenSizes } from "./token-cases.js";
import { referenceForward } from "./wkv7-reference.js";

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** x Wᵀ with W `[out, in]`. */
function product(x: Float64Array, weight: Float64Array, batch: number): Float64Array {
  const width = x.length / batch;
  const shape = { batch, time: 1, width, heads: 1, out: weight.length / width };
  return linearReference({ x, weight }, shape)[0]!;
}

/** W `[in, out]` with its axes exchanged. */
function transposed(weight: Float64Array, rows: number): Float64Array {
  const columns = weight.length / rows;
  return weight.map((_, i) => weight[(i % rows) * columns + Math.floor(i / rows)]!);
}

const added = (a: Float64Array, b: Float64Array): Float64Array => a.map((x, i) => x + b[i]!);

/** Outputs in the kernel's order. */
export function timeMixingReference(o: Operands, sizes: TokenSizes, aScale: number): Float64Array[] {
  const { batch, width, heads, headSize } = sizes;
  const ofWidth = { batch, time: 1, width, heads: 1, out: width };
  const ofInner = { batch, time: 1, width: heads * headSize, heads, out: width };
  const stream = o["stream"]!;
  const ofNorm = { x: stream, weight: o["ln1.weight"]!, bias: o["ln1.bias"]! };
  const [x] = groupNormReference(tokenNormEpsilon)(ofNorm, ofWidth);
  const mixes = Object.fromEntries(["x_r", "x_w", "x_k", "x_v", "x_a", "x_g"].map((name, n) => [`mix${n}`, o[name]!]));
  const shifted = tokenShiftReference(6)({ x: x!, previous: o["shift"]!, ...mixes }, ofWidth);
  const [xr, xw, xk, xv, xa, xg] = shifted as [Float64Array, Float64Array, Float64Array, ...Float64Array[]];
  const lowRank = (input: Float64Array, name: string, inner = (h: number): number => h): Float64Array => {
    const hidden = product(input, transposed(o[`${name}1`]!, width), batch).map(inner);
    return product(hidden, transposed(o[`${name}2`]!, hidden.length / batch), batch);
  };
  const biased = (input: Float64Array, name: string): Float64Array =>
    biasedSigmoidReference({ x: lowRank(input, name), bias: o[`${name}0`]! }, ofInner)[0]!;
  const r = product(xr, o["receptance.weight"]!, batch);
  const own = product(xv!, o["value.weight"]!, batch);
  const [w] = decayReference({ x: lowRank(xw, "w", Math.tanh), bias: o["w0"]! }, ofInner);
  const rate = biased(xa!, "a");
  const gate = lowRank(xg!, "g", sigmoid);
  const v = o["firstValue"]
    ? interpolateReference({ from: own, to: o["firstValue"], gate: biased(xv!, "v") }, ofInner)[0]!
    : own;
  const ofKeys = { k: product(xk, o["key.weight"]!, batch), kk: o["k_k"]!, rate, ka: o["k_a"]! };
  const [k, a, unscaled] = keyPreparationReference(ofKeys, ofInner) as [Float64Array, Float64Array, Float64Array];
  const b = unscaled.map((value) => value * aScale);
  const [dy, dFinalState] = [new Float64Array(0), new Float64Array(0)];
  const shape = { batch, time: 1, heads, headSize, checkpointInterval: 0 };
  const { y, finalState } = referenceForward(shape, { r, w: w!, k, v, a, b, state: o["wkv"]!, dy, dFinalState });
  const ofRead = { x: y, weight: o["ln_x.weight"]!, bias: o["ln_x.bias"]! };
  const [normalised] = groupNormReference(headSize * 1e-5)(ofRead, ofInner);
  const [gated] = bonusGateReference({ x: normalised!, r, k, v, gate, rk: o["r_k"]! }, ofInner);
  return [added(stream, product(gated!, o["output.weight"]!, batch)), x!, finalState, r, w!, k, v, a, b];
}

/** Outputs in the kernel's order. */
function layerReference(o: Operands, { batch, width, heads, headSize }: TokenSizes): Float64Array[] {
  const shape = { batch, time: 1, width, heads: 1, out: width };
  const stream = o["stream"]!;
  const ofNorm = { x: stream, weight: o["ln2.weight"]!, bias: o["ln2.bias"]! };
  const [x] = groupNormReference(tokenNormEpsilon)(ofNorm, shape);
  const [q] = tokenShiftReference(1)({ x: x!, previous: o["shift"]!, mix0: o["x_k"]! }, shape);
  let z = q!;
  let metaAfter: Float64Array | undefined;
  if (o["meta"]) {
    const none = new Float64Array(0);
    const { r, w, k, v, alpha: a, beta: b, wkv, meta } = o as Required<Record<string, Float64Array>>;
    const steps = { r: r!, w: w!, k: k!, v: v!, a: a!, b: b!, x: x!, q: q! };
    const pass = metaReferenceForward(
      { batch, time: 1, heads, headSize, checkpointInterval: 0, epsilon: headSize * 1e-5 },
      {
        ...{ ...steps, wkv: wkv!, meta: meta!, readGain: o["beta_g"]!, memoryGain: o["alpha_g"]! },
        ...{ dAdded: none, dMetaAfter: none },
      },
    );
    z = added(z, pass.added);
    metaAfter = pass.metaAfter;
  }
  const [hidden] = squaredReluReference({ x: product(z, o["key.weight"]!, batch) }, shape);
  const after = added(stream, product(hidden!, o["value.weight"]!, batch));
  return [after, x!, ...(metaAfter ? [metaAfter] : [])];
}

/** All blocks; outputs in the kernel's order. */
export function blocksReference(o: Operands, sizes: TokenSizes, layers: number, aScale: number): Float64Array[] {
  return blocksByHalves(
    o,
    layers,
    (half) => timeMixingReference(half, sizes, aScale),
    (half) => layerReference(half, sizes),
    (v) => v,
  );
}
