/** Time mixing of a token as one kernel: the same bits as its ops one by one, and nothing left unwritten. */
import * as tf from "@tensorflow/tfjs-core";
import assert from "node:assert/strict";
import test from "node:test";
import type { NativeBackend } from "../backend/native-backend.js";
import { useNativeEngine } from "../engine-candidate.js";
import { needsNative } from "../testing/native.js";
import { randomNumbers } from "../testing/wkv7-reference.js";

interface Sizes {
  readonly batch: number;
  readonly width: number;
  readonly heads: number;
  readonly headSize: number;
  /** ranks of the low-rank parts w, a, v, g */
  readonly ranks: readonly [number, number, number, number];
}

const small: Sizes = { batch: 1, width: 12, heads: 3, headSize: 5, ranks: [3, 2, 4, 7] };
const several: Sizes = { ...small, batch: 3 };
/** Products of more weights than one thread takes. */
const large: Sizes = { batch: 1, width: 200, heads: 4, headSize: 64, ranks: [24, 17, 16, 40] };

type Tensors = Record<string, tf.Tensor>;

function inputsOf({ batch, width, heads, headSize, ranks }: Sizes, isFirstLayer: boolean): Tensors {
  const random = randomNumbers(11);
  const filled = (...shape: number[]): tf.Tensor =>
    tf.tensor(Float32Array.from({ length: tf.util.sizeFromShape(shape) }, random), shape);
  const inner = heads * headSize;
  const [w, a, v, g] = ranks;
  const vector = (): tf.Tensor => filled(1, 1, inner);
  const mixes = ["x_r", "x_w", "x_k", "x_v", "x_a", "x_g"].map((name) => [name, filled(1, 1, width)] as const);
  return {
    ...{ x: filled(batch, 1, width), shift: filled(batch, width), wkv: filled(batch, heads, headSize, headSize) },
    ...Object.fromEntries(mixes),
    ...{ w0: vector(), w1: filled(width, w), w2: filled(w, inner) },
    ...{ a0: vector(), a1: filled(width, a), a2: filled(a, inner) },
    ...{ g1: filled(width, g), g2: filled(g, inner), k_k: vector(), k_a: vector(), r_k: filled(heads, headSize) },
    "receptance.weight": filled(inner, width),
    "key.weight": filled(inner, width),
    "value.weight": filled(inner, width),
    "output.weight": filled(width, inner),
    "ln_x.weight": filled(inner),
    "ln_x.bias": filled(inner),
    ...(isFirstLayer
      ? {}
      : { firstValue: filled(batch, 1, inner), v0: vector(), v1: filled(width, v), v2: filled(v, inner) }),
  };
}

