import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";

import { createBaseline } from "../baselines/create-baseline.js";
import { jupyterDisplay } from "../display.js";
import { generate } from "../generation/generate.js";
import { createModel } from "../model/model.js";
import { assertClose, useBackend } from "../testing.js";
import { byteTokenizer } from "../tokenizers/byte-tokenizer.js";
import { evolution } from "./evolution.js";
import { intervene } from "./intervene.js";
import { statistics } from "./statistics.js";
import { inputs, randomModel } from "./testing.js";
import { trace } from "./trace.js";

const text = [...inputs[0]!, ...inputs[1]!];
const stateNames = [0, 1].flatMap((layer) => ["wkv", "meta"].map((part) => `blocks.${layer}.state.${part}`));

test("following a text: surprises are those of its logits, changes those between traced states", async () => {
  await useBackend("wasm");
  const model = randomModel();
  const before = tf.memory().numTensors;
  const run = await evolution(model, {
    follow: text,
    matricesEvery: 1,
    statistics: ["stableRank", "effectiveRank"],
  }).record();
  const traced = await trace(model, text, { names: ["blocks.*.{state,before}.{wkv,meta}", "logits"], chunk: 1 });
  assert.equal(tf.memory().numTensors, before);
  assert.deepEqual(run.names, stateNames);
  assert.deepEqual(
    run.records.map(({ token, position, index, source }) => [token, position, index, source]),
    text.map((token, i) => [token, i, i, "text"]),
  );
  assert.ok(Number.isNaN(run.surprise[0]));
  const logits = traced.get("logits");
  for (let position = 0; position < text.length; position++) {
    if (position > 0) {
      const row = logits.select({ row: 0, position: position - 1 }).data;
      const total = Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0));
      assertClose([run.surprise[position]!], [total - row[text[position]!]!], 1e-6, `surprise of ${position}`);
    }
    for (const name of stateNames) {
      const place = { row: 0, position, head: 1 };
      const after = traced.get(name).select(place);
      const earlier = traced.get(name.replace("state", "before")).select(place);
      const change = run.records[position]!.states.get(name)![1]!;
      const update = statistics.updateNorm(earlier, after).norm;
      // Both run token by token: the same sums; norms are float64.
      assertClose(
        [change.norm, change.update],
        [statistics.frobeniusNorm(after), update],
        1e-7,
        `${name}, ${position}`,
      );
      assertClose([change.similarity], [statistics.cosine(earlier.data, after.data)], 1e-7, "similarity");
      assertClose(
        [change.stableRank!, change.effectiveRank!],
        [statistics.stableRank(after), statistics.effectiveRank(after)],
        1e-6,
        "ranks",
      );
      assert.deepEqual(run.records[position]!.matrices!.get(name)!.select({ head: 1 }).data, after.data);
    }
  }
  model.dispose();
});

test("generation is what it would be without a look at it, with or without its prompt in the records", async () => {
  await useBackend("wasm");
  const model = randomModel();
  const before = tf.memory().numTensors;
  const options = { prompt: [1, 5, 2], tokens: 8, seed: 4, temperature: 0.9, presencePenalty: 0.3 };
  const [plain] = await generate(model, { ...options, logProbabilities: 0 }).texts();
  const run = await evolution(model, options).record();
  assert.deepEqual(
    run.records.map(({ token }) => token),
    plain!.tokens,
  );
  assert.deepEqual(
    run.surprise.map((x) => -x),
    plain!.logProbabilities,
  );
  assert.deepEqual(
    run.records.map(({ position }) => position),
    [3, 4, 5, 6, 7, 8, 9, 10],
  );
  assert.equal(run.records.at(-1)!.end, "tokens");
  assert.equal(run.records[0]!.matrices, undefined);
  const whole = await evolution(model, { ...options, includePrompt: true, logProbabilities: 2 }).record();
  assert.deepEqual(
    whole.records.map(({ token }) => token),
    [1, 5, 2, ...plain!.tokens],
  );
  assert.deepEqual(whole.records.map(({ source }) => source[0]).join(""), "ppp" + "g".repeat(8));
  assert.equal(whole.records[5]!.mostLikely!.length, 2);
  // The prompt in one pass and in three: roundings.
  for (const name of stateNames) {
    const updates = (records: typeof run.records): number[] =>
      records.flatMap(({ states }) => states.get(name)!.map(({ update }) => update));
    assertClose(updates(whole.records.slice(3)), updates(run.records), 5e-6, `updates of ${name}`);
  }
  let held = 0;
  for await (const { index } of evolution(model, { ...options, tokens: Infinity })) {
    if (index === 0) held = tf.memory().numTensors;
    assert.equal(tf.memory().numTensors, held, "memory does not grow with the text");
    if (index === 40) break;
  }
  assert.equal(tf.memory().numTensors, before);
  model.dispose();
});

