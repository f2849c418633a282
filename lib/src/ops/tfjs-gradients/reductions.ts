/** Gradients of tfjs's reductions, softmax and matrix product. */
import * as tf from "@tensorflow/tfjs-core";
import type { NamedAttrMap, Tensor } from "@tensorflow/tfjs-core";

import { sumTo, type GradientRule } from "./register.js";

/** The reduced axes as a list; tfjs's ops pass one, a list, or none for all. */
function axesOf(attributes: NamedAttrMap, name: "axis" | "reductionIndices", shape: readonly number[]): number[] {
  return tf.util.parseAxisParam(attributes[name] as number | number[], [...shape]);
}

/** A reduced tensor with its lost axes back as 1, so that it broadcasts against the input. */
function withAxes(reduced: Tensor, shape: readonly number[], axes: readonly number[]): Tensor {
  return tf.reshape(
    reduced,
    shape.map((size, axis) => (axes.includes(axis) ? 1 : size)),
  );
}

/** Max and min: the gradient goes to the elements that equal the result, to each in full when there are several. */
function extremum(kernel: "Max" | "Min"): GradientRule {
  return {
    kernel,
    save: ["x"],
    saveOutput: true,
    gradient: (dy, [x, y], attributes) => ({
      x: () => {
        const axes = axesOf(attributes, "reductionIndices", x!.shape);
        const chosen = tf.cast(tf.equal(x!, withAxes(y!, x!.shape, axes)), "float32");
        return tf.mul(withAxes(dy, x!.shape, axes), chosen);
      },
    }),
  };
}

/** Swaps the last two axes. */
function transposed(x: Tensor): Tensor {
  const axes = x.shape.map((_, axis) => axis);
  [axes[axes.length - 2], axes[axes.length - 1]] = [axes.length - 1, axes.length - 2];
  return tf.transpose(x, axes);
}

/** The product of a and b, of which either may be transposed. tfjs's wasm backend has a fast one for plain operands alone. */
function product(a: Tensor, b: Tensor, turnA: boolean, turnB: boolean): Tensor {
  if (tf.getBackend() !== "wasm") return tf.matMul(a, b, turnA, turnB);
  return tf.matMul(turnA ? transposed(a) : a, turnB ? transposed(b) : b);
}

export const reductionRules: readonly GradientRule[] = [
  {
    kernel: "Sum",
    save: ["x"],
    gradient: (dy, [x], attributes) => ({
      x: () => tf.mul(withAxes(dy, x!.shape, axesOf(attributes, "axis", x!.shape)), tf.ones(x!.shape)),
    }),
  },
  {
    kernel: "Mean",
    save: ["x"],
    gradient: (dy, [x], attributes) => ({
      x: () => {
        const axes = axesOf(attributes, "axis", x!.shape);
        const count = axes.reduce((product, axis) => product * x!.shape[axis]!, 1);
        return tf.mul(withAxes(dy, x!.shape, axes), tf.fill(x!.shape, 1 / count));
      },
    }),
  },
  extremum("Max"),
  extremum("Min"),
  {
    kernel: "Cumsum",
    save: ["x"],
    gradient: (dy, [x], attributes) => ({
      // A sum of everything before becomes a sum of everything after.
      x: () =>
        tf.cumsum(
          dy,
          tf.util.parseAxisParam(attributes.axis as number, x!.shape)[0],
          attributes.exclusive as boolean,
          !(attributes.reverse as boolean),
        ),
    }),
  },
  {
    kernel: "Softmax",
    saveOutput: true,
    gradient: (dy, [y], attributes) => ({
      logits: () => {
        const weighted = tf.mul(dy, y!);
        return tf.sub(weighted, tf.mul(tf.sum(weighted, attributes.dim as number, true), y!));
      },
    }),
  },
  {
    kernel: "BatchMatMul",
    save: ["a", "b"],
    gradient: (dy, [a, b], attributes) => {
      const [turnA, turnB] = [attributes.transposeA as boolean, attributes.transposeB as boolean];
      return {
        // In terms of A' B' with A' = A or Aᵀ: dA' = dy B'ᵀ, dB' = A'ᵀ dy, and back.
        a: () => sumTo(turnA ? product(b!, dy, turnB, true) : product(dy, b!, false, !turnB), a!.shape),
        b: () => sumTo(turnB ? product(dy, a!, true, turnA) : product(a!, dy, !turnA, false), b!.shape),
      };
    },
  },
];
