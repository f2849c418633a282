import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";

import type { LanguageModel } from "../model/language-model.js";
import { createModel, type Model } from "../model/model.js";
import type { ModelState } from "../model/state.js";
import { assertClose, useBackend } from "../testing.js";
import { byteTokenizer } from "../tokenizers/byte-tokenizer.js";
import type { Tokenizer } from "../tokenizers/tokenizer.js";
import { generate } from "./generate.js";
import type { GeneratedPiece } from "./generated-row.js";
import { prefill } from "./prefill.js";

const tokenizer = byteTokenizer();

function smallModel(vocabSize = 256): Model {
  return createModel({ vocabSize, width: 16, layers: 2, headSize: 8 }, { seed: 1 });
}

// The state of a text in pieces and at once differ by float32's rounding over some tens of tokens; 2e−6 was measured.
const rounding = 2e-5;

test("prompts of different lengths run side by side as each alone, in chunks of any size", async () => {
  await useBackend("wasm");
  const model = smallModel();
  const prompts = ["Call me Ishmael.", "x", "Some years ago", "y", "never mind how"].map((text) =>
    tokenizer.encode(text),
  );
  const before = tf.memory().numTensors;
  for (const chunk of [1, 3, 256]) {
    const together = await prefill(model, prompts, undefined, { chunk });
    assert.equal(together.state.batchSize, prompts.length);
    const alone = prompts.map((prompt) => model.forward([[...prompt]]));
    alone.forEach(({ logits }, row) => {
      const last = logits.dataSync<"float32">().slice(-256);
      assertClose(together.logits[row]!, last, rounding, `logits of row ${row}, chunk ${chunk}`);
    });
    together.state.layers.forEach((layer, l) => {
      for (const part of ["attShift", "ffnShift", "wkv", "meta"] as const) {
        const rows = alone.flatMap(({ state }) => [...state.layers[l]![part]!.dataSync<"float32">()]);
        assertClose(layer[part]!.dataSync<"float32">(), rows, rounding, `${part}, chunk ${chunk}`);
      }
    });
    together.state.dispose();
    for (const { logits, state } of alone) {
      logits.dispose();
      state.dispose();
    }
    assert.equal(tf.memory().numTensors, before);
  }
  model.dispose();
});

test("a row of a batch says what its prompt alone says with its seed, and ends on its own", async () => {
  await useBackend("wasm");
  const model = smallModel();
  const prompt = ["Call me", "a", "the whale"];
  const before = tf.memory().numTensors;
  const options = { tokenizer, tokens: 40, temperature: 0.8, stop: ["e", "q", "7"], logProbabilities: 0 };
  const together = await generate(model, { ...options, prompt, seed: 5 }).texts();
  assert.equal(tf.memory().numTensors, before);
  for (const [row, one] of prompt.entries()) {
    const [alone] = await generate(model, { ...options, prompt: one, seed: 5 + row }).texts();
    assert.deepEqual(together[row]!.tokens, alone!.tokens);
    assert.equal(together[row]!.text, alone!.text);
    assert.equal(together[row]!.end, alone!.end);
    assertClose(together[row]!.logProbabilities!, alone!.logProbabilities!, 1e-4, "log-probabilities");
  }
  const lengths = new Set(together.map(({ tokens }) => tokens.length));
  assert.ok(lengths.size > 1, "the rows end at different places, or this test shows nothing");
  model.dispose();
});

