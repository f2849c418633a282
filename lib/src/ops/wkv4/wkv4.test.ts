import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";

import { Random } from "../../random.js";
import { assertClose, checkGradient, randomTensor, randomValues, useBackend } from "../../testing.js";
import { wkv4Composed, wkv4Kernel, type Wkv4Input } from "./forward.js";
import { wkv4GradComposed, wkv4GradKernel } from "./gradient.js";
import { wkv4Reference } from "./reference.js";
import { emptyExponent, wkv4 } from "./wkv4.js";

const width = 3;
const names = ["w", "u", "k", "v", "numerator", "denominator", "exponent"] as const;
type Values = Record<Wkv4Input, Float64Array>;

interface Case {
  readonly time: number;
  /** log decays, ≤ 0 */
  readonly decays: readonly [number, number];
  /** keys are uniform in ± this */
  readonly keys: number;
  /** whether nothing was seen before */
  readonly empty: boolean;
}

const cases: Record<string, Case> = {
  "one token, nothing before": { time: 1, decays: [-1, -0.1], keys: 1, empty: true },
  "a sequence": { time: 17, decays: [-1, -0.1], keys: 2, empty: true },
  "a sequence after others": { time: 9, decays: [-1, -0.1], keys: 2, empty: false },
  "no decay": { time: 30, decays: [0, 0], keys: 1, empty: true },
  "all forgotten at once": { time: 12, decays: [-90, -80], keys: 1, empty: false },
  "keys whose exponentials do not fit float32": { time: 12, decays: [-1, -0.01], keys: 300, empty: true },
};

/** One row's operands, rounded to float32. */
function operands({ time, decays, keys, empty }: Case, seed: number): Values {
  const random = new Random(seed);
  const values = (count: number, scale = 1): Float64Array => Float64Array.from(randomValues(random, count, scale));
  return {
    w: Float64Array.from({ length: width }, () => Math.fround(random.uniform(...decays))),
    u: values(width),
    k: values(time * width, keys),
    v: values(time * width),
    numerator: empty ? new Float64Array(width) : values(width),
    denominator: empty ? new Float64Array(width) : values(width).map((x) => 1 + Math.abs(x)),
    exponent: empty ? new Float64Array(width).fill(emptyExponent) : values(width),
  };
}

/** Rows side by side: w and u are the first's. */
function tensors(rows: readonly Values[], time: number): Record<Wkv4Input, Tensor> {
  const shape = (name: Wkv4Input): number[] =>
    name === "w" || name === "u"
      ? [width]
      : name === "k" || name === "v"
        ? [rows.length, time, width]
        : [rows.length, width];
  const flat = (name: Wkv4Input): number[] =>
    (name === "w" || name === "u" ? rows.slice(0, 1) : rows).flatMap((row) => [...row[name]]);
  return Object.fromEntries(names.map((name) => [name, tf.tensor(flat(name), shape(name), "float32")])) as Record<
    Wkv4Input,
    Tensor
  >;
}

const forms = {
  "host loops": {
    forward: (inputs: Record<Wkv4Input, Tensor>) => wkv4Kernel.run(inputs, {}),
    backward: (inputs: Parameters<typeof wkv4GradComposed>[0]) => wkv4GradKernel.run(inputs, {}),
  },
  "composed ops": { forward: wkv4Composed, backward: wkv4GradComposed },
};

