import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Tensor4D } from "@tensorflow/tfjs-core";

import { jupyterDisplay } from "../display.js";
import { generate } from "../generation/generate.js";
import type { LanguageModel } from "../model/language-model.js";
import { type Model } from "../model/model.js";
import { ModelState } from "../model/state.js";
import { assertClose, checkGradient, useBackend } from "../testing.js";
import { evaluate } from "../training/evaluate.js";
import { disposeGradients, lossGradients } from "../training/gradients.js";
import { tokenMatrix } from "../model/tokens.js";
import type { Edit } from "./edits.js";
import { intervene } from "./intervene.js";
import { inputs, randomModel, valuesOf } from "./testing.js";
import { trace } from "./trace.js";

/** Token by token, with a hand on the state of layer 1 after each. */
function byHand(model: Model, change: (wkv: Tensor4D, position: number) => Tensor4D): Float32Array[] {
  return tf.tidy(() => {
    let state = model.initialState(2);
    const logits: Tensor[] = [];
    for (let position = 0; position < 6; position++) {
      const result = model.forward(
        inputs.map((row) => [row[position]!]),
        state,
      );
      logits.push(result.logits);
      const layers = result.state.layers.map((layer, i) =>
        i === 1 ? { ...layer, wkv: change(layer.wkv, position) } : layer,
      );
      state = new ModelState(layers);
    }
    return valuesOf({ logits: tf.concat(logits, 1), state });
  });
}

function assertAllClose(actual: readonly Float32Array[], expected: readonly Float32Array[], what: string): void {
  // The same sums in other blocks of matrix products: a few roundings.
  actual.forEach((values, i) => assertClose(values, expected[i]!, 3e-6, `${what}, output ${i}`));
}

const headOne = (size: number[]): Tensor => tf.reshape(tf.tensor1d([0, 1]), [1, 2, ...size.map(() => 1)]);

test("states edited after tokens are those edited by hand between them", async () => {
  await useBackend("wasm");
  const model = randomModel();
  const at = "blocks.1.state.wkv";
  const matrix = Array.from({ length: 4 }, (_, i) => Array.from({ length: 4 }, (_, j) => i - j / 2));
  const cases: [name: string, edit: Edit, change: (wkv: Tensor4D, position: number) => Tensor4D][] = [
    ["zero, one head", { at, heads: 1, edit: "zero" }, (wkv) => tf.mul(wkv, tf.sub(1, headOne([4, 4])))],
    [
      "scale, some tokens",
      { at, positions: [1, 4], edit: { scale: 0.5 } },
      (wkv, position) => ([1, 4].includes(position) ? tf.mul(wkv, 0.5) : wkv),
    ],
    [
      "set, a stretch of tokens",
      { at, positions: { from: 2, to: 4 }, heads: [1], edit: { set: matrix } },
      (wkv, position) =>
        position === 2 || position === 3
          ? tf.add(tf.mul(wkv, tf.sub(1, headOne([4, 4]))), tf.mul(tf.tensor2d(matrix), headOne([4, 4])))
          : wkv,
    ],
    [
      "heads swapped after one token",
      { at, positions: 2, edit: { swapHeads: [0, 1] } },
      (wkv, position) => (position === 2 ? tf.reverse(wkv, 1) : wkv),
    ],
    [
      "rows swapped after the tokens of a rule",
      { at, positions: (position) => position % 2 === 1, edit: { swapRows: [0, 1] } },
      (wkv, position) => (position % 2 === 1 ? tf.reverse(wkv, 0) : wkv),
    ],
    [
      "a function, one row",
      { at, rows: 1, edit: (value, { positions }) => tf.add(value, positions[1]![0]!) },
      (wkv, position) => tf.add(wkv, tf.tensor4d([0, position], [2, 1, 1, 1])),
    ],
  ];
  const plain = byHand(model, (wkv) => wkv);
  for (const [name, edit, change] of cases) {
    const expected = byHand(model, change);
    const edited = tf.tidy(() => valuesOf(intervene(model, edit).forward(inputs)));
    assertAllClose(edited, expected, name);
    assert.notDeepEqual(edited[0], plain[0], `${name} matters`);
  }
  model.dispose();
});

