/**
 * What all fused ops have in common: loops over host memory equal the composed tfjs ops, for kernel and gradient kernel,
 * and the tape's gradient equals finite differences.
 */
import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";
import type { NamedAttrMap, Tensor, Tensor2D, Tensor3D, Tensor4D } from "@tensorflow/tfjs-core";

import { ConfigurationError, ShapeError } from "../errors.js";
import { Random } from "../random.js";
import { assertClose, checkGradient, randomTensor, useBackend } from "../testing.js";
import { adamWKernel, globalNormKernel } from "./adamw/adamw.js";
import { bonusGate, bonusGateGradKernel, bonusGateKernel } from "./bonus-gate/bonus-gate.js";
import { crossEntropy, crossEntropyGradKernel, crossEntropyKernel } from "./cross-entropy/cross-entropy.js";
import { embedding, embeddingGradKernel, embeddingKernel } from "./embedding/embedding.js";
import { biasedSigmoid, biasedSigmoidGradKernel, biasedSigmoidKernel } from "./gates/biased-sigmoid.js";
import { decay, decayGradKernel, decayKernel } from "./gates/decay.js";
import { interpolate, interpolateGradKernel, interpolateKernel } from "./gates/interpolate.js";
import { geluL2, geluL2GradKernel, geluL2Kernel } from "./gelu-l2/gelu-l2.js";
import { normalProbability } from "./gelu-l2/normal-distribution.js";
import { groupNorm, groupNormGradKernel, groupNormKernel } from "./group-norm/group-norm.js";
import { groupWeights, groupWeightsKernel } from "./group-weights/group-weights.js";
import type { Kernel } from "./kernel.js";
import { prepareKeys, keyPreparationGradKernel, keyPreparationKernel } from "./key-preparation/key-preparation.js";
import { l2Gelu, l2GeluGradKernel, l2GeluKernel } from "./l2-gelu/l2-gelu.js";
import { linear, linearGradKernel, linearKernel } from "./linear/linear.js";
import { rmsNorm, rmsNormGradKernel, rmsNormKernel } from "./rms-norm/rms-norm.js";
import { rotary, rotaryKernel, rotations } from "./rotary/rotary.js";
import { squaredRelu, squaredReluGradKernel, squaredReluKernel } from "./squared-relu/squared-relu.js";
import { swiGlu, swiGluGradKernel, swiGluKernel } from "./swiglu/swiglu.js";
import { tokenShift, tokenShiftKernels } from "./token-shift/token-shift.js";

const random = new Random(42);
const batch = 2;
const time = 5;
const width = 12;
const heads = 3;

/** A tensor that outlives tidies: the tests' operands. */
function operand(shape: number[], options?: { scale?: number; centre?: number }): Tensor {
  return tf.keep(randomTensor(random, shape, options));
}

interface OpCase {
  readonly name: string;
  /** operands of the kernels, made once the backend runs */
  readonly inputs: () => Record<string, Tensor>;
  readonly attributes?: NamedAttrMap;
  readonly kernels: readonly Kernel<string, NamedAttrMap>[];
  /** the public op, and which inputs it differentiates */
  readonly op?: (inputs: Record<string, Tensor>) => Tensor | Tensor[];
  readonly differentiated?: readonly string[];
}

const sequence = [batch, time, width];
const activation = (): Tensor => operand(sequence);
const vector = (): Tensor => operand([1, 1, width]);
const asKernels = (...kernels: unknown[]) => kernels as readonly Kernel<string, NamedAttrMap>[];

