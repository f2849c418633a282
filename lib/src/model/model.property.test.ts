/**
 * What must hold of a model of any size, variant, options and values, from any state: it equals the float64 reference, in value and
 * gradient; it may be cut anywhere; nothing flows back in time; rows of a batch do not meet.
 */
import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import fc from "fast-check";

import { Random } from "../random.js";
import { sseVariants } from "../sse/registry.js";
import { assertClose, randomTensor, useBackend } from "../testing.js";
import { runs } from "../testing-properties.js";
import { disposeGradients, lossGradients } from "../training/gradients.js";
import type { ModelOptions } from "./configuration.js";
import { createModel, type Model } from "./model.js";
import { referenceForward, referenceLoss, type ReferenceParameters } from "./reference.js";
import { ModelState, type LayerState } from "./state.js";
import { float64 } from "./testing.js";
import { tokenMatrix } from "./tokens.js";

/** How fast a random model forgets: w anywhere, all near 1, all near 0.545, or each channel one of both. */
const decayKinds = ["any", "kept", "forgotten", "mixed"] as const;

interface Drawn {
  readonly options: ModelOptions;
  readonly decays: (typeof decayKinds)[number];
  /** of parameters, states and tokens */
  readonly seed: number;
  readonly batch: number;
  readonly time: number;
  /** where a text is cut, as portions of its length */
  readonly cuts: readonly number[];
  /** of the values in the first state; 0 is the beginning of a text */
  readonly stateScale: number;
}

const drawn: fc.Arbitrary<Drawn> = fc
  .record({
    vocabSize: fc.integer({ min: 2, max: 9 }),
    headSize: fc.constantFrom(2, 3, 4, 8),
    slices: fc.integer({ min: 1, max: 3 }),
    layers: fc.integer({ min: 1, max: 3 }),
    heads: fc.integer({ min: 1, max: 5 }),
    parameterTokens: fc.integer({ min: 1, max: 12 }),
    sse: fc.constantFrom(...sseVariants().map(({ name }) => name)),
    rho: fc.constantFrom(1, 1, 0.5, 0.3),
    groups: fc.constantFrom(0, 0, 1, 2, 3),
    topK: fc.integer({ min: 1, max: 3 }),
    mul: fc.constantFrom(false, false, true),
    aScale: fc.constantFrom(1, 1, 1.5, 2),
    activation: fc.constantFrom("squaredRelu" as const, "squaredRelu" as const, "geluL2" as const),
    ranks: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 4, maxLength: 4 }),
    decays: fc.constantFrom(...decayKinds),
    seed: fc.nat(),
    batch: fc.integer({ min: 1, max: 3 }),
    // Beyond 16 steps a gradient starts from states kept in between.
    time: fc.oneof(fc.integer({ min: 2, max: 9 }), fc.integer({ min: 15, max: 20 })),
    cuts: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 3 }),
    stateScale: fc.constantFrom(0, 0.3, 3),
  })
  .map(({ slices, ranks, groups, topK, decays, seed, batch, time, cuts, stateScale, ...sizes }) => ({
    options: {
      ...sizes,
      // Where the SSE adds nothing, there is nothing to multiply or to choose groups by.
      mul: sizes.mul && sizes.sse !== "none",
      ...(groups > 0 &&
        sizes.sse !== "none" && {
          mixture: { groups, topK: Math.min(topK, groups) },
          parameterTokens: groups * Math.ceil(sizes.parameterTokens / groups),
        }),
      width: slices * sizes.headSize,
      lowRank: { decay: ranks[0]!, rate: ranks[1]!, value: ranks[2]!, gate: ranks[3]! },
    },
    ...{ decays, seed, batch, time, cuts, stateScale },
  }));

/** A model whose parameters are all away from their initial zeros and constants. */
function randomModel({ options, decays, seed }: Drawn): Model {
  const model = createModel(options, { seed });
  const random = new Random(seed);
  for (const [name, variable] of model.parameters) {
    tf.tidy(() => {
      const noise = randomTensor(random, variable.shape, { scale: 0.4 });
      const isBase = decays !== "any" && name.endsWith("att.w0");
      variable.assign(isBase ? extreme(random, variable.shape, decays) : tf.add(variable, noise));
    });
  }
  return model;
}