/** The same by the library's ops, in the order of its `timeMixing`. */
function opByOp(i: Tensors, { batch, heads, headSize }: Sizes, aScale: number, epsilon: number): tf.Tensor[] {
  const all = (name: string, inputs: Tensors, attributes: tf.NamedAttrMap = {}): tf.Tensor[] =>
    [tf.engine().runKernel<tf.Tensor | tf.Tensor[]>(name, inputs, attributes)].flat();
  const one = (...call: Parameters<typeof all>): tf.Tensor => all(...call)[0]!;
  const linear = (x: tf.Tensor, weight: tf.Tensor, layout: string): tf.Tensor =>
    one("Linear", { x, weight }, { layout });
  const lowRank = (x: tf.Tensor, name: string, inner = (h: tf.Tensor): tf.Tensor => h): tf.Tensor =>
    linear(inner(linear(x, i[`${name}1`]!, "inOut")), i[`${name}2`]!, "inOut");
  const perHead = (y: tf.Tensor): tf.Tensor => tf.reshape(y, [batch, 1, heads, headSize]);
  const mixes = Object.fromEntries(["x_r", "x_w", "x_k", "x_v", "x_a", "x_g"].map((name, n) => [`mix${n}`, i[name]!]));
  const [xr, xw, xk, xv, xa, xg] = all("TokenShift6", { x: i["x"]!, previous: i["shift"]!, ...mixes });
  const r = linear(xr!, i["receptance.weight"]!, "outIn");
  const rawKey = linear(xk!, i["key.weight"]!, "outIn");
  const own = linear(xv!, i["value.weight"]!, "outIn");
  const w = one("Decay", { x: lowRank(xw!, "w", tf.tanh), bias: i["w0"]! });
  const rate = one("BiasedSigmoid", { x: lowRank(xa!, "a"), bias: i["a0"]! });
  const gate = lowRank(xg!, "g", tf.sigmoid);
  const v = i["firstValue"]
    ? one("Interpolate", {
        from: own,
        to: i["firstValue"],
        gate: one("BiasedSigmoid", { x: lowRank(xv!, "v"), bias: i["v0"]! }),
      })
    : own;
  const [k, alpha, rawBeta] = all("KeyPreparation", { k: rawKey, kk: i["k_k"]!, rate, ka: i["k_a"]! }, { heads });
  const beta = aScale === 1 ? rawBeta! : tf.mul(rawBeta!, aScale);
  const transition = { r, w, k: k!, v, a: alpha!, b: beta };
  const steps = Object.fromEntries(Object.entries(transition).map(([name, y]) => [name, perHead(y)]));
  const [y, after] = all("Wkv7", { ...steps, state: i["wkv"]! }, { checkpointInterval: 0 });
  const read = tf.reshape(y!, r.shape);
  const norm = { x: read, weight: i["ln_x.weight"]!, bias: i["ln_x.bias"]! };
  const normalised = one("GroupNorm", norm, { groups: heads, epsilon });
  const gated = one("BonusGate", { x: normalised, r, k: k!, v, gate, rk: i["r_k"]! });
  const output = linear(gated, i["output.weight"]!, "outIn");
  return [output, after!, ...Object.values(steps)];
}

const values = (tensors: readonly tf.Tensor[]): unknown[] => tensors.map((y) => [y.shape, ...y.dataSync()]);

for (const [name, sizes, isFirstLayer, aScale] of [
  ["the first layer", small, true, 1],
  ["a later layer", small, false, 2],
  ["several texts side by side", several, false, 1],
  ["weights that threads share", large, false, 1],
] as const) {
  test(`time mixing of a token: ${name}`, needsNative, async () => {
    useNativeEngine();
    await tf.setBackend("native");
    const { pool } = tf.backend() as NativeBackend;
    tf.tidy(() => {
      const { heads, headSize } = sizes;
      const inputs = inputsOf(sizes, isFirstLayer);
      const attributes = { heads, headSize, aScale, epsilon: headSize * 1e-5 };
      const expected = values(opByOp(inputs, sizes, aScale, attributes.epsilon));
      const before = values(Object.values(inputs));
      // What is not written is NaN.
      for (let length = 64; length <= 2 ** 15; length++) {
        for (let copy = 0; copy < (length < 1024 ? 12 : 1); copy++) pool.give(new Float32Array(length).fill(NaN));
        if (length > 1024) length += 1023;
      }
      const results = tf.engine().runKernel<tf.Tensor[]>("TimeMixingToken", inputs, attributes);
      assert.deepEqual(values(results), expected);
      assert.deepEqual(values(Object.values(inputs)), before, "inputs stay as they are");
    });
  });
}

test("time mixing of a token refuses two of them", needsNative, async () => {
  useNativeEngine();
  await tf.setBackend("native");
  tf.tidy(() => {
    const inputs = { ...inputsOf(small, true), x: tf.zeros([1, 2, 12]) };
    const attributes = { heads: 3, headSize: 5, aScale: 1, epsilon: 1e-5 };
    assert.throws(
      () => tf.engine().runKernel("TimeMixingToken", inputs, attributes),
      /x has 2 tokens in a row, wanted 1/,
    );
  });
});