for (const backend of ["cpu", "wasm"] as const) {
  for (const [form, { forward, backward }] of Object.entries(forms)) {
    for (const [name, given] of Object.entries(cases)) {
      test(`wkv4 as ${form} on ${backend} equals the float64 reference and its differences: ${name}`, async () => {
        await useBackend(backend);
        tf.tidy(() => {
          const first = operands(given, 3);
          const second = { ...operands(given, 4), w: first.w, u: first.u };
          const inputs = tensors([first, second], given.time);
          const [y, a, b, p] = forward(inputs) as [Tensor, Tensor, Tensor, Tensor];
          const expected = [first, second].flatMap((row) => [...wkv4Reference(width, row)]);
          // An exponent of size k is off by k × 2^−24 in float32, and so is its exponential; 8 for the worst element and the steps.
          const tolerance = 8 * 2 ** -24 * Math.max(4, given.keys, ...first.w.map(Math.abs)) * Math.sqrt(given.time);
          assertClose(y.dataSync(), expected, tolerance, "y");

          // The state is used as another token would use it: through what it makes of a next one.
          const random = new Random(9);
          const dy = randomValues(random, y.size);
          const zeros = tf.zerosLike(a);
          const gradients = backward({
            ...inputs,
            dy: tf.tensor(dy, y.shape),
            dNumerator: zeros,
            dDenominator: zeros,
            dExponent: zeros,
          });
          assert.ok([b, p].every((x) => x.dataSync().every(Number.isFinite)));
          const loss = (): number =>
            [first, second].reduce(
              (sum, row, r) =>
                sum + wkv4Reference(width, row).reduce((part, x, i) => part + x * dy[r * given.time * width + i]!, 0),
              0,
            );
          names.forEach((operand, i) => {
            if (given.empty && i > 3) return;
            const shared = i < 2;
            const numeric = (shared ? [first] : [first, second]).flatMap((row) =>
              Array.from(row[operand], (value, j) => {
                const h = 1e-6 * Math.max(1, Math.abs(value));
                row[operand][j] = value + h;
                const above = loss();
                row[operand][j] = value - h;
                const below = loss();
                row[operand][j] = value;
                return (above - below) / (2 * h);
              }),
            );
            const scale = Math.max(0.1, ...numeric.map(Math.abs));
            gradients[i]!.dataSync().forEach((x, j) => {
              const error = Math.abs(x - numeric[j]!) / scale;
              assert.ok(error < 4 * tolerance + 1e-6, `d${operand}[${j}]: ${x}, differences ${numeric[j]}`);
            });
          });
        });
      });
    }
  }
}

test("the gradient through the final state, all three parts of it, equals differences of the op", async () => {
  await useBackend("wasm");
  tf.tidy(() => {
    const random = new Random(6);
    const make = (shape: number[], options?: object): Tensor => randomTensor(random, shape, options);
    checkGradient(
      (...x: Tensor[]) => {
        const [w, u, k, v, ...held] = x as [Tensor, Tensor, Tensor, Tensor, ...Tensor2D[]];
        const [numerator, denominator, exponent] = held as [Tensor2D, Tensor2D, Tensor2D];
        const { y, state } = wkv4(w, u, k, v, { numerator, denominator, exponent });
        return [y, state.numerator, state.denominator, state.exponent];
      },
      [
        make([2], { centre: -1, scale: 0.5 }),
        make([2]),
        make([2, 4, 2]),
        make([2, 4, 2]),
        make([2, 2]),
        make([2, 2], { centre: 2 }),
        make([2, 2]),
      ],
    );
  });
});

test("a sequence cut anywhere gives the same averages and state; no state is the empty one, and nothing leaks", async () => {
  await useBackend("wasm");
  const random = new Random(5);
  const [w, u] = [randomTensor(random, [4], { centre: -1 }), randomTensor(random, [4])];
  const [k, v] = [randomTensor(random, [2, 11, 4], { scale: 4 }), randomTensor(random, [2, 11, 4])];
  const before = tf.memory().numTensors;
  const whole = wkv4(w, u, k, v);
  assert.equal(tf.memory().numTensors, before + 4);
  tf.tidy(() => {
    for (const cut of [1, 4, 10]) {
      const part = (x: Tensor, start: number, length: number): Tensor => tf.slice(x, [0, start, 0], [-1, length, -1]);
      const first = wkv4(w, u, part(k, 0, cut), part(v, 0, cut));
      const second = wkv4(w, u, part(k, cut, 11 - cut), part(v, cut, 11 - cut), first.state);
      assertClose(tf.concat([first.y, second.y], 1).dataSync(), whole.y.dataSync(), 1e-6, `cut at ${cut}`);
      for (const name of ["numerator", "denominator", "exponent"] as const) {
        assertClose(second.state[name].dataSync(), whole.state[name].dataSync(), 1e-6, `${name}, cut at ${cut}`);
      }
    }
  });
  assert.throws(() => wkv4(u, u, k, tf.zeros([2, 11, 3])), /v is \[2, 11, 3\], wanted \[B, T, C\] = \[2, 11, 4\]/);
});
