/**
 * The kernel `Wkv4`. Exponents are taken relative to the largest so far: e^k of a key of 100 does not fit float32, the average that
 * it is part of does.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, TensorInfo } from "@tensorflow/tfjs-core";

import type { HostMemory } from "../host.js";
import { declareKernel } from "../kernel.js";

/** The inputs of `Wkv4` by name. */
export type Wkv4Input = "w" | "u" | "k" | "v" | "numerator" | "denominator" | "exponent";

/** Kernel `Wkv4`: outputs `[y, numerator, denominator, exponent]`. */
export const wkv4Kernel = declareKernel<Wkv4Input, Record<string, never>>({
  name: "Wkv4",
  composed: wkv4Composed,
  host: wkv4Host,
});

/** `Wkv4` in tfjs ops, a step at a time. */
export function wkv4Composed(inputs: Readonly<Record<Wkv4Input, Tensor>>): Tensor[] {
  const { w, u } = inputs;
  const [ks, vs] = [tf.unstack(inputs.k, 1), tf.unstack(inputs.v, 1)];
  let [a, b, p] = [inputs.numerator, inputs.denominator, inputs.exponent];
  const ys = ks.map((k, t) => {
    const v = vs[t]!;
    const now = tf.add(k, u);
    const largest = tf.maximum(p, now);
    const [old, fresh] = [tf.exp(tf.sub(p, largest)), tf.exp(tf.sub(now, largest))];
    const y = tf.div(tf.add(tf.mul(old, a), tf.mul(fresh, v)), tf.add(tf.mul(old, b), fresh));
    const faded = tf.add(p, w);
    const next = tf.maximum(faded, k);
    const [kept, added] = [tf.exp(tf.sub(faded, next)), tf.exp(tf.sub(k, next))];
    a = tf.add(tf.mul(kept, a), tf.mul(added, v));
    b = tf.add(tf.mul(kept, b), added);
    p = next;
    return y;
  });
  return [tf.stack(ys, 1), a, b, p];
}

/** `Wkv4` over host memory: channel after channel, the state in three numbers. */
function wkv4Host(inputs: Readonly<Record<Wkv4Input, TensorInfo>>, memory: HostMemory): TensorInfo[] {
  const [batch, time, width] = inputs.k.shape as [number, number, number];
  const outputs = [inputs.k, inputs.numerator, inputs.denominator, inputs.exponent].map(({ shape }) =>
    memory.make(shape),
  );
  const [y, a1, b1, p1] = outputs.map((output) => memory.floats(output)) as Quadruple;
  const [w, u] = [memory.floats(inputs.w), memory.floats(inputs.u)];
  const [k, v] = [memory.floats(inputs.k), memory.floats(inputs.v)];
  const a0 = memory.floats(inputs.numerator);
  const b0 = memory.floats(inputs.denominator);
  const p0 = memory.floats(inputs.exponent);
  for (let row = 0; row < batch; row++) {
    for (let c = 0; c < width; c++) {
      const channel = row * width + c;
      let a = a0[channel]!;
      let b = b0[channel]!;
      let p = p0[channel]!;
      let at = row * time * width + c;
      for (let t = 0; t < time; t++, at += width) {
        const key = k[at]!;
        const value = v[at]!;
        // Of the two factors e^(x − max) one is always 1: a single exponential a ratio.
        const ahead = key + u[c]! - p;
        if (ahead > 0) {
          const old = Math.exp(-ahead);
          y[at] = (old * a + value) / (old * b + 1);
        } else {
          const fresh = Math.exp(ahead);
          y[at] = (a + fresh * value) / (b + fresh);
        }
        const faded = p + w[c]!;
        if (key > faded) {
          const kept = Math.exp(faded - key);
          a = kept * a + value;
          b = kept * b + 1;
          p = key;
        } else {
          const added = Math.exp(key - faded);
          a += added * value;
          b += added;
          p = faded;
        }
      }
      a1[channel] = a;
      b1[channel] = b;
      p1[channel] = p;
    }
  }
  return outputs;
}

type Quadruple = [Float32Array, Float32Array, Float32Array, Float32Array];
