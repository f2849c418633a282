import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";

import fc from "fast-check";

import { mobyDick } from "../data/moby-dick.js";
import { BpeTokenizer } from "./bpe-tokenizer.js";
import { trainBpe, type BpeProgress } from "./bpe-training.js";
import { byteAlphabet, bytesToCharacters, charactersToBytes, piecesOf } from "./byte-level.js";
import { loadTokenizer } from "./hugging-face-tokenizer.js";

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "metastate-bpe-"));
});
after(() => rm(folder, { recursive: true, force: true }));

/** Training as it is defined: count all pairs anew for each merge. */
function plainTraining(text: string, merges: number, minimumCount: number): [number, number][] {
  const ids = new Map(byteAlphabet.map((byte, i) => [byte, i]));
  let words = [...piecesOf(text)].map((piece) => [...Buffer.from(piece)].map((byte) => ids.get(byte)!));
  const result: [number, number][] = [];
  for (let i = 0; i < merges; i++) {
    const counts = new Map<string, number>();
    for (const word of words) {
      for (let j = 0; j + 1 < word.length; j++) {
        const key = `${word[j]} ${word[j + 1]}`;
        counts.set(key, (counts.get(key) ?? 0) + 1);
      }
    }
    const pairs = [...counts].map(([key, count]) => ({ pair: key.split(" ").map(Number) as [number, number], count }));
    pairs.sort((x, y) => y.count - x.count || x.pair[0] - y.pair[0] || x.pair[1] - y.pair[1]);
    if (!pairs[0] || pairs[0].count < minimumCount) break;
    result.push(pairs[0].pair);
    words = words.map((word) => mergeAll(word, pairs[0]!.pair, 256 + i));
  }
  return result;
}

function mergeAll(word: readonly number[], [left, right]: readonly [number, number], token: number): number[] {
  const merged: number[] = [];
  for (let j = 0; j < word.length; j++) {
    const fits = word[j] === left && word[j + 1] === right;
    merged.push(fits ? token : word[j]!);
    if (fits) j++;
  }
  return merged;
}

const repetitive = fc.array(fc.constantFrom("a", "b", "aa", "ab", " ", " the", "\n", "é", "鯨", "1"), {
  maxLength: 60,
});

test("training equals counting all pairs anew for each merge", async () => {
  await fc.assert(
    fc.asyncProperty(repetitive, fc.integer({ min: 1, max: 3 }), async (parts, minimumCount) => {
      const text = parts.join("");
      const tokenizer = await trainBpe(text, { vocabSize: 256 + 20, specialTokens: [], minimumCount });
      assert.deepEqual(tokenizer.merges, plainTraining(text, 20, minimumCount));
    }),
    { seed: 1, numRuns: 200 },
  );
});

test("encoding equals applying merge after merge to each piece", async () => {
  const tokenizer = await trainBpe("the thesis, theatre: aaaa abab baba né né 鯨 鯨", {
    vocabSize: 290,
    specialTokens: [],
  });
  const plain = (text: string): number[] =>
    [...piecesOf(text)].flatMap((piece) => {
      let ids = [...Buffer.from(piece)].map((byte) => byteAlphabet.indexOf(byte));
      tokenizer.merges.forEach((pair, i) => (ids = mergeAll(ids, pair, 256 + i)));
      return ids;
    });
  fc.assert(
    fc.property(
      fc.oneof(
        repetitive.map((parts) => parts.join("")),
        fc.string({ unit: "binary" }),
      ),
      (text) => {
        assert.deepEqual([...tokenizer.encode(text)], plain(text));
      },
    ),
    { seed: 2, numRuns: 300 },
  );
});

test("Moby-Dick: the same 500 tokens each time, from one text or from lines; progress to the end", async () => {
  const text = mobyDick().slice(0, 200_000);
  const progress: BpeProgress[] = [];
  const first = await trainBpe(text, { vocabSize: 500, onProgress: (at) => progress.push(at) });
  const second = await trainBpe(text, { vocabSize: 500 });
  assert.deepEqual(first.merges, second.merges);
  assert.equal(first.vocabSize, 500);
  assert.equal(first.endOfText, 0);
  // What Hugging Face's own trainer (PyPI's tokenizers 0.23.3) makes of the same text begins and ends so.
  const tokens = [257, 258, 259, 260, 261, 262, 494, 495, 496, 497, 498, 499].map((id) => first.decode([id]));
  assert.deepEqual(tokens, [" t", "he", " a", "in", " s", " the", "able", " al", "ind", " ye", ",”", " The"]);
  assert.deepEqual(progress.at(-1), { stage: "merge", done: 500, total: 500 });
  assert.ok(progress.every(({ done, total }) => done <= total!));
  const ids = first.encode(text);
  assert.equal(first.decode(ids), text);
  assert.equal(ids.length, 97994);
  const lines = await trainBpe(["ab ab", "ab"], { vocabSize: 300 });
  assert.equal(lines.decode(lines.merges.map((_, i) => 257 + i)), "ab");
});

