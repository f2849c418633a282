/** For tests: tfjs's own ops over shapes that reach every way through their kernels, on any backend. */
import * as tf from "@tensorflow/tfjs-core";
import { randomNumbers } from "./wkv7-reference.js";

type Op = (...x: tf.Tensor[]) => tf.Tensor | tf.Tensor[];

/** An op, shapes of its operands, the range of their values (−1 to 1 when left out). */
export type TensorCase = readonly [
  name: string,
  op: Op,
  shapes: readonly (readonly number[])[],
  range?: readonly [number, number],
];

const positive = [0.1, 30] as const;

/** Cases that every backend of this package has native kernels for. */
export const tensorCases = [
  ["exp", tf.exp, [[37]], [-80, 80]],
  ["log", tf.log, [[37]], positive],
  ["sigmoid", tf.sigmoid, [[3, 17]], [-30, 30]],
  ["tanh", tf.tanh, [[3, 17]], [-4, 4]],
  ["relu", tf.relu, [[5]]],
  ["relu6", tf.relu6, [[33]], [-3, 9]],
  ["leakyRelu", (x) => tf.leakyRelu(x, 0.3), [[33]]],
  ["elu", tf.elu, [[33]]],
  ["neg", tf.neg, [[33]]],
  ["abs", tf.abs, [[33]]],
  ["square", tf.square, [[33]]],
  ["sqrt", tf.sqrt, [[33]], positive],
  ["rsqrt", tf.rsqrt, [[33]], positive],
  ["reciprocal", tf.reciprocal, [[33]], positive],
  ["clipByValue", (x) => tf.clipByValue(x, -0.5, 0.25), [[33]]],
  [
    "add, same shape",
    (a, b) => tf.add(a, b),
    [
      [7, 9],
      [7, 9],
    ],
  ],
  ["add, scalar", (a, b) => tf.add(a, b), [[7, 9], []]],
  ["sub, scalar first", (a, b) => tf.sub(a, b), [[], [7, 9]]],
  ["mul, row", (a, b) => tf.mul(a, b), [[7, 9], [9]]],
  [
    "div, column",
    (a, b) => tf.div(a, b),
    [
      [7, 9],
      [7, 1],
    ],
    positive,
  ],
  [
    "maximum, both broadcast",
    (a, b) => tf.maximum(a, b),
    [
      [7, 1, 3],
      [1, 5, 3],
    ],
  ],
  [
    "minimum, four axes",
    (a, b) => tf.minimum(a, b),
    [
      [2, 1, 3, 4],
      [5, 1, 4],
    ],
  ],
  [
    "squaredDifference",
    (a, b) => tf.squaredDifference(a, b),
    [
      [2, 3],
      [2, 1],
    ],
  ],
  ["add, large", (a, b) => tf.add(a, b), [[300, 301], [301]]],
  [
    "mul, planes that no run of rows divides",
    (a, b) => tf.mul(a, b),
    [
      [3, 9001, 5],
      [3, 1, 5],
    ],
  ],
  [
    "addN",
    (a, b, c) => tf.addN([a, b, c]),
    [
      [7, 3],
      [7, 3],
      [7, 3],
    ],
  ],
  ["sum", tf.sum, [[7, 9]]],
  ["sum, large", tf.sum, [[300, 301]]],
  ["sum of rows, large", (x) => tf.sum(x, 0), [[3000, 31]]],
  ["sum, middle axis", (x) => tf.sum(x, 1, true), [[3, 5, 7]]],
  ["sum, outer axes", (x) => tf.sum(x, [0, 2]), [[3, 5, 7]]],
  ["mean, last axis", (x) => tf.mean(x, -1), [[3, 5, 7]]],
  ["max", (x) => tf.max(x, 1), [[9, 31]]],
  ["min, first axis", (x) => tf.min(x, 0), [[9, 31]]],
  ["softmax", tf.softmax, [[9, 31]], [-20, 20]],
  ["logSoftmax", tf.logSoftmax, [[9, 31]], [-20, 20]],
  ["cumsum", (x) => tf.cumsum(x, 1), [[9, 31]]],
  ["cumsum, exclusive and reversed", (x) => tf.cumsum(x, 1, true, true), [[9, 31]]],
  ["topk", (x) => Object.values(tf.topk(x, 5)), [[9, 31]]],
  ["transpose", tf.transpose, [[70, 131]]],
  ["transpose, heads", (x) => tf.transpose(x, [0, 2, 1, 3]), [[2, 5, 3, 7]]],
  ["transpose, all reversed", (x) => tf.transpose(x, [3, 2, 1, 0]), [[2, 5, 3, 7]]],
  ["transpose, turned", (x) => tf.transpose(x, [2, 0, 1]), [[3, 65, 66]]],
  ["slice", (x) => tf.slice(x, [1, 2, 0], [2, 2, 5]), [[3, 5, 7]]],
  [
    "concat",
    (a, b) => tf.concat([a, b], 1),
    [
      [3, 5, 7],
      [3, 2, 7],
    ],
  ],
  ["gather", (x) => tf.gather(x, tf.tensor1d([2, 0, 2, 1], "int32"), 1), [[3, 5, 7]]],
  ["unsortedSegmentSum", (x) => tf.unsortedSegmentSum(x, tf.tensor1d([2, 0, 2], "int32"), 4), [[3, 5]]],
  [
    "oneHot",
    () =>
      tf.oneHot(
        tf.tensor2d(
          [
            [0, 3],
            [7, -1],
          ],
          [2, 2],
          "int32",
        ),
        5,
        2,
        -1,
      ),
    [],
  ],
  ["cast", () => tf.cast(tf.tensor1d([1, 0, 3], "int32"), "float32"), []],
  ["fill", () => [tf.fill([3, 2], 1.5), tf.ones([3]), tf.zeros([2, 2])], []],
  [
    "matMul",
    (a, b) => tf.matMul(a, b),
    [
      [17, 33],
      [33, 9],
    ],
  ],
  [
    "matMul, transposed",
    (a, b) => tf.matMul(a, b, true, true),
    [
      [33, 17],
      [9, 33],
    ],
  ],
  [
    "matMul, one row",
    (a, b) => tf.matMul(a, b),
    [
      [1, 33],
      [33, 70],
    ],
  ],
  [
    "matMul, one row, transposed",
    (a, b) => tf.matMul(a, b, false, true),
    [
      [1, 33],
      [70, 33],
    ],
  ],
  [
    "matMul, batch broadcast",
    (a, b) => tf.matMul(a, b),
    [
      [1, 5, 3],
      [4, 3, 6],
    ],
  ],
  [
    "matMul, batch",
    (a, b) => tf.matMul(a, b, false, true),
    [
      [6, 5, 3],
      [6, 4, 3],
    ],
  ],
  [
    "matMul, large",
    (a, b) => tf.matMul(a, b),
    [
      [130, 300],
      [300, 140],
    ],
  ],
  ...(["linear", "relu", "relu6", "elu", "sigmoid", "leakyrelu"] as const).map(
    (activation) =>
      [
        `fused matMul, ${activation}`,
        (a: tf.Tensor, b: tf.Tensor, bias: tf.Tensor) =>
          tf.fused.matMul({ a: a, b: b, bias, activation, leakyreluAlpha: 0.1 }),
        [[5, 9], [9, 7], [7]],
      ] as const,
  ),
] as readonly TensorCase[];

/** The results of a case on the backend in use, of operands that are the same every time. */
export function caseResults([, op, shapes, [low, high] = [-1, 1]]: TensorCase, seed: number): ArrayLike<number>[] {
  const random = randomNumbers(seed);
  return tf.tidy(() => {
    const operands = shapes.map((shape) => {
      const values = Float32Array.from(
        { length: tf.util.sizeFromShape([...shape]) },
        () => low + (high - low) * random(),
      );
      return tf.tensor(values, [...shape]);
    });
    const result = op(...operands);
    return (Array.isArray(result) ? result : [result]).map((tensor) => tensor.dataSync());
  });
}
