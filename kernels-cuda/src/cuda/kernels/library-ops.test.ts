/** The library's ops in CUDA against their float64 references, under the emulator: threads in order, backwards and shuffled. */
import assert from "node:assert/strict";
import test from "node:test";
import { baselineCases } from "../../testing/baseline-cases.js";
import { arrayOps, inEveryThreadOrder, type ArrayOps } from "../../testing/array-ops.js";
import { cuda, needsCuda } from "../../testing/cuda.js";
import { opShapes, opTolerance, preparedOp } from "../../testing/op-accuracy.js";
import { opCases, type OpCase } from "../../testing/op-cases.js";
import type { OpShape } from "../../testing/op-references.js";
import { randomNumbers } from "../../testing/wkv7-reference.js";
import { poisoned, relativeError } from "../../testing/wkv7-runs.js";

/** Several runs of rows, whose sums are added up by a second kernel, and several tiles of queries and keys. */
const manyRows: OpShape = { batch: 1, time: 67, width: 4, heads: 1, out: 1 };

/** Rows that a block works on, not a warp; of whole vectors of four, and not. */
const wideRows: readonly OpShape[] = [
  { batch: 1, time: 1, width: 516, heads: 1, out: 1 },
  { batch: 1, time: 1, width: 517, heads: 1, out: 1 },
];

const everyOp = ([...opCases, ...baselineCases] as readonly unknown[] as readonly OpCase<ArrayOps>[])
  // A product, which is no op of its own on the GPU.
  .filter(({ name }) => name !== "Linear");

/** Runs the cases in every order of threads; throws for an error that is too large. @returns a line a case */
function checked(cases: readonly OpCase<ArrayOps>[], shapes: readonly OpShape[]): string {
  const lines = cases.map((c) => {
    const worst = new Map<string, number>();
    for (const [seed, shape] of shapes.entries()) {
      if (c.fits?.(shape) === false) continue;
      const run = preparedOp(c, shape, seed + 1);
      const allowed = opTolerance(shape);
      inEveryThreadOrder((order) => {
        for (const [name, error] of run(arrayOps)) {
          const told = `${c.name} ${name} ${JSON.stringify(shape)} ${order}: ${error}, allowed ${allowed}`;
          assert.ok(error <= allowed, told);
          worst.set(name, Math.max(worst.get(name) ?? 0, error / allowed));
        }
      });
    }
    return `${c.name.padEnd(16)} ${[...worst].map(([name, share]) => `${name} ${share.toFixed(2)}`).join("  ")}`;
  });
  return `largest relative errors, as shares of what is allowed:\n${lines.join("\n")}`;
}

test("every op and every gradient agrees with float64, in any order of threads", needsCuda, (t) => {
  t.diagnostic(checked(everyOp, [...opShapes, manyRows]));
});

test("rows so wide that a block works on one", needsCuda, (t) => {
  const names = ["GroupNorm", "KeyPreparation", "BonusGate", "CrossEntropy", "RmsNorm", "L2Gelu", "GeluL2"];
  t.diagnostic(
    checked(
      everyOp.filter(({ name }) => names.includes(name)),
      wideRows,
    ),
  );
});

test("attention of large heads", needsCuda, (t) => {
  const shapes = [70, 130].map((width) => ({ batch: 1, time: 2, width, heads: 1, out: 1 }));
  t.diagnostic(
    checked(
      everyOp.filter(({ name }) => name === "CausalAttention"),
      shapes,
    ),
  );
});

/** Values from −1 to 1. */
function random(length: number, seed: number): Float32Array {
  const next = randomNumbers(seed);
  return Float32Array.from({ length }, () => 2 * next() - 1);
}

test("sums over many rows are the same bits in any order of threads", needsCuda, () => {
  const [rows, width] = [200, 24];
  const [x, weight, dy] = [random(rows * width, 1), random(width, 2), random(rows * width, 3)];
  const results: Float32Array[][] = [];
  inEveryThreadOrder(() => {
    const outputs = [poisoned(rows * width), poisoned(width), poisoned(width)];
    arrayOps["groupNormGrad"]!(rows, width, 1, 1e-3, x, weight, dy, ...outputs);
    results.push(outputs);
  });
  for (const outputs of results) assert.deepEqual(outputs, results[0]);
});

