import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";

import { byteTokenizer } from "../tokenizers/byte-tokenizer.js";
import type { LanguageModel } from "../model/language-model.js";
import { createModel, type Model } from "../model/model.js";
import type { ModelState } from "../model/state.js";
import { useBackend } from "../testing.js";
import { generate, type GenerateOptions } from "./generate.js";
import { StopFilter } from "./stop-filter.js";

const tokenizer = byteTokenizer();

function smallModel(): Model {
  return createModel({ vocabSize: 256, width: 16, layers: 2, headSize: 8 }, { seed: 1 });
}

async function collect(
  model: LanguageModel,
  options: Partial<GenerateOptions> = {},
): Promise<{ tokens: number[]; text: string }> {
  const tokens: number[] = [];
  let text = "";
  for await (const piece of generate(model, { prompt: "Call me", tokenizer, tokens: 20, ...options })) {
    tokens.push(piece.token);
    text += piece.text;
  }
  return { tokens, text };
}

/** A model that says these bytes, one after the other, whatever it is told. */
function parrot(model: Model, bytes: Uint8Array): LanguageModel<ModelState> {
  let at = 0;
  return {
    configuration: model.configuration,
    parameters: model.parameters,
    initialState: (batchSize) => model.initialState(batchSize),
    dispose: () => model.dispose(),
    forward(tokens, state, options) {
      const result = model.forward(tokens, state, options);
      const values = new Float32Array(result.logits.size).fill(-100);
      values[values.length - 256 + bytes[at++ % bytes.length]!] = 100;
      const logits = tf.tensor3d(values, result.logits.shape);
      result.logits.dispose();
      return { logits, state: result.state };
    },
  };
}

test("a seed decides the text; another seed, another text", async () => {
  await useBackend("wasm");
  const model = smallModel();
  const first = await collect(model, { seed: 1 });
  assert.equal(first.tokens.length, 20);
  assert.deepEqual(await collect(model, { seed: 1 }), first);
  assert.notDeepEqual(await collect(model, { seed: 2 }), first);
  model.dispose();
});

test("generation is greedy at temperature 0 and equals running the whole text", async () => {
  await useBackend("wasm");
  const model = smallModel();
  const { tokens } = await collect(model, { temperature: 0, tokens: 6 });
  const text = [...tokenizer.encode("Call me")];
  for (const token of tokens) {
    const logits = model.forward([text]).logits.dataSync<"float32">().slice(-256);
    assert.equal(token, logits.indexOf(Math.max(...logits)));
    text.push(token);
  }
  model.dispose();
});

test("no tensor is left, whether all tokens were taken or not", async () => {
  await useBackend("wasm");
  const model = smallModel();
  const state = model.initialState();
  const before = tf.memory().numTensors;
  await collect(model, { state });
  assert.equal(tf.memory().numTensors, before);
  const during: number[] = [];
  for await (const piece of generate(model, { prompt: "x", tokenizer, tokens: 50, state })) {
    during.push(tf.memory().numTensors);
    if (during.length === 8) break;
    assert.ok(piece.token < 256);
  }
  assert.equal(new Set(during).size, 1);
  assert.equal(tf.memory().numTensors, before);
  state.dispose();
  model.dispose();
});

test("characters come whole, however many bytes they have", async () => {
  await useBackend("cpu");
  const model = smallModel();
  const said = "né, 鯨 and 🐳!";
  const bytes = tokenizer.encode(said);
  const pieces: string[] = [];
  const options = { prompt: "x", tokenizer, tokens: bytes.length, temperature: 0 };
  for await (const { text } of generate(parrot(model, bytes), options)) pieces.push(text);
  assert.equal(pieces.join(""), said);
  assert.equal(pieces.length, bytes.length);
  // No replacement character, no half of a surrogate pair.
  assert.ok(pieces.every((piece) => !/[\ufffd\ud800-\udfff]/u.test(piece)));
  // Cut in the middle of the whale, the text ends before it.
  const cut = bytes.length - 2;
  assert.equal((await collect(parrot(model, bytes), { tokens: cut, temperature: 0 })).text, "né, 鯨 and ");
  model.dispose();
});

test("a stop text ends generation and is not shown, though it comes in pieces", async () => {
  await useBackend("cpu");
  const model = smallModel();
  const said = tokenizer.encode("one, two, three");
  const spoken = async (stop: string | string[]): Promise<string> =>
    (await collect(parrot(model, said), { stop, temperature: 0, tokens: said.length })).text;
  assert.equal(await spoken("two"), "one, ");
  assert.equal(await spoken(["th!", "three"]), "one, two, ");
  assert.equal(await spoken("thrice"), "one, two, three");
  assert.equal(await spoken(""), "one, two, three");
  model.dispose();
});

test("the stop filter holds back what may become a stop text, and lets go of it", () => {
  const filter = new StopFilter(["\n\nEnd", "!!"]);
  assert.equal(filter.push("a\n"), "a");
  assert.equal(filter.push("b!"), "\nb");
  assert.equal(filter.push("c\n\nEn"), "!c");
  assert.equal(filter.push("ter!!x"), "\n\nEnter");
  assert.ok(filter.done);
  assert.equal(filter.end(), "");
});

test("options that make no sense are refused by name", async () => {
  await useBackend("cpu");
  const model = smallModel();
  const refused = (options: Partial<GenerateOptions>, message: RegExp): Promise<void> =>
    assert.rejects(collect(model, options), { name: "ConfigurationError", message });
  await refused({ prompt: undefined }, /the prompt is undefined, wanted a text or tokens/);
  await refused({ temperature: -1 }, /temperature is -1/);
  await refused({ topK: 0 }, /topK is 0/);
  await refused({ topP: 2 }, /topP is 2/);
  await refused({ minP: 2 }, /minP is 2/);
  await refused({ repetitionPenalty: 0 }, /repetitionPenalty is 0, wanted a positive number/);
  await refused({ presencePenalty: NaN }, /presencePenalty is NaN/);
  await refused({ tokens: -1 }, /tokens is -1/);
  await refused({ prefillChunk: 0 }, /prefillChunk is 0/);
  await refused({ logProbabilities: 1.5 }, /logProbabilities is 1.5/);
  await refused({ endTokens: [256] }, /endTokens has 256, wanted tokens from 0 to 255/);
  await refused({ allowed: [] }, /allowed has no token/);
  await refused({ allowed: [300] }, /allowed has the token 300/);
  await refused({ prompt: "" }, /the prompt is empty/);
  await refused({ prompt: ["a", ""] }, /prompt 1 is empty/);
  await refused({ prompt: [] }, /there is no prompt/);
  await refused({ tokenizer: undefined }, /needs a tokenizer/);
  await refused({ tokenizer: undefined, prompt: [1], stop: "x" }, /stop needs a tokenizer/);
  const states = model.initialState(2);
  await refused({ state: states }, /the state has 2 rows, wanted 1/);
  states.dispose();
  await assert.rejects(collect(model, { prompt: [1.5] }), { name: "TokenError", message: /token 1.5/ });
  await assert.rejects(collect(model, { prompt: [999] }), { name: "TokenError" });
  await assert.rejects(collect(createModel({ vocabSize: 100, width: 16, layers: 1, headSize: 8 })), /vocabSize is 100/);
});
