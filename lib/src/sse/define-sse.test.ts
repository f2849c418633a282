import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";

import { join } from "node:path";

import { batches } from "../data/batches.js";
import { jupyterDisplay } from "../display.js";
import { growState } from "../growth/grow-state.js";
import { grow } from "../growth/grow.js";
import { stateStatistics } from "../inspection/state-statistics.js";
import { trace } from "../inspection/trace.js";
import { loadState } from "../io/state-file.js";
import { withFolder } from "../io/testing.js";
import { changeConfiguration } from "../model/configuration.js";
import { fromRwkv7 } from "../model/from-rwkv7.js";
import { createModel, type Model } from "../model/model.js";
import { tiny } from "../model/testing.js";
import { Random } from "../random.js";
import { registerEinsum } from "../ops/einsum/einsum.js";
import { plots } from "../plots/plots.js";
import { assertClose, useBackend } from "../testing.js";
import { evaluate } from "../training/evaluate.js";
import { disposeGradients, lossGradients } from "../training/gradients.js";
import { train } from "../training/train.js";
import { checkSse } from "./check/check-sse.js";
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
      assert.throws(() => void parameters.alhpa, /asks for a parameter "alhpa", which it does not declare/);
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
  failing({ apply: ({ parameters }) => parameters.g! }, /asks for a parameter "g", which it does not declare .* none/);
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

/** An exponential average of the tokens: a state of its own, made token by token. */
function defineAverage(): void {
  defineSse({
    name: "average",
    parameters: { gain: { shape: "width", initial: 0.5 }, decay: { shape: "width", initial: 1 } },
    states: { average: "width", reads: ["heads", "headSize", "headSize"] },
    neutralAtZero: true,
    apply({ parameters, x, before, timeMix, toHeads, combine }) {
      const keep = tf.sigmoid(parameters.decay);
      let { average } = before;
      const averages = tf.unstack(x, 1).map((token) => {
        average = tf.add(tf.mul(average, keep), tf.mul(token, tf.sub(1, keep)));
        return average;
      });
      // @ts-expect-error: the definition has no such state
      assert.throws(() => void before.avarage, /asks for a state "avarage", which it does not declare/);
      const reads = tf.add(before.reads, tf.einsum("bthn,bthm->bhnm", toHeads(x), timeMix.k));
      return { z: combine(tf.mul(tf.stack(averages, 1), parameters.gain)), state: { average, reads } };
    },
  });
}

