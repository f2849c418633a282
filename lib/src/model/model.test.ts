import assert from "node:assert/strict";
import test from "node:test";
import { inspect } from "node:util";

import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

import { jupyterDisplay } from "../display.js";
import { Random } from "../random.js";
import { sseVariants } from "../sse/registry.js";
import { assertCausal, assertClose, useBackend } from "../testing.js";
import { lossGradients, disposeGradients } from "../training/gradients.js";
import type { ModelOptions } from "./configuration.js";
import { createModel, type Model } from "./model.js";
import { referenceForward, referenceLoss, type ReferenceParameters } from "./reference.js";
import { float64, randomModel as randomTiny, tiny } from "./testing.js";
import { tokenMatrix } from "./tokens.js";

const tinyRanks = { decay: 2, rate: 3, value: 2, gate: 3 };
const inputs = [
  [1, 5, 2, 2, 6, 0],
  [3, 3, 0, 4, 1, 5],
];
const targets = [
  [5, 2, 2, 6, 0, 1],
  [3, 0, 4, 1, 5, 2],
];

/** A model whose parameters are all away from their initial zeros and constants. */
const randomModel = (options: Partial<ModelOptions> = {}): Model => randomTiny({ lowRank: tinyRanks, ...options });

function meanLoss(model: Model, parameters: ReferenceParameters): number {
  const losses = inputs.map((row, b) =>
    referenceLoss(referenceForward(model.configuration, parameters, row).logits, targets[b]!),
  );
  return losses.reduce((a, b) => a + b, 0) / losses.length;
}

const shapes: [name: string, options: Partial<ModelOptions>][] = [
  ...sseVariants().map(({ name }): [string, Partial<ModelOptions>] => [name, { sse: name }]),
  ["more heads than channel slices", { heads: 3 }],
  ["fewer heads than channel slices", { heads: 1 }],
  ["half the heads with SSE", { heads: 4, rho: 0.5 }],
  ["one layer", { layers: 1 }],
  ["learned initial state", { learnedState: true }],
  ["a mixture of groups", { mixture: { groups: 3 } }],
  ["the two of four groups that are called for most", { mixture: { groups: 4, topK: 2 }, sse: "readout" }],
  ["mul, more heads than slices", { mul: true, heads: 3 }],
  ["mul and a mixture with meta on half the heads", { mul: true, mixture: { groups: 2 }, sse: "meta", rho: 0.5 }],
  ["aScale", { aScale: 2 }],
  ["RWKV-7 with aScale", { aScale: 2, sse: "none" }],
  ["GeLU with L2 norm", { activation: "geluL2" }],
  [
    "all options together",
    { ...{ heads: 4, rho: 0.5, mul: true, aScale: 1.5, activation: "geluL2" }, mixture: { groups: 6, topK: 3 } },
  ],
];

