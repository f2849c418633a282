import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

import { ActivationNames } from "../model/activation-names.js";
import { referenceLoss } from "../model/reference.js";
import { float64 } from "../model/testing.js";
import { tokenMatrix } from "../model/tokens.js";
import { generate } from "../generation/generate.js";
import { assertCausal, awayFromInitialValues, assertClose, useBackend } from "../testing.js";
import { disposeGradients, lossGradients } from "../training/gradients.js";
import type { BaselineModel } from "./baseline-model.js";
import { createBaseline, type BaselineOptions, type RecurrentOptions } from "./create-baseline.js";
import { referenceBaseline } from "./reference.js";

type Options = Exclude<BaselineOptions, RecurrentOptions>;

const sizes = { vocabSize: 7, width: 8, layers: 2, headSize: 4, hidden: 10 };
const cases: Record<string, Options> = {
  "Transformer (SwiGLU, RMSNorm)": { kind: "transformer", ...sizes },
  "Transformer (squared ReLU, LayerNorm)": {
    kind: "transformer",
    ...sizes,
    activation: "squaredRelu",
    norm: "layer",
    ropeBase: 50,
  },
  "RWKV-4": { kind: "rwkv4", vocabSize: 7, width: 8, layers: 2, hidden: 10 },
  TokenFormer: { kind: "tokenformer", ...sizes, attentionTokens: 6 },
};

const inputs = [
  [1, 5, 2, 2, 6, 0],
  [3, 3, 0, 4, 1, 5],
];
const targets = [
  [5, 2, 2, 6, 0, 1],
  [3, 0, 4, 1, 5, 2],
];

/** A model whose parameters are all away from their initial zeros and constants. */
function randomModel(options: Options): BaselineModel {
  return awayFromInitialValues(createBaseline(options, { seed: 3 }));
}

function meanLoss(model: BaselineModel, parameters: Map<string, Float64Array>): number {
  const losses = inputs.map((row, b) =>
    referenceLoss(referenceBaseline(model.configuration, parameters, row), targets[b]!),
  );
  return losses.reduce((a, b) => a + b, 0) / losses.length;
}

