/**
 * For tests: the Meta-State pass and its gradients in float64, from the recurrence's reference and the normalisation's
 * equations, and random cases.
 *
 *     u_t = S_t q_t        m_t = x_t + readGain GN(u_t), written to M        o_t = M_t r_t
 *     added_t = readGain GN(u_t) + memoryGain GN(o_t)
 */
import {
  randomCase,
  randomNumbers,
  referenceBackward,
  referenceForward,
  type Wkv7Case,
  type Wkv7Shape,
} from "./wkv7-reference.js";

export const metaStepNames = ["r", "w", "k", "v", "a", "b", "x", "q"] as const;
export const metaOperandNames = [...metaStepNames, "readGain", "memoryGain", "wkv", "meta"] as const;
export const metaGradientNames = [
  ...(["dr", "dw", "dk", "dv", "da", "db", "dx", "dq"] as const),
  ...(["dReadGain", "dMemoryGain", "dWkv", "dMeta"] as const),
] as const;

/** Sizes of a call, and what is added to its variances. */
export interface MetaPassShape extends Wkv7Shape {
  epsilon: number;
}

/** A shape with an epsilon that bounds what a normalisation of a head with hardly any spread makes of a rounding. */
export function metaShape(
  batch: number,
  time: number,
  heads: number,
  headSize: number,
  checkpointInterval = 16,
): MetaPassShape {
  return { batch, time, heads, headSize, checkpointInterval, epsilon: 1e-2 };
}

/**
 * As of the recurrence (4 × 2^-24 √(4 T N)), of which there are two in a row with normalisations between: eight times that, for
 * a head of N values a normalisation divides by their deviation, which of few values may be small. The worst measured over
 * the shapes of the native kernel's tests is 0.2 of what is allowed.
 */
export function metaTolerance({ time, headSize }: MetaPassShape): number {
  return 32 * 2 ** -24 * Math.sqrt(4 * time * headSize);
}

/** Operands of the pass and adjoints of its results, float64; gains `[H, N]`. */
export type MetaPassCase = Record<(typeof metaOperandNames)[number] | "dAdded" | "dMetaAfter", Float64Array>;
export type MetaPassCaseGradients = Record<(typeof metaGradientNames)[number], Float64Array>;

/** A case as the model makes them; decays in [low, high]. Values are float32 numbers, so that rounding them is no error. */
export function randomMetaCase(shape: MetaPassShape, seed: number, decays: readonly [number, number]): MetaPassCase {
  const { dFinalState, state, dy, ...steps } = randomCase(shape, seed, decays);
  const random = randomNumbers(seed + 1000);
  const uniform = (length: number) => Float64Array.from({ length }, () => Math.fround(2 * random() - 1));
  const gain = shape.heads * shape.headSize;
  return {
    ...steps,
    x: uniform(steps.r.length),
    q: uniform(steps.r.length),
    readGain: uniform(gain),
    memoryGain: uniform(gain),
    wkv: state,
    meta: uniform(state.length),
    dAdded: dy,
    dMetaAfter: dFinalState,
  };
}

/** Outputs by the names of the kernel. */
export function metaReferenceForward(shape: MetaPassShape, c: MetaPassCase) {
  const wkv = referenceForward(shape, ofWkv(c));
  const seen = normalised(shape, wkv.y, c.readGain);
  const m = seen.map((value, i) => value + c.x[i]!);
  const meta = referenceForward(shape, ofMeta(c, m));
  const remembered = normalised(shape, meta.y, c.memoryGain);
  return {
    added: seen.map((value, i) => value + remembered[i]!),
    metaAfter: meta.finalState,
    u: wkv.y,
    o: meta.y,
    wkvCheckpoints: wkv.checkpoints,
    metaCheckpoints: meta.checkpoints,
  };
}

/** Gradients of sum(added dAdded) + sum(metaAfter dMetaAfter); u and o are recomputed. */
export function metaReferenceBackward(shape: MetaPassShape, c: MetaPassCase): MetaPassCaseGradients {
  const { u, o } = metaReferenceForward(shape, c);
  const memory = normalisedGrad(shape, o, c.memoryGain, c.dAdded);
  const m = normalised(shape, u, c.readGain).map((value, i) => value + c.x[i]!);
  const meta = referenceBackward(shape, { ...ofMeta(c, m), dy: memory.dx, dFinalState: c.dMetaAfter });
  const dseen = c.dAdded.map((value, i) => value + meta.dv[i]!);
  const read = normalisedGrad(shape, u, c.readGain, dseen);
  const wkv = referenceBackward(shape, { ...ofWkv(c), dy: read.dx });
  const both = (name: "dw" | "dk" | "da" | "db") => meta[name].map((value, i) => value + wkv[name][i]!);
  return {
    dr: meta.dr,
    dw: both("dw"),
    dk: both("dk"),
    dv: wkv.dv,
    da: both("da"),
    db: both("db"),
    dx: meta.dv,
    dq: wkv.dr,
    dReadGain: read.dgain,
    dMemoryGain: memory.dgain,
    dWkv: wkv.dState,
    dMeta: meta.dState,
  };
}

/** The recurrence of S, read with q; nothing follows its last state. */
function ofWkv(c: MetaPassCase): Wkv7Case {
  const none = new Float64Array(c.wkv.length);
  return { ...c, r: c.q, state: c.wkv, dy: new Float64Array(c.r.length), dFinalState: none };
}

/** The recurrence of M, written with m. */
function ofMeta(c: MetaPassCase, m: Float64Array): Wkv7Case {
  return { ...c, v: m, state: c.meta, dy: new Float64Array(c.r.length), dFinalState: c.dMetaAfter };
}

/** Each head's n = (x - mean) / sqrt(variance + epsilon), and 1 / sqrt(variance + epsilon), from place `start` on. */
function normal({ headSize, epsilon }: MetaPassShape, x: Float64Array, start: number) {
  const head = x.subarray(start, start + headSize);
  const mean = head.reduce((sum, value) => sum + value, 0) / headSize;
  const variance = head.reduce((sum, value) => sum + (value - mean) ** 2, 0) / headSize;
  const inverse = 1 / Math.sqrt(variance + epsilon);
  return { n: head.map((value) => (value - mean) * inverse), inverse };
}

function normalised(shape: MetaPassShape, x: Float64Array, gain: Float64Array): Float64Array {
  const y = new Float64Array(x.length);
  for (let start = 0; start < x.length; start += shape.headSize) {
    normal(shape, x, start).n.forEach((value, j) => (y[start + j] = value * gain[(start + j) % gain.length]!));
  }
  return y;
}

function normalisedGrad(shape: MetaPassShape, x: Float64Array, gain: Float64Array, dy: Float64Array) {
  const dx = new Float64Array(x.length);
  const dgain = new Float64Array(gain.length);
  const size = shape.headSize;
  for (let start = 0; start < x.length; start += size) {
    const { n, inverse } = normal(shape, x, start);
    const dn = n.map((_, j) => dy[start + j]! * gain[(start + j) % gain.length]!);
    const mean = dn.reduce((sum, value) => sum + value, 0) / size;
    const along = dn.reduce((sum, value, j) => sum + value * n[j]!, 0) / size;
    n.forEach((value, j) => {
      dgain[(start + j) % gain.length]! += dy[start + j]! * value;
      dx[start + j] = (dn[j]! - mean - value * along) * inverse;
    });
  }
  return { dx, dgain };
}
