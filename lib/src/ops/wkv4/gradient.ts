/**
 * The kernel `Wkv4Grad`: the states again, then back through them. With p_t = max(p_{t−1} + w, k_t), kept = e^{p_{t−1} + w − p_t}
 * and added = e^{k_t − p_t}, and adjoints ȧ, ḃ, ṗ of the state:
 *
 *     dfaded = kept (ȧ a_{t−1} + ḃ b_{t−1})      dkey = added (ȧ v_t + ḃ)      ṗ − dfaded − dkey goes to the larger of the two
 *
 * and through y, in which the largest exponent cancels: with n, d its numerator and denominator under e^{−max}, dn = dy / d,
 * dd = −dy y / d.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, TensorInfo } from "@tensorflow/tfjs-core";

import type { HostMemory } from "../host.js";
import { declareKernel } from "../kernel.js";
import type { Wkv4Input } from "./forward.js";

/** The inputs of `Wkv4Grad` by name. */
export type Wkv4GradInput = Wkv4Input | "dy" | "dNumerator" | "dDenominator" | "dExponent";

/** Kernel `Wkv4Grad`: outputs `[dw, du, dk, dv, dnumerator, ddenominator, dexponent]`. */
export const wkv4GradKernel = declareKernel<Wkv4GradInput, Record<string, never>>({
  name: "Wkv4Grad",
  composed: wkv4GradComposed,
  host: wkv4GradHost,
});

/** `Wkv4Grad` in tfjs ops. */
export function wkv4GradComposed(inputs: Readonly<Record<Wkv4GradInput, Tensor>>): Tensor[] {
  const { w, u } = inputs;
  const [ks, vs, dys] = [inputs.k, inputs.v, inputs.dy].map((x) => tf.unstack(x, 1)) as [Tensor[], Tensor[], Tensor[]];
  const states = [{ a: inputs.numerator, b: inputs.denominator, p: inputs.exponent }];
  const steps = ks.map((k, t) => {
    const { a, b, p } = states[t]!;
    const faded = tf.add(p, w);
    const next = tf.maximum(faded, k);
    const [kept, added] = [tf.exp(tf.sub(faded, next)), tf.exp(tf.sub(k, next))];
    states.push({ a: tf.add(tf.mul(kept, a), tf.mul(added, vs[t]!)), b: tf.add(tf.mul(kept, b), added), p: next });
    return { kept, added, isOld: tf.cast(tf.greaterEqual(faded, k), "float32") };
  });
  let [da, db, dp] = [inputs.dNumerator, inputs.dDenominator, inputs.dExponent];
  const [dks, dvs, dws, dus]: Tensor[][] = [[], [], [], []];
  for (let t = ks.length - 1; t >= 0; t--) {
    const { a, b, p } = states[t]!;
    const { kept, added, isOld } = steps[t]!;
    const v = vs[t]!;
    const fadedPart = tf.mul(kept, tf.add(tf.mul(da, a), tf.mul(db, b)));
    const keyPart = tf.mul(added, tf.add(tf.mul(da, v), db));
    const rest = tf.sub(dp, tf.add(fadedPart, keyPart));
    const dfaded = tf.add(fadedPart, tf.mul(rest, isOld));
    const dkey = tf.add(keyPart, tf.mul(rest, tf.sub(1, isOld)));

    const now = tf.add(ks[t]!, u);
    const largest = tf.maximum(p, now);
    const [old, fresh] = [tf.exp(tf.sub(p, largest)), tf.exp(tf.sub(now, largest))];
    const denominator = tf.add(tf.mul(old, b), fresh);
    const y = tf.div(tf.add(tf.mul(old, a), tf.mul(fresh, v)), denominator);
    const dn = tf.div(dys[t]!, denominator);
    const dd = tf.neg(tf.mul(dn, y));
    const dnow = tf.mul(fresh, tf.add(tf.mul(dn, v), dd));

    dws!.unshift(dfaded);
    dus!.unshift(dnow);
    dks!.unshift(tf.add(dkey, dnow));
    dvs!.unshift(tf.add(tf.mul(da, added), tf.mul(dn, fresh)));
    dp = tf.add(dfaded, tf.mul(old, tf.add(tf.mul(dn, a), tf.mul(dd, b))));
    da = tf.add(tf.mul(da, kept), tf.mul(dn, old));
    db = tf.add(tf.mul(db, kept), tf.mul(dd, old));
  }
  const total = (parts: Tensor[]): Tensor => tf.sum(tf.addN(parts), 0);
  return [total(dws!), total(dus!), tf.stack(dks!, 1), tf.stack(dvs!, 1), da, db, dp];
}