test("from a state: the first update is from it, positions go on, and it stays the caller's", async () => {
  await useBackend("wasm");
  const model = randomModel();
  const { state } = model.forward([inputs[0]!]);
  const before = tf.memory().numTensors;
  const [first] = (await evolution(model, { follow: inputs[1]!, state }).record()).records;
  const [alone] = (await evolution(model, { follow: text }).record()).records.slice(6);
  assert.equal(tf.memory().numTensors, before);
  assert.equal(first!.position, 6);
  const updates = ({ states }: NonNullable<typeof first>): number[] =>
    [...states.values()].flat().map(({ update }) => update);
  assertClose(updates(first!), updates(alone!), 5e-6, "the first update");
  assert.ok(state.layers[0]!.wkv.dataSync().length > 0);
  model.dispose();
});

test("recorded runs give plots their data: lines, frames, paths on common axes", async () => {
  await useBackend("wasm");
  const model = createModel({ vocabSize: 256, width: 8, layers: 1, headSize: 4 }, { seed: 1 });
  const record = (follow: string) =>
    evolution(model, { follow, tokenizer: byteTokenizer(), matricesEvery: 2 }).record();
  const run = await record("the whale é");
  assert.equal(run.text, "the whale é");
  // The first byte of é is no text yet: its number stands for it.
  assert.deepEqual(run.labels, [..."the whale ", "195", "é"]);
  const lines = run.series("update", "blocks.0.state.meta");
  assert.deepEqual(Object.keys(lines), ["blocks.0.state.meta, head 0", "blocks.0.state.meta, head 1"]);
  assert.ok(Object.values(lines).every((line) => line.length === 12 && line.every((x) => x > 0)));
  const frames = run.frames("blocks.0.state.wkv", 1);
  assert.deepEqual(
    frames.map(({ label }) => label),
    ["t", "e", "w", "a", "e", "195"],
  );
  assert.deepEqual(
    frames.map(({ token }) => token),
    [0, 2, 4, 6, 8, 10],
  );
  assert.deepEqual(frames[2]!.matrix, run.records[4]!.matrices!.get("blocks.0.state.wkv")!.matrix({ head: 1 }));
  const other = await record("the whale swims");
  const [mine, theirs] = run.paths("blocks.0.state.*", { others: [other] });
  assert.equal(mine!.points.length, 6);
  assert.equal(theirs!.points.length, 8);
  // The same text so far: the same point.
  for (let i = 0; i < 5; i++) assertClose(theirs!.points[i]!, mine!.points[i]!, 1e-9, `point ${i}`);
  assert.notDeepEqual(theirs!.points[5], mine!.points[5]);
  // Texts that part at the eleventh of twelve bytes, and are the same before; matrices are kept of every second.
  const apart = run.distances(await record("the whale ab"), "blocks.0.state.wkv")["blocks.0.state.wkv"]!;
  assert.deepEqual([apart.length, ...apart.slice(0, 5)], [6, 0, 0, 0, 0, 0]);
  const [last, its] = [run, other].map(({ records }) => records[10]!.matrices!.get("blocks.0.state.wkv")!.data);
  const relative = run.distances(await record("the whale sw"), "**.wkv")["blocks.0.state.wkv"]![5]!;
  const norm = (x: Float32Array): number => Math.hypot(...x);
  assertClose([relative], [norm(last!.map((x, i) => x - its![i]!)) / Math.max(norm(last!), norm(its!))], 1e-5, "apart");
  assert.throws(() => run.distances(other), /matrices of 6 tokens and of 8, wanted texts of the same number of tokens/);
  assert.match(run[jupyterDisplay]()["text/plain"] as string, /^12 tokens; the last:\n/);
  assert.throws(() => run.series("stableRank"), /"stableRank" was not recorded: pass statistics/);
  assert.throws(() => run.series("norm", "blocks.3.**"), /no activation is named "blocks.3.\*\*"/);
  const plain = await evolution(model, { follow: "ab", tokenizer: byteTokenizer() }).record();
  assert.throws(() => plain.frames("blocks.0.state.wkv"), /no matrices were recorded: pass matricesEvery: 1/);
  model.dispose();
});

