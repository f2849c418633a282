/**
 * Every op, over random shapes and values: results are those of float64, and the tape's gradient is the derivative of the
 * float64 function.
 */
import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Tensor2D, Tensor3D } from "@tensorflow/tfjs-core";
import fc from "fast-check";

import { Random } from "../random.js";
import { assertClose, useBackend } from "../testing.js";
import { runs } from "../testing-properties.js";
import { bonusGate } from "./bonus-gate/bonus-gate.js";
import { crossEntropy } from "./cross-entropy/cross-entropy.js";
import { embedding } from "./embedding/embedding.js";
import * as float64 from "./float64.js";
import type { Float64Operands, OpSizes } from "./float64.js";
import { biasedSigmoid } from "./gates/biased-sigmoid.js";
import { decay } from "./gates/decay.js";
import { interpolate } from "./gates/interpolate.js";
import { groupNorm } from "./group-norm/group-norm.js";
import { prepareKeys } from "./key-preparation/key-preparation.js";
import { linear } from "./linear/linear.js";
import { squaredRelu } from "./squared-relu/squared-relu.js";
import { tokenShift } from "./token-shift/token-shift.js";
import { wkv7 } from "./wkv7/wkv7.js";

/** The values of an operand: uniform in ±scale around a centre, or made some other way. */
type Fill = { scale?: number; centre?: number } | ((random: Random, values: Float32Array, sizes: OpSizes) => void);

interface OpCase {
  readonly name: string;
  /** shape and values of each operand that is differentiated */
  readonly operands: (sizes: OpSizes, scale: number) => Record<string, readonly [shape: number[], fill: Fill]>;
  readonly op: (operands: Record<string, Tensor>, sizes: OpSizes, integers: readonly number[]) => Tensor | Tensor[];
  readonly float64: (sizes: OpSizes, operands: Float64Operands, integers: readonly number[]) => Float64Array[];
  /** tokens and classes, for the ops that take such; below this bound */
  readonly bound?: (sizes: OpSizes) => number;
}

const width = ({ heads, size }: OpSizes): number => heads * size;
const sequence = (sizes: OpSizes): number[] => [sizes.batch, sizes.time, width(sizes)];
const vector = (sizes: OpSizes): number[] => [1, 1, width(sizes)];
const perHead = ({ batch, time, heads, size }: OpSizes): number[] => [batch, time, heads, size];
const unit: Fill = { scale: 1 };
const portion: Fill = { scale: 0.5, centre: 0.5 };
const integerTensor = (integers: readonly number[], { batch, time }: OpSizes): Tensor2D =>
  tf.tensor2d([...integers], [batch, time], "int32");

/** Decays of every kind: anywhere between the bounds, or at one of them. */
const decays: Fill = (random, values) => {
  const [slowest, fastest] = [
    [1, 0.5453],
    [1, 0.99999],
    [0.5454, 0.5453],
  ][random.integer(3)] as [number, number];
  for (let i = 0; i < values.length; i++) values[i] = random.uniform(fastest, slowest);
};

/** Removal directions of length 1. */
const unitVectors: Fill = (random, values, { size }) => {
  for (let start = 0; start < values.length; start += size) {
    const direction = Array.from({ length: size }, () => random.normal());
    const length = Math.hypot(...direction);
    direction.forEach((x, j) => (values[start + j] = x / length));
  }
};

