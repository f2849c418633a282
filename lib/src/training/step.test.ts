import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

import { batchOf, type Batch } from "../data/batch.js";
import { streams } from "../data/streams.js";
import { corpus } from "../data/corpus.js";
import { assertClose, useBackend } from "../testing.js";
import { byteTokenizer } from "../tokenizers/byte-tokenizer.js";
import { randomModel, withFolder } from "../io/testing.js";
import { Model } from "../model/model.js";
import { adamW } from "./adamw.js";
import { Owned } from "./owned.js";
import { forwardStreams } from "./carried-state.js";
import { ema } from "./ema.js";
import { disposeGradients, lossGradients } from "./gradients.js";
import { stepGradients } from "./step-gradients.js";
import { metricsOf, ruleBatches, ruleText, smallModel, valuesOf } from "./testing.js";
import { train } from "./train.js";
import { trainedParts } from "./trainable.js";

/** Float32 sums in another order: about √n·ε of the largest gradient, with room. */
const rounding = 2e-4;

/** Rows `from` to `to` of a batch. */
function rowsOf({ inputs, targets, mask }: Batch, from: number, to: number): Batch {
  const [, time] = inputs.shape;
  const cut = <T extends Int32Array | Uint8Array>(data: T): T => data.slice(from * time, to * time) as T;
  const shape = [to - from, time] as const;
  return {
    inputs: { data: cut(inputs.data), shape },
    targets: { data: cut(targets.data), shape },
    ...(mask && { mask: { data: cut(mask.data), shape } }),
  };
}

test("the gradient of small batches is that of one large, each weighing as much as it counts positions", async () => {
  await useBackend("wasm");
  const model = smallModel();
  const large = ruleBatches(0, { batchSize: 6 }).next().value;
  // Row 0 counts 2 positions, the others all 16: a plain mean over batches would be wrong.
  const data = new Uint8Array(6 * 16).fill(1);
  data.fill(0, 0, 14);
  const batch = { ...large, mask: { data, shape: [6, 16] as const } };
  const whole = lossGradients(model, batch);
  const parts = [rowsOf(batch, 0, 1), rowsOf(batch, 1, 4), rowsOf(batch, 4, 6)];
  const parameters = [...model.parameters.keys()];
  const before = tf.memory().numTensors;
  const sum = await stepGradients(model, parts, {
    ...{ parameters, masks: new Map(), carryState: false, state: undefined, signal: undefined },
    owned: new Owned(),
  });
  assertClose(sum.loss.dataSync(), whole.loss.dataSync(), 1e-6, "loss");
  assertClose(sum.norm.dataSync(), whole.norm.dataSync(), rounding, "norm");
  for (const [name, gradient] of whole.gradients) {
    assertClose(sum.gradients.get(name)!.dataSync<"float32">(), gradient.dataSync<"float32">(), rounding, name);
  }
  disposeGradients(sum);
  assert.equal(tf.memory().numTensors, before);
  disposeGradients(whole);
  model.dispose();
});

test("a training that accumulates is one with large batches, and takes as many of them", async () => {
  await useBackend("wasm");
  const [small, large] = [smallModel(), smallModel()];
  const source = ruleBatches(0, { batchSize: 6 });
  const all = Array.from({ length: 8 }, () => source.next().value);
  const halves = all.flatMap((batch) => [rowsOf(batch, 0, 4), rowsOf(batch, 4, 6)]);
  const a = await metricsOf(small, halves, { steps: 20, accumulate: 2 });
  const b = await metricsOf(large, all, { steps: 20 });
  assert.equal(a.length, 8);
  assertClose(
    a.map(({ loss }) => loss),
    b.map(({ loss }) => loss),
    1e-4,
    "losses",
  );
  await assert.rejects(metricsOf(small, all, { steps: 1, accumulate: 0 }), /accumulate is 0, wanted an integer of 1/);
  small.dispose();
  large.dispose();
});

