/**
 * For tests: the ops of the models that Meta-State is compared with in float64, written as the equations stand, forward only,
 * as `op-references.ts` has the others.
 */
import { sum, type OpShape, type Reference } from "./op-references.js";

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** The probability of a normal value below x, in float64: the series of its density, whose terms all add. */
export function normalProbability(x: number): number {
  const density = Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
  let term = x;
  let total = x;
  for (let n = 3; Math.abs(term) > 1e-18 * Math.abs(total); n += 2) {
    term *= (x * x) / n;
    total += term;
  }
  return 0.5 + density * total;
}

/** Row by row over the last axis. */
function overRows(x: Float64Array, width: number, row: (values: Float64Array) => (i: number) => number): Float64Array {
  const y = new Float64Array(x.length);
  for (let start = 0; start < x.length; start += width) {
    const value = row(x.subarray(start, start + width));
    for (let i = 0; i < width; i++) y[start + i] = value(i);
  }
  return y;
}

export const rmsNormReference =
  (epsilon: number): Reference =>
  (o, { width }) => [
    overRows(o["x"]!, width, (x) => {
      const inverse = 1 / Math.sqrt(sum(width, (i) => x[i]! ** 2) / width + epsilon);
      return (i) => x[i]! * inverse * o["weight"]![i]!;
    }),
  ];

/** The pairs (x_i, x_{i + N/2}) of each head turned; cosines and sines `[rows, N / 2]`. */
export const rotaryReference: Reference = (o, { width, heads }) => {
  const size = width / heads;
  const half = size / 2;
  return [
    o["x"]!.map((x, at) => {
      const i = (at % size) % half;
      const row = Math.floor(at / width) * half;
      const [cosine, sine] = [o["cosines"]![row + i]!, o["sines"]![row + i]!];
      return at % size < half ? x * cosine - o["x"]![at + half]! * sine : x * cosine + o["x"]![at - half]! * sine;
    }),
  ];
};

export const swiGluReference: Reference = (o) => [o["gate"]!.map((g, i) => g * sigmoid(g) * o["x"]![i]!)];

export const l2GeluReference =
  (scale: number): Reference =>
  (o, { width }) => [
    overRows(o["x"]!, width, (x) => {
      const factor = scale / Math.sqrt(sum(width, (i) => x[i]! ** 2) + 1e-12);
      return (i) => x[i]! * factor * normalProbability(x[i]! * factor);
    }),
  ];

export const geluL2Reference =
  (scale: number): Reference =>
  (o, { width }) => [
    overRows(o["x"]!, width, (x) => {
      const gelu = x.map((value) => value * normalProbability(value));
      const factor = scale / Math.sqrt(sum(width, (i) => gelu[i]! ** 2) + 1e-6);
      return (i) => gelu[i]! * factor;
    }),
  ];

export const groupWeightsReference =
  (topK: number): Reference =>
  (o, { width }) => [
    overRows(o["x"]!, width, (x) => (i) => (x.filter((other) => other > x[i]!).length < topK ? 2 * sigmoid(x[i]!) : 0)),
  ];

export const wkv4Reference: Reference = (o, { batch, time, width }) => {
  const y = new Float64Array(batch * time * width);
  const [a, b, p] = [o["numerator"]!.slice(), o["denominator"]!.slice(), o["exponent"]!.slice()];
  for (let at = 0; at < y.length; at++) {
    const c = at % width;
    const state = Math.floor(at / (time * width)) * width + c;
    const [key, value] = [o["k"]![at]!, o["v"]![at]!];
    const now = Math.exp(o["u"]![c]! + key);
    const scale = Math.exp(p[state]!);
    y[at] = (scale * a[state]! + now * value) / (scale * b[state]! + now);
    const faded = p[state]! + o["w"]![c]!;
    p[state] = Math.max(faded, key);
    const [kept, added] = [Math.exp(faded - p[state]), Math.exp(key - p[state])];
    a[state] = kept * a[state]! + added * value;
    b[state] = kept * b[state]! + added;
  }
  return [y, a, b, p];
};

/** How many keys lie before the queries in a case of attention, and where each row's begin. */
export const cachedKeys = 2;
export const attentionStarts = ({ batch }: OpShape): Int32Array =>
  Int32Array.from({ length: batch }, (_, b) => b % (cachedKeys + 1));

export const attentionReference: Reference = (o, shape) => {
  const { batch, time, width, heads } = shape;
  const size = width / heads;
  const keys = time + cachedKeys;
  const starts = attentionStarts(shape);
  const y = new Float64Array(batch * time * width);
  const logSums = new Float64Array(batch * time * heads);
  for (let row = 0; row < logSums.length; row++) {
    const h = row % heads;
    const t = Math.floor(row / heads) % time;
    const b = Math.floor(row / (heads * time));
    const at = (j: number): number => ((b * keys + j) * heads + h) * size;
    const seen = Array.from({ length: keys - time + t + 1 - starts[b]! }, (_, i) => starts[b]! + i);
    const scores = seen.map((j) => sum(size, (i) => o["q"]![row * size + i]! * o["k"]![at(j) + i]!) / Math.sqrt(size));
    const total = scores.reduce((all, score) => all + Math.exp(score), 0);
    logSums[row] = Math.log(total);
    for (let i = 0; i < size; i++) {
      y[row * size + i] = sum(seen.length, (s) => (Math.exp(scores[s]!) / total) * o["v"]![at(seen[s]!) + i]!);
    }
  }
  return [y, logSums];
};
