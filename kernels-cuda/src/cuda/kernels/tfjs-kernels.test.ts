/** tfjs's own kernels on `cuda` against its `cpu` backend, over shapes that reach every way through them. */
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import assert from "node:assert/strict";
import test from "node:test";
import { cuda, emulated, needsCuda, needsEmulator, useCuda } from "../../testing/cuda.js";
import { caseResults, tensorCases, type TensorCase } from "../../testing/tensor-cases.js";
import { relativeError } from "../../testing/wkv7-runs.js";
import { hostFallbacks } from "../host-fallback.js";

const integers = (...values: number[]): tf.Tensor1D => tf.tensor1d(values, "int32");
const truths = (...values: boolean[]): tf.Tensor1D => tf.tensor1d(values, "bool");
const asInteger = (x: tf.Tensor): tf.Tensor => tf.cast(tf.mul(x, 50), "int32");
const nonZero = (x: tf.Tensor): tf.Tensor => tf.add(asInteger(tf.abs(x)), integers(1));

type Unary = (x: tf.Tensor) => tf.Tensor;
const unary = (name: string, op: Unary, range: readonly [number, number] = [-1, 1]): TensorCase => [
  name,
  (x) => op(x),
  [[133]],
  range,
];
const arithmetic = (name: string, op: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor): TensorCase => [
  `${name} of integers`,
  (a, b) => op(asInteger(a), nonZero(b)),
  [[5, 7], [7]],
];
const comparison = (name: string, op: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor): TensorCase => [
  name,
  // Rounded, so that some are equal.
  (a, b) => [op(tf.round(a), tf.round(b)), op(asInteger(a), asInteger(b)), op(tf.greater(a, 0), tf.greater(b, 0.5))],
  [[5, 8], [8]],
  [-2, 2],
];

