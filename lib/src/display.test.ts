/** What a value shows of itself where a cell ends with it. */
import assert from "node:assert/strict";
import test from "node:test";
import { inspect } from "node:util";

import { corpus } from "./data/corpus.js";
import { jupyterDisplay } from "./display.js";
import { useBackend } from "./testing.js";
import { BpeTokenizer } from "./tokenizers/bpe-tokenizer.js";
import { byteTokenizer } from "./tokenizers/byte-tokenizer.js";
import { CharacterTokenizer } from "./tokenizers/character-tokenizer.js";
import { WorldTokenizer } from "./tokenizers/world-tokenizer.js";
import { adamW } from "./training/adamw.js";
import { ema } from "./training/ema.js";
import { smallModel } from "./training/testing.js";

test("tokenizers, texts, optimisers and averages show what they are in a few lines, and none of their values", async () => {
  await useBackend("cpu");
  const model = smallModel();
  const tokenizers = [
    byteTokenizer(),
    new CharacterTokenizer(["a", "b"]),
    new BpeTokenizer([], ["<|endoftext|>"]),
    new WorldTokenizer(new Map([[1, Uint8Array.of(97)]])),
  ];
  const [optimizer, average] = [adamW(model), ema(model)];
  const text = await corpus(["né", "ab"], byteTokenizer());
  for (const value of [...tokenizers, optimizer, average, text]) {
    const shown = inspect(value);
    assert.ok(shown.length < 500 && shown.split("\n").length < 10, shown);
    assert.equal(value[jupyterDisplay]()["text/plain"], shown);
  }
  assert.equal(inspect(tokenizers[2]), "tokenizer    bpe\nvocabulary   257 tokens\nend of text  token 0");
  assert.match(inspect(text), /2 documents\ntokens +5\nbytes +5, 1\.00 a token\nseparator +none/);
  assert.match(inspect(optimizer), /0 updates\nmatrices +\d+ parameters, learning rate × 1, weight decay 0\.1/);
  optimizer.dispose();
  average.dispose();
  assert.match(inspect(optimizer), /disposed of/);
  assert.match(inspect(average), /disposed of/);
  model.dispose();
});
