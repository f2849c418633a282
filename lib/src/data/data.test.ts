import assert from "node:assert/strict";
import test from "node:test";

import { Random } from "../random.js";
import { batches } from "./batches.js";
import { byteTokenizer } from "../tokenizers/byte-tokenizer.js";
import { mobyDick } from "./moby-dick.js";
import { split } from "./split.js";

test("Moby-Dick is there, once", () => {
  const text = mobyDick();
  assert.ok(text.startsWith("CHAPTER 1. Loomings."));
  assert.equal(text.match(/Call me Ishmael/g)?.length, 1);
  assert.equal(Buffer.byteLength(text), 1204997);
});

test("bytes round-trip any text, and incomplete characters wait", () => {
  const tokenizer = byteTokenizer();
  const text = "plain, né, 鯨, 🐳, \ufeffmark, e\u0301";
  const ids = tokenizer.encode(text);
  assert.equal(tokenizer.decode(ids), text);
  const decoder = tokenizer.decoder();
  assert.equal(Array.from(ids, (id) => decoder.push(id)).join(""), text);
  assert.throws(() => tokenizer.decode([256]), { name: "TokenError" });
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