test("only trainable parameters move, by name, pattern or test; the others have neither gradient nor moments", async () => {
  await useBackend("wasm");
  const model = smallModel();
  const names = [...model.parameters.keys()];
  assert.deepEqual(trainedParts(model.parameters, "head.weight").names, ["head.weight"]);
  assert.deepEqual(
    trainedParts(model.parameters, ["blocks.*.att.*", "!*.w0"]).names,
    names.filter((name) => /^blocks\.\d\.att\./.test(name) && !name.endsWith(".w0")),
  );
  assert.deepEqual(
    trainedParts(model.parameters, "blocks.*.ffn.{key,value}.weight").names,
    names.filter((name) => /^blocks\.\d\.ffn\.(key|value)\.weight$/.test(name)),
  );
  assert.deepEqual(
    trainedParts(model.parameters, "!emb.*").names,
    names.filter((name) => name !== "emb.weight"),
  );
  assert.throws(() => trainedParts(model.parameters, "blocks.9.*"), /no parameter is called "blocks.9.\*"; there are/);
  assert.throws(() => trainedParts(model.parameters, () => false), /leaves no parameter/);
  const before = valuesOf(model);
  const counts: number[] = [];
  const atStart = tf.memory().numTensors;
  await metricsOf(model, ruleBatches(), {
    steps: 2,
    trainable: ["blocks.1.ffn.*", "head.weight"],
    spike: false,
    onStep: () => void counts.push(tf.memory().numTensors - atStart),
  });
  // Two moments for each of x_k, key, value and head.
  assert.deepEqual(counts, [8, 8]);
  for (const [name, values] of valuesOf(model)) {
    const moves = name.startsWith("blocks.1.ffn.") || name === "head.weight";
    assert.equal(
      values.some((x, i) => x !== before.get(name)![i]),
      moves,
      name,
    );
  }
  model.dispose();
});

test("what several names share learns once a step, from all its uses, and so after a break too", async () => {
  await useBackend("wasm");
  const keys = ["blocks.0.ffn.key.weight", "blocks.1.ffn.key.weight"] as const;
  const shared = (): Model => {
    const { configuration, parameters } = smallModel();
    return new Model(configuration, new Map(parameters).set(keys[1], parameters.get(keys[0])!));
  };
  const [tied, apart] = [shared(), smallModel()];
  apart.parameters.get(keys[1])!.assign(apart.parameters.get(keys[0])!);
  assert.equal(apart.parameterCount - tied.parameterCount, 32 * 16);
  const batch = ruleBatches().next().value;
  const [of, ofBoth] = [tied, apart].map((model) => lossGradients(model, batch).gradients) as [
    ReadonlyMap<string, Tensor>,
    ReadonlyMap<string, Tensor>,
  ];
  const sum = tf.add(ofBoth.get(keys[0])!, ofBoth.get(keys[1])!).dataSync<"float32">();
  assertClose(of.get(keys[0])!.dataSync<"float32">(), sum, rounding, "the gradient");
  const before = valuesOf(tied).get(keys[0])!;
  const options = { learningRate: 1e-3, schedule: "constant", warmup: 0, weightDecay: 0 } as const;
  const optimizer = adamW(tied, { weightDecay: 0 });
  assert.ok(!optimizer.moments.has(keys[1]));
  const { weightDecay: _, ...rates } = options;
  await metricsOf(tied, ruleBatches(), { ...rates, steps: 1, optimizer });
  // The first step of AdamW is the learning rate, whatever the gradient.
  const moved = valuesOf(tied)
    .get(keys[0])!
    .map((x, i) => Math.abs(x - before[i]!));
  assert.ok(Math.max(...moved) < 1.01e-3, `${Math.max(...moved)}`);
  await withFolder(async (folder) => {
    const whole = await metricsOf(shared(), ruleBatches, { ...options, steps: 6 });
    const checkpoint = { folder };
    for await (const { step } of train(shared(), ruleBatches, { ...options, steps: 6, checkpoint }))
      if (step === 3) break;
    const rest = await metricsOf(shared(), ruleBatches, { ...options, steps: 6, checkpoint, resume: true });
    assert.deepEqual(
      rest.map(({ loss }) => loss),
      whole.slice(3).map(({ loss }) => loss),
    );
  });
});