test("an embedding's rows, and their gradients added in the tokens' order", needsCuda, () => {
  for (const { count, rows, width } of [
    { count: 1, rows: 1, width: 3 },
    { count: 37, rows: 5, width: 8 },
    // More tokens than a block sorts: the sort's long steps too.
    { count: 1500, rows: 40, width: 6 },
  ]) {
    const next = randomNumbers(count);
    const tokens = Int32Array.from({ length: count }, () => Math.floor(next() ** 2 * rows));
    const [weight, dy] = [random(rows * width, 1), random(count * width, 2)];
    const expected = new Float64Array(rows * width);
    tokens.forEach((token, i) => {
      for (let c = 0; c < width; c++) expected[token * width + c]! += dy[i * width + c]!;
    });
    const found: Float32Array[] = [];
    inEveryThreadOrder(() => {
      const [y, dweight] = [poisoned(count * width), poisoned(rows * width)];
      arrayOps["embedding"]!(count, rows, width, weight, tokens, y);
      tokens.forEach((token, i) =>
        assert.deepEqual(
          y.subarray(i * width, (i + 1) * width),
          weight.subarray(token * width, (token + 1) * width),
          `row ${i}`,
        ),
      );
      arrayOps["embeddingGrad"]!(count, rows, width, tokens, dy, dweight);
      // Roundings of a sum of `count` terms at random.
      assert.ok(relativeError(dweight, expected) <= 4 * 2 ** -24 * Math.sqrt(count + 1));
      found.push(dweight);
    });
    for (const dweight of found) assert.deepEqual(dweight, found[0]);
  }
});

test("a token or target that does not exist gives NaN, and no gradient", needsCuda, () => {
  const y = new Float32Array(4);
  arrayOps["embedding"]!(2, 2, 2, Float32Array.of(1, 2, 3, 4), Int32Array.of(1, 2), y);
  assert.deepEqual(y, Float32Array.of(3, 4, NaN, NaN));
  const dweight = poisoned(4);
  arrayOps["embeddingGrad"]!(3, 2, 2, Int32Array.of(1, -1, 2), Float32Array.of(1, 2, 3, 4, 5, 6), dweight);
  assert.deepEqual(dweight, Float32Array.of(0, 0, 1, 2));
  const [loss, probabilities] = [Float32Array.of(0), poisoned(2)];
  arrayOps["crossEntropy"]!(1, 2, Float32Array.of(1, 1), Int32Array.of(2), loss, probabilities);
  assert.deepEqual(probabilities, Float32Array.of(0.5, 0.5));
  assert.ok(Number.isNaN(loss[0]));
});

test("cross-entropy of logits far apart, and of infinite ones, stays finite", needsCuda, () => {
  const [loss, probabilities] = [poisoned(1), poisoned(6)];
  const logits = Float32Array.of(1e4, -1e4, 0, -1e4, 1e4, -Infinity);
  arrayOps["crossEntropy"]!(2, 3, logits, Int32Array.of(0, 0), loss, probabilities);
  assert.deepEqual(loss, Float32Array.of(1e4));
  assert.deepEqual(probabilities, Float32Array.of(1, 0, 0, 0, 1, 0));
});

test("rows of more channels than an axis of a grid has blocks", needsCuda, () => {
  const width = 65536 * 32 + 1;
  const [x, bias, y] = [new Float32Array(width), new Float32Array(width), poisoned(width)];
  arrayOps["biasedSigmoid"]!(1, width, x, bias, y);
  assert.ok(y.every((value) => value === 0.5));
  if (cuda().emulated) return; // what follows takes the emulator a minute
  const [dy, dweight] = [new Float32Array(width).fill(3), poisoned(width)];
  arrayOps["embeddingGrad"]!(1, 1, width, Int32Array.of(0), dy, dweight);
  assert.ok(dweight.every((value) => value === 3));
});

test("a matrix with rows and columns exchanged", needsCuda, () => {
  for (const [rows, columns] of [
    [1, 1],
    [7, 33],
    [40, 65],
  ] as const) {
    const x = random(rows * columns, 1);
    inEveryThreadOrder(() => {
      const y = poisoned(rows * columns);
      arrayOps["transposeMatrix"]!(rows, columns, x, y);
      assert.deepEqual(
        y,
        x.map((_, i) => x[(i % rows) * columns + Math.floor(i / rows)]!),
      );
    });
  }
});

const numbers = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, step: 3, clip: 0.5 };

/** AdamW in float64: the parameter and both moments after the step. */
function stepped(
  [p, g, m, s]: readonly Float32Array[],
  learningRate: number,
  weightDecay: number,
  norm: number,
): Float64Array[] {
  const { beta1, beta2, epsilon, step, clip } = numbers;
  const scaled = Float64Array.from(g!, (x) => x * Math.min(1, clip / norm));
  const first = scaled.map((x, i) => beta1 * m![i]! + (1 - beta1) * x);
  const second = scaled.map((x, i) => beta2 * s![i]! + (1 - beta2) * x * x);
  const next = first.map((x, i) => {
    const deviation = Math.sqrt(second[i]! / (1 - beta2 ** step)) + epsilon;
    return p![i]! * (1 - learningRate * weightDecay) - ((learningRate / (1 - beta1 ** step)) * x) / deviation;
  });
  return [next, first, second];
}