/** Beside those that `native` has too: every function, int32 and bool, each path of a kernel. */
const ownCases: readonly TensorCase[] = [
  unary("acos", tf.acos),
  unary("acosh", tf.acosh, [1, 30]),
  unary("asin", tf.asin),
  unary("asinh", tf.asinh, [-30, 30]),
  unary("atan", tf.atan, [-30, 30]),
  unary("atanh", tf.atanh, [-0.9, 0.9]),
  unary("ceil", tf.ceil, [-3, 3]),
  unary("cos", tf.cos, [-30, 30]),
  unary("cosh", tf.cosh, [-5, 5]),
  unary("erf", tf.erf, [-3, 3]),
  unary("expm1", tf.expm1, [-1e-3, 1e-3]),
  unary("floor", tf.floor, [-3, 3]),
  unary("log1p", tf.log1p, [-0.5, 1e-3]),
  unary("round", (x) => tf.round(tf.mul(tf.round(tf.mul(x, 2)), 0.5)), [-4, 4]),
  unary("selu", tf.selu, [-4, 4]),
  unary("sign", tf.sign),
  unary("sin", tf.sin, [-30, 30]),
  unary("sinh", tf.sinh, [-5, 5]),
  unary("softplus", tf.softplus, [-30, 30]),
  unary("step", (x) => tf.step(x, 0.25)),
  unary("tan", tf.tan),
  unary("isNaN, isInf, isFinite", (x) => tf.stack([tf.isNaN(x), tf.isInf(x), tf.isFinite(x)])),
  unary("logicalNot", (x) => tf.logicalNot(tf.greater(x, 0))),
  ...[tf.abs, tf.neg, tf.square, tf.sign, tf.relu, tf.relu6].map((op, index) =>
    unary(`integer function ${index}`, (x) => (op as Unary)(asInteger(x))),
  ),
  unary("clipByValue of integers", (x) => tf.clipByValue(asInteger(x), -7, 20)),
  unary("casts", (x) => {
    const kinds = [x, asInteger(x), tf.greater(x, 0)];
    const types = ["float32", "int32", "bool"] as const;
    return tf.concat(kinds.flatMap((from) => types.map((to) => tf.cast(tf.cast(from, to), "float32"))));
  }),

  ["pow", tf.pow, [[5, 7], [7]], [0.1, 3]],
  ["mod, all signs", tf.mod, [[5, 7], [7]], [-3, 3]],
  ["atan2", tf.atan2, [[5, 7], [7]]],
  ["floorDiv", (a, b) => tf.floorDiv(tf.mul(a, 9), b), [[5, 7], [7]]],
  ["prelu", (a, b) => tf.prelu(a, b), [[5, 7], [7]]],
  ["gradient of elu", (dy, y) => tf.engine().runKernel<tf.Tensor>("EluGrad", { dy: dy, y: y }), [[5, 7], [5, 7]]], // prettier-ignore
  arithmetic("add", tf.add),
  arithmetic("sub", tf.sub),
  arithmetic("mul", tf.mul),
  arithmetic("maximum", tf.maximum),
  arithmetic("minimum", tf.minimum),
  arithmetic("squaredDifference", tf.squaredDifference),
  arithmetic("mod", (a, b) => tf.mod(a, tf.sub(b, integers(20)))),
  arithmetic("floorDiv", tf.floorDiv),
  arithmetic("bitwiseAnd", (a, b) => tf.bitwiseAnd(tf.add(a, tf.zerosLike(b)), tf.add(b, tf.zerosLike(a)))),
  ["pow of integers", (a) => tf.pow(asInteger(a), integers(3)), [[9]], [-0.2, 0.2]],
  comparison("equal", tf.equal),
  comparison("notEqual", tf.notEqual),
  comparison("greater", tf.greater),
  comparison("greaterEqual", tf.greaterEqual),
  comparison("less", tf.less),
  comparison("lessEqual", tf.lessEqual),
  ["logicalAnd", (a, b) => tf.logicalAnd(tf.greater(a, 0), tf.greater(b, 0)), [[5, 7], [7]]],
  ["logicalOr", (a, b) => tf.logicalOr(tf.greater(a, 0), tf.greater(b, 0)), [[5, 7], [7]]],
  ["fours in rows", tf.add, [[6, 8], [8]]],
  ["fours in columns, first", tf.sub, [[6, 1], [6, 8]]], // prettier-ignore
  ["fours with a value, and a rest", (a, b) => tf.mul(a, b), [[7, 9], []]],
  ["six axes", tf.add, [[2, 1, 3, 1, 2, 3], [1, 4, 1, 2, 1, 3]]], // prettier-ignore
  ["where", (a, b) => tf.where(tf.greater(a, 0), a, b), [[5, 7], [5, 7]]], // prettier-ignore
  ["where, integers", (a, b) => tf.where(tf.greater(a, 0), asInteger(a), asInteger(b)), [[5, 7], [5, 7]]], // prettier-ignore
  ["addN, more terms than one launch", (a) => tf.addN(Array.from({ length: 37 }, (_, i) => tf.mul(a, i))), [[21]]],
  ["addN of integers", (a) => tf.addN([asInteger(a), asInteger(a), asInteger(a)]), [[22]]],

  ["sum, a warp for each row", (x) => tf.sum(x, -1), [[300, 37]]],
  ["sum, parts of rows", (x) => tf.sum(x, -1), [[3, 9001]]],
  ["sum, parts of rows in fours", (x) => tf.sum(x, -1), [[2, 8200]]],
  ["sum, parts of columns", (x) => tf.sum(x, 0), [[700, 33]]],
  ["sum of integers and truths", (x) => [tf.sum(asInteger(x), 0), tf.sum(tf.greater(x, 0), 1)], [[7, 9]]],
  ["sum, all of six axes but two", (x) => tf.sum(x, [0, 2, 3, 5]), [[2, 3, 2, 1, 3, 2]]],
  ["mean, outer axes", (x) => tf.mean(x, [0, 2], true), [[3, 5, 7]]],
  ["mean of integers", (x) => tf.mean(asInteger(x), 0), [[7, 9]]],
  ["prod", (x) => [tf.prod(x, 1), tf.prod(asInteger(x), 0)], [[5, 7]], [0.5, 1.5]],
  ["max and min of integers", (x) => [tf.max(asInteger(x), 0), tf.min(asInteger(x), 1)], [[5, 700]]],
  ["max, parts", (x) => tf.max(x), [[9001]]],
  ["any and all", (x) => [tf.any(tf.greater(x, 0.8), 0), tf.all(tf.greater(x, -0.8), 1)], [[5, 7]]],
  ["argMax", (x) => [tf.argMax(x, 0), tf.argMax(x, 1), tf.argMax(tf.round(x), 1)], [[33, 600]]],
  ["argMin", (x) => [tf.argMin(x, 0), tf.argMin(x, 1), tf.argMin(asInteger(x), 1)], [[33, 600]]],
  ["argMax, parts", (x) => tf.argMax(x), [[9001]]],
  ["softmax, long rows", tf.softmax as never, [[3, 1025]], [-20, 20]],
  ["logSoftmax, long rows", tf.logSoftmax as never, [[3, 1025]], [-20, 20]],
  ["cumsum, long rows", (x) => tf.cumsum(x, 1, true), [[3, 700]]],
  ["cumsum, first axis", (x) => tf.cumsum(x, 0, false, true), [[5, 3, 7]]],
  ["cumsum of integers", (x) => tf.cumsum(asInteger(x), 0), [[300]]],
  ["cumprod", (x) => tf.cumprod(x, 1, true, true), [[3, 40]], [0.8, 1.2]],
  ["topk of many", (x) => Object.values(tf.topk(x, 100)), [[2, 5000]]],
  ["topk, all", (x) => Object.values(tf.topk(x, 31)), [[2, 31]]],
  ["topk, many equal", (x) => Object.values(tf.topk(tf.round(x), 17)), [[3, 300]], [-2, 2]],
  ["topk of integers", (x) => Object.values(tf.topk(asInteger(x), 9)), [[3, 300]]],

  ["transpose of truths", (x) => tf.transpose(tf.greater(x, 0)), [[35, 40]]],
  ["transpose, last axis kept", (x) => tf.transpose(x, [1, 0, 2]), [[5, 7, 8]]],
  ["transpose, six axes", (x) => tf.transpose(x, [5, 1, 3, 0, 2, 4]), [[2, 3, 2, 4, 1, 5]]],
  ["slice in pieces of 16 bytes", (x) => tf.slice(x, [1, 4], [3, 8]), [[5, 16]]],
  ["slice of truths", (x) => tf.slice(tf.greater(x, 0), [1, 2], [3, 5]), [[5, 9]]],
  ["stridedSlice", (x) => tf.stridedSlice(x, [4, 1, 6], [0, 5, 0], [-2, 1, -1]), [[5, 6, 7]]],
  ["stack and unstack", (a, b) => [tf.stack([a, b], 1), ...tf.unstack(a, 1)], [[3, 5], [3, 5]]], // prettier-ignore
  ["split", (x) => tf.split(x, [2, 1, 4], 1), [[3, 7, 2]]],
  ["concat of truths", (x) => tf.concat([tf.greater(x, 0), tf.less(x, 0.5)], 0), [[3, 5]]],
  ["pad", (x) => tf.pad(x, [[1, 2], [0, 0], [3, 0]], 0.5), [[3, 5, 7]]], // prettier-ignore
  ["pad of integers", (x) => tf.pad(asInteger(x), [[1, 2]], -7), [[5]]],
  ["tile", (x) => [tf.tile(x, [3, 1, 2]), tf.broadcastTo(tf.slice(x, 0, 1), [4, 2, 5])], [[3, 2, 5]]],
  ["reverse", (x) => [tf.reverse(x, 1), tf.reverse(x)], [[3, 4, 5]]],

  ["gather in fours", (x) => tf.gather(x, integers(3, 0, 3), 0), [[4, 8]]],
  ["gather, batches", (x) => tf.gather(x, tf.tensor2d([[2, 0], [1, 1]], [2, 2], "int32"), 1, 1), [[2, 3, 5]]], // prettier-ignore
  ["gatherND", (x) => tf.gatherND(x, tf.tensor2d([[2, 0], [1, 4]], [2, 2], "int32")), [[3, 5, 7]]], // prettier-ignore
  ["scatterND, some twice", (x) => tf.scatterND(tf.tensor2d([3, 0, 3, 6], [4, 1], "int32"), x, [7, 5]), [[4, 5]]],
  ["scatterND of integers", (x) => tf.scatterND(tf.tensor2d([3, 0, 3], [3, 1], "int32"), asInteger(x), [9]), [[3]]],
  [
    "unsortedSegmentSum, wide, many, some left out",
    (x) => tf.unsortedSegmentSum(x, tf.cast<tf.Tensor1D>(tf.mul(tf.max(x, 1), 60), "int32"), 59),
    [[100, 150]],
  ],
  [
    "oneHot of integers and truths",
    () => [tf.oneHot(integers(1, 0, 9), 4), tf.oneHot(integers(1, 2), 3, 1, 0, "bool")],
    [],
  ],
  ["range", () => [tf.range(0, 9, 2), tf.range(5, 1), tf.range(1, 2, 0.25), tf.range(-3, 30, 1, "int32")], []],
  [
    "fill of integers and truths",
    () => [tf.fill([5], 3, "int32"), tf.zerosLike(truths(true)), tf.onesLike(integers(7))],
    [],
  ],

  ["matMul, several tiles", (a, b) => tf.matMul(a, b, true, false), [[70, 65], [70, 130]]], // prettier-ignore
];

