import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

import { jupyterDisplay } from "../display.js";
import type { LanguageModel } from "../model/language-model.js";
import { sseVariants } from "../sse/registry.js";
import { assertClose, useBackend } from "../testing.js";
import { inputs, randomModel } from "./testing.js";
import { trace, traceStream } from "./trace.js";

const states = { names: "blocks.*.state.{wkv,meta}" };

test("a trace holds what a pass makes, bit for bit, with named axes", async () => {
  await useBackend("wasm");
  const model = randomModel();
  const made = new Map<string, Float32Array>();
  tf.tidy(() => {
    const tap = (name: string, value: Tensor): Tensor => {
      made.set(name, value.dataSync<"float32">().slice());
      return value;
    };
    model.forward(inputs, undefined, { tap });
  });
  const before = tf.memory().numTensors;
  const traced = await trace(model, inputs, { names: ["blocks.*.{att,meta}.*", "emb", "logits"] });
  assert.equal(tf.memory().numTensors, before);
  const plain = model.activationNames.names.filter((name) => /^(emb|logits|blocks\.\d\.(att|meta)\..*)$/.test(name));
  assert.deepEqual(traced.names, plain);
  for (const values of traced) assert.deepEqual(values.data, made.get(values.name), values.name);
  const read = traced.get("blocks.1.att.wkv");
  assert.deepEqual(read.axes, ["row", "position", "head", "channel"]);
  assert.deepEqual(read.shape, [2, 6, 2, 4]);
  const flat = made.get("blocks.1.att.wkv")!;
  assert.equal(read.value({ row: 1, position: 3, head: 1, channel: 2 }), flat[((1 * 6 + 3) * 2 + 1) * 4 + 2]);
  assert.deepEqual(
    read.select({ head: 1, row: 0 }).matrix(),
    Array.from({ length: 6 }, (_, t) => Array.from(flat.subarray((t * 2 + 1) * 4, (t * 2 + 2) * 4))),
  );
  assert.deepEqual(
    traced.matching("blocks.*.att.wkv").map(({ name }) => name),
    ["blocks.0.att.wkv", "blocks.1.att.wkv"],
  );
  assert.match(traced[jupyterDisplay]()["text/plain"] as string, /^emb +row 2 × position 6 × channel 8/m);
  model.dispose();
});

for (const { name: sse, metaState } of sseVariants()) {
  test(`${sse}: states at positions are those of the text cut there`, async () => {
    await useBackend("wasm");
    const model = randomModel({ sse });
    const names = metaState ? states.names : "blocks.*.state.wkv";
    const all = await trace(model, inputs, { names });
    const some = await trace(model, inputs, { names, positions: [3, 0, -1] });
    assert.deepEqual(some.get("blocks.1.state.wkv").positions, [0, 3, 5]);
    assert.deepEqual(some.get("blocks.1.state.wkv").axes, ["row", "position", "head", "value", "key"]);
    tf.tidy(() => {
      for (let position = 0; position < 6; position++) {
        const { state } = model.forward(inputs.map((row) => row.slice(0, position + 1)));
        state.layers.forEach((layer, i) => {
          for (const part of ["wkv", "meta"] as const) {
            if (!layer[part]) continue;
            const expected = layer[part].dataSync();
            const at = (traced: typeof all): Float32Array =>
              traced.get(`blocks.${i}.state.${part}`).select({ position }).data;
            // The same sums in other blocks of matrix products: a few roundings.
            assertClose(at(all), expected, 2e-6, `${part} of layer ${i} after token ${position}`);
            if ([0, 3, 5].includes(position)) assertClose(at(some), expected, 2e-6, `${part}, chosen`);
          }
        });
      }
    });
    model.dispose();
  });
}

test("a state before a token is the one after the token before, and the one given before the first", async () => {
  await useBackend("wasm");
  const model = randomModel();
  const { state } = model.forward(inputs);
  const traced = await trace(model, inputs, {
    names: ["blocks.0.before.wkv", "blocks.0.state.wkv"],
    positions: [0, 1, 4, 5],
    state,
  });
  const [after, beforehand] = [traced.get("blocks.0.state.wkv"), traced.get("blocks.0.before.wkv")];
  assert.deepEqual(beforehand.select({ position: 0 }).data, state.layers[0]!.wkv.dataSync());
  assert.deepEqual(beforehand.select({ position: 1 }).data, after.select({ position: 0 }).data);
  assert.deepEqual(beforehand.select({ position: 5 }).data, after.select({ position: 4 }).data);
  assert.ok(
    state.layers[0]!.wkv.dataSync().some((x) => x !== 0),
    "the caller's state is still there",
  );
  model.dispose();
});

