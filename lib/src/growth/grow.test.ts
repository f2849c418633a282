import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";

import { bitsOf, logitsOf, randomModel } from "../io/testing.js";
import type { ModelConfiguration, ModelOptions } from "../model/configuration.js";
import { fromRwkv7 } from "../model/from-rwkv7.js";
import type { Model } from "../model/model.js";
import { tensorsOf } from "../model/state-layers.js";
import { referenceForward } from "../model/reference.js";
import { tokenMatrix } from "../model/tokens.js";
import type { SseContext } from "../sse/context.js";
import { defineSse } from "../sse/define-sse.js";
import { sseVariants } from "../sse/registry.js";
import { relativeError, useBackend } from "../testing.js";
import { disposeGradients, lossGradients } from "../training/gradients.js";
import { grow } from "./grow.js";
import { growState } from "./grow-state.js";
import type { Growth } from "./grown-configuration.js";

const tokens = [
  [1, 5, 2, 2, 6, 0],
  [3, 3, 0, 4, 1, 5],
];

/** Kinds of growth of a model with 12 parameter tokens, 2 heads and 2 layers. */
const kinds: Record<string, Growth> = {
  "parameter tokens": { parameterTokens: 21 },
  heads: { heads: 5 },
  layers: { layers: 4 },
  ranks: { lowRank: { decay: 3, rate: 4, value: 5, gate: 5 } },
  "a learned initial state": { learnedState: true },
  everything: { parameterTokens: 24, heads: 3, layers: 3, lowRank: { gate: 4, decay: 4 }, learnedState: true },
};

const variants: [name: string, options: Partial<ModelOptions>][] = [
  ...sseVariants().map(({ name }): [string, Partial<ModelOptions>] => [name, { sse: name }]),
  ["half the heads with SSE", { rho: 0.5 }],
  ["mixture", { mixture: { groups: 3, topK: 2 } }],
  ["mul, aScale", { mul: true, aScale: 2 }],
  ["geluL2", { activation: "geluL2" }],
  ["mixture, mul, geluL2", { mixture: { groups: 3 }, mul: true, activation: "geluL2", sse: "readout" }],
  ["learned initial state", { learnedState: true }],
];

/** The largest relative difference of logits, and of the states that both models have. */
function difference(small: Model, large: Model, input = tokens): { logits: number; state: number } {
  return tf.tidy(() => {
    const [before, after] = [small.forward(input), large.forward(input)];
    const states = before.state.layers.flatMap((layer, i) =>
      tensorsOf(layer).map(([name, tensor]) => {
        const grown = after.state.layers[i]![name]!;
        const part = tf.slice(grown, new Array<number>(tensor.rank).fill(0), tensor.shape);
        return relativeError(part.dataSync(), tensor.dataSync());
      }),
    );
    return {
      logits: relativeError(after.logits.dataSync(), before.logits.dataSync()),
      state: Math.max(...states),
    };
  });
}

for (const backend of ["cpu", "wasm"] as const) {
  for (const [name, options] of variants) {
    test(`${backend}, ${name}: every kind of growth keeps logits and states`, async () => {
      await useBackend(backend);
      const model = randomModel(options);
      const atFirst = tf.memory().numTensors;
      const held = bitsOf(model);
      for (const [kind, growth] of Object.entries(kinds)) {
        const grown = grow(model, growth, { seed: 7 });
        const { logits, state } = difference(model, grown);
        // Layers and a state of zeros add exactly nothing. Zeros in a longer sum could be added up in other blocks, some
        // roundings of 6e−8; measured 0 on both backends at these sizes.
        const exact = kind === "layers" || kind === "a learned initial state";
        assert.ok(logits <= (exact ? 0 : 2e-6), `${kind}: logits differ by ${logits}`);
        assert.ok(state <= (exact ? 0 : 2e-6), `${kind}: states differ by ${state}`);
        grown.dispose();
      }
      assert.deepEqual(bitsOf(model), held, "the small model is as it was");
      assert.equal(tf.memory().numTensors, atFirst);
      model.dispose();
    });
  }
}

