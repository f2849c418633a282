import * as tf from "@tensorflow/tfjs-core";
import assert from "node:assert/strict";
import test from "node:test";
import { useNativeEngine } from "../engine-candidate.js";
import { native, needsNative } from "../testing/native.js";
import { BufferPool, leastLarge } from "./buffer-pool.js";
import type { NativeBackend } from "./native-backend.js";

test("an array of a length comes back for that length, and only up to the limit", () => {
  const pool = new BufferPool(undefined, 4 * 1000);
  const [a, b] = [pool.take(600), pool.take(500)];
  pool.give(a);
  assert.equal(pool.take(500) === a, false);
  assert.equal(pool.take(600), a);
  pool.give(a);
  pool.give(b);
  assert.equal(pool.bytes, 4 * 500, "the length that was not asked for longest is let go");
  assert.equal(pool.take(500), b);
});

test("a short array comes back too, and so does that of a small tensor", needsNative, async () => {
  useNativeEngine();
  await tf.setBackend("native");
  const { pool } = tf.backend() as NativeBackend;
  const [first, second] = [pool.take(3), pool.take(3)];
  pool.give(first);
  const tensor = tf.neg(tf.ones([3]));
  const waiting = pool.bytes;
  tensor.dispose();
  assert.equal(pool.bytes, waiting + 4 * 3);
  assert.equal(pool.take(3), first);
  assert.notEqual(pool.take(3), second, "which was never given");
});

test("the length that was not given for longest is let go, however often it was given before", () => {
  const pool = new BufferPool(undefined, 4 * 100);
  const [a, b] = [pool.take(40), pool.take(50)];
  pool.give(b);
  for (let again = 0; again < 3; again++) pool.give(pool.take(50));
  pool.give(a);
  pool.give(pool.take(50));
  pool.give(new Float32Array(20));
  assert.equal(pool.bytes, 4 * 70);
  assert.equal(pool.take(50), b);
});

test("large arrays come from the addon, and their memory goes when they are let go", () => {
  const made: Float32Array[] = [];
  const dropped: Float32Array[] = [];
  const large = {
    largeArray(length: number): Float32Array {
      made.push(new Float32Array(length));
      return made.at(-1)!;
    },
    dropArray: (array: Float32Array): boolean => dropped.push(array) > 0,
  };
  const pool = new BufferPool(large, 4 * leastLarge);
  const [a, b] = [pool.take(leastLarge), pool.take(leastLarge)];
  const small = pool.take(leastLarge - 1);
  assert.deepEqual(made, [a, b]);
  pool.give(small);
  pool.give(a);
  assert.deepEqual(dropped, [], "a small one is the garbage collector's");
  pool.give(b);
  assert.equal(dropped.length, 1);
  assert.equal(pool.bytes, 4 * leastLarge);
});

/** Around whole pages of 2 MiB: a rest of small pages, one that is worth a large page, and none. */
const lengths = [1, leastLarge - 1, leastLarge, leastLarge + 5, 9 * 2 ** 18, 8 * leastLarge - 3];

test("large arrays are zeros to their ends, and again when dropped", needsNative, () => {
  const binding = native();
  for (const length of lengths) {
    const array = binding.largeArray(length);
    assert.equal(array.length, length);
    assert.equal(array.buffer.byteLength, 4 * length, "nothing else is in its buffer");
    assert.ok(array.every((x) => x === 0));
    array.fill(1);
    assert.equal(binding.dropArray(array), true);
    if (process.platform === "linux") assert.ok(array.every((x) => x === 0));
    array.fill(2);
    assert.equal(array.at(-1), 2);
  }
  assert.equal(binding.dropArray(new Float32Array(leastLarge)), false, "an array of JavaScript's");
  assert.throws(() => binding.largeArray(0), /length must be an integer from 1/);
});

test("values of a large tensor are a copy of those given", needsNative, async () => {
  useNativeEngine();
  await tf.setBackend("native");
  const { pool } = tf.backend() as NativeBackend;
  const given = Float32Array.from({ length: leastLarge }, (_, i) => i);
  const tensor = tf.tensor(given, [leastLarge]);
  given.fill(-1);
  const waiting = pool.bytes;
  const sum = tf.tidy(() => tf.max(tensor).arraySync());
  assert.equal(sum, leastLarge - 1);
  tensor.dispose();
  assert.equal(pool.bytes, waiting + 4 * leastLarge, "and wait for the next tensor of the size");
});

test("a large tensor that was read has its array still, and whoever read it a copy", needsNative, async () => {
  useNativeEngine();
  await tf.setBackend("native");
  const { pool } = tf.backend() as NativeBackend;
  for (const [length, isUsedAgain] of [
    [leastLarge, true],
    [leastLarge - 1, false],
  ] as const) {
    const tensor = tf.ones([length]);
    const twice = tf.mul(tensor, 2);
    const [read, again] = [twice.dataSync(), await twice.data()];
    assert.equal(read === again, !isUsedAgain);
    const waiting = pool.bytes;
    twice.dispose();
    assert.equal(pool.bytes - waiting, isUsedAgain ? 4 * length : 0, `${length} floats`);
    pool.give(pool.take(length).fill(7));
    assert.ok(read.every((x) => x === 2));
    tensor.dispose();
  }
});
