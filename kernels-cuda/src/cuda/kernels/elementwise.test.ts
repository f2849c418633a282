/** tfjs's functions of single elements on `cuda` against JavaScript in float64. */
import * as tf from "@tensorflow/tfjs-core";
import assert from "node:assert/strict";
import test from "node:test";
import { needsCuda, useCuda } from "../../testing/cuda.js";

const functions: Readonly<Record<string, [(x: tf.Tensor) => tf.Tensor, (x: number) => number]>> = {
  exp: [tf.exp, Math.exp],
  sigmoid: [tf.sigmoid, (x) => 1 / (1 + Math.exp(-x))],
  tanh: [tf.tanh, Math.tanh],
  relu: [tf.relu, (x) => Math.max(x, 0)],
};

/** Of the result: CUDA's tables of accuracy give 2 ulp for expf and tanhf; sums and a quotient add one each. */
const allowed = 4 * 2 ** -23;

for (const [name, [op, reference]] of Object.entries(functions)) {
  test(`${name} on cuda`, needsCuda, async () => {
    await useCuda();
    for (const size of [0, 1, 255, 1000]) {
      const values = Float32Array.from({ length: size }, (_, i) => (i / size - 0.5) * 40);
      const x = tf.tensor1d(values);
      const y = op(x);
      for (const [i, value] of (await y.data()).entries()) {
        const wanted = reference(values[i]!);
        assert.ok(Math.abs(value - wanted) <= allowed * Math.abs(wanted), `${name}(${values[i]}) is ${value}`);
      }
      tf.dispose([x, y]);
    }
    const special = tf.tidy(() => op(tf.tensor1d([NaN, Infinity, -Infinity])));
    assert.deepEqual([...(await special.data())], [NaN, Infinity, -Infinity].map(reference));
    special.dispose();
  });
}
