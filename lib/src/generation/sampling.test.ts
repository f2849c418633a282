import assert from "node:assert/strict";
import test from "node:test";

import fc from "fast-check";

import { Random } from "../random.js";
import { logProbabilities } from "./log-probabilities.js";
import { nthLargest } from "./nth-largest.js";
import type { TokenHistory } from "./penalties.js";
import { sampleToken, tokenDistribution, type SamplingOptions, type SamplingPlace } from "./sampling.js";

/** Every rule as its definition says, one after the other, on a list of tokens. */
function plainDistribution(
  logits: Float32Array,
  { temperature = 1, topK = Infinity, topP = 1, minP = 0, ...penalties }: SamplingOptions,
  { history, allowed }: SamplingPlace,
): Map<number, number> {
  const { repetitionPenalty = 1, presencePenalty = 0, frequencyPenalty = 0 } = penalties;
  let list = Array.from(logits, (logit, token) => {
    const count = history?.output.get(token) ?? 0;
    let score = logit;
    if (count > 0 || history?.prompt.has(token)) {
      score = Math.fround(score > 0 ? score / repetitionPenalty : score * repetitionPenalty);
    }
    if (count > 0) score = Math.fround(score - (presencePenalty + count * frequencyPenalty));
    return { token, score };
  });
  if (allowed) list = list.filter(({ token }) => [...allowed].includes(token));
  list.sort((a, b) => b.score - a.score || a.token - b.token);
  if (temperature === 0) return new Map([[list[0]!.token, 1]]);
  const top = list[0]!.score;
  let weighted = list.map(({ token, score }) => ({ token, p: Math.exp((score - top) / temperature) }));
  const normalise = (): void => {
    const total = weighted.reduce((sum, { p }) => sum + p, 0);
    weighted = weighted.map(({ token, p }) => ({ token, p: p / total }));
  };
  weighted = weighted.slice(0, topK);
  normalise();
  if (topP < 1) {
    let sum = 0;
    weighted = weighted.filter(({ p }) => {
      const before = sum;
      sum += p;
      return before < topP;
    });
    normalise();
  }
  weighted = weighted.filter(({ p }) => p >= minP * weighted[0]!.p);
  normalise();
  return new Map(weighted.map(({ token, p }) => [token, p]));
}

