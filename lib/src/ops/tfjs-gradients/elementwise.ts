/** Gradients of tfjs's ops that work element by element. */
import * as tf from "@tensorflow/tfjs-core";
import type { NamedAttrMap, Tensor } from "@tensorflow/tfjs-core";

import { sumTo, type GradientRule } from "./register.js";

/** A rule for f(x) from its derivative in terms of x. */
function unary(kernel: string, derivative: (x: Tensor, attributes: NamedAttrMap) => Tensor): GradientRule {
  return {
    kernel,
    save: ["x"],
    gradient: (dy, [x], attributes) => ({ x: () => tf.mul(dy, derivative(x!, attributes)) }),
  };
}

/** A rule for y = f(x) from its derivative in terms of y. */
function unaryOfOutput(kernel: string, derivative: (y: Tensor) => Tensor): GradientRule {
  return { kernel, saveOutput: true, gradient: (dy, [y]) => ({ x: () => tf.mul(dy, derivative(y!)) }) };
}

/** A rule for f(a, b), which may broadcast, from both partial derivatives. */
function binary(
  kernel: string,
  da: (a: Tensor, b: Tensor, dy: Tensor) => Tensor,
  db: (a: Tensor, b: Tensor, dy: Tensor) => Tensor,
): GradientRule {
  return {
    kernel,
    save: ["a", "b"],
    gradient: (dy, [a, b]) => ({
      a: () => other(dy, sumTo(da(a!, b!, dy), a!.shape)),
      b: () => other(dy, sumTo(db(a!, b!, dy), b!.shape)),
    }),
  };
}

/** The gradient of an input as a tensor other than dy, which tfjs disposes of when it adds to it. */
const other = (dy: Tensor, gradient: Tensor): Tensor => (gradient === dy ? tf.clone(dy) : gradient);
/** tfjs runs a kernel even where nothing is to be done. */
const float = (x: Tensor): Tensor => (x.dtype === "float32" ? x : tf.cast(x, "float32"));
const attribute = (attributes: NamedAttrMap, name: string): number => attributes[name] as number;
/** The constants of the scaled exponential linear unit. */
const seluAlpha = 1.6732632423543772;
const seluScale = 1.0507009873554805;