test("a variant's own states are states like the library's: checked, saved, grown, traced, sliced, generated with", async () => {
  await useBackend("wasm");
  registerEinsum(tf.getBackend());
  defineAverage();
  (await checkSse("average")).assert();
  const model = open({ ...tiny, sse: "average" });
  const { state, logits: whole } = model.forward([
    [1, 5, 2],
    [3, 0, 6],
  ]);
  assert.deepEqual(state.layers[1]!.average!.shape, [2, 8]);
  assert.match(
    state[jupyterDisplay]()["text/plain"] as string,
    /meta +average +reads\n0 .*none +\[2, 8\] +\[2, 2, 4, 4\]/,
  );
  const row = state.selectRows([1]);
  const first = state.selectRows([0]).joinRows([row]);
  assert.ok(first.equals(state));
  // Token by token with each row alone: nothing is lost between calls.
  const { state: begun } = model.forward([[3, 0]]);
  const ended = model.forward([[6]], begun);
  assertClose(ended.logits.dataSync(), tf.slice(whole, [1, 2, 0], [1, 1, -1]).dataSync(), 1e-5, "row 1");
  assert.ok(ended.state.equals(row, 1e-5));

  assert.equal(row.slice({ part: "average", layers: 1 }).values.length, 8);
  assert.deepEqual(row.slice({ part: "reads", heads: 1 }).shape, [2, 1, 1, 4, 4]);
  assert.throws(() => row.slice({ part: "avarage" }), /part is "avarage", wanted one of .*wkv, meta, average, reads/);
  const cleared = row.with({ part: "average" }, 0);
  assert.equal(Math.max(...cleared.slice({ part: "average" }).values), 0);
  assert.ok(cleared.withPartOf(row, {}).equals(row));
  assert.ok(!cleared.withPartOf(row, { heads: 1 }).equals(row));
  assert.deepEqual(
    (await stateStatistics(row)).all.map(({ name }) => name).filter((name) => name.startsWith("blocks.1")),
    ["wkv", "wkv", "reads", "reads"].map((part) => `blocks.1.state.${part}`),
  );
  assert.match(plots.stateHeatmap(row, { part: "reads" }).layout.title!.text!, /reads/);
  assert.throws(
    () => plots.stateHeatmap(row, { part: "average" }),
    /not among the matrices .* use part "wkv" or "reads"/,
  );

  const names = model.activationNames.names.filter(
    (name) => name.startsWith("blocks.0.") && /average|reads/.test(name),
  );
  assert.deepEqual(
    names,
    ["before.average", "before.reads", "state.average", "state.reads"].map((name) => `blocks.0.${name}`),
  );
  const traced = await trace(model, [1, 5, 2], { names: "blocks.1.state.average" });
  assertClose(
    traced.get("blocks.1.state.average").select({ position: 2, row: 0 }).data,
    state.selectRows([0]).slice({ part: "average", layers: 1 }).values,
    1e-6,
    "traced",
  );
  assert.equal(traced.get("blocks.1.state.average").positions.length, 3);

  await withFolder(async (folder) => {
    await state.save(join(folder, "state.safetensors"));
    const loaded = await loadState(join(folder, "state.safetensors"));
    assert.ok(loaded.equals(state));
    assert.deepEqual(
      model.forward([[1], [2]], loaded).logits.dataSync(),
      model.forward([[1], [2]], state).logits.dataSync(),
    );
  });
  const larger = grow(model, { heads: 3, layers: 3 });
  const grown = growState(state, larger);
  assert.deepEqual(grown.layers[0]!.reads!.shape, [2, 3, 4, 4]);
  assertClose(
    larger.forward([[1], [2]], grown).logits.dataSync(),
    model.forward([[1], [2]], state).logits.dataSync(),
    1e-5,
    "grown",
  );
  const plain = createModel({ ...tiny, sse: "none" });
  const { state: without } = plain.forward([[1], [2]]);
  assert.throws(() => model.forward([[1], [2]], without), /state.layers\[0\].average is missing, .*ms.growState gives/);
  model.forward([[1], [2]], growState(without, model));
});

test("a state that is forgotten, not declared or of another shape is refused with what to do", async () => {
  await useBackend("cpu");
  const failing = (definition: Partial<SseDefinition>, message: RegExp): void => {
    const states = { own: "width" } as const;
    defineSse<string, string>({ name: "forgetful", states, apply: ({ shifted }) => shifted, ...definition });
    const model = createModel({ ...tiny, sse: "forgetful" });
    assert.throws(() => model.forward(input), message);
  };
  failing({}, /"forgetful" has a state "own", so apply must return \{z, state: \{own\}\}/);
  failing(
    { apply: ({ shifted }) => ({ z: shifted, state: { owm: shifted } }) },
    /returns a state "owm", but .* states: \{owm: …\}/,
  );
  failing(
    { apply: ({ shifted }) => ({ z: shifted, state: shifted }) },
    /returns a state, but its definition lacks metaState: true/,
  );
  failing(
    { apply: ({ shifted, x }) => ({ z: shifted, state: { own: x } }) },
    /state.own is \[1, 6, 8\], wanted .*\[1, 8\]/,
  );
  failing(
    { apply: ({ before }) => before.other! },
    /asks for a state "other", which it does not declare \(it has wkv, own\)/,
  );
  failing(
    { apply: ({ shifted, addLoss }) => (addLoss(shifted), shifted) },
    /the argument of addLoss is \[1, 6, 8\], wanted one/,
  );
  for (const name of ["wkv", "attShift", "1st"]) {
    const states = { [name]: "width" } as const;
    assert.throws(
      () => defineSse({ name: "x", states, apply: ({ shifted }) => shifted }),
      /the name of state .* does not do/,
    );
  }
});

test("a state that is handed on as it came outlives the old one", async () => {
  await useBackend("cpu");
  const states = { kept: "headSize" } as const;
  defineSse({
    name: "keeping",
    states,
    apply: ({ shifted, before }) => ({ z: shifted, state: { kept: before.kept } }),
  });
  const model = createModel({ ...tiny, sse: "keeping" });
  const begun = model.forward([[1]]);
  const next = model.forward([[2]], begun.state);
  begun.state.dispose();
  assert.deepEqual([...next.state.layers[0]!.kept!.dataSync()], [0, 0, 0, 0]);
});