test("the state that is kept has seen the prompt and every token that came, however the loop ended", async () => {
  await useBackend("wasm");
  const model = smallModel();
  const prompt = ["Call me", "a"];
  const initial = model.initialState();
  const before = tf.memory().numTensors;
  const check = async (leaveAfter: number, options: object): Promise<void> => {
    const generation = generate(model, { prompt, tokenizer, seed: 3, state: initial, keepState: true, ...options });
    const said: number[][] = [[], []];
    let count = 0;
    for await (const { row, token } of generation) {
      said[row]!.push(token);
      if (++count === leaveAfter) break;
    }
    const { state } = generation;
    prompt.forEach((text, row) => {
      const expected = model.forward([[...tokenizer.encode(text), ...said[row]!]]);
      expected.state.layers.forEach((layer, l) => {
        for (const part of ["attShift", "ffnShift", "wkv", "meta"] as const) {
          const actual = tf.tidy(() => tf.gather(state.layers[l]![part]!, [row]).dataSync<"float32">());
          assertClose(actual, layer[part]!.dataSync<"float32">(), rounding, `${part} of row ${row}`);
        }
      });
      expected.logits.dispose();
      expected.state.dispose();
    });
    state.dispose();
    assert.equal(tf.memory().numTensors, before);
  };
  await check(Infinity, { tokens: 12 });
  await check(Infinity, { tokens: 60, stop: ["e", "q", "7", "1"] });
  await check(Infinity, { tokens: 0 });
  await check(1, { tokens: 12 });
  await check(4, { tokens: 12 });
  await check(7, { tokens: 12 });
  const forgetful = generate(model, { prompt, tokenizer, tokens: 1 });
  await forgetful.texts();
  assert.throws(() => forgetful.state, /keepState: true/);
  initial.dispose();
  model.dispose();
});

test("going on from a state equals going on from its text; one state serves all prompts", async () => {
  await useBackend("wasm");
  const model = smallModel();
  const first = generate(model, { prompt: "Call me", tokenizer, tokens: 5, keepState: true, temperature: 0 });
  const text = (await first.texts())[0]!.text;
  const options = { tokenizer, tokens: 8, temperature: 0 };
  const prompt = [" and", " or if"];
  const continued = await generate(model, { ...options, prompt, state: first.state }).texts();
  const whole = await generate(model, { ...options, prompt: prompt.map((more) => `Call me${text}${more}`) }).texts();
  assert.deepEqual(
    continued.map(({ tokens }) => tokens),
    whole.map(({ tokens }) => tokens),
  );
  first.state.dispose();
  model.dispose();
});

test("memory does not grow with the tokens, in a batch with every option", async () => {
  await useBackend("wasm");
  const model = smallModel();
  const before = tf.memory().numTensors;
  const during = new Set<number>();
  const generation = generate(model, {
    prompt: ["a", "bcd", "ef"],
    tokenizer,
    tokens: 1000,
    temperature: 0.9,
    topK: 50,
    topP: 0.9,
    minP: 0.01,
    repetitionPenalty: 1.1,
    presencePenalty: 0.1,
    frequencyPenalty: 0.01,
    logProbabilities: 3,
    stop: "\u0000\u0001\u0002",
  });
  let pieces = 0;
  for await (const _ of generation) {
    pieces++;
    during.add(tf.memory().numTensors);
  }
  assert.equal(pieces, 3000);
  assert.equal(during.size, 1);
  assert.equal(tf.memory().numTensors, before);
  model.dispose();
});

test("nothing is left when generation is aborted, in the prompt or after it", async () => {
  await useBackend("wasm");
  const model = smallModel();
  const before = tf.memory().numTensors;
  const controller = new AbortController();
  const options = { prompt: ["abc".repeat(100), "x"], tokenizer, signal: controller.signal, keepState: true };
  await assert.rejects(async () => {
    for await (const { row } of generate(model, options)) if (row === 1) controller.abort(new Error("enough"));
  }, /enough/);
  assert.equal(tf.memory().numTensors, before);
  await assert.rejects(generate(model, options).texts(), /enough/);
  assert.equal(tf.memory().numTensors, before);
  const late = new AbortController();
  setImmediate(() => late.abort(new Error("late")));
  await assert.rejects(generate(model, { ...options, prefillChunk: 1, signal: late.signal }).texts(), /late/);
  assert.equal(tf.memory().numTensors, before);
  model.dispose();
});

