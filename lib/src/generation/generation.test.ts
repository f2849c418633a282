import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";

import { byteTokenizer } from "../tokenizers/byte-tokenizer.js";
import { createModel, type LanguageModel, type Model } from "../model/model.js";
import { Random } from "../random.js";
import { useBackend } from "../testing.js";
import { generate, type GenerateOptions } from "./generate.js";
import { sampleToken } from "./sampling.js";
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
function parrot(model: Model, bytes: Uint8Array): LanguageModel {
  let at = 0;
  return {
    configuration: model.configuration,
    parameters: model.parameters,
    forward(tokens, state) {
      const result = model.forward(tokens, state);
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

test("sampling follows the probabilities", () => {
  const random = new Random(1);
  const logits = Float32Array.from([0.5, 0.3, 0.2].map(Math.log));
  const count = (options: Parameters<typeof sampleToken>[2]): number[] => {
    const counts = [0, 0, 0];
    for (let i = 0; i < 20000; i++) counts[sampleToken(logits, random, options)]!++;
    return counts.map((n) => n / 20000);
  };
  const near = (actual: number[], expected: number[]): void =>
    // Four standard deviations of a share of 20,000 draws: 4 √(0.25 / 20000) = 0.014.
    actual.forEach((share, i) => assert.ok(Math.abs(share - expected[i]!) < 0.015, `${actual.join()}`));
  near(count({}), [0.5, 0.3, 0.2]);
  near(count({ temperature: 0.5 }), [0.25 / 0.38, 0.09 / 0.38, 0.04 / 0.38]);
  near(count({ topK: 2 }), [0.625, 0.375, 0]);
  near(count({ topP: 0.6 }), [0.625, 0.375, 0]);
  near(count({ topP: 0.4 }), [1, 0, 0]);
  near(count({ topK: 1 }), [1, 0, 0]);
  near(count({ temperature: 0 }), [1, 0, 0]);
});

test("options that make no sense are refused by name", async () => {
  await useBackend("cpu");
  const model = smallModel();
  const refused = (options: Partial<GenerateOptions>, message: RegExp): Promise<void> =>
    assert.rejects(collect(model, options), { name: "ConfigurationError", message });
  await refused({ temperature: -1 }, /temperature is -1/);
  await refused({ topK: 0 }, /topK is 0/);
  await refused({ topP: 2 }, /topP is 2/);
  await refused({ prompt: "" }, /the prompt is empty/);
  await assert.rejects(collect(createModel({ vocabSize: 100, width: 16, layers: 1, headSize: 8 })), /vocabSize is 100/);
});
