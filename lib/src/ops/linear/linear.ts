/**
 * The op `linear`: a matrix product with a parameter. Kernel `Linear` and its gradient exist because a chain of tfjs ops
 * is slow here: the wasm backend has a fast product only for plain operands, and tfjs's gradient transposes both.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Tensor2D, TensorInfo } from "@tensorflow/tfjs-core";

import type { HostMemory } from "../host.js";
import { declareGradient, declareKernel } from "../kernel.js";
import { expectLastAxis, expectRank, sizeOf } from "../shape.js";

/** Whether the matrix is `[out, in]` (checkpoints' `*.weight`) or `[in, out]` (their low-rank parts, `att.w1`). */
export type LinearLayout = "outIn" | "inOut";

interface LinearAttributes {
  readonly layout: LinearLayout;
  readonly [key: string]: string;
}

/** Kernel `Linear`: inputs `x` `[…, in]` and `weight`; output `[…, out]`. */
export const linearKernel = declareKernel<"x" | "weight", LinearAttributes>({
  name: "Linear",
  composed({ x, weight }, { layout }) {
    const matrix = layout === "outIn" ? tf.transpose(weight as Tensor2D) : weight;
    return [tf.reshape(tf.matMul(flat(x), matrix as Tensor2D), [...x.shape.slice(0, -1), matrix.shape[1]!])];
  },
});

/** Kernel `LinearGrad`: inputs `x`, `weight`, `dy`; outputs `[dx, dweight]`. */
export const linearGradKernel = declareKernel<"x" | "weight" | "dy", LinearAttributes>({
  name: "LinearGrad",
  composed({ x, weight, dy }, { layout }) {
    const matrix = layout === "outIn" ? weight : tf.transpose(weight as Tensor2D);
    const dx = tf.reshape(tf.matMul(flat(dy), matrix as Tensor2D), x.shape);
    const [left, right] = layout === "outIn" ? [dy, x] : [x, dy];
    return [dx, tf.matMul(transposed(flat(left)), flat(right))];
  },
});

declareGradient<"x" | "weight", LinearAttributes>(linearKernel, ["x", "weight"], ([dy], saved, attributes) => {
  const [x, weight] = saved as [Tensor, Tensor];
  const [dx, dweight] = linearGradKernel.run({ x, weight, dy: dy! }, attributes);
  return { x: dx!, weight: dweight! };
});

/** All leading axes as one. */
function flat(x: Tensor): Tensor2D {
  const last = x.shape.at(-1)!;
  return tf.reshape(x, [sizeOf(x.shape) / last, last]);
}

/** Kernel `TransposeMatrix`: tfjs's general transpose is several times slower than a plain loop on host memory. */
const transposeKernel = declareKernel<"x", Record<string, never>>({
  name: "TransposeMatrix",
  composed: ({ x }) => [tf.transpose(x as Tensor2D)],
  host({ x }, memory): TensorInfo[] {
    return [transposeHost(x, memory)];
  },
});

function transposed(x: Tensor2D): Tensor2D {
  return transposeKernel.run({ x }, {})[0] as Tensor2D;
}

/** Blocks of 8 columns, so that a block's writes stay within as many cache lines. */
function transposeHost(x: TensorInfo, memory: HostMemory): TensorInfo {
  const [rows, columns] = x.shape as [number, number];
  const output = memory.make([columns, rows]);
  const from = memory.floats(x);
  const to = memory.floats(output);
  for (let block = 0; block < columns; block += 8) {
    const end = Math.min(columns, block + 8);
    for (let i = 0; i < rows; i++) {
      for (let j = block; j < end; j++) to[j * rows + i] = from[i * columns + j]!;
    }
  }
  return output;
}

/**
 * y = x Wᵀ (layout `outIn`) or y = x W (layout `inOut`), differentiable in both.
 *
 * @param x float32 `[…, in]`
 * @param weight float32 `[out, in]` or `[in, out]`
 * @returns `[…, out]`
 * @throws ShapeError when the inner sizes differ
 */
export function linear<T extends Tensor>(x: T, weight: Tensor, layout: LinearLayout = "outIn"): T {
  expectRank("linear", "weight", weight, 2, layout === "outIn" ? "[out, in]" : "[in, out]");
  expectLastAxis("linear", "x", x, weight.shape[layout === "outIn" ? 1 : 0]!, "[…, in]");
  return linearKernel.run({ x, weight }, { layout })[0] as T;
}