const cases = [...tensorCases, ...ownCases];

/** What takes the emulator a minute. */
const needsGpu = emulated ? { skip: "takes the emulator a minute" } : needsCuda;

test("a product of more rows than an axis of a grid has tiles", needsGpu, async () => {
  await useCuda();
  const rows = 65536 * 64 + 1;
  const sum = tf.tidy(() => tf.sum(tf.matMul(tf.ones([rows, 1]), tf.ones([1, 1]))));
  assert.equal(sum.dataSync()[0], rows);
  sum.dispose();
});

test("segments of more columns than an axis of a grid has tiles", needsGpu, async () => {
  await useCuda();
  const columns = 65536 * 128 + 1;
  const sum = tf.tidy(() => tf.sum(tf.unsortedSegmentSum(tf.ones([2, columns]), integers(0, 0), 1)));
  assert.equal(sum.dataSync()[0], 2 * columns);
  sum.dispose();
});

test("tfjs's kernels on cuda give what its cpu backend gives", needsCuda, async (t) => {
  await useCuda();
  const before = new Map(hostFallbacks);
  for (const [index, tensorCase] of cases.entries()) {
    await tf.setBackend("cpu");
    const expected = caseResults(tensorCase, index + 1);
    await tf.setBackend("cuda");
    const { numTensors } = tf.memory();
    await t.test(tensorCase[0], () => {
      const actual = caseResults(tensorCase, index + 1);
      assert.equal(actual.length, expected.length);
      // Sums of at most some thousand terms, added in pairs, and functions good to a few units in the last place.
      actual.forEach((values, i) => {
        const error = relativeError(values, expected[i]!);
        assert.ok(error < 2e-6, `output ${i} is off by ${error}`);
      });
      assert.equal(tf.memory().numTensors, numTensors, "no tensor is left");
    });
  }
  const fallen = [...hostFallbacks].filter(([name, count]) => count > (before.get(name) ?? 0));
  assert.deepEqual(fallen, [], "no kernel ran on the CPU");
});