test("an edit before a token is the one after the token before; before the first, of the state given", async () => {
  await useBackend("wasm");
  const model = randomModel();
  tf.tidy(() => {
    const before = intervene(model, { at: "blocks.*.before.meta", positions: [3, 5], edit: "zero" });
    const after = intervene(model, { at: "blocks.*.state.meta", positions: [2, 4], edit: "zero" });
    assert.deepEqual(valuesOf(before.forward(inputs)), valuesOf(after.forward(inputs)));
    const first = intervene(model, { at: "blocks.0.before.wkv", positions: 0, edit: { set: 0.25 } });
    const [one, two] = model.initialState(2).layers;
    const given = new ModelState([{ ...one!, wkv: tf.fill([2, 2, 4, 4], 0.25) }, two!]);
    assert.deepEqual(valuesOf(first.forward(inputs)), valuesOf(model.forward(inputs, given)));
  });
  model.dispose();
});

test("activations edited are those that a tap edits", async () => {
  await useBackend("wasm");
  const model = randomModel();
  tf.tidy(() => {
    const at = "blocks.0.att.wkv";
    const tap = (name: string, value: Tensor): Tensor => {
      if (name !== at) return value;
      const [early, late] = tf.split(value, [4, 2], 1);
      return tf.concat([early!, tf.mul(late!, tf.sub(1, tf.reshape(tf.tensor1d([0, 1]), [1, 1, 2, 1])))], 1);
    };
    const edited = intervene(model, { at, heads: 1, positions: [4, 5], edit: "zero" });
    assert.deepEqual(valuesOf(edited.forward(inputs)), valuesOf(model.forward(inputs, undefined, { tap })));
    // Edits are made in their order, also when an edited model is edited once more.
    const twice = intervene(intervene(model, { at, edit: { set: 2 } }), { at, edit: { scale: 3 } });
    const once = intervene(model, { at, edit: { set: 6 } });
    assert.deepEqual(valuesOf(twice.forward(inputs)), valuesOf(once.forward(inputs)));
    const added = intervene(model, { at: "blocks.1.att.r", edit: { add: [1, 2, 3, 4] } });
    const addedByTap = model.forward(inputs, undefined, {
      tap: (name, value) => (name === "blocks.1.att.r" ? tf.add(value, tf.tensor1d([1, 2, 3, 4])) : value),
    });
    assert.deepEqual(valuesOf(added.forward(inputs)), valuesOf(addedByTap));
  });
  model.dispose();
});

const severalEdits: Edit[] = [
  { at: "blocks.0.state.wkv", positions: [1, 3], heads: 0, edit: { scale: -0.5 } },
  { at: "blocks.1.before.{wkv,meta}", positions: [2, 4], rows: 1, edit: "zero" },
  { at: "blocks.*.att.v", positions: { from: 2 }, heads: 1, edit: { add: 0.5 } },
  { at: "blocks.1.meta.z", positions: (position) => position % 3 === 0, edit: { scale: 2 } },
  { at: "logits", positions: 5, edit: { add: 1 } },
];

