import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";

import { jupyterDisplay } from "../display.js";
import { Random } from "../random.js";
import { assertClose, randomValues, useBackend } from "../testing.js";
import { ActivationValues } from "./activation-values.js";
import { stateStatistics } from "./state-statistics.js";
import { statistics } from "./statistics.js";
import { inputs, randomModel } from "./testing.js";
import { trace } from "./trace.js";

/** Float64 throughout: some N roundings of 1e−16 each. */
const exact = 1e-12;

function randomMatrix(random: Random, rows: number, columns: number): number[][] {
  return Array.from({ length: rows }, () => Array.from({ length: columns }, () => random.uniform(-1, 1)));
}

/** M reflected at a random plane, from the left and the right: its singular values stay. */
function rotated(random: Random, matrix: number[][]): number[][] {
  const reflect = (rows: number[][]): number[][] => {
    const normal = rows.map(() => random.uniform(-1, 1));
    const square = normal.reduce((sum, x) => sum + x * x, 0);
    const products = rows[0]!.map((_, j) => rows.reduce((sum, row, i) => sum + normal[i]! * row[j]!, 0));
    return rows.map((row, i) => row.map((x, j) => x - (2 * normal[i]! * products[j]!) / square));
  };
  const transposed = (rows: number[][]): number[][] => rows[0]!.map((_, j) => rows.map((row) => row[j]!));
  return transposed(reflect(transposed(reflect(matrix))));
}

const diagonal = (...values: number[]): number[][] =>
  values.map((value, i) => values.map((_, j) => (i === j ? value : 0)));

test("singular values of random matrices: their squares add up to those of the elements, their fourth powers to the Gram matrix's", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 1, max: 12 }),
      fc.integer(),
      (rows, columns, seed) => {
        const random = new Random(seed);
        // Small integers: exact ranks, zeros, equal rows and columns.
        const matrix = Array.from({ length: rows }, () => Array.from({ length: columns }, () => random.integer(3) - 1));
        const singular = statistics.singularValues(matrix);
        const power = (exponent: number): number => singular.reduce((sum, x) => sum + x ** exponent, 0);
        const gram = matrix.map((a) => matrix.map((b) => a.reduce((sum, x, i) => sum + x * b[i]!, 0)));
        const squares = (m: number[][]): number => m.flat().reduce((sum, x) => sum + x * x, 0);
        assertClose([power(2), power(4)], [squares(matrix), squares(gram)], exact, "Σσ², Σσ⁴");
        assert.deepEqual(
          singular,
          [...singular].sort((a, b) => b - a),
        );
      },
    ),
  );
});

test("singular values are those that a matrix was made of", () => {
  const random = new Random(1);
  const values = [7, 3, 2.5, 0.125, 0];
  assertClose(statistics.singularValues(rotated(random, diagonal(0.125, 7, 0, 2.5, -3))), values, exact, "rotated");
  const [[a, b], [c, d]] = randomMatrix(random, 2, 2) as [[number, number], [number, number]];
  const sum = a * a + b * b + c * c + d * d;
  const root = Math.sqrt(sum ** 2 - 4 * (a * d - b * c) ** 2);
  const closed = [Math.sqrt((sum + root) / 2), Math.sqrt((sum - root) / 2)];
  assertClose(
    statistics.singularValues([
      [a, b],
      [c, d],
    ]),
    closed,
    exact,
    "two by two",
  );
  // Exactly of rank one, where QR iterations have run for ever.
  const sameRow = (rows: number, columns: number, value: (i: number) => number): number[][] =>
    Array.from({ length: rows }, (_, i) => new Array<number>(columns).fill(value(i)));
  for (const size of [1, 2, 7, 33, 64]) {
    assertClose(
      statistics.singularValues(sameRow(size, size, () => -1)),
      [size, ...new Array<number>(size - 1).fill(0)],
      exact,
      `ones, ${size}`,
    );
    const [first, ...others] = statistics.singularValues(sameRow(size, 2 * size, (i) => i % 2));
    assertClose([first!], [Math.sqrt(Math.floor(size / 2) * 2 * size)], exact, `every second row, ${size}`);
    assert.ok(others.every((value) => value <= 1e-13));
  }
  for (const scale of [1e-300, 1e-30, 1e30, 1e300]) {
    const matrix = randomMatrix(random, 9, 6);
    const scaled = matrix.map((row) => row.map((x) => x * scale));
    const wanted = statistics.singularValues(matrix).map((x) => x * scale);
    assertClose(
      statistics.singularValues(scaled).map((x) => x / scale),
      wanted.map((x) => x / scale),
      exact,
      `times ${scale}`,
    );
  }
  for (const [rows, columns] of [
    [6, 6],
    [3, 5],
    [5, 3],
    [1, 4],
  ] as const) {
    const matrix = randomMatrix(random, rows, columns);
    const singular = statistics.singularValues(matrix);
    assert.equal(singular.length, Math.min(rows, columns));
    const squares = singular.reduce((total, x) => total + x * x, 0);
    assertClose([squares], [matrix.flat().reduce((total, x) => total + x * x, 0)], exact, "Σσ² = Σm²");
  }
});

