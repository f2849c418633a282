import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";

import fc from "fast-check";

import { byteTokenizer } from "./byte-tokenizer.js";
import { characterTokenizer } from "./character-tokenizer.js";
import { loadTokenizer } from "./hugging-face-tokenizer.js";
import type { Tokenizer } from "./tokenizer.js";
import { trainBpe } from "./bpe-training.js";
import { rwkvWorldTokenizer } from "./world-tokenizer.js";

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "metastate-tokenizers-"));
});
after(() => rm(folder, { recursive: true, force: true }));

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

/** A World vocabulary: the 256 bytes as the published one has them, and some longer tokens. */
async function worldFile(...tokens: string[]): Promise<string> {
  const lines = Array.from({ length: 256 }, (_, byte) =>
    byte < 128
      ? `${byte + 1} '${String.fromCharCode(byte).replace(/[\n\r'\\]/, (c) => ({ "\n": "\\n", "\r": "\\r" })[c] ?? `\\${c}`)}' 1`
      : `${byte + 1} b'\\x${byte.toString(16)}' 1`,
  );
  tokens.forEach((token, i) => lines.push(`${257 + i} ${token}`));
  return file(`world-${Math.random()}.txt`, `${lines.join("\n")}\n`);
}

const anyText = fc.oneof(fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" }), fc.lorem());
/** UTF-16 code units in any order: lone surrogates too. */
const anyUnits = fc
  .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 12 })
  .map((codes) => String.fromCharCode(...codes));

test("every tokenizer gives any text back, at once and streamed, and U+FFFD for a lone surrogate", async () => {
  const sample = "the rain, the train and the drain: né 鯨鯨 🐳🐳 e\u0301 \u2028 1234 1234";
  const bpe = await trainBpe(sample, { vocabSize: 300 });
  const world = await rwkvWorldTokenizer(
    await worldFile("' the' 4", "'rain' 4", "'鯨' 3", "'鯨鯨' 6", "b'\\xf0\\x9f' 2"),
  );
  const path = join(folder, "hf.json");
  // The same BPE by Hugging Face's implementation: another order of ids keeps the library from knowing it as its own.
  const json = JSON.parse(JSON.stringify(bpe)) as { added_tokens: unknown[] };
  json.added_tokens.push({ id: 300, content: "<|other|>", special: true, normalized: false });
  await writeFile(path, JSON.stringify(json));
  const huggingFace = await loadTokenizer(path);
  assert.equal(huggingFace.name, "hugging face");
  const tokenizers: [Tokenizer, fc.Arbitrary<string>][] = [
    [byteTokenizer(), anyText],
    [bpe, anyText],
    [world, anyText],
    [huggingFace, anyText],
    [characterTokenizer(sample), fc.array(fc.constantFrom(...sample)).map((parts) => parts.join(""))],
    [
      characterTokenizer(sample, { unknown: "\ufffd" }),
      fc.array(fc.constantFrom(...new Set(sample))).map((p) => p.join("")),
    ],
  ];
  for (const [tokenizer, texts] of tokenizers) {
    const roundTrip = (text: string): void => {
      const ids = tokenizer.encode(text);
      assert.ok(ids.every((id) => id < tokenizer.vocabSize));
      assert.equal(tokenizer.decode(ids), text.toWellFormed(), tokenizer.name);
      const decoder = tokenizer.decoder();
      const pieces = Array.from(ids, (id) => decoder.push(id));
      assert.equal(pieces.join("") + decoder.end(), text.toWellFormed(), `${tokenizer.name}, streamed`);
      // No piece shows half a character, unless the text itself has the sign for it.
      assert.ok(text.toWellFormed().includes("\ufffd") || !pieces.some((piece) => piece.includes("\ufffd")));
    };
    fc.assert(fc.property(texts, roundTrip), { seed: 1, numRuns: 300 });
    if (!(tokenizer.name === "characters")) fc.assert(fc.property(anyUnits, roundTrip), { seed: 2, numRuns: 300 });
  }
});

test("tokens that are not in the vocabulary are refused, not guessed", async () => {
  const tokenizers = [
    byteTokenizer(),
    characterTokenizer("abc"),
    await trainBpe("abc", { vocabSize: 257 }),
    await rwkvWorldTokenizer(await worldFile()),
  ];
  for (const tokenizer of tokenizers) {
    for (const token of [-1, 1.5, NaN, tokenizer.vocabSize]) {
      assert.throws(() => tokenizer.decode([token]), { name: "TokenError" }, `${tokenizer.name} ${token}`);
      assert.throws(() => tokenizer.decoder().push(token), { name: "TokenError" });
    }
  }
});

test("any tokens stream as they decode, characters or not", async () => {
  const bpe = await trainBpe("né né 鯨鯨 鯨鯨", { vocabSize: 270 });
  const arrays = fc.array(fc.integer({ min: 0, max: 255 }));
  for (const tokenizer of [byteTokenizer(), bpe]) {
    fc.assert(
      fc.property(arrays, (ids) => {
        const decoder = tokenizer.decoder();
        assert.equal(ids.map((id) => decoder.push(id)).join("") + decoder.end(), tokenizer.decode(ids));
      }),
      { seed: 3 },
    );
    const marked = "\ufeffa";
    assert.equal(tokenizer.decode(tokenizer.encode(marked)), marked, "a byte order mark is a character");
  }
});

