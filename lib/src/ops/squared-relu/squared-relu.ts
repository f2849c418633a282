/** The op `squaredRelu`: relu(x)², the activation of RWKV's channel mixing and of the parameter tokens. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, TensorInfo } from "@tensorflow/tfjs-core";

import { declareGradient, declareKernel } from "../kernel.js";

type Attributes = Record<string, never>;

/** 2 relu(x), exactly, without the branch that `Math.max` becomes: signs are random, a guess at them costs 8 ns. */
function twiceRelu(x: number): number {
  return x + Math.abs(x);
}

/** Kernel `SquaredRelu`: input `x`; output of its shape. */
export const squaredReluKernel = declareKernel<"x", Attributes>({
  name: "SquaredRelu",
  composed: ({ x }) => [tf.square(tf.relu(x))],
  host(inputs, memory): TensorInfo[] {
    const output = memory.make(inputs.x.shape);
    const x = memory.floats(inputs.x);
    const y = memory.floats(output);
    for (let i = 0; i < y.length; i++) {
      const value = twiceRelu(x[i]!);
      y[i] = 0.25 * value * value;
    }
    return [output];
  },
});

/** Kernel `SquaredReluGrad`: inputs `x`, `dy`; output `dx` = 2 relu(x) ⊙ dy. */
export const squaredReluGradKernel = declareKernel<"x" | "dy", Attributes>({
  name: "SquaredReluGrad",
  composed: ({ x, dy }) => [tf.mul(tf.mul(tf.relu(x), 2), dy)],
  host(inputs, memory): TensorInfo[] {
    const output = memory.make(inputs.x.shape);
    const x = memory.floats(inputs.x);
    const dy = memory.floats(inputs.dy);
    const dx = memory.floats(output);
    for (let i = 0; i < dx.length; i++) dx[i] = twiceRelu(x[i]!) * dy[i]!;
    return [output];
  },
});

declareGradient<"x", Attributes>(squaredReluKernel, ["x"], ([dy], saved) => {
  const [dx] = squaredReluGradKernel.run({ x: saved[0]!, dy: dy! }, {});
  return { x: dx! };
});

/** relu(x)², element by element, differentiable. x is float32 of any shape. */
export function squaredRelu<T extends Tensor>(x: T): T {
  return squaredReluKernel.run({ x }, {})[0] as T;
}