/** Decay bases for w within 1e−5 of its bounds. */
function extreme(random: Random, shape: number[], decays: "kept" | "forgotten" | "mixed"): Tensor {
  const sign = { kept: () => -1, forgotten: () => 1, mixed: () => (random.uniform() < 0.5 ? -1 : 1) }[decays];
  const count = shape.reduce((product, size) => product * size, 1);
  return tf.tensor(
    Array.from({ length: count }, () => 11 * sign()),
    shape,
  );
}

function randomTokens({ options, seed, batch, time }: Drawn, salt = 0): number[][] {
  const random = Random.at(seed, 1 + salt);
  return Array.from({ length: batch }, () => Array.from({ length: time }, () => random.integer(options.vocabSize)));
}

/** A state that no text may ever lead to. */
function randomState(model: Model, { seed, batch, stateScale }: Drawn): ModelState {
  const random = Random.at(seed, 0);
  const first = model.initialState(batch);
  const layers = first.layers.map((layer) => {
    const parts = Object.entries(layer as unknown as Record<string, Tensor>).map(([part, { shape }]) => [
      part,
      randomTensor(random, shape, { scale: stateScale }),
    ]);
    return Object.fromEntries(parts) as LayerState;
  });
  first.dispose();
  return new ModelState(layers);
}

/** Runs a property over random models on the wasm backend; nothing may stay in memory. */
function over(count: number, check: (model: Model, drawn: Drawn) => void): () => Promise<void> {
  return async () => {
    await useBackend("wasm");
    const before = tf.memory().numTensors;
    const property = fc.property(drawn, (drawn) => {
      const model = randomModel(drawn);
      try {
        tf.tidy(() => check(model, drawn));
      } finally {
        model.dispose();
      }
    });
    fc.assert(property, runs(count));
    assert.equal(tf.memory().numTensors, before, "no tensor is left");
  };
}

/**
 * Relative to the largest of a tensor, or to the gradient's length. Most are within 1e−6, a few roundings; a head's norm
 * over two or three values that are almost equal amplifies them, at most √(1 / (N · 1e−5)) = 220 times. Measured over 1,500
 * models: 1.5e−5 against float64, 6e−6 between forms, 2e−6 in slopes.
 */
const tolerance = { exact: 5e-5, forms: 2e-5, gradient: 1e-5 };

const cut = (rows: readonly number[][], from: number, to?: number): number[][] =>
  rows.map((row) => row.slice(from, to));

test(
  "logits and states are those of float64",
  over(30, (model, drawn) => {
    const tokens = randomTokens(drawn);
    const { logits, state } = model.forward(tokens);
    const parameters = float64(model);
    tokens.forEach((row, b) => {
      const expected = referenceForward(model.configuration, parameters, row);
      const wanted = expected.logits.flatMap((values) => [...values]);
      assertClose(rowOf(logits, b), wanted, tolerance.exact, "logits");
      expected.layers.forEach(({ wkv, meta }, layer) => {
        const held = state.layers[layer]!;
        const join = (matrices: readonly Float64Array[]): number[] => matrices.flatMap((matrix) => [...matrix]);
        assertClose(rowOf(held.wkv, b), join(wkv), tolerance.exact, `S of layer ${layer}`);
        if (held.meta) assertClose(rowOf(held.meta, b), join(meta), tolerance.exact, `M of layer ${layer}`);
      });
    });
  }),
);