for (const [name, options] of Object.entries(cases)) {
  for (const backend of ["cpu", "wasm"] as const) {
    test(`${name}: logits on ${backend} equal the float64 reference`, async () => {
      await useBackend(backend);
      const model = randomModel(options);
      const { logits, state } = model.forward(inputs);
      const parameters = float64(model);
      const expected = inputs.flatMap((row) =>
        referenceBaseline(model.configuration, parameters, row).flatMap((values) => [...values]),
      );
      // Measured 1e−7 to 1e−6: some twenty roundings of sums of at most 10 terms in a row.
      assertClose(logits.dataSync(), expected, 5e-6, "logits");
      logits.dispose();
      state.dispose();
      model.dispose();
    });
  }

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
    for (const [parameter, values] of parameters) {
      const gradient = result.gradients.get(parameter);
      assert.ok(gradient, `${parameter} has a gradient`);
      const held = gradient.dataSync();
      const stride = values.length > 24 ? 3 : 1;
      const numeric: number[] = [];
      const analytic: number[] = [];
      for (let i = 0; i < values.length; i += stride) {
        const value = values[i]!;
        values[i] = value + h;
        const above = meanLoss(model, parameters);
        values[i] = value - h;
        const below = meanLoss(model, parameters);
        values[i] = value;
        numeric.push((above - below) / (2 * h));
        analytic.push(held[i]!);
      }
      // Differences in float64 are good to 1e−9; the rest is float32 in forward and backward pass. Relative to 1e−3 at least:
      // smaller gradients are differences of larger ones.
      const scale = Math.max(1e-3, ...numeric.map(Math.abs));
      numeric.forEach((x, i) =>
        assert.ok(Math.abs(x - analytic[i]!) <= 1e-4 * scale, `${parameter}[${i * stride}]: ${x}, tape ${analytic[i]}`),
      );
    }
    disposeGradients(result);
    model.dispose();
  });

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
        // The same sums in other blocks of matrix products: a few roundings.
        assertClose(tf.concat(pieces, 1).dataSync(), whole.logits.dataSync(), 3e-6, `logits, cut at ${cuts.join()}`);
        assert.deepEqual(state.positions, [6, 6]);
        whole.state
          .tensors()
          .forEach((tensor, i) =>
            assertClose(state.tensors()[i]!.dataSync(), tensor.dataSync(), 3e-6, `state ${i}, cut at ${cuts.join()}`),
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

  test(`${name}: rows of different lengths go on side by side as each alone`, async () => {
    await useBackend("wasm");
    const model = randomModel(options);
    tf.tidy(() => {
      const prompts = [[1, 5, 2, 2], [3], [0, 6], [2, 2, 1, 0, 5, 4]];
      const alone = prompts.map((prompt) => model.forward([prompt]).state);
      const more = [
        [4, 1],
        [4, 1],
        [2, 2],
        [6, 3],
      ];
      const expected = alone.map((state, b) => model.forward([more[b]!], state));
      const fresh = model.initialState(1);
      const joined = alone[0]!.joinRows([...alone.slice(1), fresh]);
      assert.deepEqual(joined.positions, [4, 1, 2, 6, 0]);
      const together = model.forward([...more, [5, 5]], joined);
      const wanted = [...expected.map(({ logits }) => logits), model.forward([[5, 5]]).logits];
      assertClose(together.logits.dataSync(), tf.concat(wanted, 0).dataSync(), 3e-6, "logits");
      // Rows out of it, in another order and twice, are what they would be alone; the cache gets as short as they are.
      const chosen = together.state.selectRows([2, 1, 2]);
      assert.deepEqual(chosen.positions, [4, 3, 4]);
      const direct = expected[2]!.state.joinRows([expected[1]!.state, expected[2]!.state]);
      chosen.tensors().forEach((tensor, i) => {
        assert.deepEqual(tensor.shape, direct.tensors()[i]!.shape);
        assertClose(tensor.dataSync(), direct.tensors()[i]!.dataSync(), 3e-6, `state ${i}`);
      });
      const none = joined.selectRows([4]);
      none.tensors().forEach((tensor, i) => assert.deepEqual(tensor.shape, fresh.tensors()[i]!.shape));
    });
    model.dispose();
  });

  test(`${name}: a batch of prompts of different lengths generates what each alone does`, async () => {
    await useBackend("wasm");
    const model = randomModel(options);
    const prompt = [[1, 5, 2, 2], [3], [0, 6]];
    const before = tf.memory().numTensors;
    const together = await generate(model, {
      prompt: prompt.map((row) => Int32Array.from(row)),
      tokens: 9,
      seed: 4,
    }).texts();
    assert.equal(tf.memory().numTensors, before);
    for (const [row, one] of prompt.entries()) {
      const [alone] = await generate(model, { prompt: one, tokens: 9, seed: 4 + row, prefillChunk: 2 }).texts();
      assert.deepEqual(together[row]!.tokens, alone!.tokens);
    }
    model.dispose();
  });

  test(`${name}: forward leaves its results alone in memory and does not touch the state passed in`, async () => {
    await useBackend("wasm");
    const atFirst = tf.memory().numTensors;
    const model = randomModel(options);
    const state = model.initialState(2);
    const before = tf.memory().numTensors;
    const first = model.forward(inputs, state);
    const held = first.state.tensors().map((tensor) => tensor.dataSync().slice());
    const second = model.forward(inputs, first.state, { logits: "last" });
    assert.deepEqual(second.logits.shape, [2, 1, 7]);
    assert.equal(tf.memory().numTensors, before + 2 + 2 * state.tensors().length);
    first.state.tensors().forEach((tensor, i) => assert.deepEqual(tensor.dataSync(), held[i]));
    const copy = second.state.clone();
    const values = second.state.tensors().map((tensor) => tensor.dataSync().slice());
    second.state.dispose();
    copy
      .tensors()
      .forEach((tensor, i) => assert.deepEqual(tensor.dataSync(), values[i], "a clone outlives its original"));
    for (const one of [copy, state, first.state]) one.dispose();
    tf.dispose([first.logits, second.logits]);
    model.dispose();
    assert.equal(tf.memory().numTensors, atFirst);
  });

  test(`${name}: taps see the listed names in order, and looking changes nothing`, async () => {
    await useBackend("wasm");
    const model = randomModel(options);
    tf.tidy(() => {
      const plain = model.forward(inputs).logits.dataSync();
      const seen: string[] = [];
      const { logits } = model.forward(inputs, undefined, {
        tap(activation, value) {
          seen.push(activation);
          return value;
        },
      });
      assert.deepEqual(logits.dataSync(), plain);
      assert.ok(model.activationNames instanceof ActivationNames);
      assert.deepEqual(seen, model.activationNames.names);
      const replaced = model.forward(inputs, undefined, {
        tap: (activation, value) => (activation === "blocks.1.att.out" ? tf.zerosLike(value) : value),
      });
      assert.notDeepEqual(replaced.logits.dataSync(), plain);
    });
    model.dispose();
  });
}