test("AdamW of all parameters in one launch: clipped by the norm of all gradients, and in place too", needsCuda, () => {
  // The second is as long as a block of threads takes at once, and one more.
  const lengths = [3, 4097, 1, 64];
  const [learningRates, weightDecays] = [
    [0.01, 0.02, 0.01, 0.5],
    [0.1, 0, 0, 0.2],
  ];
  const operands = lengths.map((length, i) => [
    random(length, 10 * i + 1),
    random(length, 10 * i + 2),
    random(length, 10 * i + 3),
    random(length, 10 * i + 4).map(Math.abs),
  ]);
  const column = (k: number): Float32Array[] => operands.map((four) => four[k]!);
  const exact = Math.sqrt(column(1).reduce((total, g) => g.reduce((sum, x) => sum + x * x, total), 0));
  // Of terms rounded apart and added up in float64: a few roundings, whatever their number.
  const tolerance = 8 * 2 ** -24;
  inEveryThreadOrder(() => {
    const norm = poisoned(1);
    arrayOps["globalNorm"]!(column(1), norm);
    assert.ok(Math.abs(norm[0]! / exact - 1) <= tolerance);
    const outputs = [0, 1, 2].map(() => lengths.map(poisoned));
    const { beta1, beta2, epsilon, step, clip } = numbers;
    const given = [beta1, beta2, epsilon, step, clip, learningRates, weightDecays, norm];
    arrayOps["adamWAll"]!(...given, ...[0, 1, 2, 3].map(column), ...outputs);
    for (const i of lengths.keys()) {
      const expected = stepped(operands[i]!, learningRates[i]!, weightDecays[i]!, exact);
      expected.forEach((x, k) => assert.ok(relativeError(outputs[k]![i]!, x) <= tolerance, `tensor ${i}, output ${k}`));
    }
    const own = [0, 2, 3].map((k) => column(k).map((x) => x.slice()));
    arrayOps["adamWAll"]!(...given, own[0], column(1), own[1], own[2], ...own);
    assert.deepEqual(own, outputs);
  });
});

test("one parameter's step is the same; a norm of NaN makes everything NaN", needsCuda, () => {
  const operands = [random(5, 1), random(5, 2), random(5, 3), random(5, 4).map(Math.abs)];
  const { beta1, beta2, epsilon, step, clip } = numbers;
  const run = (norm: number): Float32Array[] => {
    const outputs = [poisoned(5), poisoned(5), poisoned(5)];
    const attributes = [0.01, beta1, beta2, epsilon, 0.1, step, clip];
    arrayOps["adamW"]!(5, ...attributes, Float32Array.of(norm), ...operands, ...outputs);
    return outputs;
  };
  stepped(operands, 0.01, 0.1, 2).forEach((x, k) => assert.ok(relativeError(run(2)[k]!, x) <= 8 * 2 ** -24));
  assert.ok(run(NaN).every((output) => output.every(Number.isNaN)));
});

test("wrong sizes are refused by name, and nothing runs", needsCuda, () => {
  const [x, four] = [new Float32Array(8), new Float32Array(4)];
  const of =
    (name: string, ...values: unknown[]) =>
    () =>
      arrayOps[name]!(...values);
  assert.throws(of("groupNorm", 2, 4, 1, 1e-3, x, four, four, new Float32Array(7)), /y has 28 bytes.*8 values/);
  assert.throws(of("groupNorm", 2, 4, 3, 1e-3, x, four, four, x), /3 groups do not divide a width of 4/);
  assert.throws(of("keyPreparation", 2, 4, 3, x, four, x, four, x, x, x), /3 heads do not divide/);
  assert.throws(of("tokenShift", 1, 2, 4, 2, x, four, [four, four], [x, x]), /count must be 1 or 6/);
  assert.throws(of("tokenShift", 1, 2, 4, 1, x, four, [four, four], [x]), /mixes has 2 values/);
  assert.throws(of("squaredRelu", 0, x, x), /length must be an integer from 1/);
  assert.throws(of("crossEntropy", 2, 4, x, new Int32Array(3), four.subarray(0, 1), x), /targets has 12 bytes/);
  assert.throws(
    of("attention", 1, 2, 1, 1, 4, x, four, four, new Int32Array(1), x, four),
    /keys must be at least time/,
  );
  assert.throws(of("rotary", 1, 1, 3, 1, x, x, x, x), /size must be even/);
  assert.throws(of("wkv4", 1, 1, 4, four, four, four, x), /v has 32 bytes/);
  const lists = [[four], [x], [four], [four], [four], [four], [four]];
  assert.throws(of("adamWAll", 0.9, 0.9, 0, 1, 1, [1], [0], Float32Array.of(1), ...lists), /gradients must have/);
  const wide = new Float32Array(300);
  assert.throws(
    of("attention", 1, 1, 1, 1, 300, wide, wide, wide, new Int32Array(1), wide, wide.subarray(0, 1)),
    /heads of 300 channels.*at most 256/,
  );
  assert.throws(() => cuda().squaredRelu(4, 12345, 12345), /x is no tensor on the GPU/);
});