const cases: readonly OpCase[] = [
  ...(["outIn", "inOut"] as const).map((layout): OpCase => ({
    name: `linear, ${layout}`,
    inputs: () => ({
      x: activation(),
      weight: operand(layout === "outIn" ? [7, width] : [width, 7]),
      dy: operand([batch, time, 7]),
    }),
    attributes: { layout },
    kernels: asKernels(linearKernel, linearGradKernel),
    op: ({ x, weight }) => linear(x!, weight!, layout),
    differentiated: ["x", "weight"],
  })),
  ...[1, heads].map((groups): OpCase => ({
    name: `groupNorm, ${groups} groups`,
    inputs: () => ({ x: activation(), weight: operand([width]), bias: operand([width]), dy: activation() }),
    attributes: { groups, epsilon: 1e-3 },
    kernels: asKernels(groupNormKernel, groupNormGradKernel),
    op: ({ x, weight, bias }) => groupNorm(x!, weight!, bias!, { groups, epsilon: 1e-3 }),
    differentiated: ["x", "weight", "bias"],
  })),
  {
    name: "rmsNorm",
    inputs: () => ({ x: activation(), weight: operand([width]), dy: activation() }),
    attributes: { epsilon: 1e-3 },
    kernels: asKernels(rmsNormKernel, rmsNormGradKernel),
    op: ({ x, weight }) => rmsNorm(x!, weight!, { epsilon: 1e-3 }),
    differentiated: ["x", "weight"],
  },
  {
    name: "l2Gelu",
    inputs: () => ({ x: activation(), dy: activation() }),
    attributes: { scale: 3 },
    kernels: asKernels(l2GeluKernel, l2GeluGradKernel),
    op: ({ x }) => l2Gelu(x!, 3),
    differentiated: ["x"],
  },
  {
    name: "swiGlu",
    inputs: () => ({ gate: operand(sequence, { scale: 3 }), x: activation(), dy: activation() }),
    kernels: asKernels(swiGluKernel, swiGluGradKernel),
    op: ({ gate, x }) => swiGlu(gate!, x!),
    differentiated: ["gate", "x"],
  },
  {
    name: "rotary",
    inputs: () => {
      const { cosines, sines } = rotations([0, 7], time, 4);
      return { x: operand([batch, time, heads, 4]), cosines: tf.keep(cosines), sines: tf.keep(sines) };
    },
    attributes: { direction: 1 },
    kernels: asKernels(rotaryKernel),
    op: ({ x, cosines, sines }) => rotary(x as Tensor4D, { cosines: cosines as Tensor3D, sines: sines as Tensor3D }),
    differentiated: ["x"],
  },
  ...[1, 2, 3, 6].map((count): OpCase => {
    const names = Array.from({ length: count }, (_, i) => i);
    return {
      name: `tokenShift, ${count} mixes`,
      inputs: () => ({
        x: activation(),
        previous: operand([batch, width]),
        ...Object.fromEntries(names.map((i) => [`mix${i}`, vector()])),
        ...Object.fromEntries(names.map((i) => [`dy${i}`, activation()])),
      }),
      kernels: asKernels(...tokenShiftKernels(count)),
      op: ({ x, previous, ...rest }) =>
        tokenShift(
          x as Tensor3D,
          previous as Tensor2D,
          names.map((i) => rest[`mix${i}`]!),
        ),
      differentiated: ["x", "previous", ...names.map((i) => `mix${i}`)],
    };
  }),
  {
    name: "prepareKeys",
    inputs: () => ({
      k: activation(),
      kk: vector(),
      rate: operand(sequence, { scale: 0.5, centre: 0.5 }),
      ka: vector(),
      dkey: activation(),
      dalpha: activation(),
      dbeta: activation(),
    }),
    attributes: { heads },
    kernels: asKernels(keyPreparationKernel, keyPreparationGradKernel),
    op: ({ k, kk, rate, ka }) => Object.values(prepareKeys(k as Tensor3D, kk!, rate as Tensor3D, ka!, heads)),
    differentiated: ["k", "kk", "rate", "ka"],
  },
  {
    name: "biasedSigmoid",
    inputs: () => ({ x: activation(), bias: vector(), y: activation(), dy: activation() }),
    kernels: asKernels(biasedSigmoidKernel, biasedSigmoidGradKernel),
    op: ({ x, bias }) => biasedSigmoid(x!, bias!),
    differentiated: ["x", "bias"],
  },
  {
    name: "decay",
    inputs: () => ({ x: activation(), bias: vector(), w: activation(), sigmoid: activation(), dy: activation() }),
    kernels: asKernels(decayKernel, decayGradKernel),
    op: ({ x, bias }) => decay(x!, bias!),
    differentiated: ["x", "bias"],
  },
  {
    name: "interpolate",
    inputs: () => ({ from: activation(), to: activation(), gate: activation(), dy: activation() }),
    kernels: asKernels(interpolateKernel, interpolateGradKernel),
    op: ({ from, to, gate }) => interpolate(from!, to!, gate!),
    differentiated: ["from", "to", "gate"],
  },
  {
    name: "bonusGate",
    inputs: () => ({
      x: activation(),
      r: activation(),
      k: activation(),
      v: activation(),
      gate: activation(),
      rk: operand([heads, width / heads]),
      dy: activation(),
    }),
    kernels: asKernels(bonusGateKernel, bonusGateGradKernel),
    op: (inputs) => {
      const { x, r, k, v, gate, rk } = inputs as Record<string, Tensor3D>;
      return bonusGate(x!, r!, k!, v!, gate!, rk!);
    },
    differentiated: ["x", "r", "k", "v", "gate", "rk"],
  },
  {
    name: "squaredRelu",
    inputs: () => ({ x: activation(), dy: activation() }),
    kernels: asKernels(squaredReluKernel, squaredReluGradKernel),
    op: ({ x }) => squaredRelu(x!),
    differentiated: ["x"],
  },
  {
    name: "geluL2",
    inputs: () => ({ x: operand(sequence, { scale: 3 }), dy: activation() }),
    attributes: { scale: 5 },
    kernels: asKernels(geluL2Kernel, geluL2GradKernel),
    op: ({ x }) => geluL2(x!, 5),
    differentiated: ["x"],
  },
  ...[2, width].map((topK): OpCase => ({
    name: `groupWeights, ${topK} of ${width}`,
    inputs: () => ({ x: operand(sequence, { scale: 3 }) }),
    attributes: { topK },
    kernels: asKernels(groupWeightsKernel),
    op: ({ x }) => groupWeights(x!, topK),
    differentiated: ["x"],
  })),
  {
    name: "embedding",
    inputs: () => ({
      weight: operand([7, width]),
      tokens: tf.keep(tf.tensor2d([0, 6, 3, 3, 3, 1, 0, 2, 5, 4], [batch, time], "int32")),
      dy: activation(),
    }),
    kernels: asKernels(embeddingKernel, embeddingGradKernel),
    op: ({ weight, tokens }) => embedding(weight!, tokens as Tensor2D),
    differentiated: ["weight"],
  },
  {
    name: "crossEntropy",
    inputs: () => ({
      logits: operand(sequence, { scale: 4 }),
      targets: tf.keep(tf.tensor2d([0, 11, 3, 3, 3, 1, 0, 2, 5, 4], [batch, time], "int32")),
      probabilities: activation(),
      dloss: operand([]),
    }),
    kernels: asKernels(crossEntropyKernel, crossEntropyGradKernel),
    op: ({ logits, targets }) => crossEntropy(logits!, targets!),
    differentiated: ["logits"],
  },
  {
    name: "adamW and globalNorm",
    inputs: () => ({
      parameter: activation(),
      gradient: activation(),
      moment1: activation(),
      moment2: operand(sequence, { scale: 0.5, centre: 0.5 }),
      norm: operand([], { scale: 0, centre: 3 }),
    }),
    attributes: { learningRate: 0.01, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1, step: 3, clip: 1 },
    kernels: asKernels(adamWKernel, globalNormKernel),
  },
];

