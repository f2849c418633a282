/**
 * Einstein's sums by matrix products. tfjs's own kernel multiplies everything out before it sums, and is wrong where both
 * operands have an axis that is summed of them alone (`ia,ib->i`); it takes two operands at most; its wasm backend has none.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

import { ConfigurationError } from "../../errors.js";
import { sizeOf } from "../shape.js";

/** Registers the kernel for a backend, in place of tfjs's own. */
export function registerEinsum(backendName: string): void {
  if (tf.getKernel(tf.Einsum, backendName)) tf.unregisterKernel(tf.Einsum, backendName);
  tf.registerKernel({
    kernelName: tf.Einsum,
    backendName,
    kernelFunc: ({ inputs, attrs }) =>
      tf.tidy(() => oneByOne(attrs!.equation as string, Object.values(inputs) as unknown as Tensor[])),
  });
}

/** A tensor, and which axis of the equation each of its axes is. */
interface Operand {
  readonly tensor: Tensor;
  readonly axes: readonly number[];
}

/** The first two operands make one, which keeps what the rest or the result has, and so on: tfjs's kernel takes two at most. */
function oneByOne(equation: string, tensors: readonly Tensor[]): Tensor {
  const [left = "", result = ""] = equation.replaceAll(/\s/g, "").split("->");
  const [a, b, ...rest] = left.split(",");
  if (rest.length === 0 || left.split(",").length !== tensors.length) return einsum(equation, tensors);
  const wanted = [...result, ...rest.join("")];
  const kept = [...new Set(`${a}${b}`)].filter((axis) => wanted.includes(axis)).join("");
  const first = einsum(`${a},${b}->${kept}`, tensors.slice(0, 2));
  return oneByOne(`${[kept, ...rest].join(",")}->${result}`, [first, ...tensors.slice(2)]);
}

function einsum(equation: string, tensors: readonly Tensor[]): Tensor {
  // Axes are numbers from here on: those of the result come first, in its order.
  const { allDims, summedDims, idDims } = tf.backend_util.decodeEinsumEquation(equation, tensors.length);
  tf.backend_util.checkEinsumDimSizes(allDims.length, idDims, [...tensors]);
  const result = equation.replaceAll(/\s/g, "").split("->")[1]!;
  if (new Set(result).size < result.length) {
    throw new ConfigurationError(`einsum: the result of "${equation}" has an axis twice, wanted each once`);
  }
  const summed = new Set(summedDims.filter((axis) => axis >= 0));
  const operands = tensors.map((tensor, i): Operand => {
    const axes = idDims[i]!;
    const alone = axes.flatMap((axis, at) =>
      summed.has(axis) && idDims.every((other, j) => j === i || !other.includes(axis)) ? [at] : [],
    );
    if (alone.length === 0) return { tensor, axes };
    return { tensor: tf.sum(tensor, alone), axes: axes.filter((_, at) => !alone.includes(at)) };
  });
  const order = allDims.map((_, axis) => axis).filter((axis) => !summed.has(axis));
  const [a, b] = operands as [Operand, Operand | undefined];
  return b ? product(a, b, order) : arranged(a, order);
}

/** The sum over the axes that both have and the result has not. */
function product(a: Operand, b: Operand, order: readonly number[]): Tensor {
  const shared = a.axes.filter((axis) => b.axes.includes(axis));
  const summed = shared.filter((axis) => !order.includes(axis));
  if (summed.length === 0 || a.tensor.dtype !== "float32" || b.tensor.dtype !== "float32") {
    const all = [...order, ...summed];
    const multiplied = tf.mul(spread(a, all), spread(b, all));
    return summed.length === 0
      ? multiplied
      : tf.sum(
          multiplied,
          summed.map((_, i) => order.length + i),
        );
  }
  const rows = shared.filter((axis) => order.includes(axis));
  const [ofA, ofB] = [a, b].map(({ axes }) => axes.filter((axis) => !shared.includes(axis))) as [number[], number[]];
  const sizes = (axes: readonly number[]): number[] =>
    axes.map((axis) => (a.axes.includes(axis) ? sizeIn(a, axis) : sizeIn(b, axis)));
  const matrix = (of: Operand, left: readonly number[], right: readonly number[]): Tensor =>
    tf.reshape(
      arranged(of, [...rows, ...left, ...right]),
      [rows, left, right].map((axes) => sizeOf(sizes(axes))),
    );
  const axes = [...rows, ...ofA, ...ofB];
  const tensor = tf.reshape(tf.matMul(matrix(a, ofA, summed), matrix(b, summed, ofB)), sizes(axes));
  return arranged({ tensor, axes }, order);
}

function sizeIn({ tensor, axes }: Operand, axis: number): number {
  return tensor.shape[axes.indexOf(axis)]!;
}

/** The tensor with its axes in this order. */
function arranged({ tensor, axes }: Operand, order: readonly number[]): Tensor {
  const places = order.map((axis) => axes.indexOf(axis));
  return places.every((place, i) => place === i) ? tf.clone(tensor) : tf.transpose(tensor, places);
}

/** The tensor with these axes, of size 1 where it has them not. */
function spread(operand: Operand, all: readonly number[]): Tensor {
  const own = arranged(
    operand,
    all.filter((axis) => operand.axes.includes(axis)),
  );
  return tf.reshape(
    own,
    all.map((axis) => (operand.axes.includes(axis) ? sizeIn(operand, axis) : 1)),
  );
}