test("a text cut anywhere is edited as the whole; looking at it changes nothing", async () => {
  await useBackend("wasm");
  const model = randomModel();
  const edited = intervene(model, severalEdits);
  const whole = tf.tidy(() => valuesOf(edited.forward(inputs)));
  assert.notDeepEqual(whole[0], tf.tidy(() => valuesOf(model.forward(inputs)))[0]);
  for (const cuts of [[1, 2, 3, 4, 5], [1], [2], [3], [4, 5], [2, 4]]) {
    const values = tf.tidy(() => {
      let state: ModelState | undefined;
      const logits: Tensor[] = [];
      for (const [i, from] of [0, ...cuts].entries()) {
        const piece = edited.forward(
          inputs.map((row) => row.slice(from, cuts[i])),
          state,
        );
        logits.push(piece.logits);
        state = piece.state;
      }
      return valuesOf({ logits: tf.concat(logits, 1), state: state! });
    });
    assertAllClose(values, whole, `cut at ${cuts.join()}`);
  }
  tf.tidy(() => {
    const last = edited.forward(inputs, undefined, { logits: "last" });
    assert.deepEqual(last.logits.dataSync(), tf.slice(edited.forward(inputs).logits, [0, 5, 0], [2, 1, 7]).dataSync());
  });
  const names = ["blocks.*.att.v", "logits"];
  const before = tf.memory().numTensors;
  const traced = await trace(edited, inputs, { names });
  assert.equal(tf.memory().numTensors, before);
  assert.deepEqual(traced.get("logits").data, whole[0]);
  const plain = await trace(model, inputs, { names });
  const first = { row: 0, position: 3, head: 1 };
  const value = plain.get("blocks.0.att.v").select(first).data;
  assertClose(
    traced.get("blocks.0.att.v").select(first).data,
    value.map((x) => x + 0.5),
    3e-6,
    "the traced value",
  );
  const states = await trace(edited, inputs, { names: "blocks.0.state.wkv" });
  assertClose(states.get("blocks.0.state.wkv").select({ position: 5 }).data, whole[3]!, 3e-6, "the traced state");
  model.dispose();
});

test("rows that are at different places in their texts are edited each at its own", async () => {
  await useBackend("wasm");
  const model = randomModel();
  const edited = intervene(model, { at: "blocks.0.state.wkv", positions: 3, edit: "zero" });
  tf.tidy(() => {
    const early = edited.forward([inputs[0]!.slice(0, 3)]).state;
    const late = edited.forward([inputs[1]!.slice(0, 1)]).state;
    const both = early.joinRows([late]);
    assert.deepEqual(both.positions, [3, 1]);
    const next = [inputs[0]!.slice(3, 6), inputs[1]!.slice(1, 4)];
    const together = edited.forward(next, both).logits.dataSync();
    const alone = [
      edited
        .forward([inputs[0]!])
        .logits.dataSync()
        .slice(3 * 7, 6 * 7),
      edited
        .forward([inputs[1]!.slice(0, 4)])
        .logits.dataSync()
        .slice(1 * 7, 4 * 7),
    ];
    alone.forEach((row, b) => assertClose(together.slice(b * 21, (b + 1) * 21), row, 3e-6, `row ${b}`));
  });
  model.dispose();
});

test("generation, evaluation and training run with the edits", async () => {
  await useBackend("wasm");
  const model = randomModel();
  const edited = intervene(model, severalEdits);
  const before = tf.memory().numTensors;
  const prompt = inputs[1]!.slice(0, 3);
  const [generated] = await generate(edited, { prompt, tokens: 5, temperature: 0, prefillChunk: 2 }).texts();
  const expected = [...prompt];
  while (expected.length < 8) {
    expected.push(
      tf.tidy(() => {
        const { logits } = edited.forward([expected]);
        return tf.argMax(tf.slice(logits, [0, expected.length - 1, 0], [1, 1, 7]), -1).dataSync()[0]!;
      }),
    );
  }
  assert.deepEqual(generated!.tokens, expected.slice(3));
  const batch = { inputs: tokenMatrix("test", inputs), targets: tokenMatrix("test", inputs) };
  const { loss } = await evaluate(edited, [batch]);
  const gradients = lossGradients(edited, batch);
  assertClose(gradients.loss.dataSync(), [loss], 1e-6, "loss");
  assert.equal(gradients.gradients.size, model.parameters.size);
  disposeGradients(gradients);
  assert.equal(tf.memory().numTensors, before);
  model.dispose();
});