const cases: readonly OpCase[] = [
  ...(["outIn", "inOut"] as const).map((layout): OpCase => ({
    name: `linear, ${layout}`,
    operands: (sizes, scale) => {
      const shape = [sizes.columns, width(sizes)];
      return { x: [sequence(sizes), { scale }], weight: [layout === "outIn" ? shape : shape.reverse(), unit] };
    },
    op: ({ x, weight }) => linear(x!, weight!, layout),
    float64: (sizes, operands) => float64.linear(sizes, operands, layout),
  })),
  ...["layer norm", "norm of each head"].map((name, perHeadNorm): OpCase => {
    const groups = ({ heads }: OpSizes): number => (perHeadNorm ? heads : 1);
    const epsilon = 1e-3;
    return {
      name,
      operands: (sizes, scale) => ({
        x: [sequence(sizes), { scale }],
        weight: [[width(sizes)], unit],
        bias: [[width(sizes)], unit],
      }),
      op: ({ x, weight, bias }, sizes) => groupNorm(x!, weight!, bias!, { groups: groups(sizes), epsilon }),
      float64: (sizes, operands) => float64.groupNorm(sizes, operands, groups(sizes), epsilon),
    };
  }),
  ...[1, 6].map((count): OpCase => {
    const mixes = Array.from({ length: count }, (_, i) => `mix${i}`);
    return {
      name: `tokenShift, ${count} mixes`,
      operands: (sizes, scale) => ({
        x: [sequence(sizes), { scale }],
        previous: [[sizes.batch, width(sizes)], { scale }],
        ...Object.fromEntries(mixes.map((name) => [name, [vector(sizes), portion] as const])),
      }),
      op: (operands) =>
        tokenShift(
          operands["x"] as Tensor3D,
          operands["previous"] as Tensor2D,
          mixes.map((name) => operands[name]!),
        ),
      float64: (sizes, operands) => float64.tokenShift(sizes, operands, mixes),
    };
  }),
  {
    name: "prepareKeys",
    operands: (sizes, scale) => ({
      k: [sequence(sizes), { scale }],
      kk: [vector(sizes), unit],
      rate: [sequence(sizes), portion],
      ka: [vector(sizes), unit],
    }),
    op: ({ k, kk, rate, ka }, { heads }) => {
      const { key, alpha, beta } = prepareKeys(k as Tensor3D, kk!, rate as Tensor3D, ka!, heads);
      return [key, alpha, beta];
    },
    float64: float64.prepareKeys,
  },
  ...[
    { name: "biasedSigmoid", op: biasedSigmoid, float64: float64.biasedSigmoid },
    { name: "decay", op: decay, float64: float64.decay },
  ].map(({ name, op, float64 }): OpCase => ({
    name,
    operands: (sizes, scale) => ({ x: [sequence(sizes), { scale }], bias: [vector(sizes), unit] }),
    op: ({ x, bias }) => op(x!, bias!),
    float64,
  })),
  {
    name: "interpolate",
    operands: (sizes, scale) => ({
      from: [sequence(sizes), { scale }],
      to: [sequence(sizes), { scale }],
      gate: [sequence(sizes), portion],
    }),
    op: ({ from, to, gate }) => interpolate(from!, to!, gate!),
    float64: float64.interpolate,
  },
  {
    name: "bonusGate",
    operands: (sizes, scale) => ({
      x: [sequence(sizes), { scale }],
      r: [sequence(sizes), unit],
      k: [sequence(sizes), unit],
      v: [sequence(sizes), { scale }],
      gate: [sequence(sizes), unit],
      rk: [[sizes.heads, sizes.size], unit],
    }),
    op: (operands) => {
      const { x, r, k, v, gate, rk } = operands as Record<string, Tensor3D>;
      return bonusGate(x!, r!, k!, v!, gate!, rk!);
    },
    float64: float64.bonusGate,
  },
  {
    name: "squaredRelu",
    operands: (sizes, scale) => ({ x: [sequence(sizes), { scale }] }),
    op: ({ x }) => squaredRelu(x!),
    float64: float64.squaredRelu,
  },
  {
    name: "embedding",
    operands: (sizes, scale) => ({ weight: [[sizes.columns, width(sizes)], { scale }] }),
    op: ({ weight }, sizes, tokens) => embedding(weight!, integerTensor(tokens, sizes)),
    float64: float64.embedding,
    bound: ({ columns }) => columns,
  },
  {
    name: "crossEntropy",
    operands: (sizes, scale) => ({ logits: [[sizes.batch, sizes.time, sizes.columns], { scale }] }),
    op: ({ logits }, sizes, targets) => crossEntropy(logits!, integerTensor(targets, sizes)),
    float64: float64.crossEntropy,
    bound: ({ columns }) => columns,
  },
  {
    name: "wkv7",
    operands: (sizes, scale) => ({
      r: [perHead(sizes), unit],
      w: [perHead(sizes), decays],
      k: [perHead(sizes), unit],
      v: [perHead(sizes), { scale }],
      a: [perHead(sizes), unitVectors],
      // Minus κ̂ times a rate is what the model has; any other direction of such a length does too.
      b: [perHead(sizes), { scale: 1 / Math.sqrt(sizes.size) }],
      state: [[sizes.batch, sizes.heads, sizes.size, sizes.size], { scale }],
    }),
    op: ({ r, w, k, v, a, b, state }) => {
      const result = wkv7(r!, w!, k!, v!, a!, b!, state);
      return [result.y, result.state];
    },
    float64: float64.wkv7,
  },
];

