/**
 * What the tests share: a backend, random operands, and gradients checked against finite differences. Not exported from
 * the package.
 */
import assert from "node:assert/strict";

import "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

import type { LanguageModel, SequenceState } from "./model/language-model.js";
import { Random } from "./random.js";
import { silenceCpu } from "./silence-cpu.js";

silenceCpu();

/** Makes a tfjs backend the one in use. */
export async function useBackend(name: "cpu" | "wasm"): Promise<void> {
  assert.ok(await tf.setBackend(name), `backend ${name} starts`);
}

/** Values uniform in ±scale, rounded to float32. */
export function randomValues(random: Random, count: number, scale = 1): Float32Array {
  return Float32Array.from({ length: count }, () => random.uniform(-scale, scale));
}

/** A tensor with values uniform in ±scale around a centre. */
export function randomTensor(random: Random, shape: number[], { scale = 1, centre = 0 } = {}): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  return tf.tensor(
    Float32Array.from({ length: count }, () => centre + random.uniform(-scale, scale)),
    shape,
  );
}

/** Moves all parameters of a model away from their initial zeros and constants, by up to ±0.4; gives the model back. */
export function awayFromInitialValues<M extends Pick<LanguageModel, "parameters">>(model: M, seed = 17): M {
  const random = new Random(seed);
  for (const variable of model.parameters.values()) {
    tf.tidy(() => variable.assign(tf.add(variable, randomTensor(random, variable.shape, { scale: 0.4 }))));
  }
  return model;
}

/** Fails unless each token of a text changes the logits at and after it, and not a bit of those before. */
export function assertCausal<S extends SequenceState>(model: LanguageModel<S>, row: readonly number[]): void {
  tf.tidy(() => {
    const { vocabSize } = model.configuration;
    const original = model.forward([row]).logits.dataSync();
    for (let t = 0; t < row.length; t++) {
      const changed = model.forward([row.with(t, (row[t]! + 1) % vocabSize)]).logits.dataSync();
      const cut = t * vocabSize;
      assert.deepEqual(changed.slice(0, cut), original.slice(0, cut), `before token ${t}`);
      for (let later = t; later < row.length; later++) {
        const at = later * vocabSize;
        assert.notDeepEqual(changed.slice(at, at + vocabSize), original.slice(at, at + vocabSize), `at ${later}`);
      }
    }
  });
}

/** The largest |actual − expected|, in units of the largest |expected| (or of 1e−6, if that is larger). */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  assert.equal(actual.length, expected.length);
  let difference = 0;
  let largest = 1e-6;
  for (let i = 0; i < actual.length; i++) {
    assert.ok(Number.isFinite(actual[i]), `element ${i} is ${actual[i]}`);
    difference = Math.max(difference, Math.abs(actual[i]! - expected[i]!));
    largest = Math.max(largest, Math.abs(expected[i]!));
  }
  return difference / largest;
}

/** Fails when {@link relativeError} exceeds the tolerance. */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what: string,
): void {
  const error = relativeError(actual, expected);
  assert.ok(error <= tolerance, `${what}: relative error ${error.toExponential(2)}, at most ${tolerance}`);
}

/**
 * Checks the gradient of an op: Σ c ⊙ op(inputs) with random c, differentiated by the tape and by central differences in
 * random directions. Float32 evaluations limit the differences: with step h the error is about ε/h + h², least near
 * h = 0.005, some 1e−5 to 1e−4 of the loss.
 *
 * @param op from tensors to tensors
 * @param inputs all are differentiated
 */
export function checkGradient(
  op: (...inputs: Tensor[]) => Tensor | Tensor[],
  inputs: readonly Tensor[],
  { seed = 1, tolerance = 2e-3, step = 5e-3 } = {},
): void {
  const random = new Random(seed);
  const list = (result: Tensor | Tensor[]): Tensor[] => (Array.isArray(result) ? result : [result]);
  const weights = tf.tidy(() => list(op(...inputs)).map(({ shape }) => tf.keep(randomTensor(random, shape))));
  const loss = (...at: Tensor[]): tf.Scalar =>
    list(op(...at))
      .map((output, i) => tf.sum(tf.mul(output, weights[i]!)))
      .reduce((a, b) => tf.add(a, b)) as tf.Scalar;
  // The sum over outputs in float64, so that only the op itself rounds.
  const value = (at: readonly Tensor[]): number =>
    tf.tidy(() => {
      let sum = 0;
      list(op(...at)).forEach((output, i) => {
        const values = output.dataSync();
        const by = weights[i]!.dataSync();
        for (let j = 0; j < values.length; j++) sum += values[j]! * by[j]!;
      });
      return sum;
    });
  const gradients = tf.grads(loss)([...inputs]);
  inputs.forEach((input, i) => {
    assert.deepEqual(gradients[i]!.shape, input.shape, `gradient of input ${i} has its shape`);
    const gradient = gradients[i]!.dataSync<"float32">();
    for (let trial = 0; trial < 3; trial++) {
      const direction = randomValues(random, input.size);
      const length = Math.sqrt(direction.reduce((sum, x) => sum + x * x, 0));
      const moved = (sign: number): number => {
        const values = input.dataSync().map((x, j) => x + (sign * step * direction[j]!) / length);
        const tensor = tf.tensor(values, input.shape);
        const result = value(inputs.map((other, k) => (k === i ? tensor : other)));
        tensor.dispose();
        return result;
      };
      const numeric = (moved(1) - moved(-1)) / (2 * step);
      const analytic = gradient.reduce((sum, x, j) => sum + (x * direction[j]!) / length, 0);
      const scale = Math.max(1, Math.abs(numeric), Math.sqrt(gradient.reduce((sum, x) => sum + x * x, 0)));
      assert.ok(
        Math.abs(numeric - analytic) <= tolerance * scale,
        `input ${i}: differences give ${numeric}, the tape ${analytic}`,
      );
    }
  });
  tf.dispose([...weights, ...gradients]);
}
