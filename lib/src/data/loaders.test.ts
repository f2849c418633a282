import assert from "node:assert/strict";
import test from "node:test";

import fc from "fast-check";

import { byteTokenizer } from "../tokenizers/byte-tokenizer.js";
import type { Tokenizer } from "../tokenizers/tokenizer.js";
import { trainBpe } from "../tokenizers/bpe-training.js";
import type { Batch } from "./batch.js";
import { batches } from "./batches.js";
import { bytesPerToken, corpus, Corpus } from "./corpus.js";
import { epochs } from "./epochs.js";
import { interleave } from "./interleave.js";
import { padded } from "./padded.js";
import { split } from "./split.js";
import { streams } from "./streams.js";

const bytes = byteTokenizer();

function take(iterator: Iterator<Batch>, count: number): Batch[] {
  return Array.from({ length: count }, () => iterator.next().value as Batch);
}

function rows({ data, shape }: { data: ArrayLike<number>; shape: readonly [number, number] }): number[][] {
  return Array.from({ length: shape[0] }, (_, row) => Array.from(data).slice(row * shape[1], (row + 1) * shape[1]));
}

const counting = Uint16Array.from({ length: 101 }, (_, i) => i);

test("every loader goes on from a batch number as if it had made those before", async () => {
  const documents = await corpus(["one", "two two", "three", "four and more", "five"], bytes);
  const options = { batchSize: 2, seed: 4 };
  const loaders: ((start: number) => Iterator<Batch>)[] = [
    (start) => batches(counting, { ...options, length: [3, 7], start }),
    (start) => epochs(counting, { ...options, length: 7, start }),
    (start) => epochs(documents, { ...options, length: 5, start }),
    (start) => padded(documents, { ...options, start }),
    (start) => streams(counting, { batchSize: 2, length: 7, start }),
  ];
  for (const loader of loaders) {
    const all = take(loader(0), 20);
    assert.deepEqual(take(loader(0), 20), all);
    for (const start of [1, 6, 7, 13]) assert.deepEqual(take(loader(start), 5), all.slice(start, start + 5));
  }
});

test("mixed lengths: each batch has one of them, and all come", () => {
  const lengths = take(batches(counting, { batchSize: 2, length: [4, 9, 30] }), 60).map(
    ({ inputs }) => inputs.shape[1],
  );
  assert.deepEqual(new Set(lengths), new Set([4, 9, 30]));
});

test("an epoch has every passage once, in another order each time, and ends when asked to", () => {
  const loader = epochs(counting, { batchSize: 3, length: 10, seed: 1, epochs: 2 });
  assert.equal(loader.batchesPerEpoch, 3);
  const all = [...loader];
  assert.equal(all.length, 6);
  const first = all.slice(0, 3).flatMap(({ inputs }) => rows(inputs).map((row) => row[0]!));
  const second = all.slice(3).flatMap(({ inputs }) => rows(inputs).map((row) => row[0]!));
  for (const beginnings of [first, second]) {
    assert.equal(new Set(beginnings).size, 9);
    assert.ok(beginnings.every((start) => start % 10 === 0));
  }
  assert.notDeepEqual(first, second);
  for (const { inputs, targets } of all) {
    inputs.data.forEach((token: number, i: number) => assert.equal(targets.data[i], token + 1));
  }
  assert.throws(
    () => epochs(counting, { batchSize: 11, length: 10 }),
    /make 10 passages of 10, too few for a batch of 11/,
  );
});

test("a corpus knows its documents, its separators, and what a token stands for", async () => {
  const tokenizer = await trainBpe("the rain the rain", { vocabSize: 262 });
  const made = await corpus(["the rain", "", "né", "rain the"], tokenizer);
  assert.equal(made.documents, 3);
  assert.equal(made.separator, 0);
  assert.equal(tokenizer.decode(made.document(1)), "né<|endoftext|>");
  assert.equal(tokenizer.decode(made.tokens), "the rain<|endoftext|>né<|endoftext|>rain the<|endoftext|>");
  assert.equal(made.bytes, 8 + 3 + 8);
  assert.equal(made.bytesPerToken, 19 / made.tokens.length);
  const ids = tokenizer.encode("the rain né");
  assert.equal(bytesPerToken(ids, tokenizer), 12 / ids.length);
  const plain = await corpus(
    (async function* () {
      yield "ab";
      await Promise.resolve();
      yield "c";
    })(),
    bytes,
    { separator: null },
  );
  assert.deepEqual([...plain.tokens], [97, 98, 99]);
  assert.deepEqual(plain.starts, [0, 2]);
  await assert.rejects(corpus([], bytes), { name: "ConfigurationError", message: /no text/ });
  await assert.rejects(corpus(["a"], bytes, { separator: 256 }), /separator is 256/);
  await assert.rejects(corpus([{}] as never, bytes), /a document is object/);
});

test("whole documents are held out, at least one on each side", async () => {
  const made = await corpus(["aaaa", "bbbb", "cccc", "dddd"], bytes, { separator: 10 });
  const { train, validation } = split(made, { validation: 0.3 });
  assert.equal(bytes.decode(train.tokens), "aaaa\nbbbb\n");
  assert.equal(bytes.decode(validation.tokens), "cccc\ndddd\n");
  assert.equal(validation.bytes, 8);
  assert.equal(split(made, { validation: 0.01 }).validation.documents, 1);
  assert.equal(split(made, { validation: 0.99 }).train.documents, 1);
  const single = await corpus("one", bytes);
  assert.throws(() => split(single), { name: "ConfigurationError", message: /single document/ });
});