const sizes: fc.Arbitrary<OpSizes> = fc.record({
  batch: fc.integer({ min: 1, max: 3 }),
  time: fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 15, max: 34 })),
  heads: fc.integer({ min: 1, max: 3 }),
  size: fc.integer({ min: 1, max: 9 }),
  columns: fc.integer({ min: 1, max: 9 }),
});

/**
 * Results relative to the largest of their tensor, slopes to the length of the gradient (of 1e−3, where it is shorter: that
 * of a saturated sigmoid is all rounding). Measured over 80,000 cases: 1e−6 and, for short keys, whose direction is a
 * quotient of small numbers, 5e−5.
 */
const tolerance = { results: 2e-6, gradients: 1e-4 };

for (const { name, operands, op, float64: reference, bound } of cases) {
  test(`${name}: over random shapes and values, results and gradients are those of float64`, async () => {
    await useBackend("wasm");
    const property = fc.property(sizes, fc.constantFrom(0.01, 1, 30), fc.nat(), (sizes, scale, seed) => {
      const random = new Random(seed);
      const drawn = Object.entries(operands(sizes, scale)).map(
        ([operand, [shape, fill]]) => [operand, shape, draw(random, shape, fill, sizes)] as const,
      );
      const below = bound?.(sizes) ?? 1;
      const integers = Array.from({ length: sizes.batch * sizes.time }, () => random.integer(below));
      const exact = Object.fromEntries(drawn.map(([operand, , values]) => [operand, Float64Array.from(values)]));
      const expected = reference(sizes, exact, integers);
      // The weights of the sum that is differentiated.
      const weights = expected.map(({ length }) => Float32Array.from({ length }, () => random.uniform(-1, 1)));
      const direction = Object.fromEntries(
        drawn.map(([operand, , { length }]) => [operand, Float64Array.from({ length }, () => random.normal())]),
      );

      tf.tidy(() => {
        const tensors = drawn.map(([, shape, values]) => tf.tensor(values, shape));
        const run = (...at: Tensor[]): Tensor[] => {
          const results = op(Object.fromEntries(drawn.map(([operand], i) => [operand, at[i]!])), sizes, integers);
          return Array.isArray(results) ? results : [results];
        };
        run(...tensors).forEach((result, i) =>
          assertClose(result.dataSync(), expected[i]!, tolerance.results, `result ${i}`),
        );
        const gradients = tf.grads((...at: Tensor[]) =>
          tf.addN(run(...at).map((result, i) => tf.sum(tf.mul(result, tf.tensor(weights[i]!, result.shape))))),
        )(tensors);
        drawn.forEach(([operand, shape], i) => {
          assert.deepEqual(gradients[i]!.shape, shape, `shape of the gradient of ${operand}`);
          const gradient = gradients[i]!.dataSync<"float32">();
          const along = derivative(operand, direction[operand]!);
          const length = Math.hypot(...direction[operand]!);
          const found = gradient.reduce((sum, x, j) => sum + x * direction[operand]![j]!, 0) / length;
          const size = Math.max(Math.abs(along), Math.hypot(...gradient), 1e-3);
          assert.ok(
            Math.abs(found - along) <= tolerance.gradients * size,
            `gradient of ${operand} along a direction is ${found}, of the float64 function ${along}, ` +
              `off by ${Math.abs(found - along) / size} of its length`,
          );
        });
      });

      /** The slope of the weighted sum of the float64 results when one operand moves along a direction. */
      function derivative(operand: string, direction: Float64Array): number {
        const h = 1e-5 * Math.max(scale, 0.01);
        const length = Math.hypot(...direction);
        const value = (sign: number): number => {
          const moved = exact[operand]!.map((x, j) => x + (sign * h * direction[j]!) / length);
          const results = reference(sizes, { ...exact, [operand]: moved }, integers);
          return results.reduce((total, y, i) => y.reduce((sum, x, j) => sum + x * weights[i]![j]!, total), 0);
        };
        return (value(1) - value(-1)) / (2 * h);
      }
    });
    fc.assert(property, runs(25));
  });
}

function draw(random: Random, shape: readonly number[], fill: Fill, sizes: OpSizes): Float32Array {
  const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
  if (typeof fill === "function") fill(random, values, sizes);
  else {
    const { scale = 1, centre = 0 } = fill;
    for (let i = 0; i < values.length; i++) values[i] = centre + random.uniform(-scale, scale);
  }
  return values;
}