test("gradients of a batch from a carried state are those of forward from that state as a constant", async () => {
  await useBackend("wasm");
  const model = randomModel({ vocabSize: 16 });
  const source = streams(ruleText, { batchSize: 2, length: 12 });
  const [first, second] = [source.next().value, source.next().value];
  const carried = lossGradients(model, first, { carryState: true });
  const { state } = carried;
  const direct = tf.tidy(() => {
    const { state: after } = model.forward(first.inputs);
    return after.tensors().map((tensor) => tensor.dataSync<"float32">().slice());
  });
  state!.tensors().forEach((tensor, i) => assertClose(tensor.dataSync<"float32">(), direct[i]!, 1e-6, `state ${i}`));
  const next = lossGradients(model, second, { state, carryState: true });
  const wanted = lossGradients(model, second, { state });
  assert.deepEqual(next.loss.dataSync(), wanted.loss.dataSync());
  for (const [name, gradient] of wanted.gradients) {
    assert.deepEqual(next.gradients.get(name)!.dataSync(), gradient.dataSync(), name);
  }
  const afresh = lossGradients(model, second);
  assert.notDeepEqual(afresh.loss.dataSync(), wanted.loss.dataSync());
  for (const result of [carried, next, wanted, afresh]) {
    disposeGradients(result);
    result.state?.dispose();
  }
  model.dispose();
});

test("where a document begins, in the middle too, a row is read as if the document stood alone; gradients too", async () => {
  await useBackend("wasm");
  const model = randomModel({ learnedState: true });
  const row = (inputs: number[], starts: number[]) => ({ inputs, targets: inputs.map((x) => (x + 3) % 7), starts });
  const batch = batchOf([
    row([1, 2, 3, 4, 5, 6], [0, 0, 1, 0, 0, 0]),
    row([6, 5, 4, 3, 2, 1], [0, 0, 0, 0, 0, 0]),
    row([2, 2, 4, 4, 6, 6], [1, 0, 0, 0, 1, 0]),
  ]);
  const earlier = [
    [3, 3],
    [1, 0],
    [5, 6],
  ];
  tf.tidy(() => {
    const before = model.forward(earlier).state;
    const { logits, state } = forwardStreams(model, batch, before);
    const all = logits.arraySync();
    // Each piece by itself: [row, from, to, begins].
    const pieces: [number, number, number, boolean][] = [
      [0, 0, 2, false],
      [0, 2, 6, true],
      [1, 0, 6, false],
      [2, 0, 4, true],
      [2, 4, 6, true],
    ];
    const ends: number[][] = [];
    for (const [index, from, to, begins] of pieces) {
      const tokens = [...batch.inputs.data.subarray(index * 6 + from, index * 6 + to)];
      const alone = model.forward([tokens], begins ? undefined : before.selectRows([index]));
      assertClose(
        all[index]!.slice(from, to).flat(),
        alone.logits.dataSync<"float32">(),
        1e-5,
        `row ${index}, ${from}`,
      );
      ends[index] = alone.state.tensors().flatMap((tensor) => [...tensor.dataSync<"float32">()]);
    }
    ends.forEach((wanted, index) => {
      const found = state.selectRows([index]).tensors();
      assertClose(
        found.flatMap((tensor) => [...tensor.dataSync<"float32">()]),
        wanted,
        1e-5,
        `state ${index}`,
      );
    });
    assert.deepEqual(state.positions, [4, 8, 2]);
  });
  // The gradient: pieces that begin a document, padded into rows of their own, count the same positions.
  const begun = batchOf([
    row([3, 4, 5, 6], [1, 0, 0, 0]),
    row([2, 2, 4, 4], [1, 0, 0, 0]),
    row([6, 6, 0, 0], [1, 0, 0, 0]),
  ]);
  const counted = { data: Uint8Array.from([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0]), shape: [3, 4] as const };
  const only = {
    data: Uint8Array.from([0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]),
    shape: [3, 6] as const,
  };
  const packed = lossGradients(model, { ...batch, mask: only }, { carryState: true });
  const apart = lossGradients(model, { ...begun, mask: counted });
  assert.ok(apart.gradients.has("blocks.0.att.time_state"));
  for (const [name, gradient] of apart.gradients) {
    assertClose(packed.gradients.get(name)!.dataSync<"float32">(), gradient.dataSync<"float32">(), rounding, name);
  }
  disposeGradients(packed);
  packed.state?.dispose();
  disposeGradients(apart);
  assert.throws(() => forwardStreams(model, { ...batch, starts: { data: new Uint8Array(4), shape: [2, 2] } }), {
    name: "ShapeError",
    message: /starts is \[2, 2\]/,
  });
  model.dispose();
});

