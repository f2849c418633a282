import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";

import { Random } from "../../random.js";
import { checkGradient, randomTensor, useBackend } from "../../testing.js";
import { tfjsGradientRules } from "./tfjs-gradients.js";

type Op = (...x: Tensor[]) => Tensor | Tensor[];

/** An op, the shapes of its arguments, and the centre around which they vary by ±scale (to stay off kinks and poles). */
type Case = readonly [name: string, op: Op, shapes: number[][], around?: { scale?: number; centre?: number }];

const positive = { scale: 0.5, centre: 1.5 };
const square = [[2, 3]];
const cases: readonly Case[] = [
  ["add, broadcast", (a, b) => tf.add(a, b), [[2, 3], [3]]],
  [
    "sub, broadcast",
    (a, b) => tf.sub(a, b),
    [
      [2, 1],
      [2, 3],
    ],
  ],
  ["mul, broadcast", (a, b) => tf.mul(a, b), [[2, 3], []]],
  ["div, broadcast", (a, b) => tf.div(a, b), [[3], [2, 3]], positive],
  [
    "maximum",
    (a, b) => tf.maximum(a, b),
    [
      [2, 3],
      [2, 3],
    ],
  ],
  [
    "minimum",
    (a, b) => tf.minimum(a, b),
    [
      [2, 3],
      [2, 3],
    ],
  ],
  ["squaredDifference", (a, b) => tf.squaredDifference(a, b), [[2, 3], [3]]],
  [
    "pow",
    (a, b) => tf.pow(a, b),
    [
      [2, 3],
      [2, 3],
    ],
    positive,
  ],
  [
    "addN",
    (a, b) => tf.addN([a, b, a]),
    [
      [2, 3],
      [2, 3],
    ],
  ],
  [
    "where",
    (a, b) => tf.where(tf.tensor2d([1, 0, 1, 0, 0, 1], [2, 3], "bool"), a, b),
    [
      [2, 3],
      [2, 3],
    ],
  ],
  ...(
    [
      ["neg", tf.neg],
      ["abs", tf.abs],
      ["exp", tf.exp],
      ["expm1", tf.expm1],
      ["square", tf.square],
      ["sin", tf.sin],
      ["cos", tf.cos],
      ["erf", tf.erf],
      ["sigmoid", tf.sigmoid],
      ["tanh", tf.tanh],
      ["softplus", tf.softplus],
      ["relu", tf.relu],
      ["relu6", tf.relu6],
      ["leakyRelu", (x: Tensor) => tf.leakyRelu(x, 0.1)],
      ["elu", tf.elu],
      ["selu", tf.selu],
      ["clipByValue", (x: Tensor) => tf.clipByValue(x, -0.5, 0.5)],
      ["cast", (x: Tensor) => tf.cast(x, "float32")],
      ["clone", tf.clone],
      ["softmax", (x: Tensor) => tf.softmax(x)],
      ["logSoftmax", (x: Tensor) => tf.logSoftmax(x)],
      ["sum of all", (x: Tensor) => tf.sum(x)],
      ["sum of an axis", (x: Tensor) => tf.sum(x, 0)],
      ["sum of the last, kept", (x: Tensor) => tf.sum(x, -1, true)],
      ["mean", (x: Tensor) => tf.mean(x, 1)],
      ["mean of all", (x: Tensor) => tf.mean(x)],
      ["max", (x: Tensor) => tf.max(x, 1)],
      ["min of all", (x: Tensor) => tf.min(x)],
      ["cumsum", (x: Tensor) => tf.cumsum(x, 1)],
      ["cumsum, exclusive and reversed", (x: Tensor) => tf.cumsum(x, 0, true, true)],
      ["reshape", (x: Tensor) => tf.reshape(x, [3, 2])],
      ["expandDims", (x: Tensor) => tf.expandDims(x, 1)],
      ["squeeze", (x: Tensor) => tf.squeeze(tf.expandDims(x, 0))],
      ["transpose", (x: Tensor) => tf.transpose(x, [1, 0])],
      ["reverse", (x: Tensor) => tf.reverse(x, 1)],
      ["slice", (x: Tensor) => tf.slice(x, [0, 1], [-1, 2])],
      [
        "pad",
        (x: Tensor) =>
          tf.pad(x as Tensor2D, [
            [1, 0],
            [0, 2],
          ]),
      ],
      ["tile", (x: Tensor) => tf.tile(x, [2, 3])],
      ["unstack", (x: Tensor) => tf.unstack(x, 1)],
      ["split", (x: Tensor) => tf.split(x, [1, 2], 1)],
      ["gather", (x: Tensor) => tf.gather(x, tf.tensor1d([2, 0, 2], "int32"), 1)],
      [
        "gather of rows",
        (x: Tensor) =>
          tf.gather(
            x,
            tf.tensor2d(
              [
                [1, 0],
                [1, 1],
              ],
              [2, 2],
              "int32",
            ),
          ),
      ],
    ] as [string, (x: Tensor) => Tensor | Tensor[]][]
  ).map(([name, op]): Case => [name, (x) => op(x), square]),
  ...(
    [
      ["log", tf.log],
      ["log1p", tf.log1p],
      ["sqrt", tf.sqrt],
      ["rsqrt", tf.rsqrt],
      ["reciprocal", tf.reciprocal],
    ] as [string, (x: Tensor) => Tensor][]
  ).map(([name, op]): Case => [name, (x) => op(x), square, positive]),
  [
    "concat",
    (a, b) => tf.concat([a, b], 1),
    [
      [2, 3],
      [2, 1],
    ],
  ],
  [
    "stack",
    (a, b) => tf.stack([a, b], 1),
    [
      [2, 3],
      [2, 3],
    ],
  ],
  ...[false, true].flatMap((left) =>
    [false, true].map((right): Case => [
      `matMul, ${left ? "transposed" : "plain"} by ${right ? "transposed" : "plain"}`,
      (a, b) => tf.matMul(a, b, left, right),
      [left ? [2, 3, 4] : [2, 4, 3], right ? [2, 5, 3] : [2, 3, 5]],
    ]),
  ),
  [
    "matMul, batch broadcast",
    (a, b) => tf.matMul(a, b),
    [
      [2, 4, 3],
      [1, 3, 5],
    ],
  ],
  ["what is used twice", (a, b) => tf.add(tf.add(a, b), tf.mul(a, tf.sub(a, b))), [[3], [3]]],
  ["dot", (a, b) => tf.dot(a, b), [[4], [4]]],
  ["logSumExp", (x) => tf.logSumExp(x, 1), square],
  ["where a comparison decides", (a, b) => tf.where(tf.greater(a, b), tf.mul(a, b), tf.square(a)), [[2, 3], [3]]],
  [
    "a mask of comparisons",
    (a, b) => tf.mul(a, tf.cast(tf.logicalNot(tf.logicalAnd(tf.less(a, b), tf.notEqual(a, 0))), "float32")),
    [[2, 3], [3]],
  ],
  [
    "einsum, a product",
    (a, b) => tf.einsum("bthn,gh->btgn", a, b),
    [
      [1, 2, 3, 2],
      [2, 3],
    ],
  ],
  ["einsum, to a number", (a, b) => tf.einsum("i,i->", a, b), [[3], [3]]],
  ["einsum, outer product", (a, b) => tf.einsum("i, j -> ij", a, b), [[3], [2]]],
  ["einsum, transposed", (x) => tf.einsum("ij->ji", x), square],
  ["einsum, a sum", (x) => tf.einsum("ij->", x), square],
];