const maybe = <T>(values: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(values, { nil: undefined });
const size = 12;
const token = fc.integer({ min: 0, max: size - 1 });
// Numbers on a grid, so that ties occur, moved a little, so that sums do not meet a limit of top-p exactly.
const logits = fc
  .array(fc.integer({ min: -8, max: 8 }), { minLength: size, maxLength: size })
  .map((values) => Float32Array.from(values, (value) => value / 2 + 0.001));
const options: fc.Arbitrary<SamplingOptions> = fc.record({
  temperature: maybe(fc.constantFrom(0, 0.3, 0.7, 1.5)),
  topK: maybe(fc.integer({ min: 1, max: size + 2 })),
  topP: maybe(fc.double({ min: 0.01, max: 0.99, noNaN: true })),
  minP: maybe(fc.double({ min: 0, max: 0.99, noNaN: true })),
  repetitionPenalty: maybe(fc.constantFrom(0.8, 1.3)),
  presencePenalty: maybe(fc.constantFrom(-1, 0.4)),
  frequencyPenalty: maybe(fc.constantFrom(-0.5, 0.25)),
});
const place: fc.Arbitrary<SamplingPlace> = fc.record({
  history: maybe(
    fc.record({ prompt: fc.array(token), output: fc.array(token) }).map(({ prompt, output }): TokenHistory => {
      const counts = new Map<number, number>();
      for (const id of output) counts.set(id, (counts.get(id) ?? 0) + 1);
      return { prompt: new Set(prompt), output: counts };
    }),
  ),
  allowed: maybe(fc.array(token, { minLength: 1 })),
});

test("every rule, and all together, equal their plain definitions", () => {
  fc.assert(
    fc.property(logits, options, place, (values, rules, where) => {
      const { tokens, probabilities } = tokenDistribution(values, rules, where);
      const expected = plainDistribution(values, rules, where);
      assert.deepEqual(
        [...tokens],
        [...expected.keys()].sort((a, b) => a - b),
      );
      tokens.forEach((id, i) => assert.ok(Math.abs(probabilities[i]! - expected.get(id)!) < 1e-9));
    }),
    { seed: 1, numRuns: 3000 },
  );
});

/**
 * Fails when counts are less likely than 1 in 100,000 under the probabilities: Pearson's χ² against its quantile by
 * Wilson and Hilferty's approximation. Seeds are fixed, so a test that passes once passes always.
 */
function assertDrawnBy(draw: () => number, expected: ReadonlyMap<number, number>, draws = 20_000): void {
  const counts = new Map<number, number>();
  for (let i = 0; i < draws; i++) {
    const drawn = draw();
    counts.set(drawn, (counts.get(drawn) ?? 0) + 1);
  }
  for (const drawn of counts.keys()) assert.ok(expected.has(drawn), `${drawn} cannot be drawn`);
  let statistic = 0;
  for (const [id, p] of expected) statistic += ((counts.get(id) ?? 0) - p * draws) ** 2 / (p * draws);
  const freedom = expected.size - 1;
  const normalQuantile = 4.2649; // of 1 − 1e−5
  const part = 2 / (9 * freedom);
  const limit = freedom * (1 - part + normalQuantile * Math.sqrt(part)) ** 3;
  assert.ok(freedom === 0 || statistic < limit, `χ² is ${statistic}, at most ${limit} at ${freedom} degrees`);
}

test("tokens are drawn by their probabilities under each rule", () => {
  const values = Float32Array.from([2, 1.5, 1.5, 0.5, 0, -1, -1.5, -Infinity]);
  const where: SamplingPlace = { history: { prompt: new Set([0, 5]), output: new Map([[1, 2]]) } };
  const rules: SamplingOptions[] = [
    {},
    { temperature: 0 },
    { temperature: 0.5 },
    { temperature: 2 },
    { topK: 3 },
    { topP: 0.7 },
    { minP: 0.2 },
    { repetitionPenalty: 1.5 },
    { presencePenalty: 1 },
    { frequencyPenalty: 0.8 },
    { temperature: 0.8, topK: 6, topP: 0.9, minP: 0.05, repetitionPenalty: 1.1, presencePenalty: 0.3 },
  ];
  rules.forEach((rule, seed) => {
    const random = new Random(seed);
    const expected = plainDistribution(values, rule, where);
    for (const [id, p] of expected) if (p === 0) expected.delete(id);
    assertDrawnBy(() => sampleToken(values, random, rule, where), expected);
  });
  const random = new Random(9);
  const allowed = [6, 3, 3, 5];
  assertDrawnBy(() => sampleToken(values, random, {}, { allowed }), plainDistribution(values, {}, { allowed }));
});

test("of equal tokens the first are kept", () => {
  const values = Float32Array.from([1, 3, 3, 3, 0]);
  assert.deepEqual([...tokenDistribution(values, { topK: 2 }).tokens], [1, 2]);
  assert.deepEqual([...tokenDistribution(values, { topP: 0.2 }).tokens], [1]);
  assert.equal(sampleToken(values, new Random(1), { temperature: 0 }), 1);
});

test("numbers that are none, and nothing to choose from, are errors", () => {
  const draw = (values: number[]): number => sampleToken(Float32Array.from(values), new Random(1));
  assert.throws(() => draw([0, NaN]), { name: "RangeError", message: /logit of token 1 is NaN/ });
  assert.throws(() => draw([NaN, 0]), /logit of token 0 is NaN/);
  assert.throws(() => draw([0, Infinity]), /logit of token 1 is Infinity/);
  assert.throws(
    () => draw([-Infinity, -Infinity]),
    /every token that is allowed has the logit −∞, wanted one that can be: allow more/,
  );
  assert.equal(draw([-Infinity, 0]), 1);
  assert.throws(() => tokenDistribution(Float32Array.of(1), { temperature: Infinity }), /temperature is Infinity/);
});

test("a large vocabulary goes through top-k and top-p as a small one does", () => {
  const random = new Random(3);
  const values = Float32Array.from({ length: 65536 }, () => 4 * random.normal());
  for (const rules of [{ topK: 40 }, { topP: 0.9 }, { topK: 5000, topP: 0.99 }] as SamplingOptions[]) {
    const { tokens } = tokenDistribution(values, rules);
    assert.deepEqual(
      [...tokens],
      [...plainDistribution(values, rules, {}).keys()].sort((a, b) => a - b),
    );
  }
});

test("the n-th largest is the one that sorting gives", () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.integer({ min: 0, max: 5 }), fc.float({ noNaN: true })), { minLength: 1 }),
      (values) => {
        const sorted = Float32Array.from(values).sort().reverse();
        sorted.forEach((value, i) => assert.equal(nthLargest(Float32Array.from(values), i + 1), value));
      },
    ),
    { seed: 4 },
  );
});

test("log-probabilities are those of the logits", () => {
  const values = Float32Array.from([0.5, 0.125, 0.25, 0.125].map(Math.log));
  const { logProbability, mostLikely } = logProbabilities(values, 3, 3);
  assert.ok(Math.abs(logProbability - Math.log(0.125)) < 1e-6);
  assert.deepEqual(
    mostLikely.map(({ token: id }) => id),
    [0, 2, 1],
  );
  mostLikely.forEach(({ logProbability: p }, i) => assert.ok(Math.abs(p - Math.log([0.5, 0.25, 0.125][i]!)) < 1e-6));
  assert.equal(logProbabilities(values, 0, 10).mostLikely.length, 4);
});