test("in float64, where rounding is 1e−16, growth is equal to 1e−13 for every variant", async () => {
  await useBackend("cpu");
  const float64 = (model: Model): Map<string, Float64Array> =>
    new Map([...model.parameters].map(([name, variable]) => [name, Float64Array.from(variable.dataSync())]));
  for (const [name, options] of variants) {
    const model = randomModel(options);
    const logits = (of: Model): number[] =>
      referenceForward(of.configuration, float64(of), tokens[0]!).logits.flatMap((row) => [...row]);
    for (const [kind, growth] of Object.entries(kinds)) {
      const grown = grow(model, growth);
      const error = relativeError(logits(grown), logits(model));
      assert.ok(error < 1e-13, `${name}, ${kind}: ${error}`);
      grown.dispose();
    }
    model.dispose();
  }
});

test("a conversation goes on in the larger model as it would have in the smaller, for every variant", async () => {
  await useBackend("wasm");
  for (const [name, options] of variants) {
    const model = randomModel(options);
    const { state } = model.forward(tokens);
    const next = [[4], [2]];
    const expected = model.forward(next, state).logits.dataSync();
    for (const [kind, growth] of Object.entries({ ...kinds, "more heads with SSE": { rho: 1 } })) {
      const grown = grow(model, growth);
      const before = tf.memory().numTensors;
      const carried = growState(state, grown);
      assert.deepEqual(carried.positions, [6, 6]);
      const { logits, state: after } = grown.forward(next, carried);
      assert.ok(relativeError(logits.dataSync(), expected) <= 2e-6, `${name}, ${kind}`);
      for (const made of [logits, ...after.tensors(), ...carried.tensors()]) made.dispose();
      assert.equal(tf.memory().numTensors, before);
      grown.dispose();
    }
    model.dispose();
    state.dispose();
  }
});

test("a state from before an RWKV-7 was given an SSE goes on with it", async () => {
  await useBackend("cpu");
  const model = randomModel({ sse: "none" });
  const larger = grow(fromRwkv7(model), { heads: 3, layers: 3 });
  const { state } = model.forward(tokens);
  const next = [[4], [2]];
  const expected = model.forward(next, state).logits.dataSync();
  assert.ok(relativeError(larger.forward(next, growState(state, larger)).logits.dataSync(), expected) <= 2e-6);
});

/** Gradients of a batch by parameter; the model moves a little against them. */
function descend(model: Model, rate: number): Map<string, Float32Array> {
  const result = lossGradients(model, {
    inputs: tokenMatrix(
      "test",
      tokens.map((row) => row.slice(0, -1)),
    ),
    targets: tokenMatrix(
      "test",
      tokens.map((row) => row.slice(1)),
    ),
  });
  const gradients = new Map([...result.gradients].map(([name, tensor]) => [name, tensor.dataSync<"float32">()]));
  tf.tidy(() => {
    for (const [name, gradient] of result.gradients) {
      const variable = model.parameters.get(name)!;
      variable.assign(tf.sub(variable, tf.mul(gradient, rate)));
    }
  });
  disposeGradients(result);
  return gradients;
}

test("a gradient reaches every new value within four steps: what multiplies a zero moves it, and is then reached itself", async () => {
  await useBackend("wasm");
  const kept: Partial<ModelOptions>[] = [{}, { sse: "meta" }, { sse: "readout" }, { mul: true, activation: "geluL2" }];
  for (const options of kept) {
    const model = randomModel(options);
    const growth = {
      parameterTokens: 20,
      heads: 4,
      layers: 3,
      lowRank: { decay: 4, gate: 5 },
      learnedState: true,
    } as const;
    const grown = grow(model, growth);
    const reached = new Map([...grown.parameters].map(([name, { size }]) => [name, new Uint8Array(size)]));
    for (let step = 0; step < 4; step++) {
      for (const [name, gradient] of descend(grown, 0.1)) {
        gradient.forEach((value, i) => value !== 0 && (reached.get(name)![i] = 1));
      }
    }
    for (const [name, elements] of reached) {
      const share = elements.reduce((sum, x) => sum + x, 0) / elements.length;
      // A parameter token that no token of the batch calls on has no gradient under a squared ReLU; few are like that.
      assert.ok(share >= (name.includes("ffn.") ? 0.8 : 1), `${JSON.stringify(options)}, ${name}: ${share}`);
    }
    model.dispose();
    grown.dispose();
  }
});

