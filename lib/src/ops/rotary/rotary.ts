/** The op `rotary`: positions as rotations of query and key channels (RoPE, arXiv 2104.09864). */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Tensor3D, Tensor4D, TensorInfo } from "@tensorflow/tfjs-core";

import { ConfigurationError } from "../../errors.js";
import type { HostMemory } from "../host.js";
import { declareGradient, declareKernel } from "../kernel.js";
import { expectRank, expectShape } from "../shape.js";

interface RotaryAttributes {
  /** 1, or −1 to turn back */
  readonly direction: number;
  readonly [key: string]: number;
}

/** The cosines and sines of some positions, `[B, T, N/2]` each: made once a pass, used by every layer. */
export interface Rotations {
  readonly cosines: Tensor3D;
  readonly sines: Tensor3D;
}

/**
 * Kernel `Rotary`: inputs `x` `[B, T, H, N]`, `cosines`, `sines` `[B, T, N/2]`; output like x, the pairs (x_i, x_{i+N/2}) turned.
 */
export const rotaryKernel = declareKernel<"x" | "cosines" | "sines", RotaryAttributes>({
  name: "Rotary",
  composed({ x, cosines, sines }, { direction }) {
    const [batch, time, , size] = x.shape as [number, number, number, number];
    const [first, second] = tf.split(x, 2, 3) as [Tensor4D, Tensor4D];
    const cosine = tf.reshape(cosines, [batch, time, 1, size / 2]);
    const sine = tf.mul(tf.reshape(sines, [batch, time, 1, size / 2]), direction);
    return [
      tf.concat(
        [tf.sub(tf.mul(first, cosine), tf.mul(second, sine)), tf.add(tf.mul(second, cosine), tf.mul(first, sine))],
        3,
      ),
    ];
  },
  host: rotaryHost,
});

function rotaryHost(
  inputs: Readonly<Record<"x" | "cosines" | "sines", TensorInfo>>,
  memory: HostMemory,
  { direction }: RotaryAttributes,
): TensorInfo[] {
  const [batch, time, heads, size] = inputs.x.shape as [number, number, number, number];
  const output = memory.make(inputs.x.shape);
  const y = memory.floats(output);
  const x = memory.floats(inputs.x);
  const cosines = memory.floats(inputs.cosines);
  const sines = memory.floats(inputs.sines);
  const half = size / 2;
  for (let row = 0; row < batch * time; row++) {
    for (let h = 0; h < heads; h++) {
      const at = (row * heads + h) * size;
      for (let i = 0; i < half; i++) {
        const cosine = cosines[row * half + i]!;
        const sine = sines[row * half + i]! * direction;
        const first = x[at + i]!;
        const second = x[at + half + i]!;
        y[at + i] = first * cosine - second * sine;
        y[at + half + i] = second * cosine + first * sine;
      }
    }
  }
  return [output];
}

declareGradient<"x" | "cosines" | "sines", RotaryAttributes>(
  rotaryKernel,
  ["cosines", "sines"],
  ([dy], saved, { direction }) => {
    const [cosines, sines] = saved as [Tensor, Tensor];
    return { x: rotaryKernel.run({ x: dy!, cosines, sines }, { direction: -direction })[0]! };
  },
);

/**
 * The rotations of T positions in a row, from each row's own first.
 *
 * @param first position of each row's first token, from 0
 * @param size N: channels a head, even
 * @param base the slowest pair turns once in about 2π × base positions; 10,000 as published
 * @throws ConfigurationError when N is odd
 */
export function rotations(first: readonly number[], time: number, size: number, base = 10_000): Rotations {
  if (size % 2 !== 0) throw new ConfigurationError(`rotary: heads have ${size} channels, wanted an even number`);
  const half = size / 2;
  const cosines = new Float32Array(first.length * time * half);
  const sines = new Float32Array(first.length * time * half);
  let at = 0;
  for (const start of first) {
    for (let t = 0; t < time; t++) {
      for (let i = 0; i < half; i++, at++) {
        // In float64: a float32 angle would be wrong by a tenth at position 1,000,000.
        const angle = (start + t) * base ** (-i / half);
        cosines[at] = Math.cos(angle);
        sines[at] = Math.sin(angle);
      }
    }
  }
  const shape: [number, number, number] = [first.length, time, half];
  return { cosines: tf.tensor3d(cosines, shape), sines: tf.tensor3d(sines, shape) };
}

/**
 * Turns the pairs (x_i, x_{i+N/2}) of every head by their position's angles, so that q · k depends on the distance of two
 * tokens. Differentiable in x.
 *
 * @param x float32 `[B, T, H, N]`, N even
 * @param rotations of {@link rotations}, `[B, T, N/2]`
 * @throws ShapeError when the rotations are of other positions or of another head size
 */
export function rotary(x: Tensor4D, { cosines, sines }: Rotations): Tensor4D {
  expectRank("rotary", "x", x, 4, "[B, T, H, N]");
  const [batch, time, , size] = x.shape;
  expectShape("rotary", "cosines", cosines, [batch, time, size / 2], "[B, T, N/2]");
  expectShape("rotary", "sines", sines, [batch, time, size / 2], "[B, T, N/2]");
  return rotaryKernel.run({ x, cosines, sines }, { direction: 1 })[0] as Tensor4D;
}