test("chosen positions of activations; a stream gives the same piece by piece and frees everything when left", async () => {
  await useBackend("wasm");
  const model = randomModel();
  const names = ["blocks.*.att.r", "logits"];
  const all = await trace(model, inputs, { names });
  const some = await trace(model, inputs, { names, positions: [1, 4] });
  for (const values of some) {
    for (const position of [1, 4]) {
      assert.deepEqual(values.select({ position }).data, all.get(values.name).select({ position }).data);
    }
  }
  assert.throws(() => some.get("logits").select({ position: 2 }), /logits: position is 2, wanted 1, 4/);
  const before = tf.memory().numTensors;
  const spans: string[] = [];
  for await (const { from, to, activations } of traceStream(model, inputs, { names, chunk: 4 })) {
    spans.push(`${from}–${to}`);
    for (let position = from; position < to; position++) {
      const values = activations.get("logits")!.select({ position });
      assertClose(values.data, all.get("logits").select({ position }).data, 2e-6, `logits of ${position}`);
    }
  }
  assert.deepEqual(spans, ["0–4", "4–6"]);
  for await (const { from } of traceStream(model, inputs, { ...states, positions: [0, 2] })) {
    if (from === 1) break;
  }
  assert.equal(tf.memory().numTensors, before);
  const joined = await trace(model, inputs, { names, chunk: 4 });
  assertClose(joined.get("logits").data, all.get("logits").data, 2e-6, "joined");
  model.dispose();
});

test("one text as its tokens, of any form", async () => {
  await useBackend("wasm");
  const model = randomModel();
  const row = inputs[0]!;
  const expected = await trace(model, [row], { names: "logits" });
  for (const tokens of [row, Uint8Array.from(row), Int32Array.from(row), tf.tensor2d([row], [1, 6], "int32")]) {
    assert.deepEqual((await trace(model, tokens, { names: "logits" })).get("logits").data, expected.get("logits").data);
  }
  model.dispose();
});

test("what does not fit is refused with what would", async () => {
  await useBackend("wasm");
  const model = randomModel();
  const refused = (options: Parameters<typeof trace>[2], message: RegExp): Promise<void> =>
    assert.rejects(trace(model, inputs, options), message);
  await refused({ names: "blocks.0.att.wk" }, /no activation is named "blocks.0.att.wk"; near it: blocks.0.att.w, /);
  await refused({ names: "blocks.7.att.wkv" }, /near it: blocks\.[01]\.att\.wkv/);
  await refused({ names: "att.*" }, /no activation is named "att\.\*"/);
  await refused({ names: [] }, /no names are given/);
  await refused({ names: "emb", positions: 6 }, /positions has 6, wanted 0 to 5, or -1 to -6 from the end/);
  await refused({ names: "emb", positions: [] }, /positions is empty/);
  await refused({ names: "emb", chunk: 0 }, /chunk is 0/);
  await refused({ names: "**", limit: 1000 }, /more than 1,000 bytes of activations/);
  await assert.rejects(trace(model, [[9]], { names: "emb" }), { name: "TokenError" });
  const traced = await trace(model, inputs, { names: "blocks.0.att.wkv" });
  assert.throws(() => traced.get("blocks.1.att.wkv"), /"blocks.1.att.wkv" was not traced; near it: blocks.0.att.wkv/);
  const values = traced.get("blocks.0.att.wkv");
  assert.throws(() => values.select({ key: 0 }), /has no axis "key": its axes are row, position, head, channel/);
  assert.throws(() => values.select({ head: 2 }), /head is 2, wanted 0 to 1/);
  assert.throws(() => values.matrix({ row: 0 }), /a matrix is wanted, but the axes are position, head, channel/);
  assert.throws(() => values.value({ row: 0 }), /there are several along position, head, channel/);
  const controller = new AbortController();
  controller.abort(new Error("enough"));
  const before = tf.memory().numTensors;
  await refused({ names: "emb", signal: controller.signal }, /enough/);
  assert.equal(tf.memory().numTensors, before);
  model.dispose();
});

test("a model that shows nothing, or a name twice, is told so", async () => {
  await useBackend("wasm");
  const model = randomModel();
  const wrapped = (forward: LanguageModel["forward"]): LanguageModel => ({
    configuration: model.configuration,
    parameters: model.parameters,
    initialState: (rows) => model.initialState(rows),
    forward,
    dispose: () => undefined,
  });
  const silent = wrapped((tokens) => model.forward(tokens));
  await assert.rejects(trace(silent, inputs, { names: "emb" }), /shows no activations/);
  const twice = wrapped((tokens, _, options) =>
    model.forward(tokens, undefined, { tap: (name, value) => options!.tap!("same", options!.tap!(name, value)) }),
  );
  await assert.rejects(trace(twice, inputs, { names: "same" }), /is the name tapped twice\?/);
  model.dispose();
});