test("norm, stable rank and effective rank have their closed forms", () => {
  const random = new Random(2);
  assert.equal(
    statistics.frobeniusNorm([
      [3, 0],
      [0, -4],
    ]),
    5,
  );
  for (const [values, stable, effective] of [
    [[2, 2, 2, 2], 4, 4],
    [[5, 0, 0, 0], 1, 1],
    [[1, 1, 0, 0], 2, 2],
    [[2, 1, 1, 0], 6 / 4, Math.exp(0.5 * Math.log(2) + 2 * 0.25 * Math.log(4))],
  ] as const) {
    const matrix = rotated(random, diagonal(...values));
    assertClose([statistics.stableRank(matrix)], [stable], exact, `stable rank of ${values.join()}`);
    // Values that should be 0 come out near 1e−16, and −p ln p of that is 4e−15.
    assertClose([statistics.effectiveRank(matrix)], [effective], 1e-11, `effective rank of ${values.join()}`);
  }
  assert.deepEqual(
    [statistics.stableRank([[0]]), statistics.effectiveRank([[0, 0]]), statistics.frobeniusNorm([[0]])],
    [0, 0, 0],
  );
  assert.throws(() => statistics.singularValues([[1, NaN]]), /element \[0\]\[1\] of the matrix is NaN/);
  assert.throws(() => statistics.stableRank([[1], [1, 2]]), /row 1 of the matrix has 2 columns, wanted 1/);
  assert.throws(() => statistics.frobeniusNorm([]), /the matrix is empty/);
});

test("half-lives: what decays is halved after them", () => {
  assert.equal(statistics.halfLife(0.5), 1);
  assertClose([0.9 ** statistics.halfLife(0.9), 0.999 ** statistics.halfLife(0.999)], [0.5, 0.5], exact, "w^t");
  assert.deepEqual([statistics.halfLife(1), statistics.halfLife(0)], [Infinity, 0]);
  assert.throws(() => statistics.halfLife(1.01), /the decay is 1.01/);
  const decays = Float32Array.from([0.5, 0.9, 0.125, 0.9]);
  const values = new ActivationValues("w", ["position", "channel"], [2, 2], decays, [0, 1]);
  const lives = statistics.halfLives(values);
  assert.deepEqual([lives.axes, lives.shape], [["channel"], [2]]);
  // √(0.5 · 0.125) = 0.25 a token; results are float32.
  assertClose(lives.data, [0.5, Math.LN2 / -Math.log(Math.fround(0.9))], 1e-7, "half-lives");
});

