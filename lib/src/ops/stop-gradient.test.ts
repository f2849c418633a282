import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";

import { useBackend } from "../testing.js";
import "./kernel.js";
import { stopGradient } from "./stop-gradient.js";

test("a stopped gradient: the values stay, what is made of them is a constant, an op without a gradient may follow", async () => {
  await useBackend("wasm");
  const x = tf.tensor([3, -1, 2, 5]);
  const before = tf.memory().numTensors;
  const gradient = (f: (x: tf.Tensor) => tf.Tensor): number[] => tf.tidy(() => [...tf.grad(f)(x).dataSync()]);
  assert.deepEqual(
    gradient((y) => tf.sum(tf.mul(y, stopGradient(y)))),
    [3, -1, 2, 5],
  );
  const largest = (y: tf.Tensor): tf.Tensor => {
    const least = tf.min(tf.topk(stopGradient(y), 2).values);
    return tf.sum(tf.where(tf.greaterEqual(y, least), tf.square(y), tf.zerosLike(y)));
  };
  assert.deepEqual(gradient(largest), [6, 0, 0, 10]);
  const stepped = (y: tf.Tensor): tf.Tensor => tf.sum(tf.add(y, stopGradient(tf.sub(tf.step(y), y))));
  assert.deepEqual(gradient(stepped), [1, 1, 1, 1]);
  const values = tf.tidy(() => stopGradient(tf.neg(x)).dataSync());
  assert.deepEqual([...values], [-3, 1, -2, -5]);
  assert.equal(tf.memory().numTensors, before);
});
