import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";

import type { Tokens } from "../model/tokens.js";
import { Random } from "../random.js";
import { useBackend } from "../testing.js";
import { evaluate } from "../training/evaluate.js";
import { smallModel } from "../training/testing.js";
import { train } from "../training/train.js";
import type { Batch, BatchLike } from "./batch.js";
import { batches } from "./batches.js";
import { mobyDick } from "./moby-dick.js";
import { split } from "./split.js";

test("Moby-Dick is there, once", () => {
  const text = mobyDick();
  assert.ok(text.startsWith("CHAPTER 1. Loomings."));
  assert.equal(text.match(/Call me Ishmael/g)?.length, 1);
  assert.equal(Buffer.byteLength(text), 1204997);
});

test("the last part is held out", () => {
  const tokens = Uint8Array.from({ length: 20 }, (_, i) => i);
  const { train, validation } = split(tokens, { validation: 0.25 });
  assert.deepEqual([...train], [...tokens.subarray(0, 15)]);
  assert.deepEqual([...validation], [15, 16, 17, 18, 19]);
  assert.throws(() => split(tokens, { validation: 1 }), { name: "ConfigurationError" });
});

test("targets are the tokens after the inputs, from everywhere in the data, by the seed", () => {
  const tokens = Uint16Array.from({ length: 40 }, (_, i) => i);
  const starts = new Set<number>();
  const iterator = batches(tokens, { batchSize: 3, length: 8, seed: 4 });
  for (let i = 0; i < 200; i++) {
    const { inputs, targets } = iterator.next().value;
    assert.deepEqual(inputs.shape, [3, 8]);
    inputs.data.forEach((token: number, at: number) => assert.equal(targets.data[at], token + 1));
    for (let row = 0; row < 3; row++) starts.add(inputs.data[row * 8]!);
  }
  assert.equal(Math.min(...starts), 0);
  assert.equal(Math.max(...starts), 31);
  const first = (seed: number): number[] => [
    ...batches(tokens, { batchSize: 2, length: 4, seed }).next().value.inputs.data,
  ];
  assert.deepEqual(first(1), first(1));
  assert.notDeepEqual(first(1), first(2));
  assert.throws(() => batches(tokens, { batchSize: 1, length: 40 }), /40 tokens are too few/);
  assert.throws(() => batches(tokens, { batchSize: 0, length: 4 }), /batchSize is 0/);
  assert.throws(() => batches(tokens, { batchSize: 1, length: [] }), /length is an empty list/);
});

test("random numbers repeat by seed, continue from a state, and are spread as promised", () => {
  const random = new Random(7);
  const numbers = Array.from({ length: 5 }, () => random.uniform());
  const again = new Random(7);
  assert.deepEqual(
    Array.from({ length: 5 }, () => again.uniform()),
    numbers,
  );
  const rest = random.uniform();
  assert.equal(new Random(again.state).uniform(), rest);
  assert.notEqual(new Random(8).uniform(), numbers[0]);
  const normals = Array.from({ length: 40000 }, () => random.normal());
  const mean = normals.reduce((a, b) => a + b) / normals.length;
  const variance = normals.reduce((sum, x) => sum + x * x, 0) / normals.length;
  // Four standard errors: 4/√40000 = 0.02, and √2 times that for the variance.
  assert.ok(Math.abs(mean) < 0.02 && Math.abs(variance - 1) < 0.03, `${mean}, ${variance}`);
  assert.throws(() => new Random(NaN), RangeError);
});

test("generators of a seed are apart by number, and an order is as likely as any other", () => {
  const first = (index: number): number => Random.at(3, index).word();
  assert.equal(first(5), first(5));
  assert.equal(new Set(Array.from({ length: 1000 }, (_, index) => first(index))).size, 1000);
  const counts = new Map<string, number>();
  const random = new Random(1);
  for (let i = 0; i < 6000; i++) {
    const order = random.shuffle(["a", "b", "c"]).join("");
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  assert.equal(counts.size, 6);
  // Five standard deviations of a count with mean 1000: 5 √(6000 · 1/6 · 5/6) = 144.
  for (const [order, count] of counts) assert.ok(Math.abs(count - 1000) < 144, `${order}: ${count}`);
});

test("data of another kind than was asked for, from a cell without types, are told what would do", async () => {
  await useBackend("cpu");
  const model = smallModel();
  const list = [1, 2, 3, 4, 5, 6] as unknown as Int32Array;
  const typed = /the data are a list, wanted a corpus, or tokens in a typed array: .*Int32Array\.from of a list/;
  assert.throws(() => batches(list, { batchSize: 1, length: 2 }), typed);
  assert.throws(() => split(list), typed);
  const text = "some text" as unknown as Int32Array;
  assert.throws(() => split(text), /the data are string, .*tokenizer\.encode gives them of a text/);
  await assert.rejects(evaluate(model, text), /the data are string, .*tokenizer\.encode/);
  const noBatch =
    /a batch has no inputs and targets, each rows of numbers or \{data, shape\}, wanted batches as ms\.data/;
  await assert.rejects(evaluate(model, list as never), noBatch);
  const half = [{ inputs: [[1, 2]] }] as never;
  await assert.rejects(train(model, half, { steps: 1 }).next(), noBatch);
  const ragged = [{ inputs: [[1, 2], [3]], targets: [[2, 3], [4]] }];
  const oneShorter = /train \(inputs\): tokens\[1\] is 1 tokens long, wanted 2, as the first row/;
  await assert.rejects(train(model, ragged, { steps: 1 }).next(), oneShorter);
  const asked = /forward: tokens is a list of single tokens, wanted rows of numbers, \[\[1, 2, 3\]\] for one text/;
  assert.throws(() => model.forward([1, 2, 3] as never), asked);
  assert.throws(() => model.forward("abc" as never), /forward: tokens is string, wanted rows of numbers/);
  model.dispose();
});

test("a loader of one's own gives rows, lists or typed arrays, with the losses of the same batch as plain data", async () => {
  await useBackend("cpu");
  const rows = {
    inputs: [Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5, 6)],
    targets: [Uint8Array.of(2, 3, 4), Uint8Array.of(5, 6, 7)],
    mask: [
      [1, 1, 0],
      [0, 1, 1],
    ],
    starts: [
      [1, 0, 0],
      [0, 1, 0],
    ],
  };
  const shape = [2, 3] as const;
  const plain: Batch = {
    inputs: { data: Int32Array.of(1, 2, 3, 4, 5, 6), shape },
    targets: { data: Int32Array.of(2, 3, 4, 5, 6, 7), shape },
    mask: { data: Uint8Array.of(1, 1, 0, 0, 1, 1), shape },
    starts: { data: Uint8Array.of(1, 0, 0, 0, 1, 0), shape },
  };
  const losses = async (batch: BatchLike): Promise<number[]> => {
    const model = smallModel();
    const found = [(await evaluate(model, [batch])).loss];
    for await (const { loss } of train(model, [batch, batch, batch], { steps: 3, carryState: true })) found.push(loss);
    model.dispose();
    return found;
  };
  assert.deepEqual(await losses(rows), await losses(plain));
});

test("forward takes the rows that a tokenizer's encode gives", async () => {
  await useBackend("cpu");
  const model = smallModel();
  const logits = (tokens: Tokens): ArrayLike<number> => tf.tidy(() => model.forward(tokens).logits.dataSync());
  assert.deepEqual(logits([Uint8Array.of(1, 2, 3)]), logits([[1, 2, 3]]));
  model.dispose();
});