for (const [name, options] of shapes) {
  test(`${name}: logits and states equal the float64 reference`, async () => {
    await useBackend("wasm");
    const model = randomModel(options);
    const { logits, state } = model.forward(inputs);
    const parameters = float64(model);
    inputs.forEach((row, b) => {
      const expected = referenceForward(model.configuration, parameters, row);
      const flat = expected.logits.flatMap((values) => [...values]);
      // Measured 2e−7 to 1e−6 over these models: some twenty roundings of sums of at most 12 terms in a row.
      assertClose(logits.dataSync().slice(b * flat.length, (b + 1) * flat.length), flat, 5e-6, `logits of row ${b}`);
      expected.layers.forEach(({ wkv, meta }, layer) => {
        const held = state.layers[layer]!;
        const compare = (tensor: Tensor, matrices: Float64Array[], what: string): void => {
          const values = matrices.flatMap((matrix) => [...matrix]);
          const row = tensor.dataSync().slice(b * values.length, (b + 1) * values.length);
          assertClose(row, values, 5e-6, `${what} of layer ${layer}`);
        };
        compare(held.wkv, wkv, "wkv");
        if (held.meta) compare(held.meta, meta, "meta");
      });
    });
    tf.dispose(logits);
    state.dispose();
    model.dispose();
  });

  test(`${name}: the gradient of every parameter equals finite differences of the float64 reference`, async () => {
    await useBackend("wasm");
    const model = randomModel(options);
    const result = lossGradients(model, {
      inputs: tokenMatrix("test", inputs),
      targets: tokenMatrix("test", targets),
    });
    const parameters = float64(model);
    assertClose(result.loss.dataSync(), [meanLoss(model, parameters)], 1e-6, "loss");
    const h = 1e-5;
    let square = 0;
    const random = new Random(5);
    for (const [parameter, values] of parameters) {
      const gradient = result.gradients.get(parameter);
      assert.ok(gradient, `${parameter} has a gradient`);
      const held = gradient.dataSync();
      held.forEach((x) => (square += x * x));
      // Each direction costs two runs of the model: every element of the default variant's vectors, one by one, and for the
      // rest one direction through all elements.
      const single = name === "sse" && values.length <= 24;
      const directions = single
        ? Array.from(values, (_, i) => Float64Array.from(values, (_x, k) => (k === i ? 1 : 0)))
        : [Float64Array.from(values, () => (random.uniform() < 0.5 ? -1 : 1) / Math.sqrt(values.length))];
      const start = values.slice();
      const lossAt = (direction: Float64Array, step: number): number => {
        values.set(start.map((x, i) => x + step * direction[i]!));
        return meanLoss(model, parameters);
      };
      const numeric = directions.map((direction) => (lossAt(direction, h) - lossAt(direction, -h)) / (2 * h));
      const analytic = directions.map((direction) => direction.reduce((sum, x, i) => sum + x * held[i]!, 0));
      values.set(start);
      // Differences in float64 are good to 1e−9; the rest is float32 in forward and backward pass, measured at most 4e−5.
      // Relative to 1e−3 at least: smaller gradients are differences of larger ones.
      const scale = Math.max(1e-3, ...held.map(Math.abs));
      numeric.forEach((x, i) =>
        assert.ok(Math.abs(x - analytic[i]!) <= 1e-4 * scale, `${parameter}, ${i}: ${x}, tape ${analytic[i]}`),
      );
    }
    assertClose(result.norm.dataSync(), [Math.sqrt(square)], 1e-6, "global norm");
    disposeGradients(result);
    model.dispose();
  });
}

for (const [name, options] of shapes) {
  test(`${name}: a sequence, token by token, and cut anywhere agree`, async () => {
    await useBackend("wasm");
    const model = randomModel(options);
    tf.tidy(() => {
      const whole = model.forward(inputs);
      for (const cuts of [[1, 2, 3, 4, 5], [1], [4], [2, 5]]) {
        let state = model.initialState(2);
        const pieces: Tensor[] = [];
        [0, ...cuts].forEach((start, i) => {
          const piece = model.forward(
            inputs.map((row) => row.slice(start, cuts[i])),
            state,
          );
          pieces.push(piece.logits);
          state = piece.state;
        });
        const joined = tf.concat(pieces, 1);
        // The same sums in other blocks of matrix products: a few roundings. The most that was measured is 2.2e-6, with
        // the native engine's products.
        assertClose(joined.dataSync(), whole.logits.dataSync(), 4e-6, `logits, cut at ${cuts.join()}`);
        whole.state
          .tensors()
          .forEach((tensor, i) =>
            assertClose(state.tensors()[i]!.dataSync(), tensor.dataSync(), 2e-6, `state ${i}, cut at ${cuts.join()}`),
          );
      }
    });
    model.dispose();
  });

  test(`${name}: a token changes nothing before it, and something after`, async () => {
    await useBackend("wasm");
    const model = randomModel(options);
    assertCausal(model, inputs[0]!);
    model.dispose();
  });

  test(`${name}: a row of a batch equals the row alone`, async () => {
    await useBackend("wasm");
    const model = randomModel(options);
    tf.tidy(() => {
      const together = model.forward(inputs).logits.dataSync();
      inputs.forEach((row, b) => {
        const alone = model.forward([row]).logits.dataSync();
        assertClose(together.slice(b * alone.length, (b + 1) * alone.length), alone, 1e-6, `row ${b}`);
      });
    });
    model.dispose();
  });
}

