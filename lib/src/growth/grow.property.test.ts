/** What must hold of any growth of any model: logits and states stay, and so does a conversation that changes models. */
import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";

import { randomModel } from "../io/testing.js";
import type { ModelConfiguration } from "../model/configuration.js";
import { Random } from "../random.js";
import { sseVariants } from "../sse/registry.js";
import { relativeError, useBackend } from "../testing.js";
import { runs } from "../testing-properties.js";
import { grow } from "./grow.js";
import { growState } from "./grow-state.js";
import type { Growth } from "./grown-configuration.js";

const sizes = fc
  .record({
    vocabSize: fc.integer({ min: 2, max: 9 }),
    headSize: fc.constantFrom(1, 2, 4),
    slices: fc.integer({ min: 1, max: 3 }),
    heads: fc.integer({ min: 1, max: 5 }),
    layers: fc.integer({ min: 1, max: 3 }),
    tokensPerGroup: fc.integer({ min: 1, max: 6 }),
    groups: fc.constantFrom(1, 2, 3),
    rho: fc.double({ min: 0.1, max: 1, noNaN: true }),
    sse: fc.constantFrom(...sseVariants().map(({ name }) => name)),
    mul: fc.boolean(),
    aScale: fc.constantFrom(1, 2),
    activation: fc.constantFrom("squaredRelu" as const, "geluL2" as const),
    learnedState: fc.boolean(),
  })
  .map(({ slices, tokensPerGroup, groups, ...rest }) => ({
    ...rest,
    width: slices * rest.headSize,
    parameterTokens: tokensPerGroup * groups,
    ...(rest.sse === "none" ? { mul: false } : groups > 1 && { mixture: { groups } }),
  }));

/** How much is added; each part may stay as it is. */
const additions = fc.record({
  groupsOfTokens: fc.integer({ min: 0, max: 4 }),
  heads: fc.integer({ min: 0, max: 4 }),
  layers: fc.integer({ min: 0, max: 2 }),
  rank: fc.integer({ min: 0, max: 2 }),
  rho: fc.double({ min: 0, max: 1, noNaN: true }),
  learnedState: fc.boolean(),
});

function growthOf(from: ModelConfiguration, added: typeof additions extends fc.Arbitrary<infer T> ? T : never): Growth {
  const { decay, rate, value, gate } = from.lowRank;
  return {
    parameterTokens: from.parameterTokens + added.groupsOfTokens * (from.mixture?.groups ?? 1),
    heads: from.heads + added.heads,
    layers: from.layers + added.layers,
    rho: from.rho + added.rho * (1 - from.rho),
    lowRank: {
      decay: decay + added.rank,
      rate: rate + added.rank,
      value: value + added.rank,
      gate: gate + added.rank,
    },
    ...(added.learnedState && { learnedState: true }),
  };
}

test("any model grows by anything, twice over, and computes the same from any point of a text on", async () => {
  await useBackend("wasm");
  fc.assert(
    fc.property(sizes, fc.array(additions, { minLength: 1, maxLength: 2 }), fc.nat(), (options, growths, seed) => {
      const model = randomModel(options, seed);
      let grown = model;
      const made = [model];
      for (const added of growths) {
        grown = grow(grown, growthOf(grown.configuration, added), { seed });
        made.push(grown);
      }
      const random = new Random(seed);
      const text = (length: number): number[][] =>
        Array.from({ length: 2 }, () => Array.from({ length }, () => random.integer(options.vocabSize)));
      tf.tidy(() => {
        const [start, rest] = [text(5), text(3)];
        const [small, large] = [model.forward(start), grown.forward(start)];
        // Measured 0 in 400 runs; what is added is zero, and only another order of summation could round elsewhere.
        assert.ok(relativeError(large.logits.dataSync(), small.logits.dataSync()) <= 5e-6);
        const carried = growState(small.state, grown);
        const expected = model.forward(rest, small.state).logits.dataSync();
        assert.ok(relativeError(grown.forward(rest, carried).logits.dataSync(), expected) <= 5e-6);
        assert.ok(relativeError(grown.forward(rest, large.state).logits.dataSync(), expected) <= 5e-6);
      });
      for (const one of made) one.dispose();
    }),
    runs(25),
  );
});