test("streams train with the state carried over, at constant memory; rows must stay as many", async () => {
  await useBackend("wasm");
  const model = smallModel(1, { vocabSize: 256 });
  const made = await corpus(["The rain in Spain. ".repeat(4), "stays in the plain. ".repeat(9)], byteTokenizer(), {
    separator: 10,
  });
  const atStart = tf.memory().numTensors;
  const counts: number[] = [];
  const options = { steps: 12, carryState: true, onStep: () => void counts.push(tf.memory().numTensors) };
  const history = await metricsOf(model, streams(made, { batchSize: 2, length: 10 }), options);
  assert.equal(history.length, 12);
  assert.equal(new Set(counts).size, 1, counts.join());
  assert.equal(tf.memory().numTensors, atStart);
  const mixed = [streams(made, { batchSize: 2, length: 10 }).next().value, streams(made, { batchSize: 3, length: 8 })];
  const [two, three] = [mixed[0] as Batch, (mixed[1] as IterableIterator<Batch>).next().value as Batch];
  await assert.rejects(metricsOf(model, [two, three], options), /carryState wants .* had 2, this one has 3/);
  // Lengths may differ.
  const shorter = streams(made, { batchSize: 2, length: 7 }).next().value;
  assert.equal((await metricsOf(model, [two, shorter], options)).length, 2);
  assert.equal(tf.memory().numTensors, atStart);
  model.dispose();
});

test("an average of the parameters follows them by the published rule, is swapped in and out, and is measured", async () => {
  await useBackend("wasm");
  const model = smallModel();
  const average = ema(model, { decay: 0.9 });
  const name = "head.weight";
  let expected = [...valuesOf(model).get(name)!];
  for await (const { step } of train(model, ruleBatches(), { steps: 30, learningRate: 1e-2, ema: average })) {
    const decay = Math.min(0.9, (1 + step) / (10 + step));
    const now = valuesOf(model).get(name)!;
    expected = expected.map((x, i) => decay * x + (1 - decay) * now[i]!);
  }
  assert.equal(average.steps, 30);
  assertClose(average.values.get(name)!.dataSync<"float32">(), expected, 1e-5, name);
  const last = valuesOf(model);
  const inside = await average.use(() => valuesOf(model));
  assertClose(inside.get(name)!, expected, 1e-5, "swapped in");
  assert.deepEqual(valuesOf(model), last);
  await assert.rejects(
    average.use(() => Promise.reject(new Error("no"))),
    /no/,
  );
  assert.deepEqual(valuesOf(model), last);
  average.swap();
  assert.deepEqual(valuesOf(model), inside);
  average.dispose();
  const other = smallModel();
  const evaluation = { data: ruleText, every: 10, length: 16, tokens: 160 };
  const averaged = await metricsOf(other, ruleBatches(), {
    steps: 20,
    ema: 0.99,
    evaluate: { ...evaluation, ema: true },
  });
  const plain = await metricsOf(smallModel(), ruleBatches(), { steps: 20, evaluate: evaluation });
  assert.deepEqual(
    averaged.map(({ loss }) => loss),
    plain.map(({ loss }) => loss),
  );
  assert.notEqual(averaged[19]!.validationLoss, plain[19]!.validationLoss);
  await assert.rejects(
    metricsOf(other, ruleBatches(), { steps: 1, ema: 1 }),
    /decay is 1, wanted a number in \(0, 1\)/,
  );
  await assert.rejects(
    metricsOf(other, ruleBatches(), { steps: 1, evaluate: { ...evaluation, ema: true } }),
    /evaluate.ema is true, wanted the option ema/,
  );
  model.dispose();
});
