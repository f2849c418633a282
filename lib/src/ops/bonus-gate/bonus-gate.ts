/** The op `bonusGate`: the end of RWKV-7's time mixing, the current token's bonus and the output gate. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Tensor3D, TensorInfo } from "@tensorflow/tfjs-core";

import { declareGradient, declareKernel } from "../kernel.js";
import { expectRank, expectShape, sizeOf } from "../shape.js";

type Attributes = Record<string, never>;
type Input = "x" | "r" | "k" | "v" | "gate" | "rk";
const inputNames = ["x", "r", "k", "v", "gate", "rk"] as const;

/** Kernel `BonusGate`: inputs `x`, `r`, `k`, `v`, `gate` `[B, T, A]`, `rk` `[H, N]`; output `[B, T, A]`. */
export const bonusGateKernel = declareKernel<Input, Attributes>({
  name: "BonusGate",
  composed({ x, r, k, v, gate, rk }) {
    const perHead = [sizeOf(x.shape) / sizeOf(rk.shape), ...rk.shape];
    const bonus = tf.sum(tf.mul(tf.reshape(tf.mul(r, k), perHead), rk), -1, true);
    const sum = tf.add(x, tf.reshape(tf.mul(bonus, tf.reshape(v, perHead)), x.shape));
    return [tf.mul(sum, gate)];
  },
  host(inputs, memory): TensorInfo[] {
    const output = memory.make(inputs.x.shape);
    const [x, r, k, v, gate, rk] = inputNames.map((name) => memory.floats(inputs[name])) as Floats6;
    const y = memory.floats(output);
    const size = inputs.rk.shape[1]!;
    for (let start = 0, at = 0; start < y.length; start += size, at = at + size === rk.length ? 0 : at + size) {
      let bonus = 0;
      for (let j = 0; j < size; j++) bonus += r[start + j]! * k[start + j]! * rk[at + j]!;
      for (let j = 0; j < size; j++) y[start + j] = (x[start + j]! + bonus * v[start + j]!) * gate[start + j]!;
    }
    return [output];
  },
});

/** Kernel `BonusGateGrad`: the inputs and `dy`; outputs `[dx, dr, dk, dv, dgate, drk]`. */
export const bonusGateGradKernel = declareKernel<Input | "dy", Attributes>({
  name: "BonusGateGrad",
  composed({ x, r, k, v, gate, rk, dy }) {
    const perHead = [sizeOf(x.shape) / sizeOf(rk.shape), ...rk.shape];
    const heads = (y: Tensor): Tensor => tf.reshape(y, perHead);
    const flat = (y: Tensor): Tensor => tf.reshape(y, x.shape);
    const product = heads(tf.mul(r, k));
    const bonus = tf.sum(tf.mul(product, rk), -1, true);
    const dgate = tf.mul(dy, tf.add(x, flat(tf.mul(bonus, heads(v)))));
    const dsum = tf.mul(dy, gate);
    const dbonus = tf.sum(heads(tf.mul(dsum, v)), -1, true);
    const scaled = tf.mul(dbonus, rk);
    return [
      dsum,
      flat(tf.mul(scaled, heads(k))),
      flat(tf.mul(scaled, heads(r))),
      flat(tf.mul(heads(dsum), bonus)),
      dgate,
      tf.sum(tf.mul(product, dbonus), 0),
    ];
  },
  host(inputs, memory): TensorInfo[] {
    const outputs = inputNames.map((name) => memory.make(inputs[name].shape));
    const [dx, dr, dk, dv, dgate, drkOut] = outputs.map((output) => memory.floats(output)) as Floats6;
    const [x, r, k, v, gate, rk] = inputNames.map((name) => memory.floats(inputs[name])) as Floats6;
    const dy = memory.floats(inputs.dy);
    const size = inputs.rk.shape[1]!;
    const drk = new Float64Array(rk.length);
    for (let start = 0, at = 0; start < dy.length; start += size, at = at + size === rk.length ? 0 : at + size) {
      let bonus = 0;
      let dbonus = 0;
      for (let j = 0; j < size; j++) {
        const i = start + j;
        bonus += r[i]! * k[i]! * rk[at + j]!;
        dbonus += dy[i]! * gate[i]! * v[i]!;
      }
      for (let j = 0; j < size; j++) {
        const i = start + j;
        const d = dy[i]!;
        const dsum = d * gate[i]!;
        dx[i] = dsum;
        dgate[i] = d * (x[i]! + bonus * v[i]!);
        dv[i] = dsum * bonus;
        const scaled = dbonus * rk[at + j]!;
        dr[i] = scaled * k[i]!;
        dk[i] = scaled * r[i]!;
        drk[at + j]! += dbonus * r[i]! * k[i]!;
      }
    }
    drkOut.set(drk);
    return outputs;
  },
});

declareGradient<Input, Attributes>(bonusGateKernel, inputNames, ([dy], saved) => {
  const [x, r, k, v, gate, rk] = saved as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
  const [dx, dr, dk, dv, dgate, drk] = bonusGateGradKernel.run({ x, r, k, v, gate, rk, dy: dy! }, {});
  return { x: dx!, r: dr!, k: dk!, v: dv!, gate: dgate!, rk: drk! };
});

type Floats6 = [Float32Array, Float32Array, Float32Array, Float32Array, Float32Array, Float32Array];

/**
 * (x + (Σ_j r_j k_j rk_j) v) ⊙ gate, the sum over each head's channels (arXiv 2503.14456).
 *
 * @param x the normalised read, float32 `[B, T, A]`
 * @param r receptance `[B, T, A]`
 * @param k replacement key `[B, T, A]`
 * @param v value `[B, T, A]`
 * @param gate `[B, T, A]`
 * @param rk `att.r_k` `[H, N]`, H·N = A
 * @throws ShapeError when a shape does not fit
 */
export function bonusGate(x: Tensor3D, r: Tensor3D, k: Tensor3D, v: Tensor3D, gate: Tensor3D, rk: Tensor): Tensor3D {
  expectRank("bonusGate", "x", x, 3, "[B, T, A]");
  for (const [name, tensor] of Object.entries({ r, k, v, gate })) {
    expectShape("bonusGate", name, tensor, x.shape, "[B, T, A]");
  }
  const heads = rk.shape[0] ?? 1;
  expectShape("bonusGate", "rk", rk, [heads, x.shape[2] / heads], "[H, N]");
  return bonusGateKernel.run({ x, r, k, v, gate, rk }, {})[0] as Tensor3D;
}
