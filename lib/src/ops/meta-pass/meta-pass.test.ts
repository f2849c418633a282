import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

import type { ForwardOptions } from "../../model/language-model.js";
import { createModel } from "../../model/model.js";
import { Random } from "../../random.js";
import { assertClose, awayFromInitialValues, randomTensor, randomValues, useBackend } from "../../testing.js";
import { metaPassKernel } from "./forward.js";
import { metaPassGradKernel } from "./gradient.js";
import { metaPass, type MetaPassOperands } from "./meta-pass.js";
import {
  metaPassGradientReference,
  metaPassLength,
  metaPassOperandNames,
  metaPassReference,
  type MetaPassSizes,
} from "./reference.js";

type Name = (typeof metaPassOperandNames)[number];
type Values = Record<Name, Float32Array>;

/** Operands as a model makes them: unit removal keys, rates in (0, 1), decays from 0.5452 to 1. */
function operands(sizes: MetaPassSizes, seed: number): Values {
  const random = new Random(seed);
  const values = Object.fromEntries(
    metaPassOperandNames.map((name) => [name, randomValues(random, metaPassLength(sizes, name))]),
  ) as Values;
  const { a, b } = values;
  for (let start = 0; start < a.length; start += sizes.size) {
    const norm = Math.hypot(...a.subarray(start, start + sizes.size));
    for (let j = start; j < start + sizes.size; j++) {
      a[j]! /= norm;
      b[j] = -a[j]! * random.uniform();
    }
  }
  values.w.forEach((_, i) => (values.w[i] = random.uniform(0.5452, 1)));
  return values;
}

function tensors(sizes: MetaPassSizes, values: Values): Record<Name, Tensor> {
  const { batch, time, heads, size } = sizes;
  const shape = (name: Name): number[] => {
    if (name === "readGain" || name === "memoryGain") return [heads * size];
    return name === "wkv" || name === "meta" ? [batch, heads, size, size] : [batch, time, heads, size];
  };
  return Object.fromEntries(metaPassOperandNames.map((name) => [name, tf.tensor(values[name], shape(name))])) as Record<
    Name,
    Tensor
  >;
}

const cases: [name: string, sizes: MetaPassSizes][] = [
  ["one step", { batch: 1, time: 1, heads: 1, size: 4 }],
  ["one head, an odd length", { batch: 1, time: 17, heads: 1, size: 5 }],
  ["several heads, several intervals and a rest", { batch: 2, time: 37, heads: 3, size: 8 }],
];

/** As of `Wkv7`, doubled as M is written with a read of S; and a normalisation multiplies by its gain over the deviation. */
function tolerance({ time, size }: MetaPassSizes): number {
  return 2 ** -24 * (size + 8) * Math.sqrt(time) * 4 * 4;
}

for (const backend of ["cpu", "wasm"] as const) {
  test(`MetaPass and MetaPassGrad on ${backend} equal the float64 reference`, async (t) => {
    await useBackend(backend);
    for (const [name, sizes] of cases) {
      await t.test(name, () => {
        tf.tidy(() => {
          const values = operands(sizes, 7);
          const inputs = tensors(sizes, values);
          const attributes = { epsilon: sizes.size * 1e-5, checkpointInterval: 16 };
          const expected = metaPassReference(sizes, values);
          const [added, metaAfter, u, o, wkvCheckpoints, metaCheckpoints] = metaPassKernel.run(inputs, attributes);
          assertClose(added!.dataSync(), expected.added, tolerance(sizes), "added");
          assertClose(metaAfter!.dataSync(), expected.metaAfter, tolerance(sizes), "M after");
          assertClose(u!.dataSync(), expected.u, tolerance(sizes), "u");
          assertClose(o!.dataSync(), expected.o, tolerance(sizes), "o");
          assert.equal(metaPassKernel.run(inputs, { ...attributes, checkpointInterval: 0 }).length, 2);

          const random = new Random(11);
          const dAdded = randomValues(random, added!.size);
          const dMetaAfter = randomValues(random, metaAfter!.size);
          const gradients = metaPassGradientReference(sizes, values, dAdded, dMetaAfter);
          const results = metaPassGradKernel.run(
            {
              ...inputs,
              ...{ u: u!, o: o!, wkvCheckpoints: wkvCheckpoints!, metaCheckpoints: metaCheckpoints! },
              dAdded: tf.tensor(dAdded, added!.shape),
              dMetaAfter: tf.tensor(dMetaAfter, metaAfter!.shape),
            },
            attributes,
          );
          metaPassOperandNames.forEach((operand, i) => {
            assert.deepEqual(results[i]!.shape, inputs[operand].shape, operand);
            assertClose(results[i]!.dataSync(), gradients[operand], 8 * tolerance(sizes), `gradient of ${operand}`);
          });
        });
      });
    }
  });
}

