import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

import { ShapeError } from "../../errors.js";
import { Random } from "../../random.js";
import { assertClose, randomValues, useBackend } from "../../testing.js";
import { wkv7Composed, wkv7Kernel } from "./forward.js";
import { wkv7GradComposed, wkv7GradKernel } from "./gradient.js";
import { wkv7GradientReference, wkv7OperandNames, wkv7Reference, type Wkv7Sizes } from "./reference.js";
import { wkv7 } from "./wkv7.js";

type Values = Record<(typeof wkv7OperandNames)[number], Float32Array>;

/** Operands as RWKV-7 makes them: unit removal keys, rates in (0, 1), decays between the bounds given. */
function operands(sizes: Wkv7Sizes, seed: number, [slowest, fastest]: readonly [number, number]): Values {
  const random = new Random(seed);
  const { batch, time, heads, size } = sizes;
  const length = batch * time * heads * size;
  const a = randomValues(random, length);
  const b = new Float32Array(length);
  for (let start = 0; start < length; start += size) {
    const norm = Math.hypot(...a.subarray(start, start + size));
    for (let j = start; j < start + size; j++) {
      a[j]! /= norm;
      b[j] = -a[j]! * random.uniform();
    }
  }
  return {
    r: randomValues(random, length),
    w: Float32Array.from({ length }, () => random.uniform(fastest, slowest)),
    k: randomValues(random, length),
    v: randomValues(random, length),
    a,
    b,
    state: randomValues(random, batch * heads * size * size),
  };
}

function tensors({ batch, time, heads, size }: Wkv7Sizes, values: Values): Record<keyof Values, Tensor> {
  const make = (name: keyof Values): Tensor =>
    tf.tensor(values[name], name === "state" ? [batch, heads, size, size] : [batch, time, heads, size]);
  return Object.fromEntries(wkv7OperandNames.map((name) => [name, make(name)])) as Record<keyof Values, Tensor>;
}

const mixed = [1, 0.5452] as const;
const cases: [name: string, sizes: Wkv7Sizes, decays: readonly [number, number]][] = [
  ["one step", { batch: 1, time: 1, heads: 1, size: 4 }, mixed],
  ["one head, an odd length", { batch: 1, time: 17, heads: 1, size: 5 }, mixed],
  ["size 1", { batch: 2, time: 3, heads: 2, size: 1 }, mixed],
  ["an exact interval", { batch: 2, time: 16, heads: 3, size: 8 }, mixed],
  ["several intervals and a rest", { batch: 2, time: 37, heads: 2, size: 16 }, mixed],
  ["the fastest decay", { batch: 1, time: 50, heads: 2, size: 8 }, [0.5453, 0.5452]],
  ["hardly any decay", { batch: 1, time: 50, heads: 2, size: 8 }, [1, 0.99999]],
];

/**
 * Rounding to float32 happens once an output (the loops) or a few times a step and element (the chain of ops); errors of
 * the latter random-walk over at most T steps, in sums of N terms: 2^−24 × (N + 8) × √T, and 4 for the worst element.
 */
function tolerance({ time, size }: Wkv7Sizes): number {
  return 2 ** -24 * (size + 8) * Math.sqrt(time) * 4;
}

const forms = {
  "host loops": {
    forward: (inputs: Record<keyof Values, Tensor>, interval: number) =>
      wkv7Kernel.run(inputs, { checkpointInterval: interval }),
    backward: (inputs: Parameters<typeof wkv7GradComposed>[0], interval: number) =>
      wkv7GradKernel.run(inputs, { checkpointInterval: interval }),
  },
  "composed ops": {
    forward: (inputs: Record<keyof Values, Tensor>, interval: number) =>
      wkv7Composed(inputs, { checkpointInterval: interval }),
    backward: (inputs: Parameters<typeof wkv7GradComposed>[0], interval: number) =>
      wkv7GradComposed(inputs, { checkpointInterval: interval }),
  },
};

for (const backend of ["cpu", "wasm"] as const) {
  for (const [form, { forward, backward }] of Object.entries(forms)) {
    test(`Wkv7 and Wkv7Grad as ${form} on ${backend} equal the float64 reference`, async (t) => {
      await useBackend(backend);
      for (const [name, sizes, decays] of cases) {
        await t.test(name, () => {
          tf.tidy(() => {
            const values = operands(sizes, 7, decays);
            const inputs = tensors(sizes, values);
            const expected = wkv7Reference(sizes, values);
            const [y, state, checkpoints] = forward(inputs, 16);
            assertClose(y!.dataSync(), expected.y, tolerance(sizes), "y");
            assertClose(state!.dataSync(), expected.finalState, tolerance(sizes), "final state");
            const chunks = Math.ceil(sizes.time / 16);
            assert.deepEqual(checkpoints!.shape, [sizes.batch, sizes.heads, chunks, sizes.size, sizes.size]);
            assert.equal(forward(inputs, 0).length, 2);

            const random = new Random(11);
            const dy = randomValues(random, values.r.length);
            const dFinalState = randomValues(random, values.state.length);
            const gradients = wkv7GradientReference(sizes, values, dy, dFinalState);
            const results = backward(
              {
                ...inputs,
                checkpoints: checkpoints!,
                dy: tf.tensor(dy, y!.shape),
                dFinalState: tf.tensor(dFinalState, state!.shape),
              },
              16,
            );
            wkv7OperandNames.forEach((operand, i) => {
              assertClose(results[i]!.dataSync(), gradients[operand], 8 * tolerance(sizes), `gradient of ${operand}`);
            });
          });
        });
      }
    });
  }
}

