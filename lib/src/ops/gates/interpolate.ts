/** The op `interpolate`: from one tensor to another by a gate, RWKV-7's value residual. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, TensorInfo } from "@tensorflow/tfjs-core";

import { declareGradient, declareKernel } from "../kernel.js";
import { expectShape } from "../shape.js";

type Attributes = Record<string, never>;

/** Kernel `Interpolate`: inputs `from`, `to`, `gate` of one shape; output of that shape. */
export const interpolateKernel = declareKernel<"from" | "to" | "gate", Attributes>({
  name: "Interpolate",
  composed: ({ from, to, gate }) => [tf.add(from, tf.mul(tf.sub(to, from), gate))],
  host(inputs, memory): TensorInfo[] {
    const output = memory.make(inputs.from.shape);
    const from = memory.floats(inputs.from);
    const to = memory.floats(inputs.to);
    const gate = memory.floats(inputs.gate);
    const y = memory.floats(output);
    for (let i = 0; i < y.length; i++) y[i] = from[i]! + (to[i]! - from[i]!) * gate[i]!;
    return [output];
  },
});

/** Kernel `InterpolateGrad`: the inputs and `dy`; outputs `[dfrom, dto, dgate]`. */
export const interpolateGradKernel = declareKernel<"from" | "to" | "gate" | "dy", Attributes>({
  name: "InterpolateGrad",
  composed({ from, to, gate, dy }) {
    const dto = tf.mul(dy, gate);
    return [tf.sub(dy, dto), dto, tf.mul(dy, tf.sub(to, from))];
  },
  host(inputs, memory): TensorInfo[] {
    const outputs = [0, 1, 2].map(() => memory.make(inputs.from.shape));
    const [dfrom, dto, dgate] = outputs.map((output) => memory.floats(output)) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    const from = memory.floats(inputs.from);
    const to = memory.floats(inputs.to);
    const gate = memory.floats(inputs.gate);
    const dy = memory.floats(inputs.dy);
    for (let i = 0; i < dy.length; i++) {
      const d = dy[i]!;
      const share = d * gate[i]!;
      dto[i] = share;
      dfrom[i] = d - share;
      dgate[i] = d * (to[i]! - from[i]!);
    }
    return outputs;
  },
});

declareGradient<"from" | "to" | "gate", Attributes>(interpolateKernel, ["from", "to", "gate"], ([dy], saved) => {
  const [from, to, gate] = saved as [Tensor, Tensor, Tensor];
  const [dfrom, dto, dgate] = interpolateGradKernel.run({ from, to, gate, dy: dy! }, {});
  return { from: dfrom!, to: dto!, gate: dgate! };
});

/**
 * from + (to − from) ⊙ gate, differentiable in all three.
 *
 * @throws ShapeError when the shapes differ
 */
export function interpolate<T extends Tensor>(from: T, to: Tensor, gate: Tensor): T {
  expectShape("interpolate", "to", to, from.shape);
  expectShape("interpolate", "gate", gate, from.shape);
  return interpolateKernel.run({ from, to, gate }, {})[0] as T;
}