for (const backend of ["cpu", "wasm"] as const) {
  for (const { name, inputs: make, attributes = {}, kernels, op, differentiated = [] } of cases) {
    test(`${name} on ${backend}: the loops equal the composed ops, the gradient finite differences`, async () => {
      await useBackend(backend);
      const inputs = make();
      tf.tidy(() => {
        for (const kernel of kernels) {
          const composed = kernel.composed(inputs, attributes);
          const loops = kernel.run(inputs, attributes);
          assert.equal(loops.length, composed.length);
          composed.forEach((expected, i) => {
            assert.deepEqual(loops[i]!.shape, expected.shape, `shape of output ${i} of ${kernel.name}`);
            // Sums of at most 60 terms, each rounded in one form and not in the other: 60 × 2^−24 ≈ 4e−6.
            assertClose(loops[i]!.dataSync(), expected.dataSync(), 4e-6, `output ${i} of ${kernel.name}`);
          });
        }
        if (!op) return;
        checkGradient(
          (...values) => op({ ...inputs, ...Object.fromEntries(differentiated.map((key, i) => [key, values[i]!])) }),
          differentiated.map((key) => inputs[key]!),
        );
      });
      tf.dispose(inputs);
    });
  }
}

test("ops leave no tensor behind but their results", async () => {
  await useBackend("wasm");
  for (const { name, inputs: make, op } of cases) {
    if (!op) continue;
    const inputs = make();
    const before = tf.memory().numTensors;
    const result = op(inputs);
    const made = Array.isArray(result) ? result.length : 1;
    assert.equal(tf.memory().numTensors, before + made, name);
    tf.dispose([result, ...Object.values(inputs)]);
  }
});