test("the float64 gradient equals finite differences in every element", () => {
  const sizes = { batch: 2, time: 5, heads: 2, size: 3 };
  const values = operands(sizes, 3, mixed);
  const exact = Object.fromEntries(
    wkv7OperandNames.map((name) => [name, Float64Array.from(values[name])]),
  ) as unknown as Record<keyof Values, Float64Array>;
  const random = new Random(5);
  const dy = randomValues(random, values.r.length);
  const dFinalState = randomValues(random, values.state.length);
  const loss = (): number => {
    const { y, finalState } = wkv7Reference(sizes, exact);
    const dot = (x: Float64Array, by: Float32Array): number => x.reduce((sum, value, i) => sum + value * by[i]!, 0);
    return dot(y, dy) + dot(finalState, dFinalState);
  };
  const gradients = wkv7GradientReference(sizes, exact, dy, dFinalState);
  const h = 1e-6;
  for (const name of wkv7OperandNames) {
    const numeric = exact[name].map((value, i) => {
      exact[name][i] = value + h;
      const above = loss();
      exact[name][i] = value - h;
      const below = loss();
      exact[name][i] = value;
      return (above - below) / (2 * h);
    });
    // Central differences in float64: 1e−16/h of rounding and h² of curvature.
    assertClose(gradients[name], numeric, 1e-8, `gradient of ${name}`);
  }
});

test("the tape differentiates wkv7 in all operands, through y and the final state", async () => {
  await useBackend("wasm");
  tf.tidy(() => {
    const sizes = { batch: 1, time: 19, heads: 2, size: 4 };
    const values = operands(sizes, 2, mixed);
    const inputs = tensors(sizes, values);
    const dy = randomValues(new Random(3), values.r.length);
    const dState = randomValues(new Random(4), values.state.length);
    const expected = wkv7GradientReference(sizes, values, dy, dState);
    const gradients = tf.grads((...x: Tensor[]) => {
      const [r, w, k, v, a, b, state] = x as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
      const result = wkv7(r, w, k, v, a, b, state);
      return tf.add(
        tf.sum(tf.mul(result.y, tf.tensor(dy, result.y.shape))),
        tf.sum(tf.mul(result.state, tf.tensor(dState, result.state.shape))),
      );
    })(wkv7OperandNames.map((name) => inputs[name]));
    wkv7OperandNames.forEach((name, i) => {
      assertClose(gradients[i]!.dataSync(), expected[name], 8 * tolerance(sizes), `gradient of ${name}`);
    });
  });
});

test("a sequence cut anywhere gives the same reads and state", async () => {
  await useBackend("cpu");
  tf.tidy(() => {
    const sizes = { batch: 2, time: 12, heads: 2, size: 4 };
    const { r, w, k, v, a, b, state } = tensors(sizes, operands(sizes, 9, mixed));
    const whole = wkv7(r, w, k, v, a, b, state);
    for (const cut of [1, 5, 11]) {
      const part = (x: Tensor, start: number, length: number): Tensor =>
        tf.slice(x, [0, start, 0, 0], [-1, length, -1, -1]);
      const run = (start: number, length: number, from: Tensor) => {
        const [pr, pw, pk, pv, pa, pb] = [r, w, k, v, a, b].map((x) => part(x, start, length)) as [
          Tensor,
          Tensor,
          Tensor,
          Tensor,
          Tensor,
          Tensor,
        ];
        return wkv7(pr, pw, pk, pv, pa, pb, from);
      };
      const first = run(0, cut, state);
      const second = run(cut, 12 - cut, first.state);
      assertClose(tf.concat([first.y, second.y], 1).dataSync(), whole.y.dataSync(), 1e-6, `cut at ${cut}`);
      assertClose(second.state.dataSync(), whole.state.dataSync(), 1e-6, `state, cut at ${cut}`);
    }
  });
});

test("without a state the recurrence starts from zero and leaks no tensor", async () => {
  await useBackend("cpu");
  const sizes = { batch: 1, time: 3, heads: 1, size: 2 };
  const { r, w, k, v, a, b } = tensors(sizes, operands(sizes, 1, mixed));
  const before = tf.memory().numTensors;
  const { y, state } = wkv7(r, w, k, v, a, b);
  assert.equal(tf.memory().numTensors, before + 2);
  const zero = wkv7(r, w, k, v, a, b, tf.zeros([1, 1, 2, 2]));
  assert.deepEqual(y.dataSync(), zero.y.dataSync());
  assert.deepEqual(state.dataSync(), zero.state.dataSync());
});

test("a wrong shape is an error that names argument, shape and shape wanted", async () => {
  await useBackend("cpu");
  const x = tf.zeros([2, 3, 4, 5]);
  assert.throws(() => wkv7(x, x, tf.zeros([2, 3, 4, 6]), x, x, x), {
    name: "ShapeError",
    message: "wkv7: k is [2, 3, 4, 6], wanted [B, T, H, N] = [2, 3, 4, 5]",
  });
  assert.throws(() => wkv7(x, x, x, x, x, x, tf.zeros([2, 4, 5])), {
    message: "wkv7: state is [2, 4, 5], wanted [B, H, N, N] = [2, 4, 5, 5]",
  });
  assert.throws(() => wkv7(tf.zeros([2, 0, 4, 5]), x, x, x, x, x), ShapeError);
  assert.throws(() => wkv7(tf.zeros([2, 3, 4, 5], "int32"), x, x, x, x, x), /r is \[2, 3, 4, 5\] int32, wanted/);
});