for (const backend of ["cpu", "wasm"] as const) {
  test(`gradients of tfjs's ops equal finite differences on ${backend}`, async (t) => {
    await useBackend(backend);
    for (const [name, op, shapes, around] of cases) {
      const inputs = shapes.map((shape, i) => randomTensor(new Random(10 * i + 3), shape, around));
      const missing = backend === "wasm" ? missingKernel(op, inputs) : undefined;
      // Another one that is missing is a defect, not a reason to leave its gradient unchecked.
      if (missing) assert.match(missing, /'Einsum'/);
      await t.test(name, { skip: missing && `${missing} on ${backend}` }, () => {
        tf.tidy(() => checkGradient(op, inputs));
      });
      tf.dispose(inputs);
    }
  });
}

test("a gradient leaves the one of the result, which the caller has, and nothing else", async () => {
  await useBackend("cpu");
  const [a, b, dy] = [2, 3, 4].map((value) => tf.tensor1d([value, value]));
  const before = tf.memory().numTensors;
  for (const op of [tf.add, tf.sub] as ((...of: Tensor[]) => Tensor)[]) {
    // tfjs adds to the gradient of what is used twice, and disposes of what it was.
    const twice = (x: Tensor, y: Tensor): Tensor => op(op(x, y), x);
    const gradients = tf.grads(twice)([a!, b!], dy);
    assert.deepEqual(
      gradients.map((gradient) => [...gradient.dataSync()]),
      op === tf.add
        ? [
            [8, 8],
            [4, 4],
          ]
        : [
            [0, 0],
            [-4, -4],
          ],
    );
    assert.deepEqual([...dy!.dataSync()], [4, 4]);
    tf.dispose(gradients);
    assert.equal(tf.memory().numTensors, before);
  }
  tf.dispose([a!, b!, dy!]);
});

/** tfjs's wasm backend lacks some kernels; what cannot run has no gradient to check. */
function missingKernel(op: Op, inputs: Tensor[]): string | undefined {
  try {
    tf.tidy(() => void op(...inputs));
    return undefined;
  } catch (error) {
    return /Cannot find registered kernel '\w+'|Kernel '\w+' not registered/.exec(String(error))?.[0];
  }
}

test("a gradient that another package registered is kept", () => {
  for (const { kernel } of tfjsGradientRules) assert.ok(tf.getGradient(kernel), kernel);
  assert.equal(new Set(tfjsGradientRules.map(({ kernel }) => kernel)).size, tfjsGradientRules.length);
});
