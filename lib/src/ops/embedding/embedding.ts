/**
 * The op `embedding`: rows of a matrix by token. tfjs's gradient of `gather` needs a kernel that its wasm backend lacks
 * (`UnsortedSegmentSum`), so the op has one of its own.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Tensor2D, Tensor3D, TensorInfo } from "@tensorflow/tfjs-core";

import { declareGradient, declareKernel } from "../kernel.js";
import { oneHot } from "../one-hot.js";
import { expectRank, expectShape, sizeOf } from "../shape.js";

type Attributes = Record<string, never>;

/** Kernel `Embedding`: inputs `weight` `[V, C]`, `tokens` int32 `[…]`; output `[…, C]`. */
export const embeddingKernel = declareKernel<"weight" | "tokens", Attributes>({
  name: "Embedding",
  composed: ({ weight, tokens }) => [tf.gather(weight, tokens)],
  host(inputs, memory): TensorInfo[] {
    const width = inputs.weight.shape[1]!;
    const output = memory.make([...inputs.tokens.shape, width]);
    const weight = memory.floats(inputs.weight);
    const tokens = memory.integers(inputs.tokens);
    const y = memory.floats(output);
    for (let i = 0; i < tokens.length; i++) {
      const row = tokens[i]! * width;
      y.set(weight.subarray(row, row + width), i * width);
    }
    return [output];
  },
});

/** Kernel `EmbeddingGrad`: inputs `weight` (for its shape), `tokens`, `dy`; output `dweight`. */
export const embeddingGradKernel = declareKernel<"weight" | "tokens" | "dy", Attributes>({
  name: "EmbeddingGrad",
  composed({ weight, tokens, dy }) {
    const [vocabulary, width] = weight.shape as [number, number];
    const count = sizeOf(tokens.shape);
    return [tf.matMul(oneHot(tokens, vocabulary), tf.reshape(dy, [count, width]), true)];
  },
  host(inputs, memory): TensorInfo[] {
    const output = memory.make(inputs.weight.shape);
    const width = inputs.weight.shape[1]!;
    const tokens = memory.integers(inputs.tokens);
    const dy = memory.floats(inputs.dy);
    const dweight = memory.floats(output).fill(0);
    for (let i = 0; i < tokens.length; i++) {
      const row = tokens[i]! * width;
      for (let c = 0; c < width; c++) dweight[row + c]! += dy[i * width + c]!;
    }
    return [output];
  },
});

declareGradient<"weight" | "tokens", Attributes>(embeddingKernel, ["weight", "tokens"], ([dy], saved) => {
  const [weight, tokens] = saved as [Tensor, Tensor];
  return { weight: embeddingGradKernel.run({ weight, tokens, dy: dy! }, {})[0]! };
});

/**
 * The rows of `weight` that the tokens name, differentiable in `weight`.
 *
 * @param weight float32 `[V, C]`
 * @param tokens int32 `[B, T]`, each in 0 … V − 1 (the caller checks: a read would stall a GPU)
 * @returns `[B, T, C]`
 * @throws ShapeError when weight is not a matrix, or tokens are not int32
 */
export function embedding(weight: Tensor, tokens: Tensor2D): Tensor3D {
  expectRank("embedding", "weight", weight, 2, "[V, C]");
  expectShape("embedding", "tokens", tokens, tokens.shape, "[B, T]", "int32");
  return embeddingKernel.run({ weight, tokens }, {})[0] as Tensor3D;
}
