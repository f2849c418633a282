/** The op `prepareKeys`: from RWKV-7's key and in-context learning rate to what the recurrence takes. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Tensor3D, TensorInfo } from "@tensorflow/tfjs-core";

import { declareGradient, declareKernel } from "../kernel.js";
import { expectRank, expectShape, sizeOf } from "../shape.js";

/** Below this length a key counts as this long (as in the published code), so that zero stays zero. */
const shortest = 1e-12;

interface Attributes {
  readonly heads: number;
  readonly [key: string]: number;
}
type Input = "k" | "kk" | "rate" | "ka";

/** Kernel `KeyPreparation`: inputs `k`, `rate` `[B, T, A]`, `kk`, `ka` of A values; outputs `[key, alpha, beta]`. */
export const keyPreparationKernel = declareKernel<Input, Attributes>({
  name: "KeyPreparation",
  composed({ k, kk, rate, ka }, { heads }) {
    const { unit } = removalKey(k, kk, heads);
    const width = [sizeOf(ka.shape)];
    const replaced = tf.mul(k, tf.add(1, tf.mul(tf.sub(rate, 1), tf.reshape(ka, width))));
    return [replaced, tf.neg(unit), tf.mul(unit, rate)];
  },
  host(inputs, memory, { heads }) {
    const outputs = [memory.make(inputs.k.shape), memory.make(inputs.k.shape), memory.make(inputs.k.shape)];
    const [key, alpha, beta] = outputs.map((output) => memory.floats(output)) as Floats3;
    const k = memory.floats(inputs.k);
    const kk = memory.floats(inputs.kk);
    const rate = memory.floats(inputs.rate);
    const ka = memory.floats(inputs.ka);
    const width = kk.length;
    const size = width / heads;
    for (let start = 0, at = 0; start < k.length; start += size, at = at + size === width ? 0 : at + size) {
      const inverse = inverseLength(k, kk, start, at, size);
      for (let j = 0; j < size; j++) {
        const x = k[start + j]!;
        const unit = x * kk[at + j]! * inverse;
        key[start + j] = x * (1 + (rate[start + j]! - 1) * ka[at + j]!);
        alpha[start + j] = -unit;
        beta[start + j] = unit * rate[start + j]!;
      }
    }
    return outputs;
  },
});

/** Kernel `KeyPreparationGrad`: the inputs and `dkey`, `dalpha`, `dbeta`; outputs `[dk, dkk, drate, dka]`. */
export const keyPreparationGradKernel = declareKernel<Input | "dkey" | "dalpha" | "dbeta", Attributes>({
  name: "KeyPreparationGrad",
  composed({ k, kk, rate, ka, dkey, dalpha, dbeta }, { heads }) {
    const { unit, length } = removalKey(k, kk, heads);
    const width = sizeOf(kk.shape);
    const scale = tf.reshape(kk, [width]);
    const strength = tf.reshape(ka, [width]);
    const rows = [sizeOf(k.shape) / width, width];
    const perHead = [rows[0]!, heads, width / heads];
    const dunit = tf.reshape(tf.sub(tf.mul(rate, dbeta), dalpha), perHead);
    const unitHeads = tf.reshape(unit, perHead);
    const along = tf.sum(tf.mul(unitHeads, dunit), -1, true);
    const dremoval = tf.reshape(tf.div(tf.sub(dunit, tf.mul(unitHeads, along)), length), k.shape);
    const dk = tf.add(tf.mul(dremoval, scale), tf.mul(dkey, tf.add(1, tf.mul(tf.sub(rate, 1), strength))));
    const drate = tf.add(tf.mul(unit, dbeta), tf.mul(tf.mul(k, strength), dkey));
    const overRows = (x: Tensor): Tensor => tf.sum(tf.reshape(x, rows), 0);
    const dkk = overRows(tf.mul(dremoval, k));
    const dka = overRows(tf.mul(tf.mul(dkey, k), tf.sub(rate, 1)));
    return [dk, tf.reshape(dkk, kk.shape), drate, tf.reshape(dka, ka.shape)];
  },
  host(inputs, memory, { heads }) {
    const outputs = [inputs.k, inputs.kk, inputs.rate, inputs.ka].map((input) => memory.make(input.shape));
    const [dk, dkkOut, drate, dkaOut] = outputs.map((output: TensorInfo) => memory.floats(output)) as Floats4;
    const k = memory.floats(inputs.k);
    const kk = memory.floats(inputs.kk);
    const rate = memory.floats(inputs.rate);
    const ka = memory.floats(inputs.ka);
    const dkey = memory.floats(inputs.dkey);
    const dalpha = memory.floats(inputs.dalpha);
    const dbeta = memory.floats(inputs.dbeta);
    const width = kk.length;
    const size = width / heads;
    const dkk = new Float64Array(width);
    const dka = new Float64Array(width);
    for (let start = 0, at = 0; start < k.length; start += size, at = at + size === width ? 0 : at + size) {
      const inverse = inverseLength(k, kk, start, at, size);
      let along = 0;
      for (let j = 0; j < size; j++) {
        const unit = k[start + j]! * kk[at + j]! * inverse;
        along += unit * (rate[start + j]! * dbeta[start + j]! - dalpha[start + j]!);
      }
      for (let j = 0; j < size; j++) {
        const x = k[start + j]!;
        const scale = kk[at + j]!;
        const strength = ka[at + j]!;
        const a = rate[start + j]!;
        const unit = x * scale * inverse;
        const dremoval = (a * dbeta[start + j]! - dalpha[start + j]! - unit * along) * inverse;
        const d = dkey[start + j]!;
        dk[start + j] = dremoval * scale + d * (1 + (a - 1) * strength);
        drate[start + j] = unit * dbeta[start + j]! + x * strength * d;
        dkk[at + j]! += dremoval * x;
        dka[at + j]! += d * x * (a - 1);
      }
    }
    dkkOut.set(dkk);
    dkaOut.set(dka);
    return outputs;
  },
});