test("only allowed tokens come: a set, or a function of what was said", async () => {
  await useBackend("wasm");
  const model = smallModel();
  const digits = [..."0123456789"].map((digit) => digit.charCodeAt(0));
  const options = { prompt: ["a", "b"], tokenizer, tokens: 20 };
  const numbers = await generate(model, { ...options, allowed: digits.values() }).texts();
  assert.ok(numbers.every(({ text }) => /^\d{20}$/.test(text)));
  // Letters and digits by turns, each row beginning with another.
  const letters = [97, 98];
  const seen: number[][] = [];
  const byTurns = await generate(model, {
    ...options,
    allowed(generated, row) {
      seen.push([row, generated.length]);
      return generated.length === 19 ? undefined : (generated.length + row) % 2 === 0 ? letters : digits;
    },
  }).texts();
  assert.match(byTurns[0]!.text.slice(0, 18), /^([ab]\d){9}$/);
  assert.match(byTurns[1]!.text.slice(0, 18), /^(\d[ab]){9}$/);
  assert.deepEqual(seen.slice(0, 4), [
    [0, 0],
    [1, 0],
    [0, 1],
    [1, 1],
  ]);
  model.dispose();
});

test("log-probabilities are the model's own, whatever the sampling", async () => {
  await useBackend("wasm");
  const model = smallModel();
  const pieces: GeneratedPiece[] = [];
  const options = { prompt: "Call me", tokenizer, tokens: 6, temperature: 0.3, topK: 5, presencePenalty: 1 };
  for await (const piece of generate(model, { ...options, logProbabilities: 4 })) pieces.push(piece);
  const text = [...tokenizer.encode("Call me"), ...pieces.map(({ token }) => token)];
  const logs = tf.tidy(() => tf.logSoftmax(model.forward([text]).logits).arraySync())[0]!;
  pieces.forEach(({ token, logProbability, mostLikely }, i) => {
    const row = logs[tokenizer.encode("Call me").length - 1 + i]!;
    assert.ok(Math.abs(logProbability! - row[token]!) < 1e-4);
    assert.equal(mostLikely!.length, 4);
    const best = [...row].sort((a, b) => b - a);
    mostLikely!.forEach((entry, n) => {
      assert.ok(Math.abs(entry.logProbability - best[n]!) < 1e-4);
      assert.ok(Math.abs(entry.logProbability - row[entry.token]!) < 1e-4);
    });
  });
  model.dispose();
});

test("an end token ends a text and is not shown; a model's tokens beyond its tokenizer's never come", async () => {
  await useBackend("cpu");
  const model = smallModel(300);
  /** Bytes, of which one ends a text. */
  const ending: Tokenizer = {
    name: "ending",
    vocabSize: 256,
    endOfText: 46,
    encode: (text) => tokenizer.encode(text),
    decode: (tokens) => tokenizer.decode(tokens),
    decoder: () => tokenizer.decoder(),
  };
  const said = tokenizer.encode("one.two");
  let at = 0;
  const parrot: LanguageModel<ModelState> = {
    configuration: model.configuration,
    parameters: model.parameters,
    initialState: (batchSize) => model.initialState(batchSize),
    dispose: () => model.dispose(),
    forward(tokens, state, options) {
      const result = model.forward(tokens, state, options);
      const logits = new Float32Array(result.logits.size).fill(-100);
      logits[logits.length - 300 + said[at++]!] = 50;
      // More likely than any, and without a text.
      logits[logits.length - 1] = 100;
      result.logits.dispose();
      return { logits: tf.tensor3d(logits, result.logits.shape), state: result.state };
    },
  };
  const [first] = await generate(parrot, { prompt: "x", tokenizer: ending }).texts();
  assert.deepEqual(first, { tokens: [111, 110, 101, 46], text: "one", end: "endToken" });
  at = 0;
  const [second] = await generate(parrot, { prompt: "x", tokenizer: ending, tokens: 5, endTokens: [] }).texts();
  assert.deepEqual(second, { tokens: [111, 110, 101, 46, 116], text: "one.t", end: "tokens" });
  at = 0;
  const [bare] = await generate(parrot, { prompt: [1, 2], tokens: 2 }).texts();
  assert.deepEqual(bare, { tokens: [299, 299], text: "", end: "tokens" });
  model.dispose();
});