test("a model that grows twice with one seed gets other values the second time", async () => {
  await useBackend("cpu");
  const model = randomModel();
  const twice = grow(grow(model, { parameterTokens: 16, heads: 3 }), { parameterTokens: 20, heads: 4 });
  const rows = (name: string): number[][] => twice.parameters.get(`blocks.0.${name}`)!.arraySync() as number[][];
  const [keys, receptance] = [rows("ffn.key.weight"), rows("att.receptance.weight")];
  for (let i = 0; i < 4; i++) {
    assert.notDeepEqual(keys[16 + i], keys[12 + i]);
    assert.notDeepEqual(receptance[12 + i], receptance[8 + i]);
  }
});

test("one seed gives one model, another another; new heads have memories of all lengths", async () => {
  await useBackend("cpu");
  const model = randomModel();
  const once = grow(model, { heads: 4 }, { seed: 3 });
  const again = grow(model, { heads: 4 }, { seed: 3 });
  const other = grow(model, { heads: 4 }, { seed: 4 });
  assert.deepEqual(bitsOf(once), bitsOf(again));
  const name = "blocks.0.att.receptance.weight";
  assert.notDeepEqual(bitsOf(once).get(name), bitsOf(other).get(name));
  const values = Array.from(once.parameters.get("blocks.0.att.w0")!.dataSync());
  // New heads have long and short memory as a new model's heads have: logits of decay from −6 up.
  assert.ok(Math.min(...values.slice(8)) < -5 && Math.max(...values.slice(8)) > 0, String(values.slice(8)));
});

test("what cannot be exact, or would become smaller, is refused with the reason", async () => {
  await useBackend("cpu");
  const model = randomModel();
  assert.throws(() => grow(model, { heads: 1 }), {
    name: "ConfigurationError",
    message: "grow: heads is 1, wanted 2 or more, what the larger model is to have: growth takes nothing away",
  });
  assert.throws(() => grow(model, { layers: 2.5 }), /layers is 2.5, wanted a positive integer/);
  assert.throws(() => grow(model, { lowRank: { gate: 1 } }), /lowRank.gate is 1, wanted 3 or more/);
  assert.throws(() => grow(model, { lowRank: { gates: 4 } as never }), /lowRank has no "gates"/);
  assert.throws(
    () => grow(model, { tokens: 20 } as never),
    /tokens cannot grow: wanted some of parameterTokens, heads/,
  );
  assert.throws(() => grow(model, { sse: "meta" } as never), /sse cannot grow: an RWKV-7 model takes on a variant by/);
  assert.throws(() => grow(model, { learnedState: false as never }), /learnedState is false, wanted true/);
  assert.throws(() => grow(model, { width: 16 }), /width 8 → 16 cannot keep the outputs: layer norms average/);
  assert.throws(() => grow(model, { headSize: 8 }), /headSize 4 → 8 cannot keep the outputs: group norms/);
  assert.throws(() => grow(model, { vocabSize: 9 }), /vocabSize 7 → 9 .* the logits of the old ones stay equal/);
  const larger = grow(model, { layers: 3 });
  assert.throws(() => growState(larger.initialState(), model), /growState: state is of 3 layers, wanted at most 2/);
  const narrow = randomModel({ width: 4 });
  assert.throws(
    () => growState(narrow.initialState(), larger),
    /state.layers\[0\].attShift is \[1, 4\], wanted \[1, 8\]/,
  );
  const many = randomModel({ heads: 3 });
  assert.throws(
    () => growState(many.initialState(), larger),
    /wkv is \[1, 3, 4, 4\], wanted \[1, 2, 4, 4\] or fewer heads/,
  );
});

