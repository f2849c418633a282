/** The op `swiGlu`: a linear unit under a SiLU gate (arXiv 2002.05202). */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, TensorInfo } from "@tensorflow/tfjs-core";

import { declareGradient, declareKernel } from "../kernel.js";
import { expectShape } from "../shape.js";

type Attributes = Record<string, never>;

/** Kernel `SwiGlu`: inputs `gate`, `x` of one shape; output of that shape. */
export const swiGluKernel = declareKernel<"gate" | "x", Attributes>({
  name: "SwiGlu",
  composed: ({ gate, x }) => [tf.mul(tf.mul(gate, tf.sigmoid(gate)), x)],
  host(inputs, memory): TensorInfo[] {
    const output = memory.make(inputs.x.shape);
    const y = memory.floats(output);
    const gate = memory.floats(inputs.gate);
    const x = memory.floats(inputs.x);
    for (let i = 0; i < y.length; i++) {
      const g = gate[i]!;
      y[i] = (g / (1 + Math.exp(-g))) * x[i]!;
    }
    return [output];
  },
});

/** Kernel `SwiGluGrad`: the inputs and `dy`; outputs `[dgate, dx]`. */
export const swiGluGradKernel = declareKernel<"gate" | "x" | "dy", Attributes>({
  name: "SwiGluGrad",
  composed({ gate, x, dy }) {
    const sigmoid = tf.sigmoid(gate);
    // d (g σ(g)) / dg = σ(g) (1 + g (1 − σ(g)))
    const slope = tf.mul(sigmoid, tf.add(tf.mul(gate, tf.sub(1, sigmoid)), 1));
    return [tf.mul(tf.mul(dy, x), slope), tf.mul(tf.mul(dy, gate), sigmoid)];
  },
  host(inputs, memory): TensorInfo[] {
    const outputs = [memory.make(inputs.x.shape), memory.make(inputs.x.shape)];
    const dgate = memory.floats(outputs[0]!);
    const dx = memory.floats(outputs[1]!);
    const gate = memory.floats(inputs.gate);
    const x = memory.floats(inputs.x);
    const dy = memory.floats(inputs.dy);
    for (let i = 0; i < dx.length; i++) {
      const g = gate[i]!;
      const sigmoid = 1 / (1 + Math.exp(-g));
      const d = dy[i]! * sigmoid;
      dx[i] = d * g;
      dgate[i] = d * x[i]! * (1 + g * (1 - sigmoid));
    }
    return outputs;
  },
});

declareGradient<"gate" | "x", Attributes>(swiGluKernel, ["gate", "x"], ([dy], saved) => {
  const [gate, x] = saved as [Tensor, Tensor];
  const [dgate, dx] = swiGluGradKernel.run({ gate, x, dy: dy! }, {});
  return { gate: dgate!, x: dx! };
});

/**
 * gate ⊙ σ(gate) ⊙ x, differentiable in both.
 *
 * @throws ShapeError when the shapes differ
 */
export function swiGlu<T extends Tensor>(gate: Tensor, x: T): T {
  expectShape("swiGlu", "gate", gate, x.shape);
  return swiGluKernel.run({ gate, x }, {})[0] as T;
}