/** What a passage's starts and mask must be, from the documents' texts alone. */
function checkBoundaries(batch: Batch, separator: string | null): void {
  const inputs = rows(batch.inputs).map((row) => bytes.decode(row));
  const targets = rows(batch.targets).map((row) => bytes.decode(row));
  // Each document begins with a capital, which is nowhere else.
  inputs.forEach((text, row) => {
    const starts = rows(batch.starts!)[row]!;
    [...text].forEach((character, i) => assert.equal(starts[i], /[A-Z]/.test(character) ? 1 : 0, text));
    if (separator !== null) return;
    const mask = rows(batch.mask!)[row]!;
    [...targets[row]!].forEach((character, i) => assert.equal(mask[i], /[A-Z]/.test(character) ? 0 : 1, text));
  });
  if (separator !== null) assert.equal(batch.mask, undefined);
}

test("documents are packed with their boundaries; without separators, what cannot be known does not count", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom(..."ABCDEFGH"), fc.integer({ min: 0, max: 6 })), {
        minLength: 3,
        maxLength: 12,
      }),
      fc.constantFrom("\n", null),
      fc.integer({ min: 0, max: 5 }),
      async (shapes, separator, seed) => {
        const texts = shapes.map(([letter, length]) => letter + letter.toLowerCase().repeat(length));
        const made = await corpus(texts, bytes, { separator: separator && 10 });
        const all = made.tokens.length;
        fc.pre(all > 4);
        for (const batch of take(batches(made, { batchSize: 2, length: 3, seed }), 5))
          checkBoundaries(batch, separator);
        const loader = epochs(made, { batchSize: 1, length: 3, seed, epochs: 2 });
        const epoch = [...loader];
        for (const batch of epoch) checkBoundaries(batch, separator);
        // Documents stay whole where passages meet: each text's letters follow its capital.
        const packed = epoch.slice(0, loader.batchesPerEpoch).flatMap(({ inputs }) => rows(inputs));
        assert.equal(packed.length, Math.floor((all - 1) / 3));
      },
    ),
    { seed: 1, numRuns: 100 },
  );
});

test("a document a row: padded to the longest, cut to the limit, and the padding does not count", async () => {
  const made = await corpus(["abc", "defgh", "x", "ij", "klmnopq"], bytes);
  const loader = padded(made, { batchSize: 2, maximumLength: 4, seed: 2 });
  const seen = new Set<string>();
  for (const { inputs, targets, mask, starts } of take(loader, 4)) {
    rows(inputs).forEach((row, i) => {
      const used = rows(mask!)[i]!.filter((counts) => counts === 1).length;
      assert.deepEqual(rows(mask!)[i], [
        ...new Array<number>(used).fill(1),
        ...new Array<number>(row.length - used).fill(0),
      ]);
      assert.deepEqual(
        rows(starts!)[i],
        row.map((_, t) => (t === 0 ? 1 : 0)),
      );
      const text = bytes.decode([row[0]!, ...rows(targets)[i]!.slice(0, used)]);
      assert.equal(bytes.decode(row.slice(0, used)), text.slice(0, -1));
      assert.ok(row.slice(used).every((token) => token === 0));
      seen.add(text);
    });
    assert.ok(inputs.shape[1] <= 4);
  }
  assert.deepEqual(seen, new Set(["abc", "defgh", "ij", "klmno"]));
  assert.throws(() => padded(made, { batchSize: 5 }), /4 documents of two tokens or more are too few for a batch of 5/);
});

test("streams: each row goes on where it ended in the batch before", () => {
  const all = take(streams(counting, { batchSize: 4, length: 5 }), 6);
  for (let i = 1; i < 5; i++) {
    rows(all[i]!.inputs).forEach((row, b) => assert.equal(row[0], rows(all[i - 1]!.targets)[b]!.at(-1)));
  }
  assert.deepEqual(all[5], all[0]);
  assert.throws(() => streams(counting, { batchSize: 20, length: 6 }), /too few for 20 streams of 6/);
});

test("sources are mixed by their weights and the seed", () => {
  const source = (value: number): IterableIterator<Batch> =>
    batches(Uint8Array.from([value, value, value]), { batchSize: 1, length: 1 });
  const drawn = (seed: number, weights?: number[]): number[] =>
    take(interleave([source(1), source(2), source(3)], { seed, weights }), 600).map(({ inputs }) => inputs.data[0]!);
  assert.deepEqual(drawn(1), drawn(1));
  const count = (list: number[], value: number): number => list.filter((one) => one === value).length;
  // Five standard deviations of a share of a third of 600: 5 √(600 · 2/9) = 58.
  for (const value of [1, 2, 3]) assert.ok(Math.abs(count(drawn(2), value) - 200) < 58);
  const weighted = drawn(3, [3, 1, 0]);
  assert.ok(Math.abs(count(weighted, 1) - 450) < 53);
  assert.equal(count(weighted, 3), 0);
  assert.throws(() => interleave([source(1)], { weights: [0] }).next(), /weights are \[0\]/);
});

test("a corpus is what its parts are, whatever array its tokens take", async () => {
  const wide: Tokenizer = {
    ...bytes,
    vocabSize: 70_000,
    encode: (text) => Int32Array.from(bytes.encode(text)),
  } as Tokenizer;
  const made = await corpus(["ab", "c"], wide, { separator: 69_999 });
  assert.ok(made.tokens instanceof Int32Array);
  assert.deepEqual([...made.select([1, 0]).tokens], [99, 69_999, 97, 98, 69_999]);
  assert.ok(made.select([0]) instanceof Corpus);
});
