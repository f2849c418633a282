/**
 * The methods of tensors: `x.add(y)` for `tf.add(x, y)`.
 *
 * tfjs-core declares them in modules that only a bundler can load, so in Node they are put on the class here. Their types
 * reach the cells through the packed declarations (scripts/pack-types.mjs).
 */
import type { InspectOptions } from "node:util";
import * as tf from "@tensorflow/tfjs-core";

/** Operations whose method takes the tensor as first argument and passes on the others. */
const OPERATIONS = [
  ...["abs", "acos", "acosh", "add", "all", "any", "argMax", "argMin", "asin", "asinh", "atan", "atan2", "atanh"],
  ...["avgPool", "batchNorm", "batchToSpaceND", "broadcastTo", "cast", "ceil", "clipByValue", "conv1d", "conv2d"],
  ...["conv2dTranspose", "cos", "cosh", "cumprod", "cumsum", "depthToSpace", "depthwiseConv2d", "dilation2d", "div"],
  ...["divNoNan", "dot", "elu", "equal", "erf", "euclideanNorm", "exp", "expandDims", "expm1", "fft", "floor"],
  ...["floorDiv", "gather", "greater", "greaterEqual", "ifft", "irfft", "isFinite", "isInf", "isNaN", "leakyRelu"],
  ...["less", "lessEqual", "localResponseNormalization", "log", "log1p", "logSigmoid", "logSoftmax", "logSumExp"],
  ...["logicalAnd", "logicalNot", "logicalOr", "logicalXor", "matMul", "max", "maxPool", "maximum", "mean", "min"],
  ...["minimum", "mirrorPad", "mod", "mul", "neg", "norm", "notEqual", "oneHot", "onesLike", "pad", "pool", "pow"],
  ...["prelu", "prod", "reciprocal", "relu", "relu6", "reshape", "reverse", "rfft", "round", "rsqrt", "selu"],
  ...["separableConv2d", "sigmoid", "sign", "sin", "sinh", "slice", "softmax", "softplus", "spaceToBatchND", "split"],
  ...["sqrt", "square", "squaredDifference", "squeeze", "step", "stridedSlice", "sub", "sum", "tan", "tanh", "tile"],
  ...["topk", "transpose", "unique", "unsortedSegmentSum", "unstack", "zerosLike"],
] as const;

type Operation = (tensor: tf.Tensor, ...rest: unknown[]) => unknown;
type Method = (this: tf.Tensor, ...rest: never[]) => unknown;

/** Methods that are more than the operation of their name. */
const OTHERS: Readonly<Record<string, Method>> = {
  as1D() {
    return tf.reshape(this, [this.size]);
  },
  as2D(...shape: number[]) {
    return tf.reshape(this, shape);
  },
  as3D(...shape: number[]) {
    return tf.reshape(this, shape);
  },
  as4D(...shape: number[]) {
    return tf.reshape(this, shape);
  },
  as5D(...shape: number[]) {
    return tf.reshape(this, shape);
  },
  asScalar() {
    return tf.reshape(this, []);
  },
  asType(dtype: tf.DataType) {
    return tf.cast(this, dtype);
  },
  concat(others: tf.Tensor | tf.Tensor[], axis?: number) {
    return tf.concat([this, ...[others].flat()], axis);
  },
  flatten() {
    return tf.reshape(this, [this.size]);
  },
  reshapeAs(other: tf.Tensor) {
    return tf.reshape(this, other.shape);
  },
  resizeBilinear(size: [number, number], alignCorners?: boolean, halfPixelCenters?: boolean) {
    return tf.image.resizeBilinear(this as tf.Tensor3D, size, alignCorners, halfPixelCenters);
  },
  resizeNearestNeighbor(size: [number, number], alignCorners?: boolean, halfPixelCenters?: boolean) {
    return tf.image.resizeNearestNeighbor(this as tf.Tensor3D, size, alignCorners, halfPixelCenters);
  },
  stack(others: tf.Tensor | tf.Tensor[], axis?: number) {
    return tf.stack([this, ...[others].flat()], axis);
  },
  toBool() {
    return tf.cast(this, "bool");
  },
  toFloat() {
    return tf.cast(this, "float32");
  },
  toInt() {
    return tf.cast(this, "int32");
  },
  where(condition: tf.Tensor, other: tf.Tensor) {
    return tf.where(condition, this, other);
  },
};

/** Gives tensors their methods, and a text that shows their values. */
export function addTensorMethods(): void {
  const prototype = tf.Tensor.prototype as unknown as Record<string | symbol, unknown>;
  for (const name of OPERATIONS) {
    const operation = tf[name as keyof typeof tf] as Operation | undefined;
    if (operation === undefined) throw new Error(`tfjs has no operation ${name}`);
    prototype[name] = function (this: tf.Tensor, ...rest: unknown[]) {
      return operation(this, ...rest);
    };
  }
  Object.assign(prototype, OTHERS);
  prototype[Symbol.for("nodejs.util.inspect.custom")] = function (
    this: tf.Tensor,
    depth: number | null,
    options: InspectOptions,
  ): string {
    const shape = `[${this.shape.join(", ")}]`;
    if (this.isDisposed) return `Tensor ${shape} (disposed)`;
    return depth === options.depth ? this.toString(true) : `Tensor ${this.dtype} ${shape}${beginning(this)}`;
  };
}

/** The first values of a tensor, for a line: within another value, as among a model's parameters, all of it would bury the rest. */
function beginning(tensor: tf.Tensor): string {
  if (tensor.size === 0) return "";
  const most = 4;
  const first = Array.from(
    tf.tidy(() => tf.slice(tf.reshape(tensor, [-1]), 0, Math.min(most, tensor.size)).dataSync()),
  );
  const values = first.map((value: unknown) => (typeof value === "number" ? Number(value.toPrecision(4)) : value));
  return ` ${values.join(", ")}${tensor.size > most ? ", …" : ""}`;
}
