import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Tensor1D } from "@tensorflow/tfjs-core";

import { Random } from "../../random.js";
import { assertClose, randomValues, useBackend } from "../../testing.js";
import { causalAttention } from "./attention.js";
import { attentionComposed, attentionKernel } from "./forward.js";
import { attentionGradComposed, attentionGradKernel } from "./gradient.js";
import { attentionReference, type AttentionReferenceSizes } from "./reference.js";

interface Case {
  readonly sizes: AttentionReferenceSizes;
  readonly starts: readonly number[];
  /** scores are of the size of its square */
  readonly scale: number;
}

const cases: Record<string, Case> = {
  "one token": { sizes: { batch: 1, time: 1, keys: 1, heads: 1, size: 2 }, starts: [0], scale: 1 },
  "a sequence": { sizes: { batch: 2, time: 7, keys: 7, heads: 3, size: 5 }, starts: [0, 0], scale: 1 },
  "one token after others, rows of different lengths": {
    sizes: { batch: 3, time: 1, keys: 9, heads: 2, size: 4 },
    starts: [0, 8, 3],
    scale: 1,
  },
  "several after others, rows of different lengths": {
    sizes: { batch: 3, time: 4, keys: 10, heads: 2, size: 8 },
    starts: [6, 0, 2],
    scale: 1,
  },
  "scores in the hundreds": { sizes: { batch: 1, time: 12, keys: 12, heads: 1, size: 4 }, starts: [0], scale: 20 },
};

function operands({ sizes: { batch, time, keys, heads, size }, starts, scale }: Case, seed: number) {
  const random = new Random(seed);
  return {
    q: randomValues(random, batch * time * heads * size, scale),
    k: randomValues(random, batch * keys * heads * size, scale),
    v: randomValues(random, batch * keys * heads * size),
    starts,
  };
}

const forms = {
  "host loops": {
    forward: (inputs: Parameters<typeof attentionComposed>[0]) => attentionKernel.run(inputs, {}),
    backward: (inputs: Parameters<typeof attentionGradComposed>[0]) => attentionGradKernel.run(inputs, {}),
  },
  "composed ops": { forward: attentionComposed, backward: attentionGradComposed },
};

/**
 * A score of size s is off by about s × 2^−24 × √N in float32, and so, relatively, is its weight; 8 for the worst element.
 * Measured: a third of it at most.
 */
function tolerance({ sizes, scale }: Case): number {
  return 8 * 2 ** -24 * Math.sqrt(sizes.size) * Math.max(1, scale ** 2);
}

for (const backend of ["cpu", "wasm"] as const) {
  for (const [form, { forward, backward }] of Object.entries(forms)) {
    for (const [name, given] of Object.entries(cases)) {
      test(`attention as ${form} on ${backend} equals the float64 reference and its differences: ${name}`, async () => {
        await useBackend(backend);
        const { batch, time, keys, heads, size } = given.sizes;
        tf.tidy(() => {
          const values = operands(given, 5);
          const inputs = {
            q: tf.tensor(values.q, [batch, time, heads, size]),
            k: tf.tensor(values.k, [batch, keys, heads, size]),
            v: tf.tensor(values.v, [batch, keys, heads, size]),
            starts: tf.tensor1d([...given.starts], "int32"),
          };
          const [y, logSums] = forward(inputs) as [Tensor, Tensor];
          assert.deepEqual(logSums.shape, [batch, time, heads]);
          assertClose(y.dataSync(), attentionReference(given.sizes, values), tolerance(given), "y");

          const dy = randomValues(new Random(8), y.size);
          const gradients = backward({ ...inputs, y, logSums, dy: tf.tensor(dy, y.shape) });
          const at: Record<"q" | "k" | "v", Float64Array> = {
            q: Float64Array.from(values.q),
            k: Float64Array.from(values.k),
            v: Float64Array.from(values.v),
          };
          const loss = (): number =>
            attentionReference(given.sizes, { ...at, starts: given.starts }).reduce((sum, x, i) => sum + x * dy[i]!, 0);
          (["q", "k", "v"] as const).forEach((operand, i) => {
            const held = at[operand];
            const h = 1e-6;
            const numeric = held.map((value, j) => {
              held[j] = value + h;
              const above = loss();
              held[j] = value - h;
              const below = loss();
              held[j] = value;
              return (above - below) / (2 * h);
            });
            assert.deepEqual(gradients[i]!.shape, inputs[operand].shape);
            const scale = Math.max(0.1, ...numeric.map(Math.abs));
            gradients[i]!.dataSync().forEach((x, j) => {
              const error = Math.abs(x - numeric[j]!) / scale;
              // Differences in float64 are good to 1e−8 where the loss bends little.
              assert.ok(error < 4 * tolerance(given) + 1e-6, `d${operand}[${j}]: ${x}, differences ${numeric[j]}`);
            });
          });
        });
      });
    }
  }
}

test("a key outside what a query sees has no gradient, and what is there does not matter", async () => {
  await useBackend("wasm");
  tf.tidy(() => {
    const random = new Random(2);
    const make = (length: number, spoilt: number): Tensor => {
      const values = randomValues(random, length * 4);
      values.fill(spoilt, 0, 8);
      return tf.tensor(values, [1, length, 1, 4]);
    };
    const starts: Tensor1D = tf.tensor1d([2], "int32");
    const q = make(2, 0.5);
    const k = make(5, 1e30);
    const v = make(5, 1e30);
    const [dk, dv] = tf.grads((key: Tensor, value: Tensor) => tf.sum(causalAttention(q, key, value, starts)))([k, v]);
    for (const gradient of [dk!, dv!]) {
      assert.ok(gradient.dataSync<"float32">().every(Number.isFinite));
      assert.deepEqual([...gradient.dataSync().slice(0, 8)], new Array(8).fill(0));
    }
  });
});

test("wrong shapes are errors that name what is wanted", async () => {
  await useBackend("cpu");
  const starts = tf.tensor1d([0, 0], "int32");
  const x = tf.zeros([2, 3, 2, 4]);
  assert.throws(() => causalAttention(x, tf.zeros([2, 2, 2, 4]), x, starts), /k is \[2, 2, 2, 4\], wanted .* T = 3/);
  assert.throws(() => causalAttention(x, x, tf.zeros([2, 3, 1, 4]), starts), /v is \[2, 3, 1, 4\], wanted/);
  assert.throws(() => causalAttention(x, x, x, tf.tensor1d([0], "int32")), /starts is \[1\] int32, wanted \[B\]/);
});
