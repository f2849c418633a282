import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";

import { jupyterDisplay } from "../display.js";
import { assertClose, useBackend } from "../testing.js";
import { parameterGroups } from "../training/adamw.js";
import { createBaseline, type BaselineOptions } from "./create-baseline.js";
import type { Mixer } from "./mixer.js";
import { defineChannelMixer, defineTokenMixer, mixers } from "./registry.js";

const kinds: readonly BaselineOptions[] = [
  { kind: "transformer", vocabSize: 90, layers: 3 },
  { kind: "transformer", vocabSize: 90, layers: 2, activation: "squaredRelu", norm: "layer" },
  { kind: "rwkv4", vocabSize: 90, layers: 3 },
  { kind: "tokenformer", vocabSize: 90, layers: 2 },
  { kind: "rwkv7", vocabSize: 90, layers: 2 },
  { kind: "meta-state", vocabSize: 90, layers: 2, sse: "meta" },
];

for (const options of kinds) {
  test(`${JSON.stringify(options)} has the parameters asked for, at the usual shape`, async () => {
    await useBackend("cpu");
    for (const parameterCount of [60_000, 390_000]) {
      const model = createBaseline({ ...options, parameterCount });
      // The inner size is an integer: half of its parameters is the most that is missing, 3 layers × 3 matrices × width / 2.
      assert.ok(Math.abs(model.parameterCount - parameterCount) <= 4.5 * model.configuration.width);
      const { configuration } = model;
      const inner = "hidden" in configuration ? configuration.hidden : configuration.parameterTokens;
      const ratio = inner / configuration.width;
      assert.ok(ratio > 1.5 && ratio < 10, `inner size ${inner} at width ${configuration.width}`);
      model.dispose();
    }
    const model = createBaseline({ ...options, parameterCount: 200_000, width: 96 });
    assert.equal(model.configuration.width, 96);
    assert.ok(Math.abs(model.parameterCount / 200_000 - 1) < 0.005);
    model.dispose();
  });
}

test("with an inner size that is given, the width is chosen", async () => {
  await useBackend("cpu");
  const options = { kind: "transformer", vocabSize: 90, layers: 2, hidden: 300 } as const;
  const { parameterCount } = createBaseline({ ...options, width: 128 });
  const { configuration } = createBaseline({ ...options, parameterCount: Math.round(1.02 * parameterCount) });
  assert.deepEqual([configuration.width, configuration.hidden], [128, 300]);
  assert.throws(
    () => createBaseline({ ...options, parameterCount: Math.round(1.04 * parameterCount) }),
    /the nearest that the other sizes allow is .* \(width 128, 300 inside\)/,
  );
});

test("mixers of one's own make a model; one that does not keep to what it declares says so", async () => {
  await useBackend("cpu");
  const state = ({ width }: { width: number }) => [{ name: "sum", shape: [width] }];
  const ownToken: Mixer = {
    ...{ name: "ownToken", description: "all tokens up to each, added", parameters: () => [], state },
    apply({ x, state: { sum } }) {
      const output = tf.add<tf.Tensor3D>(tf.cumsum(x, 1), tf.expandDims(sum!, 1));
      return { output, state: { sum: tf.squeeze(tf.slice(output, [0, x.shape[1] - 1], [-1, 1]), [1]) } };
    },
  };
  const ownChannel: Mixer = {
    ...{ name: "ownChannel", description: "twice each channel", parameters: () => [] },
    apply: ({ x }) => ({ output: tf.mul(x, 2) }),
  };
  defineTokenMixer(ownToken);
  defineChannelMixer(ownChannel);
  assert.deepEqual(
    (["att", "ffn"] as const).map((half) => mixers(half).at(-1)),
    [ownToken, ownChannel],
  );
  const options = { kind: "mixers", vocabSize: 10, layers: 1, width: 8 } as const;
  const own = { ...options, tokenMixer: "ownToken", channelMixer: "ownChannel" };
  const model = createBaseline(own);
  const before = model.forward([[1, 2]]);
  const after = model.forward([[3, 4]], before.state).logits.dataSync();
  const whole = tf.slice(model.forward([[1, 2, 3, 4]]).logits, [0, 2], [1, 2]).dataSync();
  assertClose(after, whole, 1e-5, "cut in two");

  defineTokenMixer({ ...ownToken, apply: ({ x }) => ({ output: x }) });
  assert.throws(() => model.forward([[1]]), /mixer "ownToken" declares the state "sum" but apply gave none/);
  defineChannelMixer({ ...ownChannel, state });
  assert.throws(() => createBaseline(own), /both keep a state called "sum": rename one/);
});

test("sizes given are sizes had; the same seed gives the same model", async () => {
  await useBackend("cpu");
  const options = { kind: "transformer", vocabSize: 10, layers: 1, width: 48, hidden: 30 } as const;
  const model = createBaseline(options, { seed: 4 });
  assert.deepEqual(
    [...model.parameters].map(([name, { shape }]) => `${name} ${shape.join("x")}`),
    [
      "emb.weight 10x48",
      "blocks.0.ln1.weight 48",
      "blocks.0.ln2.weight 48",
      ...["query", "key", "value", "output"].map((name) => `blocks.0.att.${name}.weight 48x48`),
      "blocks.0.ffn.gate.weight 30x48",
      "blocks.0.ffn.key.weight 30x48",
      "blocks.0.ffn.value.weight 48x30",
      "ln_out.weight 48",
      "head.weight 10x48",
    ],
  );
  assert.equal(model.configuration.headSize, 16);
  assert.equal(model.parameterCount, 2 * 480 + 3 * 48 + 4 * 48 * 48 + 3 * 30 * 48);
  const values = (of: typeof model): number[] => [...of.parameters].flatMap(([, x]) => [...x.dataSync()]);
  const [same, other] = [createBaseline(options, { seed: 4 }), createBaseline(options, { seed: 5 })];
  assert.deepEqual(values(same), values(model));
  assert.notDeepEqual(values(other), values(model));
  assert.match(
    model[jupyterDisplay]()["text/plain"] as string,
    /Transformer.*\n.*\n.*\ntoken mixer +attention, 3 heads/,
  );
  const [matrices] = parameterGroups(model.parameters, 0.1);
  assert.equal(matrices!.parameters.length, 9);
  const narrow = createBaseline({ ...options, width: 6 });
  assert.equal(narrow.configuration.headSize, 2);
  for (const made of [model, same, other, narrow]) made.dispose();
});

