import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";

import { jupyterDisplay } from "../display.js";
import { batches } from "../data/batches.js";
import { changeConfiguration } from "../model/configuration.js";
import { fromRwkv7 } from "../model/from-rwkv7.js";
import { createModel, type Model } from "../model/model.js";
import { tiny } from "../model/testing.js";
import { Random } from "../random.js";
import { useBackend } from "../testing.js";
import { train } from "../training/train.js";
import { defineSse } from "./define-sse.js";
import { sseVariants } from "./registry.js";
import type { SseDefinition } from "./variant.js";

const input = [[1, 5, 2, 2, 6, 0]];

/** A model whose output depends on what the SSE does. */
function open(options: Parameters<typeof createModel>[0]): Model {
  const model = createModel(options, { seed: 2 });
  const random = new Random(3);
  for (const name of ["att.output.weight", "ffn.value.weight"]) {
    for (let layer = 0; layer < 2; layer++) {
      const variable = model.parameters.get(`blocks.${layer}.${name}`)!;
      variable.assign(
        tf.tensor(
          Float32Array.from({ length: variable.size }, () => random.normal()),
          variable.shape,
        ),
      );
    }
  }
  return model;
}

const logits = (model: Model): number[] => tf.tidy(() => [...model.forward(input).logits.dataSync()]);

test("a variant from a cell is a model's, by name, with its parameters typed, and learns", async () => {
  await useBackend("wasm");
  const variant = defineSse({
    name: "gated",
    description: "the state's read through a gate of the token",
    parameters: {
      alpha: { shape: "headChannels", initial: 0.5 },
      gate: {
        shape: ["headSize", "headSize"],
        initial: (random, values) => values.forEach((_, i) => (values[i] = 0.1 * random.normal())),
      },
      perHead: { shape: "heads", initial: 1 },
      fixed: { shape: ({ width }) => [width, 2] },
    },
    apply({ parameters, queries, readState, normalise, combine, tap }) {
      const open = tf.sigmoid(tf.matMul(tf.reshape(queries, [-1, 4]), parameters.gate as tf.Tensor2D));
      // @ts-expect-error: the definition has no such parameter, and a cell's author is told before it runs
      void parameters.alhpa;
      const read = tap("read", normalise(readState(queries), parameters.alpha));
      const gated: tf.Tensor = tf.mul(read, tf.reshape(open, read.shape));
      return combine(normalise(gated, parameters.perHead));
    },
  });
  assert.ok(sseVariants().includes(variant));
  const model = createModel({ ...tiny, sse: "gated" });
  const shapes = ["alpha", "gate", "perHead", "fixed"].map(
    (name) => model.parameters.get(`blocks.1.meta.${name}`)!.shape,
  );
  assert.deepEqual(shapes, [[8], [4, 4], [2], [8, 2]]);
  assert.notEqual(model.parameters.get("blocks.1.meta.gate")!.dataSync()[0], 0);
  const before = model.parameters.get("blocks.0.meta.gate")!.dataSync().slice();
  const tokens = Int32Array.from({ length: 60 }, (_, i) => (i * i) % 7);
  for await (const { loss } of train(model, batches(tokens, { length: 8, batchSize: 2 }), { steps: 3 }))
    assert.ok(loss > 0);
  assert.notDeepEqual(model.parameters.get("blocks.0.meta.gate")!.dataSync(), before);
  const text = variant[jupyterDisplay]()["text/plain"] as string;
  assert.match(text, /parameter alpha +\[headChannels\], at first 0.5/);
});

test("a name defined again is another variant for new models; models made before keep theirs", async () => {
  await useBackend("cpu");
  const define = (factor: number): unknown =>
    defineSse({
      name: "again",
      parameters: { gain: { shape: "headChannels", initial: 0.5 } },
      apply: ({ parameters, queries, readState, normalise, combine }) =>
        combine(tf.mul(normalise(readState(queries), parameters.gain), factor)),
    });
  define(1);
  const old = open({ ...tiny, sse: "again" });
  const before = logits(old);
  define(-1);
  assert.deepEqual(logits(old), before);
  assert.notDeepEqual(logits(open({ ...tiny, sse: "again" })), before);
  const changed = changeConfiguration(old.configuration, { parameterTokens: 24 });
  assert.equal(changed.parameterTokens, 24);
  const { Model } = await import("../model/model.js");
  const sameVariant = new Model(changeConfiguration(old.configuration, {}), old.parameters);
  assert.deepEqual(logits(sameVariant), before, "a model made of the old one keeps the old one's variant");
  const byName = new Model({ ...old.configuration }, old.parameters);
  assert.notDeepEqual(logits(byName), before, "a configuration from elsewhere means the name as it is now");
});