test("cosine, steps and similarity over positions", () => {
  assert.equal(statistics.cosine([1, 1], [2, 2]) > 1 - 1e-15, true);
  assert.equal(statistics.cosine([1, 0], [0, 3]), 0);
  assert.equal(statistics.cosine([1, 0], [-2, 0]), -1);
  assert.equal(statistics.cosine([0, 0], [1, 0]), 0);
  assert.throws(() => statistics.cosine([1], [1, 2]), /1 and 2 numbers/);
  assert.deepEqual(statistics.updateNorm([[1, 0]], [[4, 4]]), { norm: 5, relative: 5 });
  const values = new ActivationValues(
    "s",
    ["position", "head", "channel"],
    [3, 2, 2],
    Float32Array.from([1, 0, 9, 9, 0, 2, 9, 9, 3, 2, 9, 9]),
    [4, 6, 7],
  );
  const alike = statistics.similarity(values, { head: 0 });
  const diagonalOnes = [0, 1, 2].map((i) => alike[i]![i]!);
  assertClose(diagonalOnes, [1, 1, 1], exact, "with itself");
  assertClose(
    [alike[0]![1]!, alike[0]![2]!, alike[2]![1]!],
    [0, 3 / Math.sqrt(13), 2 / Math.sqrt(13)],
    exact,
    "others",
  );
  assertClose(statistics.updateNorms(values, { head: 0 }), [Math.sqrt(5), 3], exact, "steps");
  assert.throws(() => statistics.similarity(values, { position: 4 }), /no axis of positions left/);
});

test("a distribution counts every value once and knows its quantiles", () => {
  const values = Array.from({ length: 101 }, (_, i) => i / 100);
  const { counts, edges, quantiles, mean, deviation, least, most } = statistics.distribution(values, { bins: 4 });
  assert.deepEqual(counts, [25, 25, 25, 26]);
  assert.deepEqual(edges, [0, 0.25, 0.5, 0.75, 1]);
  assertClose(Object.values(quantiles), [0.05, 0.25, 0.5, 0.75, 0.95], exact, "quantiles");
  assertClose([mean, deviation, least, most], [0.5, Math.sqrt((101 ** 2 - 1) / 12) / 100, 0, 1], exact, "moments");
  assert.deepEqual(statistics.distribution([1, 5, 9], { bins: 2, range: [4, 6] }).counts, [0, 1]);
  assert.deepEqual(statistics.distribution([3, 3], { bins: 1 }).counts, [2]);
  assert.throws(() => statistics.distribution([]), /there are no values/);
  assert.throws(() => statistics.distribution([1, NaN]), /not finite/);
});

test("a probe with an unmixed key retrieves the value that was written with it", () => {
  const random = new Random(5);
  // Σ v_i k_iᵀ with keys at right angles.
  const keys = rotated(random, diagonal(1, 1, 1, 1));
  const values = randomMatrix(random, 4, 3);
  const state = Array.from({ length: 3 }, (_, i) =>
    Array.from({ length: 4 }, (_, j) => keys.reduce((sum, key, n) => sum + values[n]![i]! * key[j]!, 0)),
  );
  const candidates = new ActivationValues(
    "v",
    ["position", "channel"],
    [4, 3],
    Float32Array.from(values.flat()),
    [0, 2, 4, 6],
  );
  keys.forEach((key, n) => {
    const { value, nearest, gain } = statistics.probe(state, key, { candidates });
    assertClose(value, values[n]!, exact, `value ${n}`);
    assert.equal(nearest[0]!.position, 2 * n);
    assertClose([gain], [statistics.frobeniusNorm([values[n]!])], exact, "gain");
  });
  assert.throws(() => statistics.probe(state, [1]), /the key has 1 channels, the state 4/);
});

test("principal components of points on a plane are their coordinates there", () => {
  const random = new Random(6);
  const [along, across] = rotated(random, diagonal(1, 1, 1, 1, 1)) as [number[], number[]];
  const coordinates = [
    [4, 1],
    [-4, 1],
    [2, -1],
    [-2, -1],
  ];
  const vectors = coordinates.map(([x, y]) => along.map((a, i) => 3 + x! * a + y! * across[i]!));
  const { points, explained, directions, project } = statistics.principalComponents(vectors, 3);
  const signs = [along, across].map((axis, k) =>
    Math.sign(axis.reduce((sum, a, i) => sum + a * directions[k]![i]!, 0)),
  );
  points.forEach((point, i) =>
    assertClose(point, [signs[0]! * coordinates[i]![0]!, signs[1]! * coordinates[i]![1]!, 0], 1e-10, `point ${i}`),
  );
  assertClose(explained, [40 / 44, 4 / 44, 0], 1e-10, "portions of variance");
  assertClose(project(vectors[1]!), points[1]!, exact, "projected again");
  assert.throws(() => statistics.principalComponents([[1]]), /1 vectors, wanted 2 or more/);
  assert.throws(() => statistics.principalComponents([[1], [1, 2]]), /vector 1 has 2 numbers, wanted 1/);
});