test("a model gets a mixture with equal outputs, and keeps the groups of its parameter tokens when it grows", async () => {
  await useBackend("wasm");
  const model = randomModel();
  const mixed = grow(model, { mixture: { groups: 4 } });
  assert.deepEqual(logitsOf(mixed), logitsOf(model));
  assert.throws(
    () => grow(model, { mixture: { groups: 4, topK: 2 } }),
    /mixture.topK 2 of 4 groups would leave the others' parameter tokens out/,
  );
  assert.throws(() => grow(mixed, { mixture: { groups: 6 } }), /has a mixture of 4 groups already/);
  assert.throws(() => grow(mixed, { parameterTokens: 18 }), /divisor of parameterTokens, 18: try parameterTokens 20/);
});

test("a variant of one's own grows by the axes that it names; where zero is not known to add nothing, it is refused", async () => {
  await useBackend("wasm");
  const definition = {
    name: "growing",
    parameters: { gain: { shape: ["heads", "headSize"], initial: 0.3 }, scale: { shape: "heads", initial: 1 } },
    neutralAtZero: true,
    apply: ({ readState, queries, normalise, parameters, combine }: SseContext<"gain" | "scale">) =>
      combine(tf.mul(normalise(readState(queries), parameters.scale), tf.reshape(parameters.gain, [1, 1, -1, 4]))),
  } as const;
  defineSse(definition);
  const model = randomModel({ sse: "growing" });
  for (const growth of [{ heads: 5 }, kinds.everything!]) {
    const { logits, state } = difference(model, grow(model, growth));
    assert.ok(logits <= 2e-6 && state <= 2e-6, `${logits}, ${state}`);
  }
  const wide = grow(model, { headSize: 8 }, { force: true });
  const [small, large] = [model, wide].map((of) => of.parameters.get("blocks.0.meta.gain")!.arraySync() as number[][]);
  assert.deepEqual(large![1]!.slice(0, 4), small![1]);

  defineSse({ ...definition, name: "unsaid", neutralAtZero: false });
  const unsaid = randomModel({ sse: "unsaid" });
  assert.throws(() => grow(unsaid, { heads: 3 }), /"unsaid" does not say that it adds nothing then/);
  grow(unsaid, { heads: 3 }, { force: true });
  assert.ok(difference(unsaid, grow(unsaid, { parameterTokens: 20, layers: 3 })).logits <= 2e-6);

  const shape = (configuration: ModelConfiguration): number[] => [configuration.heads];
  defineSse({ ...definition, name: "shaped", parameters: { ...definition.parameters, scale: { shape } } });
  const shaped = randomModel({ sse: "shaped" });
  assert.throws(() => grow(shaped, { heads: 3 }), /"scale" of "shaped" has a shape that is a function/);
});

test("forced: width, head size and vocabulary grow, old values in place; the old tokens keep their logits", async () => {
  await useBackend("wasm");
  const model = randomModel();
  const vocabulary = grow(model, { vocabSize: 9 }, { force: true });
  const logits = vocabulary.forward([tokens[0]!]).logits;
  assert.deepEqual(logits.shape, [1, 6, 9]);
  const old = tf.slice(logits, [0, 0, 0], [1, 6, 7]).dataSync();
  assert.ok(relativeError(old, logitsOf(model)) <= 2e-6);
  const wide = grow(model, { width: 16, headSize: 8 }, { force: true });
  assert.equal(wide.configuration.heads, 2);
  wide.forward(tokens);
  const key = "blocks.1.att.key.weight";
  const [small, large] = [model, wide].map((of) => of.parameters.get(key)!.arraySync() as number[][]);
  // Channel 1 of head 1: row 5 of heads of 4, row 9 of heads of 8.
  assert.deepEqual(large![9]!.slice(0, 8), small![5]);
  const [gain, grownGain] = [model, wide].map(
    (of) => of.parameters.get("blocks.1.meta.beta_g")!.arraySync() as number[],
  );
  assert.equal(grownGain![9], gain![5]);
});
