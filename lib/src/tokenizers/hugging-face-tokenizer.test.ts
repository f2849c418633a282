import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";

import { loadTokenizer } from "./hugging-face-tokenizer.js";

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "metastate-hf-"));
});
after(() => rm(folder, { recursive: true, force: true }));

async function file(name: string, content: unknown): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

/** As Llama's: SentencePiece BPE whose unknown characters fall back to bytes, with a token for the beginning. */
const withByteFallback = {
  version: "1.0",
  added_tokens: [
    { id: 0, content: "<unk>", special: true, normalized: false },
    { id: 1, content: "<s>", special: true, normalized: false },
    { id: 2, content: "</s>", special: true, normalized: false },
  ],
  normalizer: {
    type: "Sequence",
    normalizers: [
      { type: "Prepend", prepend: "▁" },
      { type: "Replace", pattern: { String: " " }, content: "▁" },
    ],
  },
  pre_tokenizer: null,
  post_processor: {
    type: "TemplateProcessing",
    single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
    pair: [],
    special_tokens: { "<s>": { id: "<s>", ids: [1], tokens: ["<s>"] } },
  },
  decoder: {
    type: "Sequence",
    decoders: [
      { type: "Replace", pattern: { String: "▁" }, content: " " },
      { type: "ByteFallback" },
      { type: "Fuse" },
      { type: "Strip", content: " ", start: 1, stop: 0 },
    ],
  },
  model: {
    type: "BPE",
    unk_token: "<unk>",
    byte_fallback: true,
    fuse_unk: true,
    vocab: Object.fromEntries([
      ["<unk>", 0],
      ["<s>", 1],
      ["</s>", 2],
      ...Array.from({ length: 256 }, (_, i) => [`<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`, 3 + i]),
      ...["▁", "a", "b", "c", "▁a", "bc"].map((token, i) => [token, 259 + i]),
    ]) as Record<string, number>,
    merges: ["▁ a", "b c"],
  },
};

test("SentencePiece with byte fallback: spaces, bytes and special tokens, at once and streamed", async () => {
  const path = await file("tokenizer.json", withByteFallback);
  await file("tokenizer_config.json", { eos_token: { content: "</s>" } });
  const tokenizer = await loadTokenizer(path);
  assert.equal(tokenizer.vocabSize, 265);
  assert.equal(tokenizer.endOfText, 2);
  assert.deepEqual([...tokenizer.encode("a bc")], [263, 259, 264]);
  for (const text of ["a bc a", "abc 鯨 a", "🐳", " a  b"]) {
    const ids = tokenizer.encode(text);
    assert.equal(tokenizer.decode(ids), text);
    const decoder = tokenizer.decoder();
    const pieces = Array.from(ids, (id) => decoder.push(id));
    assert.equal(pieces.join("") + decoder.end(), text);
    assert.ok(!pieces.some((piece) => piece.includes("\ufffd")), pieces.join("|"));
  }
  const adding = await loadTokenizer(path, { addSpecialTokens: true, skipSpecialTokens: true });
  assert.deepEqual([...adding.encode("a")], [1, 263]);
  assert.equal(adding.decode([1, 263, 2]), "a");
  assert.throws(() => tokenizer.decode([265]), { name: "TokenError", message: /265 is not in the vocabulary/ });
  assert.equal(tokenizer.decode([]), "");
});

test("a word that a file has no token for is an error, where it has none for unknown ones", async () => {
  const model = { type: "WordPiece", vocab: { a: 0, "##b": 1 }, continuing_subword_prefix: "##" };
  const tokenizer = await loadTokenizer(await file("bare.json", { model, pre_tokenizer: { type: "Whitespace" } }));
  assert.deepEqual([...tokenizer.encode("ab a")], [0, 1, 0]);
  assert.throws(() => tokenizer.encode("ab x"), { name: "TokenError", message: /is not in the vocabulary/ });
});

test("damage that shows only in use is an error with the file's name", async () => {
  const pre_tokenizer = { type: "Split", pattern: { String: " " }, behavior: 5, invert: false };
  const tokenizer = await loadTokenizer(
    await file("damaged.json", { model: { type: "BPE", vocab: { a: 0 }, merges: [] }, pre_tokenizer }),
  );
  assert.throws(() => tokenizer.encode("a a"), { name: "DataError", message: /damaged\.json: .* cannot use it/ });
});

test("files that are none are refused by name", async () => {
  const refused = async (content: unknown, message: RegExp): Promise<void> =>
    assert.rejects(loadTokenizer(await file("wrong.json", content)), { name: "DataError", message });
  await refused("{", /wrong\.json: the file is no JSON/);
  await refused([], /no tokenizer\.json/);
  await refused({ model: { type: "BPE" } }, /no tokenizer\.json|refuses/);
  await refused({ model: { type: "Sonnet", vocab: {} } }, /the model is "Sonnet", wanted one of BPE/);
  await refused({ model: { type: "BPE", vocab: {}, merges: 3 } }, /implementation refuses it/);
  await refused({ model: { type: "BPE", vocab: {}, merges: [] }, added_tokens: 5 }, /refuses it/);
  await refused({ model: { type: "BPE", vocab: {}, merges: [] }, decoder: { type: "Sonnet" } }, /refuses it/);
  // An id of this size made the implementation fill an array up to it.
  await refused({ model: { type: "BPE", vocab: { a: 1e9 }, merges: [] } }, /"a" has the id 1000000000, wanted/);
  const added = { id: 1e9, content: "<x>", special: true };
  await refused(
    { model: { type: "BPE", vocab: { a: 0 }, merges: [] }, added_tokens: [added] },
    /"<x>" has the id 1000/,
  );
  await refused({ model: { type: "Unigram", vocab: [3] } }, /a list of something else/);
  await assert.rejects(loadTokenizer(join(folder, "none", "x.json")), { name: "DataError", message: /no such file/ });
});