test("logits of the last position alone are those of a whole pass, and so is the state", async () => {
  await useBackend("wasm");
  const model = randomModel();
  const all = model.forward(inputs);
  const last = model.forward(inputs, undefined, { logits: "last" });
  assert.deepEqual(last.logits.shape, [2, 1, 7]);
  assert.deepEqual(last.logits.dataSync(), tf.slice(all.logits, [0, 5, 0], [2, 1, 7]).dataSync());
  last.state.tensors().forEach((tensor, i) => assert.deepEqual(tensor.dataSync(), all.state.tensors()[i]!.dataSync()));
  model.dispose();
});

test("forward leaves its results alone in memory and does not touch the state passed in", async () => {
  await useBackend("wasm");
  const atFirst = tf.memory().numTensors;
  const model = randomModel();
  const single = model.initialState();
  assert.equal(single.batchSize, 1);
  single.dispose();
  const state = model.initialState(2);
  const before = tf.memory().numTensors;
  const result = model.forward(inputs, state);
  assert.equal(tf.memory().numTensors, before + 1 + result.state.tensors().length);
  assert.ok(state.layers[0]!.wkv.dataSync().every((x) => x === 0));
  const copy = result.state.clone();
  result.state.dispose();
  assert.ok(
    copy.layers[1]!.meta!.dataSync().some((x) => x !== 0),
    "a clone outlives its original",
  );
  copy.dispose();
  state.dispose();
  result.logits.dispose();
  model.dispose();
  assert.equal(tf.memory().numTensors, atFirst);
});

test("parameters have the names, order and shapes of RWKV-7 checkpoints", async () => {
  await useBackend("cpu");
  const model = createModel({ vocabSize: 100, width: 128, layers: 2 });
  const listed = [...model.parameters].map(([name, { shape }]) => `${name} ${shape.join("x")}`);
  const block = (layer: number): string[] => [
    ...(layer === 0 ? ["ln0.weight 128", "ln0.bias 128"] : []),
    ...["ln1.weight 128", "ln1.bias 128", "ln2.weight 128", "ln2.bias 128"],
    ...["x_r", "x_w", "x_k", "x_v", "x_a", "x_g"].map((name) => `att.${name} 1x1x128`),
    ...["att.w0 1x1x128", "att.w1 128x32", "att.w2 32x128", "att.a0 1x1x128", "att.a1 128x32", "att.a2 32x128"],
    ...(layer > 0 ? ["att.v0 1x1x128", "att.v1 128x16", "att.v2 16x128"] : []),
    ...["att.g1 128x56", "att.g2 56x128", "att.k_k 1x1x128", "att.k_a 1x1x128", "att.r_k 2x64"],
    ...["receptance", "key", "value", "output"].map((name) => `att.${name}.weight 128x128`),
    ...["att.ln_x.weight 128", "att.ln_x.bias 128"],
    ...["ffn.x_k 1x1x128", "ffn.key.weight 512x128", "ffn.value.weight 128x512"],
    ...["meta.alpha_g 128", "meta.beta_g 128"],
  ];
  assert.deepEqual(listed, [
    "emb.weight 100x128",
    ...[0, 1].flatMap((layer) => block(layer).map((line) => `blocks.${layer}.${line}`)),
    "ln_out.weight 128",
    "ln_out.bias 128",
    "head.weight 100x128",
  ]);
  const bundle = model[jupyterDisplay]();
  assert.match(bundle["text/plain"] as string, /Meta-State \(sse\)/);
  model.dispose();
  const changed = createModel({
    ...{ vocabSize: 9, width: 8, layers: 1, headSize: 4, rho: 0.5, mul: true, aScale: 2, activation: "geluL2" },
    mixture: { groups: 4, topK: 2 },
  });
  const text = changed[jupyterDisplay]()["text/plain"] as string;
  assert.match(text, /SSE +reads the WKV state with the token/);
  assert.match(text, /rho +0.5: 1 of 2 heads carry the SSE/);
  assert.match(text, /mixture +4 groups of parameter tokens, at most 2 in use/);
  assert.match(text, /mul +what the SSE adds multiplies/);
  assert.match(text, /aScale +2: /);
  assert.match(text, /activation +geluL2/);
  assert.deepEqual(changed.parameters.get("blocks.0.meta.router.weight")!.shape, [4, 8]);
  changed.dispose();
});