test("what another text's trace holds is put in its place: the activation that carries everything carries it all", async () => {
  await useBackend("wasm");
  const model = randomModel();
  const names = ["blocks.1.out", "blocks.*.state.*"];
  const other = await trace(model, [inputs[1]!], { names: "blocks.1.out" });
  tf.tidy(() => {
    const [patched] = valuesOf(
      intervene(model, { at: "blocks.1.out", edit: { set: other.get("blocks.1.out") } }).forward(inputs),
    );
    const [theirs] = valuesOf(model.forward([inputs[1]!, inputs[1]!]));
    assertClose(patched!, theirs!, 1e-6, "logits");
  });
  // The whole state after token 2 of the other text: from there on it is as if that had been read.
  const positions = 2;
  const states = await trace(model, [inputs[1]!], { names, positions });
  const edits = states
    .matching("blocks.*.state.*")
    .map((values): Edit => ({ at: values.name, positions, edit: { set: values } }));
  tf.tidy(() => {
    const values = intervene(model, edits).forward([inputs[0]!]).logits.dataSync();
    const mixed = [...inputs[1]!.slice(0, 3), ...inputs[0]!.slice(3)];
    assertClose(values.slice(21), model.forward([mixed]).logits.dataSync().slice(21), 3e-6, "logits after the patch");
    assertClose(values.slice(0, 21), model.forward([inputs[0]!]).logits.dataSync().slice(0, 21), 3e-6, "and before");
  });
  model.dispose();
});

test("gradients flow into the values that edits set and through what they leave", async () => {
  await useBackend("wasm");
  const model = randomModel();
  const values = [
    tf.tensor(
      Float32Array.from({ length: 16 }, (_, i) => Math.sin(i)),
      [4, 4],
    ),
    tf.tensor1d([0.3, -0.2, 0.5, 1]),
  ];
  checkGradient((matrix, vector) => {
    const edited = intervene(model, [
      { at: "blocks.0.state.wkv", positions: 2, heads: 1, edit: { set: matrix } },
      { at: "blocks.0.att.v", positions: [1, 4], edit: { add: vector } },
    ]);
    return edited.forward(inputs).logits;
  }, values);
  model.dispose();
});

test("what does not fit is refused with what would", async () => {
  await useBackend("wasm");
  const model = randomModel();
  assert.throws(() => intervene(model, { at: "blocks.0.state.wvk", edit: "zero" }), {
    name: "ConfigurationError",
    message: /^intervene: edits\[0\]: no activation is named "blocks.0.state.wvk"; near it: blocks.0.state.wkv/,
  });
  assert.throws(
    () => intervene(model, { at: "emb", heads: 0, edit: "zero" }),
    /emb has no axis of heads: it is \[1, 1, 8\] a token/,
  );
  assert.throws(
    () => intervene(model, { at: "blocks.0.state.wkv", heads: 2, edit: "zero" }),
    /heads has 2, but blocks.0.state.wkv has the heads 0 to 1/,
  );
  assert.throws(() => intervene(model, { at: "emb", positions: -1, edit: "zero" }), /positions has -1, wanted numbers/);
  const run = (edit: Edit) => () => tf.tidy(() => void intervene(model, edit).forward(inputs));
  assert.throws(
    run({ at: "blocks.0.att.v", edit: { set: [1, 2, 3] } }),
    /values for blocks.0.att.v are \[3\], wanted what broadcasts to \[2, 4\], one token's share/,
  );
  assert.throws(run({ at: "blocks.0.att.v", edit: () => tf.zeros([1]) }), {
    name: "ShapeError",
    message: /the replacement of blocks.0.att.v is \[1\], wanted \[2, 6, 2, 4\], as the value/,
  });
  assert.throws(run({ at: "emb", edit: { swapRows: [0, 2] } }), /0 and 2 cannot be swapped, wanted numbers below 2/);
  const emb = (await trace(model, inputs, { names: "emb" })).get("emb");
  assert.throws(run({ at: "blocks.0.att.v", edit: { set: emb } }), /the traced emb is \[2, 6, 8\] .* does not fit/);
  const text = intervene(model, severalEdits)[jupyterDisplay]()["text/plain"] as string;
  assert.match(text, /^blocks.0.state.wkv +scale +1, 3 +all +0$/m);
  const silent: LanguageModel<ModelState> = {
    configuration: model.configuration,
    parameters: model.parameters,
    initialState: (rows) => model.initialState(rows),
    forward: (tokens, state) => model.forward(tokens, state),
    dispose: () => undefined,
  };
  assert.throws(() => intervene(silent, { at: "emb", edit: "zero" }), /shows no activations/);
  model.dispose();
});