test("an edited model evolves as edited", async () => {
  await useBackend("wasm");
  const model = randomModel();
  const edited = intervene(model, { at: "blocks.0.state.wkv", positions: [3], edit: "zero" });
  const { records } = await evolution(edited, { follow: text, states: "blocks.0.state.wkv" }).record();
  const norms = records.map(({ states }) => states.get("blocks.0.state.wkv")![0]!.norm);
  assert.equal(norms[3], 0);
  assert.ok(norms.every((norm, i) => i === 3 || norm > 0));
  model.dispose();
});

test("a Transformer is traced and edited by the same names; its cache holds more with every token, which has limits", async () => {
  await useBackend("wasm");
  const model = createBaseline({ kind: "transformer", vocabSize: 7, layers: 2, width: 8 }, { seed: 2 });
  const traced = await trace(model, inputs, { names: ["blocks.*.att.*", "blocks.1.state.keys"], positions: 3 });
  const keys = traced.get("blocks.1.state.keys");
  assert.deepEqual(keys.axes, ["row", "position", "token", "head", "channel"]);
  assert.deepEqual(keys.shape.slice(0, 3), [2, 1, 4]);
  await assert.rejects(
    trace(model, inputs, { names: "blocks.1.state.keys" }),
    /blocks.1.state.keys holds more with every token, so that it fits no table over positions: trace it at one position/,
  );
  assert.throws(() => evolution(model, { follow: text }), /this model has no state of one matrix a head/);
  const edited = intervene(model, [
    { at: "blocks.1.out", positions: [2, 4], edit: { scale: 2 } },
    { at: "blocks.0.state.keys", positions: 2, heads: 1, edit: "zero" },
  ]);
  tf.tidy(() => {
    const whole = edited.forward(inputs).logits.dataSync();
    const first = edited.forward(inputs.map((row) => row.slice(0, 2)));
    const second = edited.forward(
      inputs.map((row) => row.slice(2)),
      first.state,
    );
    // The same sums in other blocks of matrix products.
    assertClose(tf.concat([first.logits, second.logits], 1).dataSync(), whole, 3e-6, "cut");
    assert.notDeepEqual(whole, model.forward(inputs).logits.dataSync());
  });
  model.dispose();
});

test("what does not fit is refused with what would", async () => {
  await useBackend("wasm");
  const model = randomModel();
  assert.throws(() => evolution(model, { follow: [] }), /there is no prompt, wanted at least one/);
  assert.throws(() => evolution(model, { follow: "a" }), /evolution: follow is a text, which needs a tokenizer/);
  assert.throws(() => evolution(model, { follow: [1], matricesEvery: 0 }), /matricesEvery is 0/);
  assert.throws(() => evolution(model, { follow: [1], states: "blocks.0.state.wvk" }), /near it: blocks.0.state.wkv/);
  assert.throws(() => evolution(model, { prompt: [[1], [2]] as never }), /wanted one: run them one by one/);
  const state = model.initialState(2);
  assert.throws(() => evolution(model, { follow: [1], state }), /the state has 2 rows, wanted 1/);
  model.dispose();
});