test("characters: the vocabulary is the text's, in order; another character is an error or the unknown one", () => {
  const tokenizer = characterTokenizer("hello 🐳");
  assert.deepEqual(tokenizer.characters, [" ", "e", "h", "l", "o", "🐳"]);
  assert.deepEqual([...tokenizer.encode("🐳 hole")], [5, 0, 2, 4, 3, 1]);
  assert.throws(() => tokenizer.encode("he 🐋"), {
    name: "TokenError",
    message: /"🐋" \(U\+1F40B, at 3\) is not in the vocabulary of 6 characters: .* unknown/,
  });
  const forgiving = characterTokenizer("abc", { unknown: "?" });
  assert.equal(forgiving.decode(forgiving.encode("a cab")), "a?cab");
  assert.throws(() => characterTokenizer(""), { name: "ConfigurationError", message: /empty/ });
  assert.throws(() => characterTokenizer("a", { unknown: "ab" }), { name: "ConfigurationError", message: /no single/ });
});

test("RWKV World: the longest token that matches wins, over bytes", async () => {
  const world = await rwkvWorldTokenizer(
    await worldFile("'th' 2", `"they're" 7`, "'the' 3", "'\\u9be8' 3", "b'\\xe9\\xaf' 2", "'\u2028x' 4", "'\\x80' 2"),
  );
  const byte = (text: string): number[] => [...Buffer.from(text)].map((b) => b + 1);
  assert.deepEqual([...world.encode("they're")], [258]);
  assert.deepEqual([...world.encode("they'r")], [259, ...byte("y'r")]);
  assert.deepEqual([...world.encode("鯨鯱")], [260, 261, byte("鯱")[2]!]);
  assert.deepEqual([...world.encode("\u2028x\u0080")], [262, 263]);
  assert.equal(world.vocabSize, 264);
  assert.equal(world.endOfText, 0);
  assert.equal(world.decode([0, 258, 0]), "they're");
});

test("RWKV World: a damaged vocabulary is refused by line, and nothing in it is run", async () => {
  const refused = async (line: string, message: RegExp): Promise<void> => {
    const path = await file("damaged.txt", `1 'a' 1\n${line}\n`);
    await assert.rejects(rwkvWorldTokenizer(path), { name: "DataError", line: 2, message });
  };
  await refused("2 'bc' 3", /damaged\.txt, line 2: the token has 2 bytes, the line says 3/);
  await refused("1 'b' 1", /id 1 is there twice/);
  await refused("2 'a' 1", /the token of id 2 is there twice/);
  await refused("0 'b' 1", /the id is 0, wanted 1 to/);
  await refused("99999999 'b' 1", /the id is 99999999/);
  await refused("2 '' 0", /empty/);
  await refused("garbage", /wanted "id literal length"/);
  await refused("2 __import__('os').abort() 1", /no Python string or bytes literal/);
  await refused("2 'a' + 'b' 2", /quote inside/);
  await refused("2 '\\N{BULLET}' 3", /unknown escape \\N/);
  await refused("2 '\\x1' 1", /unknown escape \\x/);
  await refused("2 b'\\u0041' 1", /unknown escape \\u/);
  await refused("2 b'é' 1", /token has 1 bytes|above/).catch(() => undefined);
  await refused("2 '\\ud800' 3", /half of a surrogate/);
  await refused("2 '\\U00110000' 4", /above/);
  await assert.rejects(rwkvWorldTokenizer(await file("empty.txt", "")), /empty/);
  await assert.rejects(rwkvWorldTokenizer(await file("latin.txt", Buffer.from([0x31, 0xff]))), /line 1: .* not UTF-8/);
  await assert.rejects(rwkvWorldTokenizer(join(folder, "none.txt")), { name: "DataError", message: /no such file/ });
  const partial = await rwkvWorldTokenizer(await file("partial.txt", "1 'a' 1\n"));
  assert.throws(() => partial.encode("ab"), { name: "TokenError", message: /byte 0x62 at 1/ });
});

test("whatever a vocabulary file holds, it loads or is refused", async () => {
  const line = fc.oneof(
    fc.string(),
    fc
      .tuple(fc.nat(300), fc.constantFrom("'", '"', "b'"), fc.string({ unit: "binary-ascii" }), fc.nat(9))
      .map(([id, quote, text, length]) => `${id} ${quote}${text}${quote.at(-1)} ${length}`),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 4 }), async (lines) => {
      await rwkvWorldTokenizer(await file("any.txt", lines.join("\n"))).then(
        ({ vocabSize }) => assert.ok(vocabSize > 1),
        (error: Error) => assert.equal(error.name, "DataError", error.stack),
      );
    }),
    { seed: 5, numRuns: 200 },
  );
});