/** `Wkv4Grad` over host memory: channel after channel, its states kept in float64. */
function wkv4GradHost(inputs: Readonly<Record<Wkv4GradInput, TensorInfo>>, memory: HostMemory): TensorInfo[] {
  const [batch, time, width] = inputs.k.shape as [number, number, number];
  const names = ["w", "u", "k", "v", "numerator", "denominator", "exponent"] as const;
  const outputs = names.map((name) => memory.make(inputs[name].shape));
  const [dw, du, dk, dv, da0, db0, dp0] = outputs.map((output) => memory.floats(output)) as Septuple;
  const [w, u, k, v, a0, b0, p0] = names.map((name) => memory.floats(inputs[name])) as Septuple;
  const dy = memory.floats(inputs.dy);
  const dA = memory.floats(inputs.dNumerator);
  const dB = memory.floats(inputs.dDenominator);
  const dP = memory.floats(inputs.dExponent);
  const [as, bs, ps] = [0, 1, 2].map(() => new Float64Array(time)) as [Float64Array, Float64Array, Float64Array];
  for (let c = 0; c < width; c++) {
    const decay = w[c]!;
    const bonus = u[c]!;
    let dDecay = 0;
    let dBonus = 0;
    for (let row = 0; row < batch; row++) {
      const channel = row * width + c;
      const first = row * time * width + c;
      let a = a0[channel]!;
      let b = b0[channel]!;
      let p = p0[channel]!;
      for (let t = 0, at = first; t < time; t++, at += width) {
        as[t] = a;
        bs[t] = b;
        ps[t] = p;
        const faded = p + decay;
        p = Math.max(faded, k[at]!);
        const kept = Math.exp(faded - p);
        const added = Math.exp(k[at]! - p);
        a = kept * a + added * v[at]!;
        b = kept * b + added;
      }
      let da = dA[channel]!;
      let db = dB[channel]!;
      let dp = dP[channel]!;
      for (let t = time - 1, at = first + t * width; t >= 0; t--, at -= width) {
        const [before, beforeB, exponent] = [as[t]!, bs[t]!, ps[t]!];
        const key = k[at]!;
        const value = v[at]!;
        const faded = exponent + decay;
        const next = Math.max(faded, key);
        const kept = Math.exp(faded - next);
        const added = Math.exp(key - next);
        let dfaded = kept * (da * before + db * beforeB);
        let dkey = added * (da * value + db);
        const rest = dp - dfaded - dkey;
        if (faded >= key) dfaded += rest;
        else dkey += rest;

        const now = key + bonus;
        const largest = Math.max(exponent, now);
        const old = Math.exp(exponent - largest);
        const fresh = Math.exp(now - largest);
        const denominator = old * beforeB + fresh;
        const dn = dy[at]! / denominator;
        const dd = (-dn * (old * before + fresh * value)) / denominator;
        const dnow = fresh * (dn * value + dd);

        dDecay += dfaded;
        dBonus += dnow;
        dk[at] = dkey + dnow;
        dv[at] = da * added + dn * fresh;
        dp = dfaded + old * (dn * before + dd * beforeB);
        da = da * kept + dn * old;
        db = db * kept + dd * old;
      }
      da0[channel] = da;
      db0[channel] = db;
      dp0[channel] = dp;
    }
    dw[c] = dDecay;
    du[c] = dBonus;
  }
  return outputs;
}

type Septuple = [Float32Array, Float32Array, Float32Array, Float32Array, Float32Array, Float32Array, Float32Array];
