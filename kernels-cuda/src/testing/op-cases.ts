/** For tests: every native op of the library as a call of the addon, beside its reference. */
import type { NativeBinding } from "../addon/binding.js";
import * as reference from "./op-references.js";
import type { OpShape, Reference } from "./op-references.js";

type Arrays = Readonly<Record<string, Float32Array>>;

/** One op: its operands with their lengths and ranges, its forward and backward call on an addon. */
export interface OpCase<Binding = NativeBinding> {
  readonly name: string;
  readonly reference: Reference;
  /**
   * operands, in the order in which the calls get them: how many values of a shape, and from where to where they lie (−1 to 1 when left
   * out)
   */
  readonly operands: Readonly<Record<string, { length: (s: OpShape) => number; range?: readonly [number, number] }>>;
  /** whether the op takes this shape; all when left out */
  readonly fits?: (s: OpShape) => boolean;
  /** operands that it has a gradient in; all when left out */
  readonly differentiated?: readonly string[];
  /** outputs by number that a gradient is asked for; all when left out */
  readonly adjoints?: readonly number[];
  readonly forward: (binding: Binding, s: OpShape, o: Arrays, y: Float32Array[]) => void;
  /** Absent when there is no gradient kernel. Writes the gradients by operand's name; `dy` are the adjoints, `y` the outputs. */
  readonly backward?: (
    binding: Binding,
    s: OpShape,
    o: Arrays,
    dy: Float32Array[],
    d: Arrays,
    y: Float32Array[],
  ) => void;
}

const steps = (s: OpShape): number => s.batch * s.time * s.width;
const rows = (s: OpShape): number => s.batch * s.time;
const vector = (s: OpShape): number => s.width;
const all = { length: steps };
const channels = { length: vector };
const unit = { length: steps, range: [0.05, 0.95] } as const;

function tokenShift(count: number): OpCase {
  const mixes = Array.from({ length: count }, (_, i) => `mix${i}`);
  const listed = (of: Arrays) => [of["x"]!, of["previous"]!, mixes.map((name) => of[name]!)];
  return {
    name: `TokenShift${count}`,
    reference: reference.tokenShiftReference(count),
    operands: {
      x: all,
      previous: { length: (s) => s.batch * s.width },
      ...Object.fromEntries(mixes.map((name) => [name, channels])),
    },
    forward: (b, s, o, y) => b.tokenShift(s.batch, s.time, s.width, count, ...listed(o), y),
    backward: (b, s, o, dy, d) => b.tokenShiftGrad(s.batch, s.time, s.width, count, ...listed(o), dy, ...listed(d)),
  };
}

const epsilon = 1e-3;

/** Targets that need no operand: each row's number, modulo the width. */
const targets = (s: OpShape): Int32Array => Int32Array.from({ length: rows(s) }, (_, row) => row % s.width);

export const opCases: readonly OpCase[] = [
  tokenShift(1),
  tokenShift(6),
  {
    name: "GroupNorm",
    reference: reference.groupNormReference(epsilon),
    operands: { x: all, weight: channels, bias: channels },
    forward: (b, s, o, y) => b.groupNorm(rows(s), s.width, s.heads, epsilon, ...Object.values(o), ...y),
    backward: (b, s, o, [dy], d) =>
      b.groupNormGrad(rows(s), s.width, s.heads, epsilon, o["x"]!, o["weight"]!, dy!, ...Object.values(d)),
  },
  {
    name: "KeyPreparation",
    reference: reference.keyPreparationReference,
    operands: { k: all, kk: { length: vector, range: [0.5, 1.5] }, rate: unit, ka: channels },
    forward: (b, s, o, y) => b.keyPreparation(rows(s), s.width, s.heads, ...Object.values(o), ...y),
    backward: (b, s, o, dy, d) =>
      b.keyPreparationGrad(rows(s), s.width, s.heads, ...Object.values(o), ...dy, ...Object.values(d)),
  },
  {
    name: "Decay",
    reference: reference.decayReference,
    operands: { x: { length: steps, range: [-12, 12] }, bias: channels },
    adjoints: [0],
    forward: (b, s, o, y) => b.decay(rows(s), s.width, ...Object.values(o), ...y),
    backward: (b, s, _, [dy], d, y) => b.decayGrad(rows(s), s.width, ...y, dy!, ...Object.values(d)),
  },
  {
    name: "BiasedSigmoid",
    reference: reference.biasedSigmoidReference,
    operands: { x: { length: steps, range: [-4, 4] }, bias: channels },
    forward: (b, s, o, y) => b.biasedSigmoid(rows(s), s.width, ...Object.values(o), ...y),
    backward: (b, s, _, [dy], d, y) => b.biasedSigmoidGrad(rows(s), s.width, ...y, dy!, ...Object.values(d)),
  },
  {
    name: "Interpolate",
    reference: reference.interpolateReference,
    operands: { from: all, to: all, gate: unit },
    forward: (b, s, o, y) => b.interpolate(steps(s), ...Object.values(o), ...y),
    backward: (b, s, o, dy, d) => b.interpolateGrad(steps(s), ...Object.values(o), ...dy, ...Object.values(d)),
  },
  {
    name: "BonusGate",
    reference: reference.bonusGateReference,
    operands: { x: all, r: all, k: all, v: all, gate: all, rk: channels },
    forward: (b, s, o, y) => b.bonusGate(rows(s), s.width, s.heads, ...Object.values(o), ...y),
    backward: (b, s, o, dy, d) =>
      b.bonusGateGrad(rows(s), s.width, s.heads, ...Object.values(o), ...dy, ...Object.values(d)),
  },
  {
    name: "SquaredRelu",
    reference: reference.squaredReluReference,
    operands: { x: all },
    forward: (b, s, o, y) => b.squaredRelu(steps(s), o["x"]!, y[0]!),
    backward: (b, s, o, [dy], d) => b.squaredReluGrad(steps(s), o["x"]!, dy!, d["x"]!),
  },
  {
    name: "CrossEntropy",
    reference: reference.crossEntropyReference,
    operands: { logits: { length: steps, range: [-6, 6] } },
    adjoints: [0],
    forward: (b, s, o, y) => b.crossEntropy(rows(s), s.width, o["logits"]!, targets(s), y[0]!, y[1]!),
    backward: (b, s, _, [dy], d, y) => b.crossEntropyGrad(rows(s), s.width, y[1]!, targets(s), dy!, d["logits"]!),
  },
  {
    name: "Linear",
    reference: reference.linearReference,
    operands: { x: all, weight: { length: (s) => s.out * s.width } },
    forward: (b, s, o, y) => b.matMul(1, rows(s), s.out, s.width, false, true, o["x"]!, o["weight"]!, y[0]!),
    backward(b, s, o, [dy], d) {
      b.matMul(1, rows(s), s.width, s.out, false, false, dy!, o["weight"]!, d["x"]!);
      b.matMul(1, s.out, s.width, rows(s), true, false, dy!, o["x"]!, d["weight"]!);
    },
  },
];