test("results do not depend on the order in which threads run", needsEmulator, async () => {
  await useCuda();
  const binding = cuda();
  const chosen = cases.filter(([name]) => /sum|max|softmax|cum|topk|transpose|scatter|matMul/i.test(name));
  const all = (): unknown => chosen.map((tensorCase, index) => caseResults(tensorCase, index));
  const forward = all();
  try {
    for (const order of ["reverse", "shuffled"] as const) {
      binding.setOrder!(order);
      assert.deepEqual(all(), forward, order);
    }
  } finally {
    binding.setOrder!("forward");
  }
});

test("NaN, infinities and zeros go through as in tfjs", needsCuda, async () => {
  const x = [NaN, Infinity, -Infinity, 0, -0, 1000, -1000, 1];
  const through = async (backend: string): Promise<unknown> => {
    await tf.setBackend(backend);
    return tf.tidy(() => {
      const a = tf.tensor1d(x);
      const b = tf.reverse(a);
      const ops: ((x: tf.Tensor) => tf.Tensor)[] = [
        tf.exp,
        tf.log,
        tf.tanh,
        tf.sigmoid,
        tf.relu,
        tf.relu6,
        tf.elu,
        tf.selu,
      ];
      const more = [
        tf.softplus,
        tf.sign,
        tf.abs,
        tf.square,
        tf.sqrt,
        tf.step,
        tf.isNaN,
        tf.isInf,
        tf.isFinite,
      ] as typeof ops;
      const pairs = [tf.add, tf.mul, tf.div, tf.maximum, tf.minimum, tf.equal, tf.greater, tf.lessEqual] as ((
        a: tf.Tensor,
        b: tf.Tensor,
      ) => tf.Tensor)[];
      const rows = tf.tensor2d([1, NaN, 2, NaN, 1, 2, -Infinity, -Infinity, -Infinity, 3, 3, 1], [4, 3]);
      const results = [
        ...[...ops, ...more].map((op) => op(a)),
        ...pairs.map((op) => op(a, b)),
        ...[tf.max(rows, 1), tf.min(rows, 1), tf.argMax(rows, 1), tf.argMin(rows, 1), tf.sum(rows, 1)],
        tf.softmax(rows),
        tf.cast(a, "bool"),
        tf.cast(tf.tensor1d([NaN, 2.9, -2.9, 0]), "int32"),
        tf.clipByValue(a, -1, 1),
        ...Object.values(tf.topk(tf.tensor1d([-0, 0, -Infinity, 5, Infinity]), 5)),
      ];
      // Rounded: functions differ in the last place; −0 is 0.
      return results.map((y) => Array.from(y.dataSync(), (value) => Number(value.toPrecision(5)) + 0));
    });
  };
  await useCuda();
  assert.deepEqual(await through("cuda"), await through("cpu"));
});

