/** Gradients of tfjs's ops that only rearrange: reshape, slice, join, gather. */
import * as tf from "@tensorflow/tfjs-core";
import type { NamedAttrMap, Tensor } from "@tensorflow/tfjs-core";

import { oneHot } from "../one-hot.js";
import type { GradientRule } from "./register.js";

const numbers = (attributes: NamedAttrMap, name: string): number[] => attributes[name] as number[];

/** An axis counted from the front. */
function axisOf(attributes: NamedAttrMap, rank: number): number {
  return tf.util.parseAxisParam(attributes.axis as number, new Array<number>(rank).fill(1))[0]!;
}

/** A rule for kernels that keep every element and its place in memory. */
function reshaping(kernel: string, input: "x" | "input"): GradientRule {
  return { kernel, save: [input], gradient: (dy, [x]) => ({ [input]: () => tf.reshape(dy, x!.shape) }) };
}

function byIndex(gradients: readonly (() => Tensor)[]): Record<string, () => Tensor> {
  return Object.fromEntries(gradients.map((gradient, i) => [String(i), gradient]));
}

/** Sums the rows of dy into a tensor of x's shape along an axis, by a product with a one-hot matrix. */
function scatterAlong(dy: Tensor, indices: Tensor, shape: readonly number[], axis: number): Tensor {
  const before = shape.slice(0, axis);
  const after = shape.slice(axis + 1);
  const count = indices.size;
  const outer = before.reduce((product, size) => product * size, 1);
  const inner = after.reduce((product, size) => product * size, 1);
  const hot = oneHot(indices, shape[axis]!);
  const rows = tf.reshape(tf.transpose(tf.reshape(dy, [outer, count, inner]), [1, 0, 2]), [count, outer * inner]);
  const summed = tf.reshape(tf.matMul(hot, rows as tf.Tensor2D, true), [shape[axis]!, outer, inner]);
  return tf.reshape(tf.transpose(summed, [1, 0, 2]), [...shape]);
}

export const arrangementRules: readonly GradientRule[] = [
  reshaping("Reshape", "x"),
  reshaping("ExpandDims", "input"),
  {
    kernel: "Transpose",
    gradient: (dy, _saved, attributes) => ({
      x: () => tf.transpose(dy, tf.backend_util.getUndoAxesPermutation(numbers(attributes, "perm"))),
    }),
  },
  {
    kernel: "Reverse",
    gradient: (dy, _saved, attributes) => ({ x: () => tf.reverse(dy, attributes.dims as number | number[]) }),
  },
  {
    kernel: "Slice",
    save: ["x"],
    gradient: (dy, [x], attributes) => ({
      x: () => {
        const [begin] = tf.slice_util.parseSliceParams(
          x!,
          attributes.begin as number | number[],
          attributes.size as number | number[],
        );
        return tf.pad(
          dy,
          begin!.map((start, axis): [number, number] => [start, x!.shape[axis]! - start - dy.shape[axis]!]),
        );
      },
    }),
  },
  {
    kernel: "PadV2",
    save: ["x"],
    gradient: (dy, [x], attributes) => ({
      x: () =>
        tf.slice(
          dy,
          (attributes.paddings as number[][]).map(([before]) => before!),
          x!.shape,
        ),
    }),
  },
  {
    kernel: "Tile",
    save: ["x"],
    gradient: (dy, [x], attributes) => ({
      x: () => {
        const repeats = numbers(attributes, "reps");
        const split = x!.shape.flatMap((size, axis) => [repeats[axis]!, size]);
        return tf.sum(
          tf.reshape(dy, split),
          x!.shape.map((_, axis) => 2 * axis),
        );
      },
    }),
  },
  {
    kernel: "Concat",
    save: "all",
    gradient: (dy, saved, attributes) => {
      const axis = axisOf(attributes, dy.rank);
      let start = 0;
      return byIndex(
        saved.map(({ shape }) => {
          const begin = dy.shape.map((_, i) => (i === axis ? start : 0));
          start += shape[axis]!;
          return () => tf.slice(dy, begin, shape);
        }),
      );
    },
  },
  {
    kernel: "Pack",
    save: "all",
    gradient: (dy, saved, attributes) => {
      const axis = axisOf(attributes, dy.rank);
      return byIndex(
        saved.map(({ shape }, i) => () => {
          const begin = dy.shape.map((_, other) => (other === axis ? i : 0));
          const size = dy.shape.map((length, other) => (other === axis ? 1 : length));
          return tf.reshape(tf.slice(dy, begin, size), shape);
        }),
      );
    },
  },
  {
    kernel: "Unpack",
    gradient: (dys, _saved, attributes) => ({
      value: () => tf.stack(dys as unknown as Tensor[], attributes.axis as number),
    }),
  },
  {
    kernel: "SplitV",
    gradient: (dys, _saved, attributes) => ({
      x: () => tf.concat(dys as unknown as Tensor[], attributes.axis as number),
    }),
  },
  {
    kernel: "GatherV2",
    save: ["x", "indices"],
    gradient: (dy, [x, indices], attributes) => ({
      x: () => scatterAlong(dy, indices!, x!.shape, axisOf(attributes, x!.rank)),
      indices: () => tf.cast(tf.zerosLike(indices!), "float32"),
    }),
  },
];