test(
  "the gradient is the derivative of the float64 loss",
  over(25, (model, drawn) => {
    const [inputs, targets] = [randomTokens(drawn), randomTokens(drawn, 1)];
    const parameters = float64(model);
    const random = Random.at(drawn.seed, 3);
    const directions = new Map([...parameters].map(([name, values]) => [name, values.map(() => random.normal())]));
    const length = Math.sqrt([...directions.values()].reduce((sum, d) => sum + d.reduce((s, x) => s + x * x, 0), 0));
    const h = 1e-6;
    const moved = (sign: number): ReferenceParameters =>
      new Map(
        [...parameters].map(([name, values]) => [
          name,
          values.map((x, i) => x + (sign * h * directions.get(name)![i]!) / length),
        ]),
      );
    const slope = (meanLoss(model, moved(1), inputs, targets) - meanLoss(model, moved(-1), inputs, targets)) / (2 * h);
    const result = lossGradients(model, {
      inputs: tokenMatrix("test", inputs),
      targets: tokenMatrix("test", targets),
    });
    assertClose(result.loss.dataSync(), [meanLoss(model, parameters, inputs, targets)], tolerance.exact, "loss");
    let along = 0;
    for (const [name, gradient] of result.gradients) {
      gradient.dataSync().forEach((x, i) => (along += (x * directions.get(name)![i]!) / length));
    }
    const norm = result.norm.dataSync()[0]!;
    disposeGradients(result);
    const error = Math.abs(along - slope) / Math.max(norm, 1e-3);
    assert.ok(error <= tolerance.gradient, `slope ${slope}, the tape says ${along}: off by ${error} of its length`);
  }),
);

test(
  "token by token, and cut anywhere, from any state: the same logits and states as at once",
  over(40, (model, drawn) => {
    const tokens = randomTokens(drawn);
    const first = randomState(model, drawn);
    const whole = model.forward(tokens, first);
    const everywhere = Array.from({ length: drawn.time - 1 }, (_, i) => i + 1);
    const anywhere = drawn.cuts.map((portion) => Math.round(portion * drawn.time));
    const somewhere = [...new Set(anywhere)].filter((at) => at > 0 && at < drawn.time).sort((a, b) => a - b);
    for (const cuts of [everywhere, somewhere]) {
      let state = first;
      const pieces = [0, ...cuts].map((from, i) => {
        const piece = model.forward(cut(tokens, from, cuts[i]), state);
        state = piece.state;
        return piece.logits;
      });
      assertClose(
        tf.concat(pieces, 1).dataSync(),
        whole.logits.dataSync(),
        tolerance.forms,
        `logits, cut at ${cuts.join()}`,
      );
      whole.state
        .tensors()
        .forEach((tensor, i) =>
          assertClose(
            state.tensors()[i]!.dataSync(),
            tensor.dataSync(),
            tolerance.forms,
            `state ${i}, cut at ${cuts.join()}`,
          ),
        );
    }
  }),
);

test(
  "a token changes nothing before it, from any state",
  over(40, (model, drawn) => {
    const tokens = randomTokens(drawn);
    const first = randomState(model, drawn);
    const { vocabSize } = drawn.options;
    const at = Random.at(drawn.seed, 2).integer(drawn.time);
    const changed = tokens.map((row) => row.with(at, (row[at]! + 1) % vocabSize));
    const [one, other] = [tokens, changed].map((rows) =>
      tf.slice(model.forward(rows, first).logits, [0, 0, 0], [-1, at, -1]).dataSync(),
    );
    assert.deepEqual(other, one, `before token ${at}`);
  }),
);

test(
  "a row of a batch is what it is alone, from any state",
  over(30, (model, drawn) => {
    const tokens = randomTokens(drawn);
    const first = randomState(model, drawn);
    const together = model.forward(tokens, first);
    tokens.forEach((row, b) => {
      const alone = model.forward([row], first.selectRows([b]));
      assertClose(rowOf(together.logits, b), alone.logits.dataSync(), tolerance.forms, `logits of row ${b}`);
      alone.state
        .tensors()
        .forEach((tensor, i) =>
          assertClose(rowOf(together.state.tensors()[i]!, b), tensor.dataSync(), tolerance.forms, `state ${i}`),
        );
    });
  }),
);

function rowOf(tensor: Tensor, row: number): Float32Array {
  return tensor
    .dataSync<"float32">()
    .slice((row * tensor.size) / tensor.shape[0], ((row + 1) * tensor.size) / tensor.shape[0]);
}

function meanLoss(
  model: Model,
  parameters: ReferenceParameters,
  inputs: readonly number[][],
  targets: readonly number[][],
): number {
  const losses = inputs.map((row, b) =>
    referenceLoss(referenceForward(model.configuration, parameters, row).logits, targets[b]!),
  );
  return losses.reduce((a, b) => a + b, 0) / losses.length;
}
