/** What JavaScript lets pass, and TypeScript too where an object was made before: each is told, with what was meant. */
import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";

import * as ms from "./index.js";
import { useBackend } from "./testing.js";

const tokenizer = ms.byteTokenizer();
const tokens = tokenizer.encode("the quick brown fox jumps over the lazy dog. ".repeat(8));
const sizes = { vocabSize: 256, width: 16, layers: 1, headSize: 8, parameterTokens: 8 };
const batches = () => ms.data.batches(tokens, { batchSize: 2, length: 8 });

/** Goes through an iterator to its end. */
async function all(source: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of source);
}

/** What a call throws, or the promise that it gives is rejected with, as a promise. */
function attempt(call: () => unknown): Promise<unknown> {
  return Promise.resolve().then(call);
}

/** Calls what a program without types would call. */
type Untyped = Record<string, (...args: unknown[]) => unknown>;
const untyped = ms as unknown as Untyped & Record<"data" | "tasks" | "tokenizers", Untyped>;

test("an option that there is not is an error that names the one that was meant", async () => {
  await useBackend("cpu");
  const model = ms.createModel(sizes);
  const train = (options: object) => all(untyped.train!(model, batches(), { steps: 1, ...options }) as never);
  const cases: [call: () => unknown, message: RegExp][] = [
    [() => train({ lr: 1e-3 }), /^train: there is no option "lr": did you mean learningRate\?$/],
    [() => train({ learning_rate: 1e-3 }), /there is no option "learning_rate": did you mean learningRate\?/],
    [() => train({ epochs: 2 }), /^train: there is no option "epochs", wanted some of steps, learningRate, schedule/],
    [() => train({ checkpoint: { dir: "x" } }), /^train's checkpoint: there is no option "dir", wanted .*folder/],
    [() => train({ evaluate: { data: tokens, every: 1, len: 2 } }), /^train's evaluate: there is no option "len"/],
    [() => train({ earlyStop: { wait: 2 } }), /^train's earlyStop: there is no option "wait"/],
    [() => train({ spike: { width: 2 } }), /^train's spike: there is no option "width"/],
    [() => untyped.createModel!({ ...sizes, layer: 2 }), /^createModel: .*"layer": did you mean layers\?/],
    [() => untyped.createModel!(sizes, 3), /^createModel's second argument: the options are 3, wanted .* seed/],
    [() => untyped.createModel!(), /^createModel: the options are missing, wanted .*vocabSize, width, layers/],
    [
      () => untyped.createBaseline!({ kind: "rwkv4", ...sizes, hiden: 2 }),
      /^createBaseline: there is no option "parameterTokens"/,
    ],
    [
      () => untyped.generate!(model, { prompt: [1], max_tokens: 5 }),
      /^generate: .*"max_tokens": did you mean tokens\?/,
    ],
    [() => untyped.generate!(model), /^generate: the options are missing/],
    [() => untyped.evaluate!(model, tokens, { size: 2 }), /^evaluate: there is no option "size"/],
    [
      () => untyped.evolution!(model, { follow: "a", tokenizer, statistic: [] }),
      /^evolution: .*did you mean statistics\?/,
    ],
    [() => untyped.trace!(model, [[1]]), /^trace: the options are missing, wanted .*names/],
    [() => untyped.trace!(model, [[1]], { name: "logits" }), /^trace: .*"name": did you mean names\?/],
    [
      () => untyped.intervene!(model, { at: "emb", edit: "zero", head: 0 }),
      /edits\[0\]: .*"head": did you mean heads\?/,
    ],
    [() => untyped.grow!(model, { layers: 2 }, { forced: true }), /^grow's third argument: .*did you mean force\?/],
    [() => untyped.growthReport!(model, model, { token: [1] }), /^growthReport: .*did you mean tokens or tokenizer\?/],
    [
      () => untyped.compare!({ task: ms.tasks.copying(), models: {}, batchSize: 1, seed: 1 }),
      /^compare: .*did you mean seeds\?/,
    ],
    [() => untyped.checkSse!("sse", { sse: "meta" }), /^checkSse: there is no option "sse"/],
    [
      () => untyped.defineSse!({ name: "a", metastate: true, apply: () => 1 }),
      /^defineSse: .*did you mean metaState\?/,
    ],
    [
      () => untyped.defineSse!({ name: "a", parameters: { b: { shape: 1, init: 2 } }, apply: () => 1 }),
      /^defineSse "a", parameter "b": there is no option "init": did you mean initial\?/,
    ],
    [() => untyped.data.batches!(tokens, { batch: 2, length: 8 }), /^batches: .*"batch": did you mean batchSize\?/],
    [() => untyped.data.batches!(tokens), /^batches: the options are missing/],
    [() => untyped.data.epochs!(tokens, { batchSize: 2, length: 8, epoch: 1 }), /^epochs: .*did you mean epochs\?/],
    [() => untyped.data.streams!(tokens, { batchSize: 2, length: 8, seed: 1 }), /^streams: there is no option "seed"/],
    [() => untyped.data.split!(tokens, 0.2), /^split: the options are 0.2, wanted an object with .*validation/],
    [() => untyped.tasks.associativeRecall!({ pair: 4 }), /^associativeRecall: .*did you mean pairs\?/],
    [() => untyped.tasks.copying!({ counts: 4 }), /^copying: .*did you mean count\?/],
    [() => ms.tasks.copying().batches({ batchsize: 4 } as never), /^copying's batches: .*did you mean batchSize\?/],
    [() => untyped.tokenizers.trainBpe!("abc", { vocab_size: 300 }), /^trainBpe: .*did you mean vocabSize\?/],
    [
      () => untyped.startEngine!({ engine: "cpu" }),
      /^startEngine: there is no option "engine", wanted some of backend/,
    ],
    [() => untyped.loadModel!("x", { variant: "sse" }), /^loadModel: there is no option "variant"/],
    [() => untyped.saveModel!(model, "x", { precision: "float16" }), /^saveModel: there is no option "precision"/],
  ];
  for (const [call, message] of cases) {
    await assert.rejects(attempt(call), { name: "ConfigurationError", message });
  }
  // What is undefined is left out.
  await all(ms.train(model, batches(), { steps: 1, ...({ unknown: undefined } as object) }));
  model.dispose();
});

test("a model that is none, a promise of one, or one that was disposed of, is told by whatever is called", async () => {
  await useBackend("cpu");
  const model = ms.createModel(sizes);
  const before = tf.memory().numTensors;
  const calls: [name: string, call: (of: unknown) => unknown][] = [
    ["train", (of) => all(untyped.train!(of, batches(), { steps: 1 }) as never)],
    ["evaluate", (of) => untyped.evaluate!(of, tokens)],
    ["generate", (of) => untyped.generate!(of, { prompt: [1] })],
    ["evolution", (of) => untyped.evolution!(of, { prompt: [1] })],
    ["trace", (of) => untyped.trace!(of, [[1]], { names: "logits" })],
    ["traceStream", (of) => all(untyped.traceStream!(of, [[1]], { names: "logits" }) as never)],
    ["intervene", (of) => untyped.intervene!(of, { at: "emb", edit: "zero" })],
    ["grow", (of) => untyped.grow!(of, { layers: 2 })],
    ["growthReport", (of) => untyped.growthReport!(of, of)],
    ["saveModel", (of) => untyped.saveModel!(of, "x.safetensors")],
    ["fromRwkv7", (of) => untyped.fromRwkv7!(of)],
  ];
  const wrong: [given: unknown, message: RegExp][] = [
    [undefined, /the model is missing: ms\.createModel makes one/],
    ["a.pth", /the model is no model \(string\)/],
    [Promise.resolve(model), /the model is a promise: await what makes it/],
  ];
  for (const [name, call] of calls) {
    for (const [given, { source }] of wrong) {
      const message = new RegExp(`^${name}: ${source}`);
      await assert.rejects(
        attempt(() => call(given)),
        { name: "ConfigurationError", message },
      );
    }
  }
  assert.equal(tf.memory().numTensors, before);
  model.dispose();
  for (const [name, call] of calls) {
    const message = new RegExp(`^${name}: the model was disposed of; make it, or load it, again`);
    await assert.rejects(
      attempt(() => call(model)),
      { message },
    );
  }
  const baseline = ms.createBaseline({ kind: "rwkv4", vocabSize: 8, layers: 1, width: 8 });
  baseline.dispose();
  assert.throws(() => baseline.forward([[1]]), /^Error: forward: the model was disposed of/);
});

test("states, batches, texts and seeds that are none say what to give", async () => {
  await useBackend("cpu");
  const model = ms.createModel(sizes);
  const baseline = ms.createBaseline({ kind: "rwkv4", vocabSize: 8, layers: 1, width: 8 });
  const result = model.forward([[1]]);
  for (const one of [model, baseline]) {
    const forward = (state: unknown): unknown => (one as ms.Model).forward([[1]], state as never);
    const message = /^forward: state is the whole result of forward, wanted the state in it: result\.state$/;
    assert.throws(() => forward(result), { name: "ShapeError", message });
    assert.throws(() => forward({}), /^ShapeError: forward: state is none of this kind of model/);
  }
  const train = (given: unknown): Promise<void> => all(untyped.train!(model, given, { steps: 1 }) as never);
  await assert.rejects(
    train(undefined),
    /^ConfigurationError: train: the batches are missing, wanted batches as ms\.data/,
  );
  await assert.rejects(train("text"), /^ConfigurationError: train: the batches are string/);
  await assert.rejects(
    attempt(() => untyped.evaluate!(model, 3)),
    /^ConfigurationError: evaluate: the batches are number/,
  );
  await assert.rejects(
    attempt(() => untyped.trace!(model, "text", { names: "logits" })),
    /trace: tokens is string, wanted/,
  );
  assert.throws(
    () => untyped.data.batches!(Promise.resolve(tokens), { batchSize: 1, length: 2 }),
    /the data are a promise/,
  );
  assert.throws(() => untyped.data.padded!(tokens, { batchSize: 1 }), /padded: the data are no corpus/);
  assert.throws(() => ms.data.split(tokens.subarray(0, 1)), /split: 1 tokens are too few to be two parts/);
  const { train: first, validation } = ms.data.split(tokens.subarray(0, 3));
  assert.deepEqual([first.length, validation.length], [2, 1], "a token at least on each side");
  assert.throws(() => untyped.createModel!(sizes, { seed: "one" }), /seed is "one", wanted a finite number/);
  await assert.rejects(
    attempt(() => untyped.saveModel!(model)),
    /^ConfigurationError: saveModel: the path is undefined/,
  );
  const characters = ms.tokenizers.characters("ab");
  const bpe = await ms.tokenizers.trainBpe("ab", { vocabSize: 257 });
  for (const one of [tokenizer, characters, bpe] as unknown as Untyped[]) {
    assert.throws(() => one.encode!(3), /^ConfigurationError: \w+: wanted a text, not number$/);
    assert.throws(() => one.encode!(Promise.resolve("a")), /not a promise: await it, as in await ms\.data\.textFile/);
  }
  await assert.rejects(
    attempt(() => untyped.tokenizers.trainBpe!(3, { vocabSize: 300 })),
    /trainBpe: wanted a text, not number/,
  );
  result.state.dispose();
  result.logits.dispose();
});

test("a generation gives its texts once", async () => {
  await useBackend("cpu");
  const model = ms.createModel(sizes);
  const generation = ms.generate(model, { prompt: "a", tokenizer, tokens: 2 });
  assert.equal((await generation.texts())[0]!.tokens.length, 2);
  await assert.rejects(generation.texts(), /this generation was iterated over before: call ms\.generate again/);
});