test("numbers that no int32 holds become what JavaScript makes of them, as in tfjs", needsCuda, async () => {
  const x = [2 ** 31, -(2 ** 31), -(2 ** 31) - 256, 2 ** 32 + 1024, 3e9, -3e9, 1e12, -1e20, 2 ** 55, 2 ** 31 - 128];
  const edges = [...x, 1e38, NaN, Infinity, -Infinity, -0.5, 7.9];
  const through = async (backend: string): Promise<number[][]> => {
    await tf.setBackend(backend);
    return tf.tidy(() => {
      const a = tf.tensor1d(edges);
      const results = [
        tf.cast(a, "int32"),
        tf.floorDiv(a, tf.scalar(1)),
        tf.fill([2], -3e9, "int32"),
        tf.range(0, 9e9, 3e9, "int32"),
        tf.pad(tf.tensor1d([1], "int32"), [[1, 1]], 5e9),
      ];
      return results.map((y) => [...y.dataSync()]);
    });
  };
  await useCuda();
  const onDevice = await through("cuda");
  assert.deepEqual(onDevice, await through("cpu"));
  assert.deepEqual(onDevice[0], [...Int32Array.from(edges, Math.fround)]);
});

test("both operands of a product broadcast, each along another axis of the batch", needsCuda, async () => {
  await useCuda();
  tf.tidy(() => {
    // tfjs's cpu backend does not: the operands spread out by hand are the reference.
    const a = tf.randomUniform([2, 1, 5, 3], -1, 1, "float32", 3);
    const b = tf.randomUniform([3, 3, 6], -1, 1, "float32", 4);
    const whole = tf.matMul(tf.tile(a, [1, 3, 1, 1]), tf.tile(tf.reshape(b, [1, 3, 3, 6]), [2, 1, 1, 1]));
    const result = tf.matMul(a, b);
    assert.deepEqual(result.shape, [2, 3, 5, 6]);
    // A library may choose another way for another batch: three products, added in any order.
    assert.ok(relativeError(result.dataSync<"float32">(), whole.dataSync<"float32">()) < 4 * 2 ** -24);
  });
});

test("empty tensors and scalars go through", needsCuda, async () => {
  await useCuda();
  await tf.setBackend("cuda");
  tf.tidy(() => {
    const empty = tf.zeros([0, 3]);
    const shapes = [
      tf.exp(empty),
      tf.add(empty, 1),
      tf.transpose(empty),
      tf.concat([empty, tf.ones([1, 3])]),
      tf.sum(empty, 1),
    ];
    assert.deepEqual(
      shapes.map(({ shape }) => shape),
      [[0, 3], [0, 3], [3, 0], [1, 3], [0]], // prettier-ignore
    );
    assert.deepEqual([...tf.sum(empty, 0).dataSync()], [0, 0, 0]);
    assert.deepEqual([...tf.prod(empty, 0).dataSync()], [1, 1, 1]);
    assert.deepEqual([...tf.softmax(empty).shape], [0, 3]);
    assert.deepEqual([...tf.matMul(tf.zeros([2, 0]), tf.zeros([0, 2])).dataSync()], [0, 0, 0, 0]);
    const scalar = tf.scalar(3);
    assert.deepEqual([tf.sum(scalar), tf.exp(tf.sub(scalar, 3)), tf.reverse(scalar), tf.tile(scalar, [])].map((y) => y.dataSync()[0]), [3, 1, 3, 3]); // prettier-ignore
  });
});

test(
  "an index that is none throws where it is known, and gives zeros where only the GPU knows it",
  needsCuda,
  async () => {
    await useCuda();
    tf.tidy(() => {
      const x = tf.ones([3, 2]);
      assert.throws(() => tf.gather(x, integers(3)), /index value 3 is not in \[0, 2\]/);
      const there = tf.add(integers(1, 2), integers(0, 1));
      assert.deepEqual([...tf.gather(x, there).dataSync()], [1, 1, 0, 0]);
      assert.deepEqual([...tf.gatherND(x, tf.reshape(there, [2, 1])).dataSync()], [1, 1, 0, 0]);
    });
  },
);