declareGradient<Input, Attributes>(
  keyPreparationKernel,
  ["k", "kk", "rate", "ka"],
  ([dkey, dalpha, dbeta], saved, attributes) => {
    const [k, kk, rate, ka] = saved as [Tensor, Tensor, Tensor, Tensor];
    const [dk, dkk, drate, dka] = keyPreparationGradKernel.run(
      { k, kk, rate, ka, dkey: dkey!, dalpha: dalpha!, dbeta: dbeta! },
      attributes,
    );
    return { k: dk!, kk: dkk!, rate: drate!, ka: dka! };
  },
);

type Floats3 = [Float32Array, Float32Array, Float32Array];
type Floats4 = [Float32Array, Float32Array, Float32Array, Float32Array];

/** κ̂ in k's shape, and each head's length of κ `[rows, heads, 1]`. */
function removalKey(k: Tensor, kk: Tensor, heads: number): { unit: Tensor; length: Tensor } {
  const width = sizeOf(kk.shape);
  const scaled = tf.reshape(tf.mul(k, tf.reshape(kk, [width])), [sizeOf(k.shape) / width, heads, width / heads]);
  const length = tf.maximum(tf.sqrt(tf.sum(tf.square(scaled), -1, true)), shortest);
  return { unit: tf.reshape(tf.div(scaled, length), k.shape), length };
}

function inverseLength(k: Float32Array, kk: Float32Array, start: number, at: number, size: number): number {
  let square = 0;
  for (let j = 0; j < size; j++) {
    const scaled = k[start + j]! * kk[at + j]!;
    square += scaled * scaled;
  }
  return 1 / Math.max(Math.sqrt(square), shortest);
}

/**
 * RWKV-7's key preparation (arXiv 2503.14456): per head κ = k ⊙ k_k, κ̂ = κ / ‖κ‖, and
 *
 *     key = k ⊙ (1 + (rate − 1) ⊙ k_a)        alpha = −κ̂        beta = κ̂ ⊙ rate
 *
 * @param k key before preparation, float32 `[B, T, A]`
 * @param kk removal key multiplier `att.k_k`, `[1, 1, A]`
 * @param rate in-context learning rate in (0, 1), `[B, T, A]`
 * @param ka how far the rate reaches the replacement key, `att.k_a`, `[1, 1, A]`
 * @param heads A is cut into so many heads
 * @returns three tensors `[B, T, A]`
 * @throws ShapeError when a shape does not fit
 */
export function prepareKeys(
  k: Tensor3D,
  kk: Tensor,
  rate: Tensor3D,
  ka: Tensor,
  heads: number,
): { key: Tensor3D; alpha: Tensor3D; beta: Tensor3D } {
  expectRank("prepareKeys", "k", k, 3, "[B, T, A]");
  expectShape("prepareKeys", "rate", rate, k.shape, "[B, T, A]");
  expectShape("prepareKeys", "kk", kk, [1, 1, k.shape[2]], "[1, 1, A]");
  expectShape("prepareKeys", "ka", ka, [1, 1, k.shape[2]], "[1, 1, A]");
  const [key, alpha, beta] = keyPreparationKernel.run({ k, kk, rate, ka }, { heads }) as Tensor3D[];
  return { key: key!, alpha: alpha!, beta: beta! };
}
