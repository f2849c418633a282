import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";

import { createBaseline } from "../baselines/create-baseline.js";
import { jupyterDisplay } from "../display.js";
import { randomModel } from "../io/testing.js";
import { createModel } from "../model/model.js";
import { useBackend } from "../testing.js";
import { byteTokenizer } from "../tokenizers/byte-tokenizer.js";
import { growBaseline } from "./grow-baseline.js";
import { grow } from "./grow.js";
import { growthReport } from "./report.js";

test("the report names what was added, with what it was filled, and that nothing changed", async () => {
  await useBackend("cpu");
  const model = randomModel();
  const grown = grow(model, { parameterTokens: 20, layers: 3, learnedState: true });
  const before = tf.memory().numTensors;
  const report = await growthReport(model, grown, { tokens: [1, 5, 2, 2, 6, 0, 3], length: 12 });
  assert.equal(tf.memory().numTensors, before);
  assert.equal(report.verdict, "exact");
  assert.deepEqual(report.parameterCount, { before: model.parameterCount, after: grown.parameterCount });
  assert.deepEqual(
    report.measurements.map(({ input, tokens }) => [input, tokens]),
    [
      ["random tokens", 24],
      ["random tokens, larger model from the middle on", 12],
      ["real input", 7],
      ["real input, larger model from the middle on", 4],
    ],
  );
  const change = (name: string) => report.added.find((added) => added.name === name);
  assert.deepEqual(change("blocks.1.ffn.value.weight"), {
    ...{ name: "blocks.1.ffn.value.weight", before: [8, 12], after: [8, 20], filled: "zero", kept: true },
  });
  assert.equal(change("blocks.0.ffn.key.weight")!.filled, "as at the start");
  assert.equal(change("blocks.2.att.key.weight")!.before, null);
  assert.equal(change("blocks.0.att.key.weight"), undefined);
  const shown = report[jupyterDisplay]();
  assert.match(shown["text/plain"] as string, /^Growth was exact: not a bit of logits or states differs \(/);
  assert.match(
    shown["text/plain"] as string,
    /\nblocks\.\*\.ffn\.key\.weight +2 +\[12, 8\] +\[20, 8\] +as at the start\n/,
  );
  assert.match(
    shown["text/plain"] as string,
    /\nblocks\.2\.\* +1 +— +\d+ each +as at the start; att\.output\.weight, ffn\.value\.weight zero\n/,
  );
  assert.match(shown["text/html"] as string, /<table>.*<table>/s);
});

test("text is real input too, and a long one is cut", async () => {
  await useBackend("wasm");
  const model = createModel({ vocabSize: 256, width: 8, layers: 1, headSize: 4 });
  const report = await growthReport(model, grow(model, { heads: 4 }), {
    text: "Call me Ishmael.".repeat(9),
    tokenizer: byteTokenizer(),
    length: 20,
    rows: 1,
  });
  assert.notEqual(report.verdict, "not equal");
  assert.equal(report.measurements[2]!.tokens, 20);
  await assert.rejects(growthReport(model, model, { text: "a" }), /text needs the models' tokenizer/);
});

test("a model that was trained after it grew, or was forced, is not called equal", async () => {
  await useBackend("cpu");
  const model = randomModel();
  const grown = grow(model, { heads: 3 });
  const variable = grown.parameters.get("blocks.0.att.output.weight")!;
  variable.assign(tf.mul(variable, 1.1));
  const report = await growthReport(model, grown, { length: 8 });
  assert.equal(report.verdict, "not equal");
  assert.match(
    report.summary,
    /Growth was NOT exact: .*1 parameters have other values .*blocks\.0\.att\.output\.weight/,
  );
  const forced = await growthReport(model, grow(model, { headSize: 8 }, { force: true }), { length: 8 });
  assert.equal(forced.verdict, "not equal");
  assert.ok(forced.changes.every(({ kept }) => kept));
  assert.equal(forced.measurements[0]!.state, undefined);
  const larger = await growthReport(model, grow(model, { vocabSize: 9 }, { force: true }), { length: 8 });
  assert.notEqual(larger.verdict, "not equal", "the old tokens' logits stay");
  await assert.rejects(growthReport(grown, model), /heads is 3 before and 2 after: give the smaller model first/);
  await assert.rejects(growthReport(model, grown, { signal: AbortSignal.abort() }), { name: "AbortError" });
});

test("of models of equal sizes the report says that nothing was added, and has no table of it", async () => {
  await useBackend("cpu");
  const model = randomModel();
  const report = await growthReport(model, grow(model, {}), { length: 8 });
  assert.deepEqual([report.verdict, report.added], ["exact", []]);
  assert.match(report.summary, /not a bit .* Nothing was added: the models are of equal sizes\.$/);
  assert.doesNotMatch(String(report), /new part/);
});

test("baselines that grew have a report too", async () => {
  await useBackend("wasm");
  const sizes = { vocabSize: 7, width: 8, layers: 2, headSize: 4 };
  const model = createBaseline({ kind: "tokenformer", ...sizes });
  const grown = growBaseline(model, { hidden: 40, attentionTokens: 12, layers: 3 });
  const report = await growthReport(model, grown, { tokens: [1, 5, 2, 2, 6, 0, 3], length: 12 });
  assert.notEqual(report.verdict, "not equal");
  assert.equal(report.measurements.length, 2);
  assert.ok(report.measurements.every(({ state }) => state!.relative < 1e-5));
  assert.equal(report.parameterCount.after, grown.parameterCount);
  assert.ok(report.changes.every(({ kept }) => kept));
  const filled = new Map(report.added.map((change) => [change.name, change.filled]));
  assert.equal(filled.get("blocks.0.ffn.keys.weight"), "zero");
  assert.equal(filled.get("blocks.0.ffn.values.weight"), "new values");
  await assert.rejects(growthReport(grown, model), /layers is 3 before and 2 after|hidden is 40 before/);
});