test("a mixture starts as the model without it, top-k or not, bit by bit", async () => {
  await useBackend("wasm");
  const plain = createModel(tiny, { seed: 4 });
  for (const mixture of [{ groups: 4 }, { groups: 6, topK: 2 }]) {
    const mixed = createModel({ ...tiny, mixture }, { seed: 4 });
    for (const model of [plain, mixed]) {
      const value = model.parameters.get("blocks.1.ffn.value.weight")!;
      value.assign(
        tf.tensor2d(
          Float32Array.from({ length: value.size }, (_, i) => Math.sin(i)),
          [8, 12],
        ),
      );
    }
    assert.deepEqual(mixed.forward(inputs).logits.dataSync(), plain.forward(inputs).logits.dataSync());
  }
});

test("initial values: orthogonal where said, zero outputs, one seed one model", async () => {
  await useBackend("cpu");
  const options = { vocabSize: 50, width: 16, layers: 2, headSize: 8 };
  const model = createModel(options, { seed: 5 });
  const values = (of: Model, name: string): ArrayLike<number> => of.parameters.get(name)!.dataSync();
  tf.tidy(() => {
    const key = model.parameters.get("blocks.0.ffn.key.weight")!;
    const product = tf.matMul(key, key, true);
    // 64 rows, 16 columns: orthonormal columns with gain √(64/16).
    assertClose(product.dataSync(), tf.mul(tf.eye(16), 4).dataSync(), 1e-6, "K_Pᵀ K_P");
    const lowRank = model.parameters.get("blocks.1.att.w2")!;
    const rows = tf.matMul(lowRank, lowRank, false, true);
    assertClose(rows.dataSync(), tf.mul(tf.eye(8), 0.01).dataSync(), 1e-6, "w2 w2ᵀ");
  });
  for (const name of ["att.output.weight", "ffn.value.weight", "att.w1"]) {
    assert.ok(
      Array.from(values(model, `blocks.0.${name}`)).every((x) => x === 0),
      name,
    );
  }
  assert.deepEqual(Array.from(values(model, "blocks.0.meta.alpha_g")), new Array(16).fill(0.5));
  const same = createModel(options, { seed: 5 });
  const other = createModel(options, { seed: 6 });
  assert.deepEqual(values(same, "head.weight"), values(model, "head.weight"));
  assert.notDeepEqual(values(other, "head.weight"), values(model, "head.weight"));
  for (const made of [model, same, other]) made.dispose();
});