test("special tokens are one token wherever they stand, the longer first", async () => {
  const tokenizer = new BpeTokenizer([], ["<|endoftext|>", "<x>", "<x>+"]);
  assert.deepEqual([...tokenizer.encode("<x>+<x>")], [2, 1]);
  const ids = tokenizer.encode("a<|endoftext|>b");
  assert.equal(ids.length, 3);
  assert.equal(ids[1], 0);
  assert.equal(tokenizer.decode(ids), "a<|endoftext|>b");
  const byDefault = await trainBpe("a", { vocabSize: 257 });
  assert.equal(byDefault.encode("a<|endoftext|>b")[1], byDefault.endOfText);
});

test("a trained tokenizer comes back from its tokenizer.json, in older and newer form", async () => {
  const tokenizer = await trainBpe("the rain the rain né né 鯨 鯨", {
    vocabSize: 280,
    specialTokens: ["<|endoftext|>", "<a>"],
  });
  const path = join(folder, "tokenizer.json");
  await tokenizer.save(path);
  assert.deepEqual(await readdir(folder), ["tokenizer.json"]);
  const loaded = await loadTokenizer(folder);
  assert.ok(loaded instanceof BpeTokenizer);
  assert.deepEqual(loaded.merges, tokenizer.merges);
  assert.deepEqual(loaded.specialTokens, tokenizer.specialTokens);
  const newer = JSON.parse(JSON.stringify(tokenizer)) as { model: { merges: unknown[] } };
  newer.model.merges = newer.model.merges.map((merge) => (merge as string).split(" "));
  await writeFile(path, JSON.stringify(newer));
  assert.ok((await loadTokenizer(path)) instanceof BpeTokenizer);
});

test("a tokenizer that cannot be written says so, and leaves nothing behind", async () => {
  const tokenizer = await trainBpe("the rain", { vocabSize: 260 });
  await mkdir(join(folder, "taken"));
  await assert.rejects(tokenizer.save(join(folder, "taken")), { name: "ModelFileError", message: /cannot be written/ });
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.endsWith(".tmp")),
    [],
  );
});

test("bytes have a printable character each, and come back", () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  const text = bytesToCharacters(bytes);
  assert.equal(new Set(text).size, 256);
  assert.ok(!/[\s\p{C}]/u.test(text));
  assert.deepEqual(charactersToBytes(text), bytes);
  assert.equal(charactersToBytes(" "), undefined);
  assert.equal(text[0x20], "Ġ");
});

test("what makes no sense is refused by name; an aborted training ends", async () => {
  const refused = (options: Parameters<typeof trainBpe>[1], message: RegExp): Promise<void> =>
    assert.rejects(trainBpe("text", options), { name: "ConfigurationError", message });
  await refused({ vocabSize: 256 }, /vocabSize is 256, wanted an integer from 257 \(256 bytes and 1 special tokens\)/);
  await refused({ vocabSize: 300, minimumCount: 0 }, /minimumCount is 0/);
  await refused({ vocabSize: 300, specialTokens: ["<a>", "<a>"] }, /<a> is there twice/);
  await refused({ vocabSize: 300, specialTokens: [""] }, /special token 0 is empty/);
  await refused({ vocabSize: 300, specialTokens: ["a"] }, /the special token a is a token of text too/);
  await assert.rejects(trainBpe([1] as never, { vocabSize: 300 }), /a document is number/);
  assert.throws(() => new BpeTokenizer([[0, 999]]), /merge 0 joins 0 and 999/);
  assert.throws(
    () =>
      new BpeTokenizer([
        [0, 1],
        [0, 1],
      ]),
    /twice/,
  );
  const signal = AbortSignal.abort(new Error("enough"));
  await assert.rejects(trainBpe(mobyDick(), { vocabSize: 5000, signal }), /enough/);
});

test("a piece of any length is encoded in good time", () => {
  const doubling = Array.from({ length: 12 }, (_, i): [number, number] => {
    const id = i === 0 ? byteAlphabet.indexOf(97) : 255 + i;
    return [id, id];
  });
  const tokenizer = new BpeTokenizer(doubling);
  const ids = tokenizer.encode("a".repeat(100_001));
  assert.equal(tokenizer.decode(ids), "a".repeat(100_001));
  assert.ok(ids.length < 40);
});