test("cross-entropy of logits far apart stays finite", async () => {
  await useBackend("cpu");
  const logits = tf.tensor3d([1e4, -1e4, 0, -1e4, 1e4, 0], [1, 2, 3]);
  const targets = tf.tensor2d([0, 0], [1, 2], "int32");
  assert.equal(crossEntropy(logits, targets).dataSync()[0], 1e4);
  const [composed] = crossEntropyKernel.composed({ logits, targets }, {});
  assert.equal(composed!.dataSync()[0], 1e4);
});

test("GeLU with the L2 norm: values by hand, zero for zeros, and a zero more changes nothing", async () => {
  // Φ from tables: Φ(1) = 0.8413447, Φ(−2) = 0.0227501, Φ(−6) = 9.8659e−10.
  assertClose([normalProbability(1), normalProbability(0)], [0.841344746, 0.5], 3e-7, "Φ");
  assertClose([normalProbability(-2) * 1e3], [22.75013195], 3e-7, "Φ(−2)");
  assertClose([normalProbability(-6) * 1e9], [0.986587645], 3e-7, "Φ(−6)");
  for (const backend of ["cpu", "wasm"] as const) {
    await useBackend(backend);
    tf.tidy(() => {
      const g = [0.841344746, -2 * 0.02275013195];
      const length = Math.hypot(...g);
      const expected = g.map((value) => (3 * value) / length);
      assertClose(geluL2(tf.tensor1d([1, -2]), 3).dataSync(), expected, 2e-6, "two elements");
      assertClose(geluL2(tf.tensor1d([1, -2, 0, 0]), 3).dataSync(), [...expected, 0, 0], 2e-6, "two zeros more");
      assert.deepEqual([...geluL2(tf.zeros([3]), 3).dataSync()], [0, 0, 0]);
    });
  }
  assert.throws(() => geluL2(tf.zeros([3]), 0), /geluL2: scale is 0, wanted above 0/);
});

test("group weights: 1 where all logits are zero, whatever topK; else no more than topK", async () => {
  for (const backend of ["cpu", "wasm"] as const) {
    await useBackend(backend);
    tf.tidy(() => {
      assert.deepEqual([...groupWeights(tf.zeros([2, 3]), 1).dataSync()], [1, 1, 1, 1, 1, 1]);
      const kept = [...groupWeights(tf.tensor2d([1, 3, 2, 0, -1, -1], [2, 3]), 2).dataSync()].map((w) => w > 0);
      // The last two of the second row are equal: neither has two larger ones.
      assert.deepEqual(kept, [false, true, true, true, true, true]);
    });
  }
  assert.throws(() => groupWeights(tf.zeros([1, 3]), 4), /topK is 4, wanted an integer from 1 to the groups, 3/);
});

test("a key of zero length gives a removal key of zero, not NaN", async () => {
  await useBackend("cpu");
  const zero: Tensor3D = tf.zeros([1, 1, 4]);
  const { alpha } = prepareKeys(zero, tf.ones([1, 1, 4]), zero, tf.ones([1, 1, 4]), 2);
  assert.ok([...alpha.dataSync()].every((value) => Math.abs(value) === 0));
});

test("a wrong shape is an error that names op, argument, shape and shape wanted", async () => {
  await useBackend("cpu");
  const x: Tensor3D = tf.zeros([1, 2, 4]);
  assert.throws(() => linear(x, tf.zeros([3, 5])), {
    name: "ShapeError",
    message: "linear: x is [1, 2, 4], wanted […, in] with last axis 5, float32",
  });
  assert.throws(() => groupNorm(x, tf.zeros([3]), tf.zeros([4]), { groups: 1, epsilon: 0 }), ShapeError);
  assert.throws(() => groupNorm(x, tf.zeros([4]), tf.zeros([4]), { groups: 3, epsilon: 0 }), ConfigurationError);
  assert.throws(() => tokenShift(x, tf.zeros([1, 3]), [tf.zeros([1, 1, 4])]), {
    message: "tokenShift: previous is [1, 3], wanted [B, C] = [1, 4]",
  });
  assert.throws(() => embedding(tf.zeros([3, 4]), tf.zeros([1, 2])), {
    message: "embedding: tokens is [1, 2], wanted [B, T] = [1, 2] int32",
  });
  assert.throws(() => crossEntropy(x, tf.zeros([1, 3], "int32")), ShapeError);
});