test("the same call gives the same bits", needsCuda, async () => {
  await useCuda();
  tf.tidy(() => {
    const x = tf.randomUniform([64, 300], -1, 1, "float32", 1);
    const ids = tf.cast<tf.Tensor1D>(tf.mul(tf.randomUniform([64], 0, 1, "float32", 2), 5), "int32");
    for (const op of [
      () => tf.sum(x),
      () => tf.sum(x, 0),
      () => tf.unsortedSegmentSum(x, ids, 5),
      () => tf.softmax(x),
    ]) {
      assert.deepEqual(op().dataSync(), op().dataSync());
    }
  });
});

test("wrong arguments of the addon's functions are JavaScript errors", needsCuda, () => {
  const binding = cuda() as unknown as Record<string, (...args: unknown[]) => unknown>;
  const made: number[] = [];
  const floats = (count: number): number => {
    made.push(cuda().allocate(4 * count));
    return made.at(-1)!;
  };
  const bytes = (count: number): number => {
    made.push(cuda().allocate(count));
    return made.at(-1)!;
  };
  const axes = (...values: number[]): Int32Array => Int32Array.from(values);
  const valid: Record<string, unknown[]> = {
    unary: [0, 8, floats(8), floats(8), 0, 0],
    integerUnary: [0, 8, floats(8), floats(8), 0, 0],
    question: [0, 8, floats(8), bytes(8)],
    logicalNot: [8, bytes(8), bytes(8)],
    cast: [0, 1, 8, floats(8), floats(8)],
    binary: [0, axes(2, 4, 4, 1, 0, 1), floats(8), floats(4), floats(8)],
    floorDivide: [axes(8, 1, 0), floats(8), floats(1), floats(8)],
    integerBinary: [0, axes(8, 1, 1), floats(8), floats(8), floats(8)],
    comparison: [0, 0, axes(8, 1, 1), floats(8), floats(8), bytes(8)],
    select: [8, 4, bytes(8), floats(8), floats(8), floats(8)],
    addN: [0, 8, [floats(8), floats(8)], floats(8)],
    reduce: [0, 0, 2, 3, 4, floats(24), floats(8), 1],
    softmax: [2, 4, floats(8), floats(8)],
    scan: [0, 0, 2, 3, 4, false, true, floats(24), floats(24)],
    topK: [0, 2, 4, 2, floats(8), floats(4), floats(4)],
    copyAxes: [4, axes(2, 3, 4, 1, 3, 1), 1, 0, floats(8), floats(6)],
    transpose: [4, axes(2, 3, 1, 2, 3, 1), floats(6), floats(6)],
    pad: [0, axes(5, 1), axes(1, 3), floats(3), 0, floats(5)],
    fill: [0, 8, 1, floats(8)],
    range: [0, 8, 0, 1, floats(8)],
    gather: [4, 1, 1, 3, 2, 4, floats(12), floats(2), floats(8)],
    rowNumbers: [2, axes(3, 4, 4, 1), floats(4), floats(2)],
    segmentSum: [0, 3, 4, 2, floats(12), floats(3), floats(8)],
    oneHot: [0, 2, 4, 1, 0, floats(2), floats(8)],
    matMul: [0, 2, 3, 4, false, true, axes(2, 1, 0), floats(16), floats(12), floats(12), floats(3), 1, 0],
  };
  const large = floats(77);
  const wrong = [null, "x", {}, -1, 1.5, 2 ** 31, 7, large, axes(9, 9, 9), axes(1), axes(-3, 1, 1), [floats(7)]];
  for (const [name, args] of Object.entries(valid)) {
    const call = (...given: unknown[]): unknown => binding[name]!(...given);
    call(...args);
    args.forEach((_, count) => assert.throws(() => call(...args.slice(0, count)), name));
    args.forEach((right, place) => {
      const isAddress = made.includes(right as number);
      for (const value of wrong) {
        // A number may stand for a number, axes for axes, null for a bias; axes may reach less than a tensor has.
        const mayFit = isAddress ? value === large || value === null : typeof value === typeof right;
        const given = args.with(place, value);
        if (mayFit) attempt(() => call(...given));
        else assert.throws(() => call(...given), `${name}, argument ${place}, wrong value ${wrong.indexOf(value)}`);
      }
    });
  }
  for (const address of made) cuda().free(address);
});

/** It may throw or not; it must come back. */
function attempt(run: () => void): void {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof Error);
  }
}
