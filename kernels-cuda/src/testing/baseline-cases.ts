/** For tests: the ops of the models that Meta-State is compared with, as `op-cases.ts` has the others. */
import * as reference from "./baseline-references.js";
import type { OpCase } from "./op-cases.js";
import type { OpShape } from "./op-references.js";

const steps = (s: OpShape): number => s.batch * s.time * s.width;
const rows = (s: OpShape): number => s.batch * s.time;
const all = { length: steps };
const wide = { length: steps, range: [-4, 4] } as const;
const channels = { length: (s: OpShape): number => s.width };
const states = { length: (s: OpShape): number => s.batch * s.width };
const epsilon = 1e-3;
const scale = 3;
const cached = { length: (s: OpShape): number => s.batch * (s.time + reference.cachedKeys) * s.width };
const pairs = { length: (s: OpShape): number => (rows(s) * s.width) / s.heads / 2 };

export const baselineCases: readonly OpCase[] = [
  {
    name: "RmsNorm",
    reference: reference.rmsNormReference(epsilon),
    operands: { x: all, weight: channels },
    forward: (b, s, o, [y]) => b.rmsNorm(rows(s), s.width, epsilon, o["x"]!, o["weight"]!, y!),
    backward: (b, s, o, [dy], d) =>
      b.rmsNormGrad(rows(s), s.width, epsilon, o["x"]!, o["weight"]!, dy!, d["x"]!, d["weight"]!),
  },
  {
    name: "Rotary",
    fits: (s) => (s.width / s.heads) % 2 === 0,
    reference: reference.rotaryReference,
    operands: { x: all, cosines: pairs, sines: pairs },
    differentiated: ["x"],
    forward: (b, s, o, y) => b.rotary(rows(s), s.heads, s.width / s.heads, 1, ...Object.values(o), ...y),
    backward: (b, s, o, [dy], d) =>
      b.rotary(rows(s), s.heads, s.width / s.heads, -1, dy!, o["cosines"]!, o["sines"]!, d["x"]!),
  },
  {
    name: "SwiGlu",
    reference: reference.swiGluReference,
    operands: { gate: wide, x: all },
    forward: (b, s, o, [y]) => b.swiGlu(steps(s), o["gate"]!, o["x"]!, y!),
    backward: (b, s, o, [dy], d) => b.swiGluGrad(steps(s), o["gate"]!, o["x"]!, dy!, d["gate"]!, d["x"]!),
  },
  {
    name: "L2Gelu",
    reference: reference.l2GeluReference(scale),
    operands: { x: wide },
    forward: (b, s, o, [y]) => b.l2Gelu(rows(s), s.width, scale, o["x"]!, y!),
    backward: (b, s, o, [dy], d) => b.l2GeluGrad(rows(s), s.width, scale, o["x"]!, dy!, d["x"]!),
  },
  {
    name: "GeluL2",
    reference: reference.geluL2Reference(scale),
    operands: { x: wide },
    forward: (b, s, o, [y]) => b.geluL2(rows(s), s.width, scale, o["x"]!, y!),
    backward: (b, s, o, [dy], d) => b.geluL2Grad(rows(s), s.width, scale, o["x"]!, dy!, d["x"]!),
  },
  {
    name: "GroupWeights",
    reference: reference.groupWeightsReference(3),
    operands: { x: wide },
    differentiated: [],
    forward: (b, s, o, [y]) => b.groupWeights(rows(s), s.width, 3, o["x"]!, y!),
  },
  {
    name: "Wkv4",
    reference: reference.wkv4Reference,
    operands: {
      w: { length: (s) => s.width, range: [-2, -0.05] },
      u: channels,
      k: { length: steps, range: [-3, 3] },
      v: all,
      numerator: states,
      denominator: { length: states.length, range: [0.2, 2] },
      exponent: states,
    },
    forward: (b, s, o, y) => b.wkv4(s.batch, s.time, s.width, ...Object.values(o), ...y),
    backward: (b, s, o, dy, d) => b.wkv4Grad(s.batch, s.time, s.width, ...Object.values(o), ...dy, ...Object.values(d)),
  },
  {
    name: "CausalAttention",
    reference: reference.attentionReference,
    operands: { q: all, k: cached, v: cached },
    adjoints: [0],
    forward(b, s, o, [y, logSums]) {
      const sizes = [s.batch, s.time, s.time + reference.cachedKeys, s.heads, s.width / s.heads] as const;
      b.attention(...sizes, o["q"]!, o["k"]!, o["v"]!, reference.attentionStarts(s), y!, logSums!);
    },
    backward(b, s, o, [dy], d, [y, logSums]) {
      const sizes = [s.batch, s.time, s.time + reference.cachedKeys, s.heads, s.width / s.heads] as const;
      const operands = [o["q"]!, o["k"]!, o["v"]!, reference.attentionStarts(s), y!, logSums!, dy!] as const;
      b.attentionGrad(...sizes, ...operands, d["q"]!, d["k"]!, d["v"]!);
    },
  },
];