test("what does not fit is refused with what would", async () => {
  await useBackend("cpu");
  assert.throws(() => createModel({ ...tiny, width: 10 }), {
    name: "ConfigurationError",
    message: "width is 10, wanted a multiple of headSize, 4: try width 12",
  });
  const huge = { ...tiny, vocabSize: 1e9, parameterTokens: 4, width: 1e5, headSize: 1e5 };
  const before = tf.memory().numTensors;
  assert.throws(() => createModel(huge), {
    name: "ConfigurationError",
    message: /emb.weight would be \[1000000000, 100000\], 372529 GiB that cannot be had: make the model smaller/,
  });
  assert.equal(tf.memory().numTensors, before);
  assert.throws(() => createModel({ ...tiny, layers: 0 }), { message: "layers is 0, wanted a positive integer" });
  assert.throws(() => createModel({ ...tiny, heads: 1.5 }), /heads is 1.5/);
  assert.throws(() => createModel({ ...tiny, sse: "ses" }), /sse is "ses", wanted one of sse, meta, readout, none/);
  assert.throws(() => createModel({ ...tiny, rho: 0 }), /rho is 0/);
  assert.throws(() => createModel({ ...tiny, lowRank: { gate: -1 } }), /lowRank.gate is -1/);
  assert.throws(() => createModel({ ...tiny, aScale: 3 }), /aScale is 3, wanted a number in \(0, 2\]/);
  assert.throws(() => createModel({ ...tiny, activation: "gelu" as never }), /wanted one of squaredRelu, geluL2/);
  assert.throws(() => createModel({ ...tiny, mul: 1 as never }), /mul is 1, wanted true or false/);
  assert.throws(() => createModel({ ...tiny, mixture: { groups: 5 } }), {
    message: "mixture.groups is 5, wanted a divisor of parameterTokens, 12: try parameterTokens 15",
  });
  assert.throws(() => createModel({ ...tiny, mixture: { groups: 4, topK: 5 } }), /topK is 5, wanted at most/);
  assert.throws(
    () => createModel({ ...tiny, mixture: { groups: 0 } }),
    /mixture.groups is 0, wanted a positive integer/,
  );
  for (const idle of [{ mul: true }, { mixture: { groups: 2 } }]) {
    assert.throws(() => createModel({ ...tiny, sse: "none", ...idle }), /(mul|mixture) has no effect with sse "none"/);
  }

  const model = createModel(tiny);
  assert.throws(() => model.forward([[1, 7]]), {
    name: "TokenError",
    message: "forward: tokens[0][1] is 7, wanted 0 to 6 (the model's vocabSize is 7)",
  });
  assert.throws(() => model.forward([[1, -1]]), /tokens\[0\]\[1\] is -1/);
  assert.throws(() => model.forward([[1, 0.5]]), /tokens\[0\]\[1\] is 0.5, wanted an integer/);
  // As an int32 it would be token 1.
  assert.throws(() => model.forward([[2 ** 32 + 1]]), /tokens\[0\]\[0\] is 4294967297, wanted an integer/);
  assert.throws(() => model.forward([[1, 2], [1]]), { name: "ShapeError" });
  assert.throws(() => model.forward([]), { name: "ShapeError" });
  assert.throws(() => model.forward(tf.zeros([1, 2])), /tokens is \[1, 2\], wanted \[B, T\] int32/);
  assert.throws(() => model.forward([[1]], model.initialState(2)), /state.layers\[0\].attShift is \[2, 8\], wanted/);
  const plain = createModel({ ...tiny, sse: "none" });
  assert.throws(() => model.forward([[1]], plain.initialState()), /state.layers\[0\].meta is missing/);
  const tensor = tf.tensor2d([1, 2], [1, 2], "int32");
  const fromTensor = model.forward(tensor).logits.dataSync();
  assert.deepEqual(fromTensor, model.forward([[1, 2]]).logits.dataSync());
});

test("a model, and what is made with it, prints the text that a notebook shows, alone and in what holds it", async () => {
  await useBackend("wasm");
  const model = createModel(tiny);
  const text = model[jupyterDisplay]()["text/plain"] as string;
  assert.equal(inspect(model), text);
  assert.equal(String(model), text);
  assert.match(inspect([model]), /^\[\n {2}Meta-State \(sse\).*\n {2}SSE .*[^]*\n\]$/);
  assert.match(inspect({ a: { b: { model } } }), /model: \[Model\]/);
  assert.match(inspect(sseVariants()), /SSE variant +sse/);
  const { state, logits } = model.forward([[1, 2]]);
  assert.equal(inspect(state), state[jupyterDisplay]()["text/plain"]);
  logits.dispose();
  state.dispose();
  model.dispose();
});

test("a model that was disposed of says so", async () => {
  await useBackend("wasm");
  const model = createModel(tiny);
  assert.equal(model.isDisposed, false);
  model.dispose();
  assert.equal(model.isDisposed, true);
  assert.match(inspect(model), /parameters, disposed of/);
  assert.throws(() => model.forward([[1]]), /forward: the model was disposed of; make it, or load it, again/);
});

test("an error of the library carries what it says without showing it twice", async () => {
  await useBackend("wasm");
  const model = createModel(tiny);
  assert.throws(
    () => model.forward([[1, 2], [1]]),
    (error: Error) => {
      assert.ok("argument" in error && error.argument === "tokens[1]");
      assert.deepEqual(Object.keys(error), []);
      return true;
    },
  );
  model.dispose();
});