export const elementwiseRules: readonly GradientRule[] = [
  binary(
    "Add",
    (_a, _b, dy) => dy,
    (_a, _b, dy) => dy,
  ),
  binary(
    "Sub",
    (_a, _b, dy) => dy,
    (_a, _b, dy) => tf.neg(dy),
  ),
  binary(
    "Multiply",
    (_a, b, dy) => tf.mul(dy, float(b)),
    (a, _b, dy) => tf.mul(dy, float(a)),
  ),
  binary(
    "RealDiv",
    (_a, b, dy) => tf.div(dy, float(b)),
    (a, b, dy) => tf.neg(tf.div(tf.mul(dy, float(a)), tf.square(float(b)))),
  ),
  binary(
    "Maximum",
    (a, b, dy) => tf.mul(dy, float(tf.greaterEqual(a, b))),
    (a, b, dy) => tf.mul(dy, float(tf.less(a, b))),
  ),
  binary(
    "Minimum",
    (a, b, dy) => tf.mul(dy, float(tf.lessEqual(a, b))),
    (a, b, dy) => tf.mul(dy, float(tf.greater(a, b))),
  ),
  binary(
    "SquaredDifference",
    (a, b, dy) => tf.mul(dy, tf.mul(2, tf.sub(a, b))),
    (a, b, dy) => tf.mul(dy, tf.mul(2, tf.sub(b, a))),
  ),
  binary(
    "Pow",
    (a, b, dy) => tf.mul(dy, tf.mul(b, tf.pow(a, tf.sub(b, 1)))),
    // d a^b / db = a^b ln a, taken as 0 where a ≤ 0.
    (a, b, dy) => tf.mul(dy, tf.where(tf.greater(a, 0), tf.mul(tf.pow(a, b), tf.log(a)), tf.zerosLike(a))),
  ),
  {
    kernel: "AddN",
    save: "all",
    gradient: (dy, saved) => Object.fromEntries(saved.map((_, i) => [String(i), () => tf.clone(dy)])),
  },
  {
    kernel: "Select",
    save: ["condition"],
    gradient: (dy, [condition]) => ({
      condition: () => float(tf.zerosLike(condition!)),
      t: () => tf.mul(dy, float(condition!)),
      e: () => tf.mul(dy, float(tf.logicalNot(condition!))),
    }),
  },
  { kernel: "Cast", gradient: (dy) => ({ x: () => tf.clone(dy) }) },
  { kernel: "Identity", gradient: (dy) => ({ x: () => tf.clone(dy) }) },
  { kernel: "Neg", gradient: (dy) => ({ x: () => tf.neg(dy) }) },
  ...["Step", "Sign", "Round", "Floor", "Ceil", "OnesLike", "ZerosLike"].map((kernel): GradientRule => ({
    kernel,
    gradient: (dy) => ({ x: () => tf.zerosLike(dy) }),
  })),
  // Their results are yes and no: what they decide has a gradient, the decision has none.
  ...["Greater", "GreaterEqual", "Less", "LessEqual", "Equal", "NotEqual", "LogicalAnd", "LogicalOr"].map(
    (kernel): GradientRule => ({
      kernel,
      save: ["a", "b"],
      gradient: (_dy, [a, b]) => ({ a: () => tf.zeros(a!.shape), b: () => tf.zeros(b!.shape) }),
    }),
  ),
  { kernel: "LogicalNot", save: ["x"], gradient: (_dy, [x]) => ({ x: () => tf.zeros(x!.shape) }) },
  unary("Abs", (x) => tf.sign(x)),
  unary("Square", (x) => tf.add(float(x), float(x))),
  unary("Log", (x) => tf.reciprocal(x)),
  unary("Log1p", (x) => tf.reciprocal(tf.add(x, 1))),
  unary("Expm1", (x) => tf.exp(x)),
  unary("Sin", (x) => tf.cos(float(x))),
  unary("Cos", (x) => tf.neg(tf.sin(float(x)))),
  unary("Erf", (x) => tf.mul(tf.exp(tf.neg(tf.square(x))), 2 / Math.sqrt(Math.PI))),
  unary("Softplus", (x) => tf.sigmoid(x)),
  unary("Relu", (x) => tf.step(x)),
  unary("Relu6", (x) => tf.mul(tf.step(x), float(tf.lessEqual(x, 6)))),
  unary("LeakyRelu", (x, attributes) => tf.step(x, attribute(attributes, "alpha"))),
  unary("Selu", (x) =>
    tf.where(tf.greater(x, 0), tf.fill(x.shape, seluScale), tf.mul(tf.exp(x), seluScale * seluAlpha)),
  ),
  unary("ClipByValue", (x, attributes) =>
    float(
      tf.logicalAnd(
        tf.greaterEqual(x, attribute(attributes, "clipValueMin")),
        tf.lessEqual(x, attribute(attributes, "clipValueMax")),
      ),
    ),
  ),
  unaryOfOutput("Exp", (y) => y),
  unaryOfOutput("Sqrt", (y) => tf.div(0.5, y)),
  unaryOfOutput("Rsqrt", (y) => tf.mul(tf.mul(tf.square(y), y), -0.5)),
  unaryOfOutput("Reciprocal", (y) => tf.neg(tf.square(y))),
  unaryOfOutput("Sigmoid", (y) => tf.mul(y, tf.sub(1, y))),
  unaryOfOutput("Tanh", (y) => tf.sub(1, tf.square(y))),
  unaryOfOutput("Elu", (y) => tf.where(tf.greater(y, 0), tf.onesLike(y), tf.add(y, 1))),
];