test("a Meta-State of one's own: other queries and keys, its state carried from call to call", async () => {
  await useBackend("cpu");
  defineSse({
    name: "swapped",
    parameters: { gain: { shape: "headChannels", initial: 0.5 } },
    metaState: true,
    neutralAtZero: true,
    apply({ parameters, x, queries, timeMix, toHeads, runMetaState, normalise, combine }) {
      const { read, state } = runMetaState(toHeads(x), { queries, keys: timeMix.r });
      return { z: combine(normalise(read, parameters.gain)), state };
    },
  });
  const model = open({ ...tiny, sse: "swapped" });
  const whole = model.forward(input);
  const first = model.forward([input[0]!.slice(0, 2)]);
  const rest = model.forward([input[0]!.slice(2)], first.state);
  const last = (x: tf.Tensor3D): number[] => [...tf.slice(x, [0, x.shape[1] - 1, 0], [1, 1, 7]).dataSync()];
  last(rest.logits).forEach((value, i) => assert.ok(Math.abs(value - last(whole.logits)[i]!) < 1e-4));
  assert.ok(rest.state.layers[0]!.meta!.dataSync().some((value) => value !== 0));
  const plain = open({ ...tiny, sse: "none" });
  assert.deepEqual(logits(fromRwkv7(plain, { sse: "swapped" })), logits(plain));
});

test("what does not do is refused with what would", async () => {
  await useBackend("cpu");
  const apply: SseDefinition["apply"] = ({ shifted }) => shifted;
  assert.throws(() => defineSse({ name: "sse", apply }), /"sse" is a variant of the library.*choose another name/);
  assert.throws(() => defineSse({ name: "two words", apply }), /"two words": its name does not do/);
  assert.throws(() => defineSse({ name: "x", apply: 1 as never }), /apply does not do, wanted a function/);
  defineSse({ name: "shapeless", parameters: { g: { shape: () => [NaN] } }, apply });
  const before = tf.memory().numTensors;
  assert.throws(() => createModel({ ...tiny, sse: "shapeless" }), {
    name: "ConfigurationError",
    message: /blocks.0.meta.g would be \[NaN\], wanted integers of 1 or more: look at the function/,
  });
  assert.equal(tf.memory().numTensors, before);
  assert.throws(
    () => defineSse({ name: "x", parameters: { g: { shape: "head" as never } }, apply }),
    /shape of parameter "g", "head", does not do, wanted axes out of headChannels, heads/,
  );
  assert.throws(() => defineSse({ name: "x", parameters: { "a.b": { shape: 1 } }, apply }), /name of parameter "a.b"/);

  const failing = (definition: Omit<SseDefinition, "name">, wanted: RegExp, options = {}): void => {
    defineSse({ name: "failing", ...definition });
    const model = createModel({ ...tiny, sse: "failing", ...options });
    assert.throws(() => model.forward(input), wanted);
    model.dispose();
  };
  failing({ apply: () => undefined as never }, /what apply returned is no tensor z/);
  failing({ apply: (() => Promise.resolve()) as never }, /is a promise \(apply must not be async\)/);
  failing({ apply: () => ({}) as never }, /SSE variant "failing": what apply returned is no tensor z/);
  failing(
    { apply: ({ queries }) => queries },
    /SSE variant "failing": z is \[1, 6, 2, 4\], wanted \[B, T, C\] = \[1, 6, 8\]/,
  );
  failing({ apply, metaState: true }, /has metaState: true, so apply must return \{z, state\}/);
  failing({ apply: ({ shifted }) => ({ z: shifted, state: shifted }) }, /its definition lacks metaState: true/);
  failing({ apply: ({ runMetaState, queries }) => runMetaState(queries).read }, /lacks metaState: true/);
  failing({ apply: ({ parameter }) => parameter("g") }, /asks for a parameter "g", which it does not declare .* none/);
  failing({ apply: ({ combine, x }) => combine(tf.sum(x)) }, /the argument of combine is/);
  failing(
    { apply: ({ readState, x }) => readState(x) },
    /the argument of readState is \[1, 6, 8\], wanted \[B, T, Hs, N\]/,
  );
  failing({ apply }, /makes z without context.combine, so that mul cannot apply: leave mul out/, { mul: true });
  assert.throws(() => fromRwkv7(createModel({ ...tiny, sse: "none" }), { sse: "failing" }), /say neutralAtZero: true/);
  defineSse({ name: "failing", parameters: { g: { shape: "groups" } }, apply });
  assert.throws(() => createModel({ ...tiny, sse: "failing" }), /follows "groups", but the model has no mixture/);
});