test("statistics of a model's state and of its traces are those of the matrices", async () => {
  await useBackend("wasm");
  const model = randomModel();
  const { state } = model.forward(inputs);
  const ofState = await stateStatistics(state);
  assert.equal(ofState.all.length, 2 * 2 * 2 * 2);
  const traced = await trace(model, inputs, { names: ["blocks.*.state.{wkv,meta}", "emb"], positions: [2, -1] });
  const ofTrace = await stateStatistics(traced);
  assert.equal(ofTrace.all.length, 2 * ofState.all.length);
  for (const [part, name] of [
    ["wkv", "blocks.1.state.wkv"],
    ["meta", "blocks.0.state.meta"],
  ] as const) {
    const [one] = ofState.of({ name, row: 1, head: 1 });
    const matrix = state.slice({ layers: part === "wkv" ? 1 : 0, rows: 1, heads: 1, part }).matrix({
      layer: part === "wkv" ? 1 : 0,
      row: 1,
      head: 1,
    });
    assertClose(
      [one!.norm, one!.largest, one!.stableRank, one!.effectiveRank, ...one!.singularValues],
      [
        statistics.frobeniusNorm(matrix),
        Math.max(...matrix.flat().map(Math.abs)),
        statistics.stableRank(matrix),
        statistics.effectiveRank(matrix),
        ...statistics.singularValues(matrix),
      ],
      exact,
      name,
    );
    // In pieces: a few float32 roundings.
    assertClose([ofTrace.of({ name, row: 1, head: 1, position: 5 })[0]!.norm], [one!.norm], 3e-6, `traced ${name}`);
  }
  assert.match(ofTrace[jupyterDisplay]()["text/plain"] as string, /^state +row +token +head +norm/);
  await assert.rejects(stateStatistics(traced.get("emb")), /there is no state among these/);
  model.dispose();
});

test("the tokens that a retrieved value speaks for are those of the head after the output projection", async () => {
  await useBackend("wasm");
  const model = randomModel();
  const value = Array.from(randomValues(new Random(9), 4));
  const before = tf.memory().numTensors;
  const tokens = await statistics.retrievedTokens(model, value, { layer: 1, head: 1, count: 7 });
  assert.equal(tf.memory().numTensors, before);
  const read = (name: string): Float64Array => Float64Array.from(model.parameters.get(name)!.dataSync());
  const projection = read("blocks.1.att.output.weight");
  const written = Array.from({ length: 8 }, (_, i) =>
    value.reduce((sum, x, j) => sum + x * projection[i * 8 + 4 + j]!, 0),
  );
  const mean = written.reduce((a, b) => a + b, 0) / 8;
  const deviation = Math.sqrt(written.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 8 + 1e-5);
  const [weight, bias, head] = [read("ln_out.weight"), read("ln_out.bias"), read("head.weight")];
  const seen = written.map((x, i) => ((x - mean) / deviation) * weight[i]! + bias[i]!);
  const logits = Array.from({ length: 7 }, (_, v) => seen.reduce((sum, x, i) => sum + x * head[v * 8 + i]!, 0));
  const total = Math.log(logits.reduce((sum, x) => sum + Math.exp(x), 0));
  const expected = logits.map((x, token) => ({ token, x: x - total })).sort((a, b) => b.x - a.x);
  assert.deepEqual(
    tokens.map(({ token }) => token),
    expected.map(({ token }) => token),
  );
  assertClose(
    tokens.map(({ logProbability }) => logProbability),
    expected.map(({ x }) => x),
    2e-6,
    "log-probabilities",
  );
  await assert.rejects(statistics.retrievedTokens(model, value, { layer: 1, head: 2 }), /head is 2, wanted 0 to 1/);
  await assert.rejects(statistics.retrievedTokens(model, value, { layer: 5, head: 0 }), /is layer 5 there\?/);
  model.dispose();
});