test("RWKV-4's decays learn at twice the rate, and its matrices decay", async () => {
  await useBackend("cpu");
  const model = createBaseline({ kind: "rwkv4", vocabSize: 10, layers: 1, width: 8 });
  const [matrices, bases, others] = parameterGroups(model.parameters, 0.1);
  assert.deepEqual(bases!.parameters, ["blocks.0.att.time_decay"]);
  assert.equal(bases!.learningRateFactor, 2);
  assert.ok(matrices!.parameters.includes("blocks.0.ffn.receptance.weight"));
  assert.ok(others!.parameters.includes("blocks.0.att.time_mix_k"));
  model.dispose();
});

test("RWKV-4 begins with the decays, bonuses and mixes of its authors", async () => {
  await useBackend("cpu");
  const model = createBaseline({ kind: "rwkv4", vocabSize: 10, layers: 2, width: 4 });
  // RWKV-v4 of RWKV-LM, for the second of two layers: ratio_0_to_1 is 1, ratio_1_to_almost0 a half.
  const third = 1 / 3;
  const expected = {
    "att.time_decay": [-5, -5 + 8 * third ** 2, -5 + 8 * (2 * third) ** 2, 3],
    "att.time_first": [0, 0.5, -0.5, 0].map((zigzag) => Math.log(0.3) + zigzag),
    "att.time_mix_k": [0, 0.25, 0.5, 0.75].map(Math.sqrt),
    "att.time_mix_v": [0, 0.25, 0.5, 0.75].map((x) => Math.sqrt(x) + 0.3),
    "att.time_mix_r": [0, 0.25, 0.5, 0.75].map((x) => x ** 0.25),
    "ffn.time_mix_k": [0, 0.25, 0.5, 0.75].map(Math.sqrt),
    "ffn.time_mix_r": [0, 0.25, 0.5, 0.75].map(Math.sqrt),
  };
  for (const [name, values] of Object.entries(expected)) {
    assertClose(model.parameters.get(`blocks.1.${name}`)!.dataSync(), values, 1e-6, name);
  }
  model.dispose();
});

test("what does not fit is refused with what would", async () => {
  await useBackend("cpu");
  const options = { kind: "transformer", vocabSize: 10, layers: 2 } as const;
  assert.throws(() => createBaseline(options), {
    name: "ConfigurationError",
    message: "createBaseline: neither width nor parameterCount is given: give one of them, or both",
  });
  assert.throws(
    () => createBaseline({ ...options, parameterCount: 100 }),
    /the nearest that the other sizes allow is \d+/,
  );
  assert.throws(
    () => createBaseline({ ...options, width: 512, parameterCount: 100_000 }),
    /parameterCount is 100000, but the nearest .* is 2\d{6} \(width 512, 1 inside\)/,
  );
  assert.throws(() => createBaseline({ ...options, parameterCount: 2.5 }), /parameterCount is 2.5, wanted/);
  assert.throws(() => createBaseline({ ...options, width: 20, headSize: 8 }), /width is 20, .* try width 24/);
  assert.throws(() => createBaseline({ ...options, width: 9, headSize: 3 }), /headSize is 3, wanted an even number/);
  assert.throws(
    () => createBaseline({ ...options, width: 8, norm: "batch" as never }),
    /norm is "batch", wanted one of/,
  );
  assert.throws(
    () => createBaseline({ ...options, width: 8, ropeBase: -1 }),
    /ropeBase is -1, wanted a positive number/,
  );
  assert.throws(
    () => createBaseline({ kind: "mixers", vocabSize: 10, layers: 1, width: 8, tokenMixer: "hyena" }),
    /tokenMixer is "hyena", wanted one of attention.*defineTokenMixer/,
  );
  assert.throws(
    () => createBaseline({ kind: "gpt", vocabSize: 10, layers: 1 } as never),
    /kind is "gpt", wanted one of/,
  );
});

test("a maximum context ends with an error that says what to do, and the state stays", async () => {
  await useBackend("cpu");
  const model = createBaseline({ kind: "transformer", vocabSize: 10, layers: 1, width: 8, maximumContext: 5 });
  const before = tf.memory().numTensors;
  const { logits, state } = model.forward([[1, 2, 3]]);
  assert.throws(() => model.forward([[4, 5, 6]], state), {
    message:
      "forward: row 0 has seen 3 tokens and gets 3 more, the model's maximumContext is 5: " +
      "pass fewer tokens, begin with a new state, or make the model with a larger maximumContext",
  });
  model.forward([[4, 5]], state).state.dispose();
  logits.dispose();
  state.dispose();
  assert.equal(tf.memory().numTensors, before + 1);
  const other = createBaseline({ kind: "transformer", vocabSize: 10, layers: 2, width: 8 });
  assert.throws(
    () => model.forward([[1]], other.initialState()),
    /state has 2 layers of \(keys, values\), the model 1/,
  );
  assert.throws(() => model.forward([[1]], model.initialState(2)), /state.layers\[0\].keys is \[2, 0, 2, 4\], wanted/);
  model.dispose();
  other.dispose();
});