test('readState(q, "before") is what the state held before each token, in a call and from call to call', async () => {
  await useBackend("wasm");
  registerEinsum(tf.getBackend());
  const seen: Record<string, Float32Array[]> = { loop: [], op: [] };
  defineSse({
    name: "earlier",
    states: { s: ["heads", "headSize", "headSize"] },
    apply({ queries, readState, before, combine, timeMix: { w, k, v, alpha, beta } }) {
      let { s } = before;
      const [qs, ws, ks, vs, as, bs] = [queries, w, k, v, alpha, beta].map((y) => tf.unstack(y, 1));
      const reads = qs!.map((q, t) => {
        const read = tf.einsum("bhnm,bhm->bhn", s, q);
        const removed = tf.einsum("bhnm,bhm,bhj->bhnj", s, as![t]!, bs![t]!);
        s = tf.addN([tf.mul(s, tf.expandDims(ws![t]!, 2)), removed, tf.einsum("bhn,bhm->bhnm", vs![t]!, ks![t]!)]);
        return read;
      });
      seen.loop!.push(tf.stack(reads, 1).dataSync<"float32">().slice());
      const read = readState(queries, "before");
      seen.op!.push(read.dataSync<"float32">().slice());
      return { z: combine(read), state: { s } };
    },
  });
  for (const rho of [1, 0.5]) {
    const model = open({ ...tiny, sse: "earlier", rho });
    const { state } = model.forward([
      [1, 5, 2],
      [3, 0, 6],
    ]);
    model.forward([[1], [4]], state);
  }
  assert.ok(seen.op![0]!.some((x) => x !== 0));
  seen.op!.forEach((values, i) => assertClose(values, seen.loop![i]!, 1e-5, `call ${i}`));
});

test("what apply adds to the loss is learned from, weighed by batches and pieces, and reported apart", async () => {
  await useBackend("wasm");
  let factor = 0;
  defineSse({
    name: "sparing",
    parameters: { gain: { shape: "width", initial: 0.5 } },
    apply({ parameters, x, combine, addLoss }) {
      addLoss(tf.mul(factor, tf.sum(tf.square(parameters.gain))));
      return combine(tf.mul(x, parameters.gain));
    },
  });
  const model = open({ ...tiny, sse: "sparing" });
  const batch = batches(
    Int32Array.from({ length: 60 }, (_, i) => (i * i) % 7),
    { length: 8, batchSize: 2 },
  ).next().value;
  const gradients = (options?: Parameters<typeof lossGradients>[2]) => {
    const before = tf.memory().numTensors;
    const result = lossGradients(model, batch, options);
    const gain = result.gradients.get("blocks.1.meta.gain")!.dataSync().slice();
    const values = { loss: result.loss.dataSync()[0]!, added: result.addedLoss!.dataSync()[0]!, gain };
    disposeGradients(result);
    result.state?.dispose();
    assert.equal(tf.memory().numTensors, before);
    return values;
  };
  const without = gradients();
  factor = 3;
  const starts = {
    data: Uint8Array.from({ length: 16 }, (_, i) => Number(i === 3 || i === 13)),
    shape: [2, 8] as const,
  };
  Object.assign(batch, { starts });
  const [whole, half, pieces] = [gradients(), gradients({ weight: 0.5 }), gradients({ carryState: true })];
  assert.equal(without.added, 0);
  // Two layers of eight gains of a half, three times their squares.
  assertClose([whole.added, half.added, pieces.added], [12, 6, 12], 1e-6, "the added loss");
  assertClose([whole.loss, half.loss], [without.loss, without.loss / 2], 1e-6, "the loss of the tokens");
  assertClose(
    whole.gain,
    without.gain.map((x) => x + 3),
    1e-5,
    "the gradient of the sum",
  );
  const { loss } = await evaluate(
    model,
    batches(
      Int32Array.from({ length: 60 }, (_, i) => (i * i) % 7),
      { length: 8, batchSize: 2 },
    ),
    { batches: 1 },
  );
  assertClose([loss], [without.loss], 1e-6, "what is evaluated");
  const metrics = [];
  for await (const one of train(model, [batch, batch], { steps: 1, accumulate: 2 })) metrics.push(one);
  assertClose([metrics[0]!.addedLoss!], [12], 1e-6, "metrics");
  const plain = createModel({ ...tiny, sse: "none" });
  for await (const one of train(plain, [batch], { steps: 1 })) assert.ok(!("addedLoss" in one));
});