test("the float64 gradient equals finite differences in every element", () => {
  const sizes = { batch: 2, time: 4, heads: 2, size: 3 };
  const exact = Object.fromEntries(
    Object.entries(operands(sizes, 3)).map(([name, values]) => [name, Float64Array.from(values)]),
  ) as Record<Name, Float64Array>;
  const random = new Random(5);
  const dAdded = randomValues(random, exact.r.length);
  const dMetaAfter = randomValues(random, exact.meta.length);
  // A larger epsilon than the op's: without it a head of three values bends too sharply for differences.
  const epsilon = 0.1;
  const loss = (): number => {
    const { added, metaAfter } = metaPassReference(sizes, exact, epsilon);
    const dot = (x: Float64Array, by: Float32Array): number => x.reduce((sum, value, i) => sum + value * by[i]!, 0);
    return dot(added, dAdded) + dot(metaAfter, dMetaAfter);
  };
  const gradients = metaPassGradientReference(sizes, exact, dAdded, dMetaAfter, epsilon);
  const h = 1e-6;
  for (const name of metaPassOperandNames) {
    const numeric = exact[name].map((value, i) => {
      exact[name][i] = value + h;
      const above = loss();
      exact[name][i] = value - h;
      const below = loss();
      exact[name][i] = value;
      return (above - below) / (2 * h);
    });
    // Central differences in float64: 1e−16/h of rounding and h² of curvature.
    assertClose(gradients[name], numeric, 1e-7, `gradient of ${name}`);
  }
});

test("the tape differentiates metaPass in all operands, through what it adds and through M", async () => {
  await useBackend("wasm");
  tf.tidy(() => {
    const sizes = { batch: 1, time: 19, heads: 2, size: 4 };
    const values = operands(sizes, 2);
    const inputs = tensors(sizes, values);
    const dAdded = randomValues(new Random(3), values.r.length);
    const dMeta = randomValues(new Random(4), values.meta.length);
    const expected = metaPassGradientReference(sizes, values, dAdded, dMeta);
    const gradients = tf.grads((...x: Tensor[]) => {
      const given = Object.fromEntries(metaPassOperandNames.map((name, i) => [name, x[i]!]));
      const { added, meta } = metaPass(given as unknown as MetaPassOperands);
      return tf.add(
        tf.sum(tf.mul(added, tf.tensor(dAdded, added.shape))),
        tf.sum(tf.mul(meta, tf.tensor(dMeta, meta.shape))),
      );
    })(metaPassOperandNames.map((name) => inputs[name]));
    metaPassOperandNames.forEach((name, i) => {
      assertClose(gradients[i]!.dataSync(), expected[name], 8 * tolerance(sizes), `gradient of ${name}`);
    });
  });
});

test("it leaks no tensor, and a wrong shape is an error that names the argument", async () => {
  await useBackend("cpu");
  const sizes = { batch: 1, time: 3, heads: 2, size: 2 };
  const inputs = tensors(sizes, operands(sizes, 1));
  const before = tf.memory().numTensors;
  const { added, meta } = metaPass(inputs);
  assert.equal(tf.memory().numTensors, before + 2);
  tf.dispose([added, meta]);
  assert.throws(() => metaPass({ ...inputs, readGain: tf.zeros([3]) }), {
    name: "ShapeError",
    message: "metaPass: readGain is [3], wanted [H·N] = [4]",
  });
  assert.throws(() => metaPass({ ...inputs, meta: tf.zeros([1, 2, 2]) }), /meta is \[1, 2, 2\], wanted \[B, H, N, N\]/);
  assert.throws(() => metaPass({ ...inputs, q: tf.zeros([1, 2, 2, 2]) }), /q is \[1, 2, 2, 2\], wanted/);
});

test("a model with the pass as one op equals, to rounding, the same model with a tap inside", async () => {
  await useBackend("wasm");
  const options = { vocabSize: 11, width: 16, layers: 2, headSize: 4, parameterTokens: 24 };
  const tokens = [Array.from({ length: 21 }, (_, i) => (i * i + 3) % 11)];
  // Eight heads of which six carry the SSE, over four slices of channels: the pass sees what the heads see.
  for (const more of [{}, { heads: 8, rho: 0.75 }, { mul: true as const }]) {
    const model = awayFromInitialValues(createModel({ ...options, ...more }, { seed: 3 }));
    const names: string[] = [];
    const tap = (name: string, value: Tensor): Tensor => {
      names.push(name);
      return value;
    };
    const weights = randomTensor(new Random(9), [1, 21, 11]);
    const run = async (options: ForwardOptions) => {
      const loss = (): tf.Scalar => tf.sum(tf.mul(model.forward(tokens, undefined, options).logits, weights));
      const found: { value?: tf.Scalar; grads?: tf.NamedTensorMap } = {};
      const { kernelNames } = await tf.profile(() => {
        Object.assign(found, tf.variableGrads(loss));
        return found.value!;
      });
      return { asOneOp: kernelNames.includes("MetaPass"), ...model.forward(tokens, undefined, options), ...found };
    };
    const plain = await run({});
    assert.deepEqual([plain.asOneOp, names.length], [true, 0]);
    const looked = await run({ tap });
    assert.deepEqual([looked.asOneOp, names.includes("blocks.1.meta.memory")], [false, true]);
    // Two forms of the same sums in float32, through two layers whose normalisations may stretch a difference.
    assertClose(plain.logits.dataSync(), looked.logits.dataSync(), 1e-4, "logits");
    assertClose(plain.state.layers[1]!.meta!.dataSync(), looked.state.layers[1]!.meta!.dataSync(), 1e-4, "M");
    for (const [name, gradient] of Object.entries(plain.grads!)) {
      assertClose(gradient.dataSync(), looked.grads![name]!.dataSync(), 1e-3, `gradient of ${name}`);
    }
  }
});
